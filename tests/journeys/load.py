"""Open-loop load with a fixed rate: a slow answer does not slow the asking."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx

from tests.waiting import let_pass


@dataclass
class Outcome:
    """What a load saw."""

    answers: list[tuple[float, int]] = field(default_factory=list)  # (seconds, status)
    failures: list[str] = field(default_factory=list)

    @property
    def failed(self) -> list[str]:
        """Everything that was not a good answer."""
        bad = [f"status {status}" for _, status in self.answers if status >= 400]
        return bad + self.failures

    def percentile(self, share: float) -> float:
        """The latency, in seconds, that `share` of the answers stay under."""
        times = sorted(seconds for seconds, _ in self.answers)
        return times[min(len(times) - 1, int(share * len(times)))]


async def run_load(
    ask: Callable[[], Awaitable[httpx.Response]], *, rate: float, stop: asyncio.Event
) -> Outcome:
    """Call `ask` `rate` times a second until `stop`; every call is awaited in the end."""
    outcome = Outcome()
    calls: set[asyncio.Task[None]] = set()

    async def once() -> None:
        began = time.perf_counter()
        try:
            answer = await ask()
        except httpx.HTTPError as error:
            outcome.failures.append(repr(error))
        else:
            outcome.answers.append((time.perf_counter() - began, answer.status_code))

    due = time.perf_counter()
    while not stop.is_set():
        call = asyncio.create_task(once())
        calls.add(call)
        call.add_done_callback(calls.discard)
        due += 1 / rate
        await let_pass(max(0.0, due - time.perf_counter()), because="the rate is the input")
    await asyncio.gather(*calls)
    return outcome
