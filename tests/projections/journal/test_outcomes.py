from __future__ import annotations

from typing import Any, Literal

import pytest

from projections.journal.outcomes import Row, outcomes
from schemas.log.recorded import Recorded, Reply, value_of
from tests.projections.history import recorded


def reply(
    outcome: Literal["accepted", "refused", "failed"], event_count: int = 0, reason: str = ""
) -> Recorded[Any]:
    event = Reply(command_id="c1", outcome=outcome, event_count=event_count, reason=reason)
    return recorded("listing/1", 0, event)


def test_an_answers_key_is_the_commands_id() -> None:
    assert outcomes.key(reply("refused")) == "c1"


@pytest.mark.parametrize("outcome", ["refused", "failed", "accepted"])
def test_an_answer_without_events_is_kept_as_it_was_given(outcome: Any) -> None:
    answer = reply(outcome)
    assert outcomes.fold(None, answer) == Row(value_of(answer.event).decode())


def test_an_answer_with_events_is_not_kept_for_the_journal_has_it() -> None:
    assert outcomes.fold(None, reply("accepted", event_count=1)) is None


def test_the_first_answer_stays() -> None:
    first = outcomes.fold(None, reply("refused", reason="not_yours"))
    assert outcomes.fold(first, reply("refused", reason="too_late")) == first


def test_an_answer_said_again_makes_no_row_of_its_own() -> None:
    again = recorded("listing/1", 0, Reply(command_id="c1", outcome="refused", repeated=True))
    assert outcomes.fold(None, again) is None
