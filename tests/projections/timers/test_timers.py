"""What is due when follows from what has happened, and from nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from projections.timers.timers import BY_NAME, IMAGES_WAIT, TIMERS, Timers, timers
from schemas.identity import (
    BanReason,
    UserBanned,
    UserDeleted,
    UserStatus,
    UserUnbanned,
    user_stream,
)
from schemas.log.messages import Event, Role
from schemas.media import (
    FailureReason,
    MediaDeleted,
    MediaFailed,
    MediaProcessed,
    MediaPutOff,
    MediaRetried,
    Variant,
    VariantName,
    media_folder,
    media_stream,
)
from tests.projections.cars import (
    STREAM as CAR_STREAM,
)
from tests.projections.cars import (
    created,
    day,
    deleted,
    expired,
    hidden,
    published,
    renewed,
    shown,
    sold,
    unpublished,
)
from tests.projections.history import history, rows_of

ID = UUID(int=7)
STREAM = user_stream(ID)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=7)

MEDIA = media_stream(ID)
MINE = {"media_id": ID, "owner_id": ID}
FOLDER = media_folder(ID, ID)
PUT_OFF = MediaPutOff(attempt=1, put_off_at=NOW, until=LATER, **MINE)
ENDS = (
    MediaRetried(attempt=2, original=f"{FOLDER}/original-{'a' * 64}", retried_at=NOW, **MINE),
    MediaProcessed(
        variants=(
            Variant(
                name=VariantName.LARGE, key=f"{FOLDER}/{'b' * 64}.webp", width=1, height=1, size=1
            ),
        ),
        processed_at=NOW,
        **MINE,
    ),
    MediaFailed(reason=FailureReason.GAVE_UP, failed_at=NOW, **MINE),
    MediaDeleted(deleted_at=NOW, **MINE),
)


def banned(until: datetime | None) -> UserBanned:
    return UserBanned(user_id=ID, reason=BanReason.FRAUD, banned_at=NOW, until=until)


UNBANNED = UserUnbanned(user_id=ID, status=UserStatus.ACTIVE, unbanned_at=NOW)
DELETED = UserDeleted(user_id=ID, email_hash="0" * 64, deleted_at=NOW)


def set_by(*events: Event) -> Timers | None:
    return rows_of(timers, history(STREAM, *events)).get(STREAM)


def test_MO_07_a_ban_with_an_end_is_lifted_then() -> None:
    assert set_by(banned(LATER)) == Timers(LATER, ("lift_ban",), (LATER,))
    assert set_by(banned(None)) is None


@pytest.mark.parametrize("event", [UNBANNED, DELETED, banned(None)], ids=lambda each: each.kind)
def test_MO_07_what_ends_a_ban_or_its_end_voids_the_timer(event: Event) -> None:
    assert set_by(banned(LATER), event) is None


def test_MO_07_a_ban_with_another_end_is_lifted_at_that() -> None:
    sooner = LATER - timedelta(days=1)
    assert set_by(banned(LATER), banned(sooner)) == Timers(sooner, ("lift_ban",), (sooner,))


def test_LI_21_a_listing_is_due_when_its_time_on_offer_ends() -> None:
    first, later = day(90), day(120)
    assert offered(published(until=90)) == Timers(first, ("expire_listing",), (first,))
    assert offered(published()) is None
    assert offered(published(until=90), hidden(5), shown(6)) == offered(published(until=90))
    found = offered(published(until=90), renewed(30, until=120))
    assert found == Timers(later, ("expire_listing",), (later,))


@pytest.mark.parametrize(
    "event", [unpublished(1), sold(1), deleted(1), expired(90)], ids=lambda each: each.kind
)
def test_LI_21_what_is_not_on_offer_has_no_timer(event: Event) -> None:
    assert offered(published(until=90), event) is None


def offered(*events: Event) -> Timers | None:
    return rows_of(timers, history(CAR_STREAM, created(), *events)).get(CAR_STREAM)


def test_ME_14_what_is_put_off_is_drawn_again_when_its_pause_is_over() -> None:
    row = rows_of(timers, history(MEDIA, PUT_OFF)).get(MEDIA)
    assert row == Timers(LATER, ("retry_media",), (LATER,))
    asked = {"asked_at": LATER, "asked_by": "scheduler/retry_media", "asked_role": Role.SYSTEM}
    command = BY_NAME["retry_media"].command(MEDIA, asked)
    assert (command.kind, command.stream_id) == ("media.retry", MEDIA)


@pytest.mark.parametrize("event", ENDS, ids=lambda each: each.kind)
def test_ME_14_what_is_drawn_again_or_no_more_has_no_timer(event: Event) -> None:
    assert rows_of(timers, history(MEDIA, PUT_OFF, event)) == {}


def test_a_command_is_the_streams_own_and_the_systems() -> None:
    asked = {"asked_at": LATER, "asked_by": "scheduler/lift_ban", "asked_role": Role.SYSTEM}
    command = BY_NAME["lift_ban"].command(STREAM, asked)
    assert (command.kind, command.stream_id, command.asked_at) == ("user.lift_ban", STREAM, LATER)


def test_timers_have_names_of_their_own_and_are_heard() -> None:
    assert len(BY_NAME) == len(TIMERS)
    assert {event for each in TIMERS for event in each.hears} == {*timers.hears}
    assert timedelta(minutes=1) == IMAGES_WAIT
