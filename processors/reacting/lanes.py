"""Lanes: each handler's own way through each partition, in order, as long as it takes.

The reader hands every record to the lanes that hear its kind and waits for none of them. A lane
that has too much to do lets the reader pass, and fetches what it has missed with a cursor of
its own. Handlers run at least once an event. What an error leads to:

- the outside is down        the lane waits, pauses growing to PAUSE_MAX_S; the others go on
- certain to come again      the event is parked, with what follows it in its stream
- anything else              tried TRIES_MAX times, half a minute in all, then like the above

A parked stream holds up nobody but itself: the lane goes on with the others, until an operator
has decided (`mesh effects`).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, NamedTuple

import structlog
from aiokafka.errors import KafkaError

from infra import postgres
from infra.mail import MailDeferredError, MailRefusedError, MailUnavailableError
from infra.metrics import HANDLED, HANDLER_WAITS
from infra.settings import Settings
from infra.vault import VaultUnavailableError
from processors.feeding.reading import LogUnavailableError, Stretch, kind_of_record, open_log
from processors.reacting.effects import Effect, EffectRefusedError, OutsideDownError, Tools
from processors.reacting.parked import Parked, ParkedEvent
from processors.reacting.positions import UNBUILT, Place, Positions
from processors.reacting.reactions import Reaction
from schemas.recorded import RawRecord, Recorded, UndecodableError, decode_event, header
from schemas.topics import EVENT_TYPES

QUEUE_MAX = 500  # records that wait in one lane; beyond, the reader goes past it
FETCHED_MAX = 500  # records heard that a cursor brings at once
CURSORS_MAX = 4  # open at a time, of all lanes together
CURSOR_STALL_S = 10.0
PARKED_STREAMS_MAX = 1_000  # of one lane; more than that is not bad data but bad code: it waits
RUN_TIMEOUT_S = 60.0  # of one try: whatever an effect talks to, it must not hang for ever
PAUSE_FIRST_S, PAUSE_MAX_S = 0.2, 5.0
TRIES_MAX = 10  # pauses of 0.2, 0.4 … 5 s between them

_DOWN = (
    OutsideDownError,
    VaultUnavailableError,
    MailUnavailableError,
    KafkaError,
    LogUnavailableError,
    *UNBUILT,
)
# Code that met data it can't work with will meet the same data again.
_CERTAIN = (
    EffectRefusedError,
    MailRefusedError,
    UndecodableError,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)

# Their texts are our own, and so known to hold nothing personal.
_OURS = (
    EffectRefusedError,
    OutsideDownError,
    UndecodableError,
    MailRefusedError,
    MailDeferredError,
    MailUnavailableError,
)

log = structlog.get_logger()


class Heard:
    """One record on its way to every lane that hears it; read once for all of them."""

    def __init__(self, record: RawRecord) -> None:
        self.record = record
        self.offset = record.offset

    @cached_property
    def stream_id(self) -> str:
        """Whose order it keeps; empty where nobody can tell."""
        return header(self.record.headers, "ce_subject") or ""

    @cached_property
    def kind(self) -> str:
        """Its kind of event; empty where nobody can tell."""
        return header(self.record.headers, "ce_type") or ""

    @cached_property
    def recorded(self) -> Recorded[Any]:
        """The event; raises UndecodableError."""
        return decode_event(self.record, EVENT_TYPES)


class Cursors:
    """Readers for lanes that have been left behind, a few at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._free = asyncio.Semaphore(CURSORS_MAX)

    async def read(
        self, place: Place, kinds: frozenset[str], stretch: Stretch, heard_max: int = FETCHED_MAX
    ) -> tuple[list[Heard], int]:
        """What a handler hears of a stretch, so much at most, and the offset that it goes on
        from; raises LogUnavailableError.
        """
        heard: list[Heard] = []
        wanted = {each.encode() for each in kinds}
        async with (
            self._free,
            open_log(self._settings, stall_s=CURSOR_STALL_S) as opened,
            aclosing(opened.read({place.topic_partition: stretch})) as batches,
        ):
            async for batch in batches:
                heard += [Heard(each) for each in batch.records if kind_of_record(each) in wanted]
                if len(heard) > heard_max:
                    return heard[:heard_max], heard[heard_max].offset
        return heard, stretch.end


@dataclass
class Head:
    """How far the reader has come in one partition: its lanes have been offered all before."""

    next_offset: int


class Failure(NamedTuple):
    """An event that its handler can't handle, and after how many tries."""

    reason: str
    tries: int


