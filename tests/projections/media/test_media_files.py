from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from projections.media.media_files import MediaFile, MediaStatus, media_files
from schemas.log.messages import Event
from schemas.media import (
    FailureReason,
    MediaBegun,
    MediaDeleted,
    MediaFailed,
    MediaKept,
    MediaMarkedUnused,
    MediaProcessed,
    MediaPutOff,
    MediaRetried,
    MediaType,
    MediaUploaded,
    Segment,
    Variant,
    VariantName,
    Video,
    media_folder,
    media_stream,
)
from tests.projections.history import BEGINNING, history, rows_of

LATER = BEGINNING + timedelta(days=7)
ID, OWNER = UUID(int=1), UUID(int=2)
FOLDER = media_folder(OWNER, ID)
ITEM = f"item/{UUID(int=4)}"
SAID = {"media_id": ID, "owner_id": OWNER, "subject": ITEM}
SIDES = {VariantName.THUMBNAIL: 300, VariantName.MEDIUM: 800, VariantName.LARGE: 1200}

UPLOADED = MediaUploaded(
    media_type=MediaType.PNG,
    size=500,
    original=f"{FOLDER}/original-{'a' * 64}",
    filename_sealed="1sealed",
    uploaded_at=BEGINNING,
    **SAID,
)
PROCESSED = MediaProcessed(
    variants=tuple(
        Variant(
            name=name,
            key=f"{FOLDER}/{side:064x}.webp",
            width=side,
            height=side // 2,
            size=side * 3,
        )
        for name, side in SIDES.items()
    ),
    processed_at=BEGINNING,
    **SAID,
)
FAILED = MediaFailed(reason=FailureReason.UNREADABLE, failed_at=BEGINNING, **SAID)
DELETED = MediaDeleted(deleted_at=BEGINNING, **SAID)
BEGUN = MediaBegun(attempt=1, begun_at=BEGINNING, **SAID)
PUT_OFF = MediaPutOff(attempt=1, put_off_at=BEGINNING, until=BEGINNING, **SAID)
RETRIED = MediaRetried(
    attempt=2, original=f"{FOLDER}/original-{'a' * 64}", retried_at=BEGINNING, **SAID
)


def after(*events: Event) -> MediaFile:
    found: MediaFile = rows_of(media_files, history(media_stream(ID), *events))[str(ID)]
    return found


def test_ME_10_an_upload_is_a_row_with_its_file() -> None:
    row = after(UPLOADED)
    assert (row.user_id, row.subject, row.type, row.size) == (str(OWNER), ITEM, "image/png", 500)
    assert (row.filename_sealed, row.original) == ("1sealed", UPLOADED.original)
    assert (row.status, row.created_at, row.version) == ("processing", BEGINNING, 1)
    assert row.variant_keys == ()


def test_ME_08_the_row_of_a_video_says_where_its_segments_are() -> None:
    video = Video(
        file=f"{FOLDER}/video/{'c' * 64}.mp4",
        width=320,
        height=240,
        size=900,
        sound=False,
        init=100,
        segments=(
            Segment(begins=110, size=400, duration_ms=4_000),
            Segment(begins=510, size=300, duration_ms=1_500),
        ),
    )
    row = after(UPLOADED, PROCESSED.model_copy(update={"video": video}))
    told = (row.video_key, row.video_width, row.video_height, row.video_size, row.video_sound)
    assert told == (video.file, 320, 240, 900, False)
    assert (row.video_init, row.video_begins, row.video_sizes) == (100, (110, 510), (400, 300))
    assert row.video_ms == (4_000, 1_500)
    assert after(UPLOADED, PROCESSED).video_key is None


def test_ME_11_the_row_names_what_was_drawn() -> None:
    row = after(UPLOADED, PROCESSED)
    assert row.status == MediaStatus.PROCESSED
    assert row.variant_types == ("thumbnail", "medium", "large")
    assert row.variant_keys == tuple(each.key for each in PROCESSED.variants)
    assert row.variant_widths == (300, 800, 1200)
    assert row.variant_heights == (150, 400, 600)
    assert row.variant_sizes == (900, 2400, 3600)


def test_ME_10_a_failure_is_told_until_success_takes_its_place() -> None:
    assert (after(UPLOADED, FAILED).status, after(UPLOADED, FAILED).failure) == (
        MediaStatus.FAILED,
        FailureReason.UNREADABLE,
    )
    row = after(UPLOADED, FAILED, PROCESSED)
    assert (row.status, row.failure) == (MediaStatus.PROCESSED, None)


@pytest.mark.parametrize("before", [(), (PUT_OFF,), (PUT_OFF, RETRIED)], ids=len)
def test_ME_20_it_is_drawn_while_a_try_is_under_way(before: tuple[Event, ...]) -> None:
    waiting, drawing = after(UPLOADED, *before), after(UPLOADED, *before, BEGUN)
    assert (waiting.drawing, drawing.drawing) == (False, True)
    assert {waiting.status, drawing.status} == {MediaStatus.PROCESSING}
    for ending in (PUT_OFF, PROCESSED, FAILED, DELETED):
        assert not after(UPLOADED, *before, BEGUN, ending).drawing


def test_CR_05_what_nothing_shows_tells_when_it_goes() -> None:
    marked = MediaMarkedUnused(marked_at=BEGINNING, delete_at=LATER, **SAID)
    kept = MediaKept(kept_at=BEGINNING, **SAID)
    assert after(UPLOADED, PROCESSED, marked).delete_at == LATER
    for ending in (kept, DELETED):
        assert after(UPLOADED, PROCESSED, marked, ending).delete_at is None
    assert after(UPLOADED, FAILED, marked, PROCESSED).delete_at is None


def test_ME_05_of_what_is_deleted_nothing_but_that_it_was_is_left() -> None:
    assert after(UPLOADED, PROCESSED, DELETED) == MediaFile(
        user_id=str(OWNER),
        status=MediaStatus.DELETED,
        created_at=BEGINNING,
        updated_at=BEGINNING,
        version=3,
    )
