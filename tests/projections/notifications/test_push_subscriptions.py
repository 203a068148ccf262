"""Where people are shown notifications, as it is kept for reading."""

from __future__ import annotations

from projections.notifications.push_subscriptions import PushSubscriptions, push_subscriptions
from schemas.log.messages import Event
from schemas.notifications import push_stream
from tests.producers.notifications.test_push import ID, NOW, ended, subscribed
from tests.projections.history import history, rows_of
from tests.projections.notifications.test_inboxes import DELETED


def row_after(*events: Event) -> PushSubscriptions:
    found: PushSubscriptions = rows_of(push_subscriptions, history(push_stream(ID), *events))[
        str(ID)
    ]
    return found


def test_NO_03_what_is_taken_away_is_there_no_more() -> None:
    row = row_after(subscribed(1), subscribed(2), ended(1), ended(3))
    assert row.ids == (str(subscribed(2).subscription_id),)
    assert (row.devices, row.sealed, row.subscribed_at) == (("web",), ("sealed2",), (NOW,))


def test_of_whoever_has_left_nothing_is_kept() -> None:
    assert row_after(subscribed(1), DELETED, subscribed(2)) == PushSubscriptions(deleted=True)
