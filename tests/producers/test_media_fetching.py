"""Originals that are fetched from an address, rule by rule."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from producers.media import FETCH_PAUSES
from schemas.media import (
    FailureReason,
    FetchMedia,
    MediaFailed,
    MediaPutOff,
    MediaType,
    MediaUploaded,
    MediaWanted,
    RecordFetched,
    media_folder,
)
from tests.producers.test_media import (
    DELETED,
    FAILED,
    ID,
    ITEM,
    NOW,
    ORIGINAL,
    OTHER,
    OWN,
    OWNER,
    PROCESSED,
    SAID,
    STRANGERS,
    SYSTEM,
    begin,
    delete,
    failed,
    processed,
    retry,
    spec,
    try_failed,
    upload,
)

ADDRESS = "1sealed-address"
UPLOADED = MediaUploaded(
    media_type=MediaType.PNG, size=500, original=ORIGINAL, uploaded_at=NOW, **SAID
)
LAST = len(FETCH_PAUSES) + 1


def fetch(by: dict[str, Any] = OWN) -> FetchMedia:
    return FetchMedia(media_id=ID, owner_id=OWNER, subject=ITEM, address_sealed=ADDRESS, **by)


def fetched(by: dict[str, Any] = SYSTEM, original: str = ORIGINAL) -> RecordFetched:
    return RecordFetched(media_id=ID, media_type=MediaType.PNG, size=500, original=original, **by)


def wanted(attempt: int = 1) -> MediaWanted:
    return MediaWanted(address_sealed=ADDRESS, attempt=attempt, wanted_at=NOW, **SAID)


def put_off(attempt: int) -> MediaPutOff:
    until = NOW + FETCH_PAUSES[attempt - 1]
    return MediaPutOff(attempt=attempt, put_off_at=NOW, until=until, **SAID)


def test_what_lies_elsewhere_is_wanted_once() -> None:
    spec.when(fetch()).then(wanted())
    for history in ((wanted(),), (wanted(), UPLOADED), (wanted(), FAILED), (wanted(), DELETED)):
        spec.given(*history).when(fetch()).refused("media_exists")
        spec.given(*history).when(upload()).refused("media_exists")


@pytest.mark.parametrize("stranger", STRANGERS)
def test_nobody_has_something_fetched_for_somebody_else(stranger: dict[str, Any]) -> None:
    spec.when(fetch(stranger)).refused("not_owner", 403)


def test_what_was_fetched_is_an_upload_like_any_other() -> None:
    spec.given(wanted()).when(fetched()).then(UPLOADED)
    spec.given(wanted(), UPLOADED).when(processed()).then(PROCESSED)
    spec.given(wanted(), put_off(1), wanted(2)).when(fetched()).then(UPLOADED)


def test_what_was_fetched_lies_in_its_own_folder() -> None:
    for folder in (media_folder(OTHER, ID), media_folder(OWNER, OTHER)):
        elsewhere = fetched(original=f"{folder}/original-{'a' * 64}")
        spec.given(wanted()).when(elsewhere).refused("not_owner", 403)


def test_what_comes_twice_or_too_late_changes_nothing() -> None:
    for after in (UPLOADED, FAILED, DELETED):
        spec.given(wanted(), after).when(fetched()).then()
    spec.given(wanted()).when(processed()).then()
    spec.given(wanted()).when(begin()).then()
    spec.given(wanted(), put_off(1)).when(try_failed()).then()
    spec.given(wanted(), put_off(1), wanted(2)).when(try_failed()).then()
    spec.given(wanted()).when(retry()).then()


def test_a_try_that_goes_wrong_is_made_again_later_and_later() -> None:
    history: list[Any] = [wanted()]
    for attempt in range(1, LAST):
        spec.given(*history).when(try_failed(attempt=attempt)).then(put_off(attempt))
        history += [put_off(attempt), wanted(attempt + 1)]
        spec.given(*history[:-1]).when(retry()).then(history[-1])
    given_up = MediaFailed(reason=FailureReason.NOT_FETCHED, failed_at=NOW, **SAID)
    spec.given(*history).when(try_failed(attempt=LAST)).then(given_up)
    assert sum(FETCH_PAUSES, timedelta()) > timedelta(hours=1)  # a server may be down for as long
    assert sorted(FETCH_PAUSES) == list(FETCH_PAUSES)


def test_what_can_not_be_had_has_failed() -> None:
    spec.given(wanted()).when(failed()).then(FAILED)
    spec.given(wanted(), put_off(1)).when(failed()).then(FAILED)


def test_its_owner_takes_back_what_is_to_be_fetched() -> None:
    for history in ((wanted(),), (wanted(), put_off(1))):
        spec.given(*history).when(delete()).then(DELETED)
        for stranger in STRANGERS:
            spec.given(*history).when(delete(stranger)).refused("media_unknown", 404)


def test_what_became_of_it_is_nobodys_to_say() -> None:
    for stranger in (OWN, *STRANGERS):
        spec.given(wanted()).when(fetched(stranger)).refused("role_not_allowed", 403)
    spec.when(fetched()).refused("media_unknown", 404)
