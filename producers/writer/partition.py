"""One partition's owner: open, read the tail, then take, decide and append until told to stop."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from infra.metrics import (
    APPEND_SECONDS,
    COMMANDS,
    COMMANDS_PARKED,
    COMMANDS_REPEATED,
    EVENTS_APPENDED,
    WRITER_REOPENED,
)
from producers.writer.append import Appender, AppendUnknownError, Batch, FencedError
from producers.writer.batch import Decisions, Ground
from producers.writer.deciders import Rulebook
from producers.writer.done import DoneWith
from producers.writer.journal import Journal, JournalUnavailableError
from producers.writer.knowledge import Known, answerable, learn, remembered
from producers.writer.memory import Memory
from producers.writer.received import Received, receive
from producers.writer.recovery import Recovered, Recovery
from producers.writer.tail import TailUnavailableError
from schemas.log.positions import TopicPartition
from schemas.log.recorded import Record

BATCH_MAX = 500
BATCH_BYTES_MAX = 8_000_000
LINGER_S = 0.005

# Commands that wait for the journal are held while later ones are taken, up to so many.
HELD_MAX = 4 * BATCH_MAX

# With so many waiting no more are fetched; a paused partition goes on below the second.
QUEUED_MAX = 2 * BATCH_MAX
QUEUED_RESUME = BATCH_MAX

TURN_WAIT_S = 0.05

# Answers and streams that Postgres has not read yet. Past it the writer waits for the journal:
# a takeover must read all of them again, and that time has a bound.
PENDING_MAX = 100_000

CROWDED_POLL_S = 0.25
JOURNAL_POLL_S = 0.1

REOPEN_MIN_S = 0.05
REOPEN_MAX_S = 2.0
# Without one append or recovery that worked; the supervisor starts a new process then.
HOPELESS_S = 120.0

log = structlog.get_logger()


class UnrecoverableError(Exception):
    """The partition could not be opened or appended to for too long."""


class Flow(Protocol):
    """Holds the partition's commands back and lets them come."""

    def begin(self, place: TopicPartition, offset: int) -> None:
        """Bring the commands from this offset on; until then none comes."""
        ...

    def pause(self, place: TopicPartition) -> None:
        """Bring nothing more for now."""
        ...

    def resume(self, place: TopicPartition) -> None:
        """Bring commands again."""
        ...


@dataclass(frozen=True)
class Parts:
    """What a partition's owner works with. `settle_s` is how long the group may take to tell
    a member that its partitions are another's.
    """

    appender: Appender
    recovery: Recovery
    journal: Journal
    flow: Flow
    clock: Callable[[], datetime]
    settle_s: float
    turns: asyncio.Semaphore
    partitions: int  # of each topic


