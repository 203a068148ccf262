"""Of whoever has left, every item goes.

Nobody sees it from the moment at which they are gone: see projections.items. Here what it says
and its images are taken away for good, as an effect of both events, for a person may go at the
very moment at which an item comes: each waits until what it has heard can be read by the other,
and then looks, so whichever looks last sees both.
"""

from __future__ import annotations

from typing import cast
from uuid import UUID

from processors.reacting.effects import Effect, Tools
from processors.reactions.withheld_rows import has_left, parked_of, until_read
from projections.identity import users
from projections.items import items
from projections.reads import Reads
from schemas.identity import UserDeleted
from schemas.items import DeleteItem, ItemCreated
from schemas.log.messages import Role
from schemas.log.recorded import Recorded

NAME = "withdraw_items"
BATCH = 500


async def withdraw_items(recorded: Recorded[UserDeleted | ItemCreated], tools: Tools) -> None:
    """All items of somebody who has left, or the one that came after."""
    event, reads = recorded.event, cast("Reads", tools.postgres)
    if isinstance(event, ItemCreated):
        await until_read(tools, items.items, recorded)
        if await has_left(tools, str(event.owner_id), recorded):
            await _delete(recorded, tools, event.item_id)
        return
    await until_read(tools, users.users, recorded)
    last = ""
    while ids := await items.of_owner(reads, str(event.user_id), last, BATCH):
        for each in ids:
            await _delete(recorded, tools, UUID(each))
        last = ids[-1]
    for waiting in await parked_of(tools, items.items, "owner_id", str(event.user_id)):
        await _delete(recorded, tools, waiting)


async def _delete(
    recorded: Recorded[UserDeleted | ItemCreated], tools: Tools, item_id: UUID
) -> None:
    command = DeleteItem(
        item_id=item_id,
        asked_at=recorded.recorded_at,
        asked_by=f"effect/{NAME}",
        asked_role=Role.SYSTEM,
    )
    await tools.commands.send(f"{NAME}/{item_id}", recorded, [command])


WITHDRAW_ITEMS = Effect(NAME, (UserDeleted, ItemCreated), withdraw_items, in_order=False)
