"""Of whoever has left, every open booking ends: as a buyer here, as a seller with their items."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from processors.reacting.effects import Effect, Tools
from processors.reactions.withheld_rows import has_left, parked_streams, until_read
from projections.bookings import bookings
from projections.identity import users
from projections.reads import Reads
from schemas.bookings import BookingRequested, EndBookingsOf
from schemas.identity import UserDeleted
from schemas.log.messages import Role
from schemas.log.recorded import Recorded

END = "end_bookings"
BATCH = 500


async def end_bookings(recorded: Recorded[UserDeleted | BookingRequested], tools: Tools) -> None:
    """What somebody who has left has open. They may go at the very moment at which they ask, so both
    events are heard, and each waits until what it has heard can be read by the other: whichever
    looks last sees both.
    """
    event, reads = recorded.event, cast("Reads", tools.postgres)
    if isinstance(event, BookingRequested):
        await until_read(tools, bookings.bookings, recorded)
        if await has_left(tools, str(event.buyer_id), recorded):
            await _end(recorded, tools, event.item_id, event.buyer_id)
        return
    await until_read(tools, users.users, recorded)
    last = ""
    while ids := await bookings.open_of_buyer(reads, str(event.user_id), last, BATCH):
        for each in ids:
            await _end(recorded, tools, UUID(each), event.user_id)
        last = ids[-1]
    # Of these nobody can read whose they are; where nothing is theirs, nothing happens.
    for waiting in await parked_streams(tools, bookings.bookings):
        await _end(recorded, tools, waiting, event.user_id)


async def _end(recorded: Recorded[Any], tools: Tools, item_id: UUID, buyer_id: UUID) -> None:
    command = EndBookingsOf(
        item_id=item_id,
        buyer_id=buyer_id,
        asked_at=recorded.recorded_at,
        asked_by=f"effect/{END}",
        asked_role=Role.SYSTEM,
    )
    await tools.commands.send(f"{END}/{item_id}", recorded, [command])


END_BOOKINGS = Effect(END, (UserDeleted, BookingRequested), end_bookings, in_order=False)
