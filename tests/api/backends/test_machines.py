"""The API's clients end when it ends, whatever they are in the middle of."""

from __future__ import annotations

import asyncio

from api.backends.gateway import CommandGateway
from api.backends.machines import WriteSide
from infra.group_members import GroupMembers
from schemas.topics import WRITERS
from tests.infra.vault.test_vault_keys import settings_with


async def test_starting_ends_even_when_the_client_swallows_the_cancellation() -> None:
    settings = settings_with(bytes(32), bytes(32))
    writes = WriteSide(CommandGateway(settings), GroupMembers(settings, WRITERS), session_s=10)
    entered = asyncio.Event()

    async def swallowing() -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ConnectionError from None

    writes.gateway.start = swallowing  # type: ignore[method-assign]
    task = asyncio.create_task(writes.keep_starting())
    await entered.wait()
    writes.give_up()
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=5)
    assert done
