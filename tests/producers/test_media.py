from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from producers.media import media
from schemas.log.messages import Role
from schemas.media import (
    ORIGINAL_BYTES_MAX,
    VIDEO_BYTES_MAX,
    BeginDrawing,
    DeleteMedia,
    DeleteUnused,
    FailureReason,
    KeepMedia,
    MarkUnused,
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
    RecordFailed,
    RecordProcessed,
    RecordTryFailed,
    RetryDrawing,
    Segment,
    UploadMedia,
    Variant,
    VariantName,
    Video,
    media_folder,
)
from tests.producers.spec import Spec

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID, OWNER, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)
ORIGINAL = f"{media_folder(OWNER, ID)}/original-{'a' * 64}"
ITEM = f"item/{UUID(int=4)}"
OWN = {"asked_at": NOW, "asked_by": str(OWNER), "asked_role": Role.BUYER}
SYSTEM = {"asked_at": NOW, "asked_by": "effect/process_media", "asked_role": Role.SYSTEM}
STRANGERS = [
    {"asked_at": NOW, "asked_by": str(OTHER), "asked_role": role}
    for role in (Role.BUYER, Role.MODERATOR, Role.ADMIN)
]
SAID = {"media_id": ID, "owner_id": OWNER, "subject": ITEM}

spec = Spec(media)


def variants(owner: UUID = OWNER) -> tuple[Variant, ...]:
    folder = media_folder(owner, ID)
    return tuple(
        Variant(name=name, key=f"{folder}/{'b' * 64}.webp", width=9, height=6, size=100)
        for name in VariantName
    )


def video(owner: UUID = OWNER) -> Video:
    return Video(
        file=f"{media_folder(owner, ID)}/video/{'c' * 64}.mp4",
        width=320,
        height=240,
        size=900,
        sound=True,
        init=100,
        segments=(Segment(begins=110, size=700, duration_ms=4_000),),
    )


def upload(
    by: dict[str, Any] = OWN,
    original: str = ORIGINAL,
    media_type: MediaType = MediaType.PNG,
    size: int = 500,
) -> UploadMedia:
    return UploadMedia(
        media_id=ID,
        owner_id=OWNER,
        subject=ITEM,
        media_type=media_type,
        size=size,
        original=original,
        filename_sealed="1sealed",
        **by,
    )


def processed(by: dict[str, Any] = SYSTEM, owner: UUID = OWNER) -> RecordProcessed:
    return RecordProcessed(media_id=ID, variants=variants(owner), **by)


def failed(by: dict[str, Any] = SYSTEM) -> RecordFailed:
    return RecordFailed(media_id=ID, reason=FailureReason.UNREADABLE, **by)


def begin(by: dict[str, Any] = SYSTEM, attempt: int = 1) -> BeginDrawing:
    return BeginDrawing(media_id=ID, attempt=attempt, **by)


def try_failed(by: dict[str, Any] = SYSTEM, attempt: int = 1) -> RecordTryFailed:
    return RecordTryFailed(media_id=ID, attempt=attempt, **by)


def retry(by: dict[str, Any] = SYSTEM) -> RetryDrawing:
    return RetryDrawing(media_id=ID, **by)


def begun(attempt: int) -> MediaBegun:
    return MediaBegun(attempt=attempt, begun_at=NOW, **SAID)


def put_off(attempt: int, seconds: int) -> MediaPutOff:
    until = NOW + timedelta(seconds=seconds)
    return MediaPutOff(attempt=attempt, put_off_at=NOW, until=until, **SAID)


def retried(attempt: int, media_type: MediaType | None = MediaType.PNG) -> MediaRetried:
    return MediaRetried(
        attempt=attempt, original=ORIGINAL, media_type=media_type, retried_at=NOW, **SAID
    )


def delete(by: dict[str, Any] = OWN) -> DeleteMedia:
    return DeleteMedia(media_id=ID, **by)


UPLOADED = MediaUploaded(
    media_type=MediaType.PNG,
    size=500,
    original=ORIGINAL,
    filename_sealed="1sealed",
    uploaded_at=NOW,
    **SAID,
)
PROCESSED = MediaProcessed(variants=variants(), processed_at=NOW, **SAID)
FAILED = MediaFailed(reason=FailureReason.UNREADABLE, failed_at=NOW, **SAID)
DELETED = MediaDeleted(deleted_at=NOW, **SAID)
SECOND = (UPLOADED, begun(1), put_off(1, 2), retried(2), begun(2))
THIRD = (*SECOND, put_off(2, 4), retried(3), begun(3))


def test_ME_01_an_upload_is_in_the_books() -> None:
    spec.when(upload()).then(UPLOADED)


