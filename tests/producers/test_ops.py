"""What those who run the shop may decide."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from producers.ops import handlers
from schemas.log.messages import Role
from schemas.ops import (
    OpsCommand,
    ParkedRetryDecided,
    ParkedSkipDecided,
    RetryParked,
    SkipParked,
)
from tests.producers.spec import Spec

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ABOUT = {
    "handler": "welcome_mail",
    "topic": "events.identity",
    "partition": 1,
    "offset": 7,
    "why": "mailbox closed",
}
DECISIONS = ((RetryParked, ParkedRetryDecided), (SkipParked, ParkedSkipDecided))

spec = Spec(handlers)


def asked(kind: type[OpsCommand], role: Role = Role.SYSTEM, **more: Any) -> OpsCommand:
    by = {"asked_at": NOW, "asked_by": "cli/effects", "asked_role": role}
    return kind(**{**ABOUT, **by, **more})


@pytest.mark.parametrize(("command", "event"), DECISIONS)
def test_each_decision_is_a_fact_also_the_same_again(command: Any, event: Any) -> None:
    decided = event(**ABOUT, decided_at=NOW)
    spec.given().when(asked(command)).then(decided)
    spec.given(decided).when(asked(command)).then(decided)


@pytest.mark.parametrize(("command", "_event"), DECISIONS)
@pytest.mark.parametrize("role", Role)
def test_only_those_who_run_the_shop_decide(command: Any, _event: Any, role: Role) -> None:
    judged = spec.given().when(asked(command, role))
    if role in (Role.SYSTEM, Role.ADMIN, Role.OPS):
        judged.then(_event(**ABOUT, decided_at=NOW))
    else:
        judged.refused("role_not_allowed", 403)


def test_to_skip_needs_a_reason() -> None:
    with pytest.raises(ValueError, match="why"):
        asked(SkipParked, why="")
    assert asked(RetryParked, why="").kind == "handler.retry_parked"
