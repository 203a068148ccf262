"""What somebody has seen and chosen, as it is kept for reading."""

from __future__ import annotations

from projections.notifications.inboxes import Inbox, inboxes
from schemas.identity import UserDeleted
from schemas.log.messages import Event
from schemas.notifications import (
    PACES,
    Choice,
    NotificationChannel,
    NotificationPreferencesChanged,
    NotificationsRead,
    NotificationType,
    Pace,
    QuietHours,
    notifications_stream,
)
from tests.projections.history import BEGINNING, history, rows_of
from tests.projections.notifications.test_notifications import ID, requested

DELETED = UserDeleted(user_id=ID, email_hash="0" * 64, deleted_at=BEGINNING)


def row_after(*events: Event) -> Inbox:
    rows = rows_of(inboxes, history(notifications_stream(ID), *events))
    found: Inbox = rows[str(ID)]
    return found


def read(read_to: int, *apart: int) -> NotificationsRead:
    return NotificationsRead(user_id=ID, read_to=read_to, read_apart=apart, read_at=BEGINNING)


def test_NO_09_what_was_not_seen_is_counted() -> None:
    three = [requested(each) for each in (1, 2, 3)]
    assert row_after(*three).unread == 3
    assert row_after(*three, read(0, 2)).unread == 2
    assert row_after(*three, read(2), requested(4)).unread == 2
    assert row_after(*three, read(3)).unread == 0


def test_NO_10_what_is_chosen_holds_and_the_rest_as_offered() -> None:
    assert Inbox().paces == {pair: offered[0] for pair, offered in PACES.items()}
    chosen = NotificationPreferencesChanged(
        user_id=ID,
        choices=(
            Choice(
                type=NotificationType.REVIEWS, channel=NotificationChannel.EMAIL, pace=Pace.DAILY
            ),
            Choice(
                type=NotificationType.SEARCH_ALERTS, channel=NotificationChannel.PUSH, pace=Pace.OFF
            ),
        ),
        zone="Europe/Berlin",
        quiet_hours=QuietHours(begin=1_320, end=420),
        changed_at=BEGINNING,
    )
    row = row_after(chosen)
    assert (row.zone, row.quiet_begin, row.quiet_end) == ("Europe/Berlin", 1_320, 420)
    different = {pair: pace for pair, pace in row.paces.items() if pace != PACES[pair][0]}
    assert different == {
        (NotificationType.REVIEWS, NotificationChannel.EMAIL): Pace.DAILY,
        (NotificationType.SEARCH_ALERTS, NotificationChannel.PUSH): Pace.OFF,
    }
    ended = chosen.model_copy(update={"quiet_hours": None})
    assert row_after(chosen, ended).quiet_begin is None


def test_of_whoever_has_left_nothing_is_kept() -> None:
    assert row_after(requested(1), DELETED, read(1), requested(2)) == Inbox(deleted=True)


def test_a_number_never_goes_back() -> None:
    """Whatever order a mended event comes in."""
    assert row_after(requested(2), requested(1)).last_number == 2
