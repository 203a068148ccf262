"""What operators decide about parked events is marked, for the process that has their partition."""

from __future__ import annotations

from processors.reacting.effects import Effect, Tools
from processors.reacting.parked import Decision, Parked
from schemas.log.recorded import Recorded
from schemas.ops import ParkedRetryDecided, ParkedSkipDecided


async def mark_parked(
    recorded: Recorded[ParkedRetryDecided | ParkedSkipDecided], tools: Tools
) -> None:
    """Mark the event that the decision is about, if it waits still."""
    event = recorded.event
    decision: Decision = "retry" if isinstance(event, ParkedRetryDecided) else "skip"
    await Parked(tools.postgres).decide(event.handler, event.position, decision)


MARK_PARKED = Effect(
    "mark_parked",
    (ParkedRetryDecided, ParkedSkipDecided),
    mark_parked,
    repeatable=True,
    in_order=False,
)
