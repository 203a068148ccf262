from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from producers.media import media
from schemas.media import (
    DeleteMedia,
    FailureReason,
    MediaDeleted,
    MediaFailed,
    MediaProcessed,
    MediaType,
    MediaUploaded,
    RecordFailed,
    RecordProcessed,
    UploadMedia,
    Variant,
    VariantName,
    media_folder,
)
from schemas.messages import Role
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


def upload(by: dict[str, Any] = OWN, original: str = ORIGINAL) -> UploadMedia:
    return UploadMedia(
        media_id=ID,
        owner_id=OWNER,
        subject=ITEM,
        media_type=MediaType.PNG,
        size=500,
        original=original,
        filename_sealed="1sealed",
        **by,
    )


def processed(by: dict[str, Any] = SYSTEM, owner: UUID = OWNER) -> RecordProcessed:
    return RecordProcessed(media_id=ID, variants=variants(owner), **by)


def failed(by: dict[str, Any] = SYSTEM) -> RecordFailed:
    return RecordFailed(media_id=ID, reason=FailureReason.UNREADABLE, **by)


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


def test_ME_14_a_failure_is_told_once() -> None:
    spec.given(UPLOADED).when(failed()).then(FAILED)
    spec.given(UPLOADED, FAILED).when(failed()).then()


def test_ME_14_success_after_failure_wins_and_failure_after_success_is_nothing() -> None:
    spec.given(UPLOADED, FAILED).when(processed()).then(PROCESSED)
    spec.given(UPLOADED, PROCESSED).when(failed()).then()


@pytest.mark.parametrize("command", [processed, failed])
def test_what_became_of_it_is_nobodys_to_say(command: Any) -> None:
    for stranger in (OWN, *STRANGERS):
        spec.given(UPLOADED).when(command(stranger)).refused("role_not_allowed", 403)


@pytest.mark.parametrize("command", [processed(), failed()])
def test_what_became_of_it_comes_too_late_for_what_is_deleted(command: Any) -> None:
    spec.given(UPLOADED, DELETED).when(command).then()


@pytest.mark.parametrize("before", [(), (PROCESSED,), (FAILED,)])
def test_ME_05_its_owner_deletes_it_however_far_it_is(before: Any) -> None:
    spec.given(UPLOADED, *before).when(delete()).then(DELETED)


def test_ME_05_so_does_what_follows_from_its_item_and_nobody_else() -> None:
    spec.given(UPLOADED).when(delete(SYSTEM)).then(DELETED)
    for stranger in STRANGERS:
        spec.given(UPLOADED).when(delete(stranger)).refused("media_unknown", 404)
        spec.given(UPLOADED, DELETED).when(delete(stranger)).refused("media_unknown", 404)


def test_ME_05_what_is_deleted_is_gone() -> None:
    spec.given(UPLOADED, DELETED).when(delete()).refused("media_deleted", 410)


@pytest.mark.parametrize("command", [processed(), failed(), delete()])
def test_what_was_never_uploaded_is_unknown(command: Any) -> None:
    spec.when(command).refused("media_unknown", 404)
