"""Feeding one generation: batches of records become rows and a watermark in its store.

The same for every projection and store. A batch either counts as a whole or, after a crash, is
delivered again and what has counted already is passed over: by the watermark where it moves
with the rows, else by what each row remembers.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from infra.metrics import (
    EVENTS_FOLDED,
    EVENTS_IGNORED,
    EVENTS_PARKED,
    STORE_CONFLICTS,
    STORE_WAITS,
)
from processors.feeding.folding import CutError, Keyed, Parked, Refused, folded, keyed
from processors.feeding.parking import LISTED_MAX, ParkedEvent, Parking
from processors.feeding.recorded_stream import Batch, Guard, Incoming, incoming_of
from processors.feeding.showing import show
from processors.stores.certain import certainty_of
from processors.stores.port import (
    RETRIED,
    ConflictError,
    Generation,
    RowsRefusedError,
    Session,
    Store,
    StoreUnavailableError,
    Watermark,
    Watermarks,
)
from schemas.log.positions import Position, TopicPartition
from schemas.registry import kind_of

WAIT_MIN_S, WAIT_MAX_S = 0.05, 0.5
CONFLICTS_MAX = 50  # one after another on the same batch: no race lasts that long

log = structlog.get_logger()


T = TypeVar("T")


class StoreWentBackError(Exception):
    """The store has less than it had: a crash has cost it what it said was done, or it was put back
    to an earlier state. What lies between came already and will not come again by itself: whoever
    starts anew goes on from where the store is now.
    """


class _AnewError(Exception):
    """Fold the batch again: what it was folded with is not so any more."""


@dataclass
class _Tried:
    """What the rounds of one batch have come to: the rows refused; of the last round the events by
    the row that they changed, and the rows emptied; how often it was begun anew.
    """

    refused: Refused = field(default_factory=Refused)
    events: Mapping[str, Sequence[Incoming]] = field(default_factory=dict)
    erased: frozenset[str] = frozenset()
    anew: int = 0

    def count_anew(self, reason: str) -> None:
        """Raises ConflictError when it is no race any more: the batch must not pass for done."""
        self.anew += 1
        if self.anew >= CONFLICTS_MAX:
            raise ConflictError(reason)


class Runner:
    """Folds batches into one generation, one batch at a time.

    `apply` returns when the store has the batch. It raises TooManyParkedError,
    GenerationGoneError, StoreWentBackError and, after CONFLICTS_MAX tries, ConflictError; a store
    that can't be reached is waited for, for `patience_s` seconds at a time (None: for ever); then
    StoreUnavailableError leaves.
    """

    def __init__(
        self,
        generation: Generation,
        store: Store,
        parking: Parking,
        patience_s: float | None = None,
    ) -> None:
        self.generation = generation
        self.projection = generation.projection
        self.topics = frozenset(self.projection.topics)
        self.waiting_since: float | None = None  # time.monotonic() of the store's absence
        self.recorded_at = 0.0  # epoch seconds of the newest event folded
        self._store = store
        self._parking = parking
        self._patience_s = patience_s
        self._kinds = frozenset(kind_of(heard) for heard in self.projection.hears)
        self._certain = certainty_of(self.projection)
        self._parked: dict[str, Position] = {}  # by stream the first event that waits
        self._marks: dict[TopicPartition, Watermark] = {}
        self._reached: dict[TopicPartition, int] = {}  # offsets that the store was known to be at

    async def start(self, places: Iterable[TopicPartition]) -> Watermarks:
        """Where to go on in these partitions (absent: 0); waits for the store."""
        wanted = set(places)

        async def read() -> Watermarks:
            self._parked = await self._parking.streams(self.generation)
            return await self._store.watermarks(self.generation)

        known = await self._until_available(read)
        self.forget(wanted)
        found = {place: mark for place, mark in known.items() if place in wanted}
        for place in wanted:
            self._reached[place] = _next(found, place)
        return found

    def forget(self, places: Iterable[TopicPartition]) -> None:
        """Somebody else may have fed these partitions: ask the store before the next batch."""
        for place in places:
            self._marks.pop(place, None)

    async def apply(self, batch: Batch) -> None:
        """Let the store have everything in the batch that is new to this generation."""
        batch = self._of_own_topics(batch)
        if not batch.marks or not self._is_news(batch.marks):
            return
        parts = [batch]
        while parts:
            parts[:1] = await self._apply_part(parts[0])

    async def _apply_part(self, batch: Batch) -> Sequence[Batch]:
        """Let the store have the batch; or the parts to be applied in its place, where only
        smaller ones tell what the store refuses.
        """
        tried = _Tried()
        while True:
            try:
                await self._until_available(lambda: self._round(batch, tried))
            except CutError as cut:
                return batch.before_and_from(cut.at)
            except RowsRefusedError as error:
                if parts := self._parts(batch, error.reasons, tried):
                    return parts
            except _AnewError:
                tried.count_anew(f"{self.generation.name}: what is parked changes all the time")
            except ConflictError as error:
                STORE_CONFLICTS.labels(self._store.name).inc()
                self.forget(batch.marks)
                tried.count_anew(str(error))
                await asyncio.sleep(random.uniform(0, 0.002 * tried.anew))  # noqa: S311 - a pause
            else:
                return ()

    def _parts(self, batch: Batch, reasons: Mapping[str, str], tried: _Tried) -> Sequence[Batch]:
        """What to cut a refused batch into, until each refused row is that of one event; none
        where it is: then these events are the ones that fail.
        """
        if not reasons:
            if len(batch.incoming) > 1:
                return batch.halves()
            message = f"{self.generation.name}: refused without a reason"
            raise RuntimeError(message)
        for key in reasons:
            events = tried.events.get(key, ())
            if len(events) > 1:
                return batch.before_and_from(events[len(events) // 2])
        if reasons.keys() <= tried.refused.reasons.keys() - tried.erased:
            message = f"{self.generation.name}: refused although it was left out"
            raise RuntimeError(message)
        tried.refused.note(reasons)
        return ()

    def _of_own_topics(self, batch: Batch) -> Batch:
        if all(place.topic in self.topics for place in batch.marks):
            return batch
        return Batch.of([each for each in batch.incoming if each.place.topic in self.topics])

    def _is_news(self, marks: Watermarks) -> bool:
        return any(
            place not in self._marks or mark.next_offset > self._marks[place].next_offset
            for place, mark in marks.items()
        )

    async def _round(self, batch: Batch, tried: _Tried) -> None:
        heard = [each for each in batch.incoming if each.kind in self._kinds]
        async with self._store.session(self.generation) as session:
            marks = await self._known(session, batch)
            fresh = [each for each in heard if each.offset >= _next(marks, each.place)]
            counting = [each for each in fresh if not each.verdict]
            parked = Parked(self.projection, self._parked)
            events = keyed(self.projection, counting, parked)
            held = {} if self.projection.insert_only else await session.load(_keys(events, parked))
            changes, tried.events, tried.erased = folded(
                self.projection,
                events,
                held,
                parked,
                tried.refused,
                self._certain,
                remembers=not session.locks,
            )
            if parked.failed:
                await self._park(session, batch, parked)
            since = {place: marks[place] for place in batch.marks if place in marks}
            await session.write(changes, batch.marks, since)
        # Only now: what was not committed has not happened.
        self._marks |= batch.marks
        self._reached |= {place: mark.next_offset for place, mark in batch.marks.items()}
        self._count(fresh, events, parked)

    async def _known(self, session: Session, batch: Batch) -> Watermarks:
        """The watermarks as this runner left them or, where it does not know, as the store has
        them. Should somebody else have moved them, the write says so.
        """
        if batch.marks.keys() <= self._marks.keys():
            return self._marks
        marks = await session.watermarks(batch.marks)
        for place in batch.marks:
            if _next(marks, place) < self._reached.get(place, 0):
                message = f"{self.generation.name} went back in {place.topic}/{place.partition}"
                raise StoreWentBackError(message)
        if any(self._marks.get(place) != mark for place, mark in marks.items()):
            # Somebody else has fed these partitions, and may have parked streams of theirs.
            self._parked = await self._parking.streams(self.generation)
        return marks

    async def _park(self, session: Session, batch: Batch, parked: Parked) -> None:
        if session.locks and session.transaction is None:
            # Parked in one transaction with the watermark, or not at all: begin anew with one.
            self.forget(batch.marks)
            raise _AnewError
        freed = await self._parking.park(self.generation, parked.failed, session.transaction)
        if freed:
            for stream in freed:
                self._parked.pop(stream, None)
            raise _AnewError
        await self._show(session)
        first = {each.incoming.stream_id: each for each in parked.failed if each.reason}
        for stream, each in first.items():
            log.error(
                "stream_parked",
                projection=self.projection.name,
                generation=self.generation.number,
                stream=stream,
                offset=each.incoming.offset,
                kind=each.incoming.kind,
                reason=each.reason,
            )

    async def _show(self, session: Session) -> None:
        """Let readers see what may be seen now that other streams are parked."""
        if not session.locks:  # else views look themselves, at the same moment
            await show(self._parking, self._store, [self.projection])

    def _count(self, fresh: Sequence[Incoming], events: Sequence[Keyed], parked: Parked) -> None:
        name = self.projection.name
        for failed in parked.failed:
            place = Position(*failed.incoming.place, failed.incoming.offset)
            self._parked.setdefault(failed.incoming.stream_id, place)
        ignored = [each for each in fresh if each.verdict]
        for each in ignored:
            EVENTS_IGNORED.labels(name, each.verdict).inc()
        if ignored:
            log.error(
                "events_ignored",
                projection=name,
                events=len(ignored),
                first_reason=ignored[0].verdict,
                first_topic=ignored[0].place.topic,
                first_partition=ignored[0].place.partition,
                first_offset=ignored[0].offset,
            )
        if parked.failed:
            EVENTS_PARKED.labels(name).inc(len(parked.failed))
        if events:
            EVENTS_FOLDED.labels(name).inc(len(events))
            self.recorded_at = events[-1].recorded.recorded_at.timestamp()

    async def _until_available(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do it, again and again while the store, or what parks for it, can't be reached. Raises
        StoreUnavailableError when patience is at its end.
        """
        pause = WAIT_MIN_S
        while True:
            try:
                result = await work()
            except StoreUnavailableError as error:
                self._marks.clear()  # it may come back with less than it had
                STORE_WAITS.labels(self._store.name).inc()
                if self.waiting_since is None:
                    self.waiting_since = time.monotonic()
                    log.warning("store_waited_for", store=self._store.name, error=str(error))
                if self._is_tired(self.waiting_since):
                    raise
            else:
                if self.waiting_since is not None:
                    waited_s = round(time.monotonic() - self.waiting_since, 1)
                    log.info("store_back", store=self._store.name, waited_s=waited_s)
                    self.waiting_since = None
                return result
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - a pause
            pause = min(2 * pause, WAIT_MAX_S)

    def _is_tired(self, since: float) -> bool:
        return self._patience_s is not None and time.monotonic() - since > self._patience_s

    async def retry(self, stream_id: str) -> int:
        """Fold a stream's parked events, in order, as far as they can be folded now.

        Returns how many could. Events that the generation's watermark has not passed are left
        to its worker. Raises ConflictError and StoreUnavailableError: try again.
        """
        done, most = 0, LISTED_MAX
        while True:
            events: list[ParkedEvent] = []
            try:
                async with self._store.session(self.generation) as session:
                    now = await self._retry(session, stream_id, most, events)
            except CutError as cut:
                most = next(at for at, each in enumerate(events) if each.record is cut.at.record)
            except RowsRefusedError as error:
                if len(events) <= 1:
                    await self._explain(events, error)
                    await show(self._parking, self._store, [self.projection])
                    return done
                most = len(events) // 2
            else:
                done += now
                if now < len(events) or not now:
                    return done
                most = LISTED_MAX

    async def give_up(self, stream_id: str) -> bool:
        """Give up the first parked event of a stream for ever; what follows it stays parked, for
        `retry`. False when nothing of it is parked.
        """
        async with self._parking.transaction() as connection:
            await self._parking.lock(connection, self.generation, [stream_id])
            first = await self._parking.events(connection, self.generation, stream_id, most=1)
            await self._parking.note_skipped(connection, self.generation, first)
            await self._parking.forget(connection, self.generation, first)
            await show(self._parking, self._store, [self.projection], connection)
        return bool(first)

    async def _explain(self, events: Sequence[ParkedEvent], error: RowsRefusedError) -> None:
        reason = next(iter(error.reasons.values()), "refused")
        async with self._parking.transaction() as connection:
            for each in events:
                await self._parking.explain(connection, self.generation, each, reason)

    async def _retry(
        self, session: Session, stream_id: str, most: int, events: list[ParkedEvent]
    ) -> int:
        """The same with at most so many of them, which are put into `events`."""
        async with self._parking.transaction() as looking:
            places = {
                TopicPartition(each.record.topic, each.record.partition)
                for each in await self._parking.events(looking, self.generation, stream_id)
            }
        # Watermarks before the stream's lock, as workers do: else two could wait for each other.
        marks = await session.watermarks(places)
        async with self._parking.transaction(session.transaction) as connection:
            await self._parking.lock(connection, self.generation, [stream_id])
            events += [
                each
                for each in await self._parking.events(connection, self.generation, stream_id)
                if each.record.offset
                < _next(marks, TopicPartition(each.record.topic, each.record.partition))
            ][:most]
            parked = Parked(self.projection, {})
            again = [incoming_of(each.record, Guard()) for each in events]
            ready = [
                each._replace(place=TopicPartition(f"{RETRIED}{stream_id}", each.place.partition))
                for each in keyed(self.projection, again, parked)
            ]
            held = await session.load(_keys(ready, parked))
            changes, _, _ = folded(
                self.projection,
                ready,
                held,
                parked,
                Refused(),
                self._certain,
                remembers=not session.locks,
            )
            await session.write(changes, {})
            waiting = {each.incoming.offset: each.reason for each in parked.failed}
            done = [each for each in events if each.record.offset not in waiting]
            await self._parking.forget(connection, self.generation, done)
            for each in events:
                if waiting.get(each.record.offset):
                    await self._parking.explain(
                        connection, self.generation, each, waiting[each.record.offset]
                    )
            # Before it counts as folded: a read with its token must find the row.
            await show(self._parking, self._store, [self.projection], connection)
        return len(done)


def _keys(events: Sequence[Keyed], parked: Parked) -> list[str]:
    return list(dict.fromkeys(each.key for each in (*events, *parked.erasing)))


def _next(marks: Watermarks, place: TopicPartition) -> int:
    mark = marks.get(place)
    return mark.next_offset if mark is not None else 0
