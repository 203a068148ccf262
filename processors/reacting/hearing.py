"""Records on their way to the lanes that hear them, from the reader or fetched by themselves."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import cached_property
from typing import Any

from infra.settings import Settings
from processors.feeding.reading import Stretch, kind_of_record, open_log
from processors.reacting.positions import Place
from schemas.log.recorded import RawRecord, Recorded, decode_event, header
from schemas.topics import EVENT_TYPES

QUEUE_BYTES_MAX = 16_000_000  # of the data of records that wait in one lane
FETCHED_MAX = 500  # records heard that a cursor brings at once
LOOKED_THROUGH_MAX = 20_000  # records that it looks through for them before it keeps how far it is
CURSORS_MAX = 4  # open at a time, of all lanes together
CURSOR_STALL_S = 10.0
STREAM_ID_LENGTH_MAX = 200  # of what no writer would write


class Heard:
    """One record on its way to every lane that hears it; read once for all of them."""

    def __init__(self, record: RawRecord) -> None:
        self.record = record
        self.offset = record.offset
        self.size = len(record.value or b"")

    @cached_property
    def stream_id(self) -> str:
        """Whose order it keeps; of a record without one, its own."""
        told = header(self.record.headers, "ce_subject") or ""
        told = told.replace("\0", "")[:STREAM_ID_LENGTH_MAX]
        place = f"{self.record.topic}/{self.record.partition}/{self.offset}"
        return told or f"unreadable/{place}"

    @cached_property
    def kind(self) -> str:
        """Its kind of event; empty where nobody can tell."""
        return header(self.record.headers, "ce_type") or ""

    @cached_property
    def recorded(self) -> Recorded[Any]:
        """The event; raises UndecodableError."""
        return decode_event(self.record, EVENT_TYPES)


class Cursors:
    """Readers for lanes that have been left behind, a few at a time. Methods raise
    LogUnavailableError.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._free = asyncio.Semaphore(CURSORS_MAX)

    async def read(
        self, place: Place, kinds: frozenset[str], stretch: Stretch
    ) -> tuple[list[Heard], int]:
        """What a handler hears of a stretch, so much at most, and the offset that it goes on
        from: it makes some way at each call, however seldom there is something to hear.
        """
        heard: list[Heard] = []
        wanted = {each.encode() for each in kinds}
        looked_through = size = 0
        async with (
            self._free,
            open_log(self._settings, stall_s=CURSOR_STALL_S) as opened,
            aclosing(opened.read({place.topic_partition: stretch})) as batches,
        ):
            async for batch in batches:
                for each in batch.records:
                    if kind_of_record(each) in wanted:
                        if len(heard) == FETCHED_MAX or size > QUEUE_BYTES_MAX:
                            return heard, each.offset
                        heard.append(Heard(each))
                        size += heard[-1].size
                looked_through += len(batch.records)
                if looked_through >= LOOKED_THROUGH_MAX:
                    return heard, batch.next_offset
        return heard, stretch.end

    async def one(self, place: Place, offset: int) -> Heard | None:
        """One record; None where the log has none."""
        async with self._free, open_log(self._settings, stall_s=CURSOR_STALL_S) as opened:
            bounds = (await opened.bounds([place.topic]))[place.topic_partition]
            if not bounds.start <= offset < bounds.end:
                return None
            stretch = Stretch(offset, offset + 1)
            async with aclosing(opened.read({place.topic_partition: stretch})) as batches:
                async for batch in batches:
                    for each in batch.records:
                        return Heard(each)
        return None
