"""What a digest's hour asks for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from processors.reactions.searches import digests
from processors.reactions.searches.digests import DIGESTS, due_together
from schemas.log.recorded import CommandEnvelope
from schemas.searches import Frequency

TUESDAY = datetime(2026, 3, 3, 3, 30, tzinfo=UTC)  # nine in Colombo
MONDAY = datetime(2026, 3, 2, 3, 30, tzinfo=UTC)
PEOPLE = sorted(str(uuid4()) for _ in range(3))


@dataclass
class Asked:
    """What was asked for."""

    envelopes: list[CommandEnvelope] = field(default_factory=list)

    async def hand_over(self, envelopes: Iterable[CommandEnvelope]) -> int:
        self.envelopes += (found := list(envelopes))
        return len(found)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    async def people(*values: Any) -> Sequence[str]:
        *_, after, limit = values
        return [each for each in PEOPLE if each > after][:limit]

    async def forget(*_: Any) -> None:
        return None

    monkeypatch.setattr(digests, "people_to_tell", people)
    monkeypatch.setattr(digests, "forget_told", forget)
    monkeypatch.setattr(digests, "PEOPLE", 2)
    return Asked()


async def test_CR_02_a_digest_that_is_late_says_when_it_was_due_and_when_it_was_asked_for(
    asked: Asked,
) -> None:
    nothing: Any = None
    commands: Any = asked
    before = datetime.now(UTC)
    for _ in range(2):
        assert await DIGESTS[0].run(nothing, commands, TUESDAY) == len(PEOPLE)
    told: list[Any] = [each.command for each in asked.envelopes]
    assert [str(each.user_id) for each in told] == PEOPLE * 2
    assert {each.due_at for each in told} == {TUESDAY}
    assert all(before <= each.asked_at <= datetime.now(UTC) for each in told)
    # Asked for twice, it is asked for once.
    assert len({each.command_id for each in asked.envelopes}) == len(PEOPLE)


@pytest.mark.parametrize(
    ("frequency", "moment", "together"),
    [
        (Frequency.DAILY, TUESDAY, (Frequency.DAILY,)),
        (Frequency.DAILY, MONDAY, (Frequency.DAILY, Frequency.WEEKLY)),
        (Frequency.WEEKLY, MONDAY, (Frequency.WEEKLY, Frequency.DAILY)),
    ],
)
def test_CR_02_digests_of_one_moment_are_one(
    frequency: Frequency, moment: datetime, together: tuple[Frequency, ...]
) -> None:
    assert due_together(frequency, moment) == together