def test_an_upload_is_taken_once() -> None:
    spec.given(UPLOADED).when(upload()).refused("media_exists")
    spec.given(UPLOADED, DELETED).when(upload()).refused("media_exists")


@pytest.mark.parametrize("stranger", STRANGERS)
def test_nobody_uploads_for_somebody_else(stranger: dict[str, Any]) -> None:
    spec.when(upload(stranger)).refused("not_owner", 403)


@pytest.mark.parametrize("folder", [media_folder(OTHER, ID), media_folder(OWNER, OTHER)])
def test_an_original_lies_in_its_own_folder(folder: str) -> None:
    command = upload(original=f"{folder}/original-{'a' * 64}")
    spec.when(command).refused("not_owner", 403)


def test_ME_03_what_was_drawn_is_told_with_whose_it_is_and_what_for() -> None:
    spec.given(UPLOADED).when(processed()).then(PROCESSED)
    spec.given(UPLOADED, PROCESSED).when(processed()).then()


def test_ME_03_variants_lie_in_their_own_folder() -> None:
    spec.given(UPLOADED).when(processed(owner=OTHER)).refused("not_owner", 403)


def test_ME_06_a_video_may_be_larger_than_a_picture_within_bounds() -> None:
    large = ORIGINAL_BYTES_MAX + 1
    (event,) = spec.when(upload(media_type=MediaType.MP4, size=VIDEO_BYTES_MAX)).decided()
    assert (event.media_type, event.size) == (MediaType.MP4, VIDEO_BYTES_MAX)
    for media_type, size in ((MediaType.PNG, large), (MediaType.MP4, VIDEO_BYTES_MAX + 1)):
        with pytest.raises(ValidationError):
            upload(media_type=media_type, size=size)


def test_ME_06_what_is_tried_again_is_known_to_be_a_video() -> None:
    sent = UPLOADED.model_copy(update={"media_type": MediaType.MP4})
    again = retried(2, MediaType.MP4)
    spec.given(sent, begun(1), put_off(1, 2)).when(retry()).then(again)
    last = put_off(2, 4)
    # Before there were videos this was not told.
    unsaid = retried(2, None)
    spec.given(UPLOADED, put_off(1, 2), unsaid, last).when(retry()).then(retried(3))


def test_ME_08_a_video_is_told_with_where_it_lies() -> None:
    event = PROCESSED.model_copy(update={"video": video()})
    command = processed().model_copy(update={"video": video()})
    spec.given(UPLOADED).when(command).then(event)


def test_ME_08_a_video_lies_in_its_own_folder() -> None:
    command = processed().model_copy(update={"video": video(OTHER)})
    spec.given(UPLOADED).when(command).refused("not_owner", 403)


def test_ME_14_a_failure_is_told_once() -> None:
    spec.given(UPLOADED).when(failed()).then(FAILED)
    spec.given(UPLOADED, FAILED).when(failed()).then()


def test_ME_14_success_after_failure_wins_and_failure_after_success_is_nothing() -> None:
    spec.given(UPLOADED, FAILED).when(processed()).then(PROCESSED)
    spec.given(UPLOADED, PROCESSED).when(failed()).then()


def test_ME_14_the_next_try_is_two_seconds_later_and_the_last_four_after_that() -> None:
    spec.given(UPLOADED, begun(1)).when(try_failed()).then(put_off(1, 2))
    spec.given(*SECOND).when(try_failed(attempt=2)).then(put_off(2, 4))
    spec.given(UPLOADED).when(try_failed()).then(put_off(1, 2))  # whoever began it was not heard


def test_ME_14_the_third_try_that_goes_wrong_is_the_failure_and_the_only_one() -> None:
    gave_up = MediaFailed(reason=FailureReason.GAVE_UP, failed_at=NOW, **SAID)
    spec.given(*THIRD).when(try_failed(attempt=3)).then(gave_up)
    for late in (try_failed(attempt=3), failed(), retry(), begin(attempt=3)):
        spec.given(*THIRD, gave_up).when(late).then()


def test_ME_14_the_third_try_that_succeeds_is_all_there_is_to_tell() -> None:
    spec.given(*THIRD).when(processed()).then(PROCESSED)


def test_ME_14_what_is_put_off_is_tried_again_once_with_all_that_it_takes() -> None:
    spec.given(UPLOADED, put_off(1, 2)).when(retry()).then(retried(2))
    for before in ((UPLOADED,), (UPLOADED, begun(1)), SECOND, (UPLOADED, PROCESSED)):
        spec.given(*before).when(retry()).then()


def test_ME_14_what_comes_of_another_try_changes_nothing() -> None:
    for late in (try_failed(), begin()):
        spec.given(*SECOND).when(late).then()
        spec.given(UPLOADED, put_off(1, 2)).when(late).then()