@dataclass(frozen=True)
class Means:
    """What all lanes of a process share."""

    tools: Tools
    positions: Positions
    parked: Parked
    cursors: Cursors


@dataclass
class Lane:
    """One handler in one partition. `parked` holds the streams of which something waits, `next`
    is the first offset that it has not been past.
    """

    handler: Effect | Reaction
    place: Place
    head: Head
    next: int
    means: Means
    failed: Callable[[BaseException], None]
    parked: set[str] = field(default_factory=set)
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    _queue: deque[Heard] = field(default_factory=deque)
    _decided: set[str] = field(default_factory=set)
    _behind: bool = False  # the reader has gone past records that are not in the queue

    def __post_init__(self) -> None:
        self._behind = self.next < self.head.next_offset
        self._done = HANDLED.labels(self.handler.name, "done")

    @property
    def next_offset(self) -> int:
        """The first record that may still have to be handled."""
        if self._queue:
            return self._queue[0].offset
        return self.next if self._behind else max(self.next, self.head.next_offset)

    def offer(self, heard: Heard) -> None:
        """Take a record, or let the reader pass. Never waits."""
        if heard.offset < self.next or self._behind:
            return
        if len(self._queue) >= QUEUE_MAX:
            self.next = self._queue[-1].offset + 1
            self._behind = True
            return
        self._queue.append(heard)
        self.start()

    def decided(self, stream_id: str) -> None:
        """Somebody has decided about the first parked event of a stream."""
        self._decided.add(stream_id)
        self.start()

    def start(self) -> None:
        """See to it that somebody works, if there is work."""
        if self.task is not None or self.ending.is_set():
            return
        if self._queue or self._decided or self._behind:
            self.task = asyncio.create_task(self._work(), name="/".join(map(str, self.place)))
            self.task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failed(error)

    async def _work(self) -> None:
        while not self.ending.is_set():
            if self._decided:
                await self._settle(self._decided.pop())
            elif isinstance(self.handler, Reaction) and self._queue:
                await self._hand_over_together(self.handler)
            elif self._queue:
                await self._handle(self._queue[0])
            elif self._behind and self.next < self.head.next_offset:
                await self._catch_up()
            else:
                self._behind = False
                break
        # Nothing is awaited from the last look at the queue to here: whoever offers a record
        # after it starts anew.
        self.task = None

    async def _catch_up(self) -> None:
        stretch = Stretch(self.next, self.head.next_offset)

        async def fetch() -> None:
            heard, reached = await self.means.cursors.read(self.place, self.handler.kinds, stretch)
            self._queue.extend(heard)
            self.next = reached

        await self._insist(fetch)

    async def _hand_over_together(self, reaction: Reaction) -> None:
        """The commands of all that lies ready, in its order, and one wait for the broker."""
        envelopes, ready = [], 0
        for heard in self._queue:
            if self._waits(heard):
                break
            try:
                envelopes += reaction.envelopes(heard.recorded)
            except Exception:  # noqa: BLE001 - it is told what becomes of it by itself
                break
            ready += 1
        if ready == 0:
            await self._handle(self._queue[0])
        elif await self._insist(lambda: self.means.tools.commands.hand_over(envelopes)):
            self._done.inc(ready)
            for _ in range(ready):
                self._passed(self._queue.popleft())

    async def _handle(self, heard: Heard) -> None:
        outcome = await self._outcome(heard)
        if outcome is None:
            return
        self._queue.popleft()
        self._passed(heard)
        if outcome == "done":
            self._done.inc()
        else:
            HANDLED.labels(self.handler.name, outcome).inc()
        if not self.handler.repeatable:
            await self._insist(lambda: self.means.positions.save({self.place: self.next_offset}))

    def _passed(self, heard: Heard) -> None:
        # Of what a cursor has brought, `next` is past all of it: the queue says how far it is.
        self.next = max(self.next, heard.offset + 1)

    async def _outcome(self, heard: Heard) -> str | None:
        """What became of an event: done, late or parked; None when told to end before."""
        found = Failure("", 0) if self._waits(heard) else await self._tried(heard)
        if not isinstance(found, Failure):
            return found
        failure = found
        return "parked" if await self._insist(lambda: self._park(heard, failure)) else None

    def _waits(self, heard: Heard) -> bool:
        """Whether what stands before it in its stream has to be decided about first."""
        return self.handler.in_order and heard.stream_id in self.parked

    async def _park(self, heard: Heard, failure: Failure) -> None:
        if len(self.parked) >= PARKED_STREAMS_MAX and heard.stream_id not in self.parked:
            message = f"{PARKED_STREAMS_MAX} streams are parked: see `mesh effects list`"
            raise OutsideDownError(message)
        await self.means.parked.park(
            ParkedEvent(self.place, heard.offset, heard.stream_id, heard.kind, *failure)
        )
        self.parked.add(heard.stream_id)

    async def _settle(self, stream_id: str) -> None:
        """Do what has been decided about a stream's first parked event, and then as much of
        what follows it as can be done now.
        """

        async def settle() -> None:
            while (first := await self.means.parked.first(self.place, stream_id)) is not None:
                if first.decided == "skip":
                    outcome = "skipped"
                else:
                    found = await self._tried_again(first)
                    if found is None:
                        return
                    if isinstance(found, Failure):
                        again = replace(first, reason=found.reason, tries=found.tries)
                        await self.means.parked.park(again)
                        return
                    outcome = found
                await self.means.parked.remove(first)
                HANDLED.labels(self.handler.name, outcome).inc()
            self.parked.discard(stream_id)

        await self._insist(settle)

    async def _tried_again(self, parked: ParkedEvent) -> Failure | str | None:
        stretch = Stretch(parked.offset, parked.offset + 1)
        heard, _ = await self.means.cursors.read(self.place, self.handler.kinds, stretch)
        if not heard:
            return Failure("the log does not hold this event", 1)
        return await self._tried(heard[0], patient=False)

    async def _tried(self, heard: Heard, *, patient: bool = True) -> Failure | str | None:
        """Run the handler for an event: done, late, or why not; None when told to end before.
        The impatient take an outside that is down for an answer.
        """
        tries = 0
        while True:
            try:
                recorded = heard.recorded
                if self._late(recorded):
                    return "late"
                async with asyncio.timeout(RUN_TIMEOUT_S):
                    await self.handler.run(recorded, self.means.tools)
            except Exception as error:  # noqa: BLE001 - every kind leads somewhere: see above
                tries += 1
                if (
                    _certain(error)
                    or (not _down(error) and tries >= TRIES_MAX)
                    or (_down(error) and not patient)
                ):
                    self._tell("event_parked", error, heard)
                    return Failure(reason_of(error), tries)
                await self._wait(tries, error, heard)
                if self.ending.is_set():
                    return None
            else:
                return "done"

    def _late(self, recorded: Recorded[Any]) -> bool:
        within = self.handler.within
        return within is not None and datetime.now(UTC) - recorded.recorded_at > within

    async def _insist(self, work: Callable[[], Awaitable[object]]) -> bool:
        """Do it, as often as what it needs is down; False when told to end before."""
        tries = 0
        while True:
            try:
                await work()
            except Exception as error:
                if not _down(error):
                    raise
                tries += 1
                await self._wait(tries, error)
                if self.ending.is_set():
                    return False
            else:
                return True

    async def _wait(self, tries: int, error: Exception, heard: Heard | None = None) -> None:
        HANDLER_WAITS.labels(self.handler.name).inc()
        if tries == 1:
            self._tell("handler_waits", error, heard)
        pause = min(PAUSE_FIRST_S * 2 ** min(tries - 1, 30), PAUSE_MAX_S)
        pause *= random.uniform(0.75, 1)  # noqa: S311 - a pause
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self.ending.wait()

    def _tell(self, what: str, error: Exception, heard: Heard | None) -> None:
        (log.error if what == "event_parked" else log.warning)(
            what,
            handler=self.handler.name,
            kind=heard.kind if heard else "",
            topic=self.place.topic,
            partition=self.place.partition,
            offset=self.next_offset if heard is None else heard.offset,
            error=type(error).__name__,
            reason=reason_of(error),
        )


def reason_of(error: Exception) -> str:
    """Why an event could not be handled, as far as that holds nothing personal."""
    name = type(error).__name__
    return f"{name}: {error}" if isinstance(error, _OURS) and str(error) else name


async def end(lanes: Sequence[Lane], within_s: float) -> None:
    """End lanes, letting what is under way finish if it is quick."""
    tasks = []
    for lane in lanes:
        lane.ending.set()
        if lane.task is not None:
            tasks.append(lane.task)
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=within_s)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)


def _down(error: Exception) -> bool:
    return isinstance(error, _DOWN) or postgres.means_down(error)


def _certain(error: Exception) -> bool:
    # OSError's and Postgres' families overlap with the plain ones: being down comes first.
    return isinstance(error, _CERTAIN) and not _down(error)