class PartitionWriter:
    """The owner of one partition of one context's commands. `run` once; the other methods are
    for the same event loop.
    """

    def __init__(self, rulebook: Rulebook, place: TopicPartition, parts: Parts) -> None:
        self.place = place
        self.opened = asyncio.Event()
        self.memory = Memory(parts.clock())
        self._rulebook = rulebook
        self._types = rulebook.commands
        self._parts = parts
        self._queue: deque[Record] = deque()
        self._paused = False
        self._held: list[Received] = []  # taken, without an answer in the log
        self._next_command = 0
        self._topic_id = ""
        self._epoch = 0
        self._recorded_at = parts.clock()
        self._busy = False
        self._failures = 0
        self._failing_since = 0.0
        self._stopping = asyncio.Event()
        self._changed = asyncio.Event()  # something came, or we shall stop

    @property
    def crowded(self) -> bool:
        """Whether enough commands wait here for now."""
        return not self._paused and len(self._queue) >= QUEUED_MAX

    @property
    def idle(self) -> bool:
        """Whether no command waits here."""
        return not (self._queue or self._held)

    def offer(self, records: Sequence[Record]) -> None:
        """Take commands in from the source."""
        self._queue.extend(records)
        self._changed.set()

    def pause(self) -> None:
        """Have the source bring no more until most of what waits here is done with."""
        self._paused = True
        self._parts.flow.pause(self.place)

    def trim(self, journal_next: int, outcomes_next: int) -> None:
        """Forget what Postgres has read."""
        self.memory.trim(journal_next, outcomes_next)

    def stop(self) -> None:
        """Have `run` return after the batch that is under way."""
        self._stopping.set()
        self._changed.set()

    async def run(self) -> None:
        """Own the partition until `stop`. Raises UnrecoverableError."""
        try:
            while not self._stopping.is_set():
                try:
                    await self._open()
                    await self._serve()
                except FencedError as error:
                    # If the group has given the partition away it will say so while we wait;
                    # if not, the other owner was none, and opening again fences it.
                    log.warning("writer_fenced", error=str(error), **self.place._asdict())
                    self._note_failure()
                    await self._wait(self._parts.settle_s)
                except (AppendUnknownError, TailUnavailableError) as error:
                    log.warning("writer_reopens", error=str(error), **self.place._asdict())
                    await self._wait(self._note_failure())
        finally:
            await self._parts.appender.drop()

    def _note_failure(self) -> float:
        """How long to wait before the next try (seconds), longer each time in a row."""
        now = time.monotonic()
        if self._failures == 0:
            self._failing_since = now
        elif now - self._failing_since > HOPELESS_S and not self._stopping.is_set():
            message = f"{self.place.topic}/{self.place.partition} failed for {HOPELESS_S:.0f} s"
            raise UnrecoverableError(message)
        self._failures += 1
        return min(REOPEN_MIN_S * 2.0**self._failures, REOPEN_MAX_S)

    async def _open(self) -> None:
        """Fence earlier owners, then learn what they have left in the log."""
        await self._parts.appender.open()
        recovered = await self._recover()
        if recovered is None:
            return
        if self.opened.is_set():
            WRITER_REOPENED.labels(self._rulebook.context.name).inc()
        else:
            self._parts.flow.begin(self.place, recovered.next_command)
        self._topic_id = recovered.topic_id
        self._epoch = max(self._epoch, recovered.epoch)
        self._recorded_at = max(self._recorded_at, recovered.recorded_at or self._recorded_at)
        self._next_command = max(self._next_command, recovered.next_command)
        self._held = [each for each in self._held if each.record.offset >= recovered.next_command]
        self.opened.set()
        log.info("writer_opened", epoch=self._epoch, **self.place._asdict())

    async def _recover(self) -> Recovered | None:
        while not self._stopping.is_set():
            try:
                return await self._parts.recovery.recover(self.memory)
            except JournalUnavailableError as error:
                self._failures = 0  # Kafka works; Postgres may take its time.
                await self._wait(error.retry_s)
        return None

    async def _serve(self) -> None:
        while not self._stopping.is_set():
            await self._arrival()
            retry_s = 0.0
            async with self._turn():
                self._hold()
                if self._held and not self._stopping.is_set():
                    retry_s = await self._handle()
            if retry_s:
                await self._wait(min(retry_s, JOURNAL_POLL_S))

    async def _arrival(self) -> None:
        """Wait for commands, a little longer for company while there is much to do."""
        if self.memory.pending >= PENDING_MAX:
            log.warning("journal_lags", pending=self.memory.pending, **self.place._asdict())
        while self.memory.pending >= PENDING_MAX and not self._stopping.is_set():
            await self._wait(CROWDED_POLL_S)
        while not (self._queue or self._held or self._stopping.is_set()):
            self._changed.clear()
            await self._changed.wait()
        if self._busy and len(self._queue) < BATCH_MAX and not self._held:
            await asyncio.sleep(LINGER_S)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait until few other partitions are at work, but never for long. All at once they
        would only make each other's batches small: a transaction costs much, a command little.
        """
        turns = self._parts.turns
        try:
            async with asyncio.timeout(TURN_WAIT_S):
                await turns.acquire()
        except TimeoutError:
            yield
            return
        try:
            yield
        finally:
            turns.release()

    def _hold(self) -> None:
        """Move commands from the queue to those held, as many as one batch may have."""
        count = size = 0
        while self._queue and count < BATCH_MAX and size < BATCH_BYTES_MAX:
            if len(self._held) >= HELD_MAX:
                return
            record = self._queue.popleft()
            if record.offset < self._next_command:
                continue  # Answered by an earlier owner after our consumer had looked.
            self._held.append(receive(record, self._types, self._parts.partitions))
            self._next_command = record.offset + 1
            count += 1
            size += len(record.value or b"")
        if self._paused and len(self._queue) < QUEUED_RESUME:
            self._paused = False
            self._parts.flow.resume(self.place)

    async def _handle(self) -> float:
        """Decide and append what can be decided; what must wait for the journal stays held.
        Returns when to ask the journal again (seconds), 0 when it has answered.
        """
        commands = self._held
        retry_s = 0.0
        try:
            known = await learn(commands, self._rulebook, self.memory, self._parts.journal)
        except JournalUnavailableError as error:
            retry_s = error.retry_s
            known = remembered(commands, self.memory)
            commands = answerable(commands, known, self.memory)
        if commands:
            await self._append(commands[:BATCH_MAX], known)
        return retry_s

    async def _append(self, commands: Sequence[Received], known: Known) -> None:
        started_at = time.monotonic()
        decisions = self._decide(commands, known)
        done = {each.record.offset for each in decisions.commands}
        rest = [each for each in self._held if each.record.offset not in done]
        first_reply = await self._parts.appender.append(
            Batch(
                events=decisions.events,
                replies=decisions.replies,
                parked=decisions.parked,
                first_event=self.memory.events_next,
                done=DoneWith(
                    self._topic_id,
                    self._epoch,
                    min((each.record.offset for each in rest), default=self._next_command),
                ),
            )
        )
        self._held = rest
        self._busy = len(done) > 1
        self.memory.commit(decisions.effect(first_reply))
        self._failures = 0
        self._count(decisions, time.monotonic() - started_at)

    def _decide(self, commands: Sequence[Received], known: Known) -> Decisions:
        now = self._parts.clock()
        # The clock may be set back, and that of an earlier owner may have been ahead of it.
        self._recorded_at = max(now, self._recorded_at)
        decisions = Decisions(
            Ground(
                rulebook=self._rulebook,
                partition=self.place.partition,
                known=known,
                now=now,
                recorded_at=self._recorded_at,
                epoch=self._epoch,
                first_event=self.memory.events_next,
            )
        )
        for command in commands:
            decisions.decide(command)
            if decisions.size > BATCH_BYTES_MAX:
                break
        return decisions

    def _count(self, decisions: Decisions, seconds: float) -> None:
        name = self._rulebook.context.name
        for outcome, count in Counter(decisions.outcomes).items():
            COMMANDS.labels(name, outcome).inc(count)
        for reason, count in Counter(decisions.reasons_parked).items():
            COMMANDS_PARKED.labels(name, reason).inc(count)
        COMMANDS_REPEATED.labels(name).inc(decisions.repeated)
        EVENTS_APPENDED.labels(name).inc(len(decisions.events))
        APPEND_SECONDS.labels(name).observe(seconds)

    async def _wait(self, seconds: float) -> None:
        """Let time pass, but not past `stop`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