def test_ME_20_a_try_begins_once() -> None:
    spec.given(UPLOADED).when(begin()).then(begun(1))
    spec.given(UPLOADED, begun(1)).when(begin()).then()
    spec.given(UPLOADED, put_off(1, 2), retried(2)).when(begin(attempt=2)).then(begun(2))


@pytest.mark.parametrize("command", [processed, failed, begin, try_failed, retry])
def test_what_became_of_it_is_nobodys_to_say(command: Any) -> None:
    for stranger in (OWN, *STRANGERS):
        spec.given(UPLOADED).when(command(stranger)).refused("role_not_allowed", 403)


@pytest.mark.parametrize("command", [processed(), failed(), begin(), try_failed(), retry()])
def test_what_became_of_it_comes_too_late_for_what_is_deleted(command: Any) -> None:
    spec.given(UPLOADED, DELETED).when(command).then()


@pytest.mark.parametrize(
    "before", [(), (begun(1),), (put_off(1, 2),), SECOND[1:], (PROCESSED,), (FAILED,)]
)
def test_ME_05_its_owner_deletes_it_however_far_it_is(before: Any) -> None:
    spec.given(UPLOADED, *before).when(delete()).then(DELETED)


def test_ME_05_so_does_what_follows_from_its_item_and_nobody_else() -> None:
    spec.given(UPLOADED).when(delete(SYSTEM)).then(DELETED)
    for stranger in STRANGERS:
        spec.given(UPLOADED).when(delete(stranger)).refused("media_unknown", 404)
        spec.given(UPLOADED, DELETED).when(delete(stranger)).refused("media_unknown", 404)


def test_ME_05_what_is_deleted_is_gone() -> None:
    spec.given(UPLOADED, DELETED).when(delete()).refused("media_deleted", 410)


@pytest.mark.parametrize(
    "command", [processed(), failed(), begin(), try_failed(), retry(), delete()]
)
def test_what_was_never_uploaded_is_unknown(command: Any) -> None:
    spec.when(command).refused("media_unknown", 404)


WEEK = timedelta(days=7)
MARKED = MediaMarkedUnused(marked_at=NOW, delete_at=NOW + WEEK, **SAID)
KEPT = MediaKept(kept_at=NOW, **SAID)
MARK, KEEP = MarkUnused(media_id=ID, **SYSTEM), KeepMedia(media_id=ID, **SYSTEM)


def delete_unused(after: timedelta) -> DeleteUnused:
    return DeleteUnused(media_id=ID, **{**SYSTEM, "asked_at": NOW + after})


@pytest.mark.parametrize("ended", [PROCESSED, FAILED], ids=lambda each: each.kind)
def test_CR_05_what_nothing_shows_is_marked_and_goes_a_week_later(ended: Any) -> None:
    spec.given(UPLOADED, ended).when(MARK).then(MARKED)
    spec.given(UPLOADED, ended, MARKED).when(MARK).then()
    early = delete_unused(WEEK - timedelta(seconds=1))
    spec.given(UPLOADED, ended, MARKED).when(early).then()
    gone = MediaDeleted(deleted_at=NOW + WEEK, **SAID)
    spec.given(UPLOADED, ended, MARKED).when(delete_unused(WEEK)).then(gone)


def test_CR_05_what_is_shown_again_stays_and_has_its_whole_week_anew() -> None:
    spec.given(UPLOADED, PROCESSED, MARKED).when(KEEP).then(KEPT)
    spec.given(UPLOADED, PROCESSED, MARKED, KEPT).when(delete_unused(WEEK)).then()
    spec.given(UPLOADED, PROCESSED, MARKED, KEPT).when(MARK).then(MARKED)
    spec.given(UPLOADED, PROCESSED).when(KEEP).then()


def test_CR_05_what_is_not_marked_or_not_drawn_yet_does_not_go() -> None:
    spec.given(UPLOADED, PROCESSED).when(delete_unused(52 * WEEK)).then()
    for before in ((UPLOADED,), SECOND, (UPLOADED, DELETED), (UPLOADED, FAILED, MARKED, PROCESSED)):
        spec.given(*before).when(delete_unused(WEEK)).then()
    for before in ((UPLOADED,), SECOND, (UPLOADED, DELETED)):
        spec.given(*before).when(MARK).then()


@pytest.mark.parametrize("command", [MARK, KEEP, delete_unused(WEEK)], ids=lambda each: each.kind)
def test_CR_05_nobody_tidies_by_hand(command: Any) -> None:
    for stranger in (OWN, *STRANGERS):
        by_hand = command.model_copy(update=stranger)
        spec.given(UPLOADED, PROCESSED, MARKED).when(by_hand).refused("role_not_allowed", 403)
    spec.when(command).refused("media_unknown", 404)
