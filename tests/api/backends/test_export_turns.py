"""Exports take turns: many long ones leave everybody else as quick as one does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from api.backends.export_turns import ExportTurns
from api.wire.problems import Problem

PIECES, EXPORTS = 50, 8


class Making:
    """Pieces of exports in the making, and how many were made at once."""

    def __init__(self) -> None:
        self.now = self.most = self.made = 0

    async def pieces(self) -> AsyncIterator[bytes]:
        for _ in range(PIECES):
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(0)  # the read of the next rows
            self.now -= 1
            self.made += 1
            yield b"piece"


async def whole(turns: ExportTurns, user_id: str, making: Making) -> bytes:
    return b"".join([piece async for piece in turns.taking_turns(user_id, making.pieces())])


async def test_an_export_comes_whole() -> None:
    assert await whole(ExportTurns(), "one", Making()) == b"piece" * PIECES


async def test_of_all_exports_one_works_at_a_time_and_all_come_to_their_end() -> None:
    turns, making = ExportTurns(), Making()
    async with asyncio.TaskGroup() as group:
        for number in range(EXPORTS):
            group.create_task(whole(turns, str(number), making))
    assert (making.most, making.made) == (1, EXPORTS * PIECES)


async def test_others_have_a_turn_after_each_piece() -> None:
    turns, making, served = ExportTurns(), Making(), 0
    running = [asyncio.create_task(whole(turns, str(each), making)) for each in range(EXPORTS)]
    while not all(each.done() for each in running):
        before = making.made
        await asyncio.sleep(0)
        served += 1
        assert making.made - before <= 1
    assert served >= EXPORTS * PIECES


async def test_a_person_has_one_export_under_way_and_may_take_another_once_it_has_ended() -> None:
    turns, making = ExportTurns(), Making()
    first = turns.taking_turns("one", making.pieces())
    await anext(first)
    with pytest.raises(Problem) as refused:
        turns.taking_turns("one", making.pieces())
    assert (refused.value.status, refused.value.reason) == (409, "export_running")
    await first.aclose()  # as when the client has gone
    assert await whole(turns, "one", making) == b"piece" * PIECES
