"""Lanes: each handler's own way through each partition, in order, as long as it takes.

The reader hands every record to the lanes that hear its kind and waits for none of them. A lane
that has too much to do lets the reader pass, and fetches what it has missed with a cursor of
its own. Handlers run at least once an event. What an error leads to:

- the outside is down        the lane waits, pauses growing to PAUSE_MAX_S; the others go on
- certain to come again      the event is parked, with what follows it in its stream
- anything else              tried TRIES_MAX times, half a minute in all, then like the above

A try that takes longer than RUN_TIMEOUT_S is of the last kind: what is too much for one try will
be so again, and half of it is done anew each time.

A parked stream holds up nobody but itself: the lane goes on with the others, until an operator
has decided (`mesh effects`).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple

import structlog
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from infra.channels.errors import ChannelDeferredError, ChannelRefusedError, ChannelUnavailableError
from infra.clients import postgres
from infra.metrics import HANDLED, HANDLER_WAITS
from infra.vault.vault import VaultUnavailableError
from processors.feeding.reading import LogUnavailableError, Stretch
from processors.reacting.effects import Effect, EffectRefusedError, OutsideDownError, Tools
from processors.reacting.hearing import QUEUE_BYTES_MAX, Cursors, Heard
from processors.reacting.parked import Parked, ParkedEvent
from processors.reacting.positions import UNBUILT, Place, Positions
from processors.reacting.reactions import Reaction
from schemas.log.recorded import UndecodableError

QUEUE_MAX = 500  # records that wait in one lane; beyond, the reader goes past it
PARKED_STREAMS_MAX = 1_000  # of one lane; more than that is not bad data but bad code: it waits
RUN_TIMEOUT_S = 60.0  # of one try: whatever an effect talks to, it must not hang for ever
PAUSE_FIRST_S, PAUSE_MAX_S = 0.2, 5.0
TRIES_MAX = 10  # pauses of 0.2, 0.4 … 5 s between them
CANCEL_S = 2.0

_DOWN = (
    OutsideDownError,
    VaultUnavailableError,
    ChannelUnavailableError,
    KafkaError,
    LogUnavailableError,
    *UNBUILT,
)
# Code that met data it can't work with will meet the same data again.
_CERTAIN = (
    MessageSizeTooLargeError,
    EffectRefusedError,
    ChannelRefusedError,
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
    ChannelRefusedError,
    ChannelDeferredError,
    ChannelUnavailableError,
)

log = structlog.get_logger()


class _NotYetError(Exception):
    """A try has failed that may succeed later; its cause says why."""


class OverdueError(Exception):
    """A try took longer than it may. It counts: it does not say that the outside is down."""


class _HandlerCancelledError(Exception):
    """A handler was cancelled by something else than its lane's end."""


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
    ending: bool = False
    task: asyncio.Task[None] | None = None
    _queue: deque[Heard] = field(default_factory=deque)
    _queued_bytes: int = 0
    _behind: bool = False  # the reader has gone past records that are not in the queue
    _decided: set[str] = field(default_factory=set)
    _settles: bool = True  # streams that were decided about and the queue take turns
    _tries: int = 0  # of the queue's first
    _failure: Failure | None = None  # why that has to be parked
    _began: float | None = None  # time.monotonic() of the try that is under way
    _overdue: bool = False  # it is being given up
    _unsaved: bool = False  # what may not be repeated is done, and its position not kept
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

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
        if len(self._queue) >= QUEUE_MAX or self._queued_bytes > QUEUE_BYTES_MAX:
            self._behind = True
            return
        self._put(heard)
        self.start()

    def _put(self, heard: Heard) -> None:
        self._queue.append(heard)
        self._queued_bytes += heard.size

    def decided(self, stream_id: str) -> None:
        """The first parked event of a stream is to be handled, or given up."""
        self._decided.add(stream_id)
        self._woken.set()
        self.start()

    def start(self) -> None:
        """See to it that somebody works, if there is work."""
        if self.task is not None or self.ending:
            return
        if self._queue or self._decided or self._behind:
            self.task = asyncio.create_task(self._work(), name="/".join(map(str, self.place)))
            self.task.add_done_callback(self._ended)

    def end(self) -> None:
        """Take no further step."""
        self.ending = True
        self._woken.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            if not self.ending:
                self.failed(RuntimeError(f"the lane {task.get_name()} was cancelled"))
        elif (error := task.exception()) is not None:
            self.failed(error)

    async def _work(self) -> None:
        tries = 0
        while not self.ending:
            self._woken.clear()
            try:
                if not await self._step():
                    break
            except Exception as error:
                if not (_down(error) or isinstance(error, _NotYetError)):
                    raise
                tries += 1
                await self._wait(tries, error.__cause__ or error)
            else:
                tries = 0
        # Nothing is awaited from the last look at the queue to here: whoever offers a record
        # after it starts anew.
        self.task = None

    async def _step(self) -> bool:
        """Do one thing; False when there is nothing to do. Raises what means to try it again."""
        if self._unsaved:
            await self.means.positions.save({self.place: self.next_offset})
            self._unsaved = False
        elif self._decided and (self._settles or not self._queue):
            self._settles = False
            await self._settle(next(iter(self._decided)))
        elif self._queue:
            self._settles = True
            if isinstance(self.handler, Reaction):
                await self._hand_over_together(self.handler)
            else:
                await self._handle(self._queue[0])
        elif self._behind and self.next < self.head.next_offset:
            await self._catch_up()
        else:
            self._behind = False
            return False
        return True

    async def _catch_up(self) -> None:
        stretch = Stretch(self.next, self.head.next_offset)
        heard, reached = await self.means.cursors.read(self.place, self.handler.kinds, stretch)
        for each in heard:
            self._put(each)
        self.next = reached

    async def _hand_over_together(self, reaction: Reaction) -> None:
        """The commands of all that lies ready, in its order, and one wait for the broker."""
        envelopes, ready = [], 0
        for heard in self._queue:
            if self._waits(heard) or self._failure:
                break
            try:
                envelopes += reaction.envelopes(heard.recorded)
            except Exception:  # noqa: BLE001 - it is told what becomes of it by itself
                break
            ready += 1
        try:
            if ready:
                await self.means.tools.commands.hand_over(envelopes)
        except Exception as error:
            if _down(error):
                raise
            ready = 0  # each by itself, so that one is to blame
        if ready == 0:
            await self._handle(self._queue[0])
        for _ in range(ready):
            self._pass()
            self._done.inc()

    async def _handle(self, heard: Heard) -> None:
        """Come past the queue's first record."""
        if self._failure is None and self._waits(heard):
            self._failure = Failure("", 0)
        outcome = "parked"
        if self._failure is None:
            outcome = await self._outcome(heard)
        if self._failure is not None:
            await self._park(heard, self._failure)
        self._pass()
        if outcome == "done":
            self._done.inc()
        else:
            HANDLED.labels(self.handler.name, outcome).inc()
        # Of what is parked too: it must not come again once somebody has decided about it.
        self._unsaved = not self.handler.repeatable or outcome == "parked"

    def _pass(self) -> None:
        heard = self._queue.popleft()
        self._queued_bytes -= heard.size
        self._tries, self._failure = 0, None
        # Of what a cursor has brought, `next` is past all of it: the queue says how far it is.
        self.next = max(self.next, heard.offset + 1)

    async def _outcome(self, heard: Heard) -> str:
        """Run the handler once: done or late; or parked, with why in `_failure`."""
        try:
            return await self._run(heard)
        except Exception as error:
            if _down(error):
                raise
            self._tries += 1
            if not (_certain(error) or self._tries >= TRIES_MAX):
                raise _NotYetError from error
            self._tell("event_parked", error, heard)
            self._failure = Failure(reason_of(error), self._tries)
            return "parked"

    async def _run(self, heard: Heard) -> str:
        within = self.handler.within
        if within is not None and datetime.now(UTC) - heard.recorded.recorded_at > within:
            return "late"
        own = self.task
        self._began = time.monotonic()
        try:
            await self.handler.run(heard.recorded, self.means.tools)
        except asyncio.CancelledError:
            if own is None or own.cancelling() > int(self._overdue):
                raise
            raise (OverdueError if self._overdue else _HandlerCancelledError) from None
        finally:
            if self._overdue and own is not None:
                own.uncancel()
            self._began, self._overdue = None, False
        return "done"

    def end_overdue(self, now: float) -> None:
        """Give up a try that takes longer than RUN_TIMEOUT_S by now, of time.monotonic(). Looked
        after from outside: a timer a try took half of what a lane takes for an event.
        """
        if self._began is not None and now - self._began > RUN_TIMEOUT_S and not self._overdue:
            self._overdue = True
            if self.task is not None:
                self.task.cancel()

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
        """Come past a stream's first parked event, if that is to be tried or given up."""
        first = await self.means.parked.first(self.place, stream_id)
        if first is None:
            self.parked.discard(stream_id)
        # One that comes from the log once more, after a crash, is come past first.
        if first is None or not first.is_due or first.offset >= self.next_offset:
            self._decided.discard(stream_id)
            return
        outcome = "skipped" if first.decided == "skip" else await self._tried_again(first)
        if isinstance(outcome, Failure):
            self._decided.discard(stream_id)
            again = replace(first, reason=outcome.reason, tries=outcome.tries)
            await self.means.parked.park(again)
            return
        await self.means.parked.remove(first)
        HANDLED.labels(self.handler.name, outcome).inc()

    async def _tried_again(self, parked: ParkedEvent) -> Failure | str:
        """One try, which takes an outside that is down for an answer: others wait behind it."""
        heard = await self.means.cursors.one(self.place, parked.offset)
        if heard is None:
            return Failure("the log does not hold this event", 1)
        try:
            return await self._run(heard)
        except Exception as error:  # noqa: BLE001 - told to who decided
            self._tell("event_parked", error, heard)
            return Failure(reason_of(error), 1)

    async def _wait(self, tries: int, error: BaseException) -> None:
        HANDLER_WAITS.labels(self.handler.name).inc()
        if tries == 1:
            self._tell("handler_waits", error, self._queue[0] if self._queue else None)
        pause = min(PAUSE_FIRST_S * 2 ** min(tries - 1, 30), PAUSE_MAX_S)
        pause *= random.uniform(0.75, 1)  # noqa: S311 - a pause
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._woken.wait()

    def _tell(self, what: str, error: BaseException, heard: Heard | None) -> None:
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


def reason_of(error: BaseException) -> str:
    """Why an event could not be handled, as far as that holds nothing personal."""
    name = type(error).__name__
    return f"{name}: {error}" if isinstance(error, _OURS) and str(error) else name


async def end(lanes: Sequence[Lane], within_s: float) -> None:
    """End lanes, letting what is under way finish if it is quick."""
    for lane in lanes:
        lane.end()
    tasks = [lane.task for lane in lanes if lane.task is not None]
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=within_s)
    for task in late:
        task.cancel()
    if late:
        # What waits for a store that hangs may not even be cancelled in time.
        await asyncio.wait(late, timeout=CANCEL_S)


def _down(error: BaseException) -> bool:
    if isinstance(error, MessageSizeTooLargeError):
        return False
    return isinstance(error, _DOWN) or postgres.means_down(error)


def _certain(error: Exception) -> bool:
    # OSError's and Postgres' families overlap with the plain ones: being down comes first.
    return isinstance(error, _CERTAIN) and not _down(error)
