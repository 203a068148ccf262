"""The checkers must catch what they check: each is shown a planted fault."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.listings import ListingPublished
from schemas.log.positions import Position
from schemas.log.recorded import Recorded
from tests.faults.checkers import Log, violations

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
LISTING = "00000000-0000-4000-8000-000000000001"


def recorded(offset: int, version: int, command: str, epoch: int = 1) -> Recorded[Any]:
    return Recorded(
        event=ListingPublished(listing_id=LISTING, published_at=MOMENT),
        event_id=f"{command}-0",
        kind="listing.published",
        stream_id=f"listing/{LISTING}",
        version=version,
        recorded_at=MOMENT,
        command_id=command,
        index=0,
        count=1,
        correlation_id="",
        causation_id="",
        actor="",
        fingerprint="",
        writer_epoch=epoch,
        position=Position("events.listings", 0, offset),
    )


GOOD = [recorded(0, 1, "a"), recorded(2, 2, "b"), recorded(4, 3, "c", epoch=2)]


def test_a_sound_log_has_no_violation() -> None:
    assert violations(Log(GOOD), acknowledged=["a", "b", "c"], refused=["d"]) == {}


@pytest.mark.parametrize(
    ("events", "acknowledged", "refused", "caught"),
    [
        (GOOD[:2], ["a", "b", "c"], [], "I1 acknowledged but missing"),
        (GOOD, ["a"], ["c"], "I2 refused but present"),
        ([*GOOD, recorded(6, 5, "e", 2)], [], [], "I4 versions"),
        ([*GOOD, recorded(6, 4, "e", 1)], [], [], "I5 epochs"),
        ([*GOOD, recorded(6, 4, "a", 2)], [], [], "I6 torn"),
        ([GOOD[0], replace(GOOD[1], count=2)], [], [], "I6 torn"),
    ],
)
def test_a_planted_fault_is_caught_by_name(
    events: list[Recorded[Any]], acknowledged: list[str], refused: list[str], caught: str
) -> None:
    assert caught in violations(Log(events), acknowledged, refused)
