from __future__ import annotations

from dataclasses import replace
from typing import Any

from projections.journal.audit import audit
from schemas.log.recorded import Recorded, Reply
from tests.projections.history import recorded

REFUSED = Reply(
    command_id="c1",
    outcome="refused",
    stream_id="listing/1",
    reason="not_owner",
    status=403,
    version=4,
    asked="listing.publish",
    origin="203.0.113.0/24",
)


def answered(reply: Reply = REFUSED) -> Recorded[Any]:
    return replace(recorded("listing/1", 0, reply), actor="anna")


def test_an_entry_tells_who_asked_for_what_from_where_and_what_came_of_it() -> None:
    assert audit.key(answered()) == "c1"
    entry = audit.fold(None, answered())
    assert entry is not None
    assert (entry.actor, entry.asked, entry.origin) == ("anna", "listing.publish", "203.0.113.0/24")
    assert (entry.outcome, entry.reason, entry.status) == ("refused", "not_owner", 403)
    assert entry.at == answered().recorded_at


def test_an_accepted_command_has_an_entry_too() -> None:
    accepted = REFUSED.model_copy(update={"outcome": "accepted", "reason": "", "event_count": 2})
    entry = audit.fold(None, answered(accepted))
    assert entry is not None
    assert (entry.outcome, entry.events) == ("accepted", 2)


def test_an_answer_said_again_changes_nothing() -> None:
    again = answered(REFUSED.model_copy(update={"repeated": True, "reason": "other"}))
    first = audit.fold(None, answered())
    assert audit.fold(None, again) is None
    assert audit.fold(first, again) == first
