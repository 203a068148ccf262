"""Questions of one turn of the loop are one question."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from api.backends import together as module
from api.backends.together import Together
from tests.waiting import eventually


class Doubler:
    """Answers with twice the number, and remembers how it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.release = asyncio.Event()
        self.release.set()

    async def __call__(self, questions: Sequence[int]) -> Sequence[int]:
        self.asked.append(list(questions))
        await self.release.wait()
        return [2 * each for each in questions]


async def test_a_crowd_is_asked_for_at_once_and_each_gets_its_own_answer() -> None:
    doubler = Doubler()
    together = Together(doubler)
    assert await asyncio.gather(*map(together.ask, range(20))) == list(range(0, 40, 2))
    assert doubler.asked == [list(range(20))]


async def test_whoever_comes_later_does_not_wait_for_those_before() -> None:
    doubler = Doubler()
    doubler.release.clear()
    together = Together(doubler)
    first = asyncio.create_task(together.ask(1))
    await eventually(lambda: doubler.asked)
    second = asyncio.create_task(together.ask(2))
    await eventually(lambda: len(doubler.asked) == 2)
    doubler.release.set()
    assert [await first, await second] == [2, 4]


async def test_a_crowd_too_large_is_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    doubler = Doubler()
    together = Together(doubler)
    assert await asyncio.gather(*map(together.ask, range(7))) == list(range(0, 14, 2))
    assert [len(each) for each in doubler.asked] == [3, 3, 1]


async def test_what_fails_fails_for_everybody_who_asked_and_for_nobody_else() -> None:
    async def refuse(questions: Sequence[int]) -> Sequence[int]:
        if 1 in questions:
            raise ConnectionError
        return questions

    together = Together(refuse)
    found = await asyncio.gather(together.ask(1), together.ask(2), return_exceptions=True)
    assert [type(each) for each in found] == [ConnectionError, ConnectionError]
    assert await together.ask(2) == 2


async def test_whoever_leaves_takes_nobody_along() -> None:
    doubler = Doubler()
    doubler.release.clear()
    together = Together(doubler)
    leaves, stays = (asyncio.create_task(together.ask(each)) for each in (1, 2))
    await eventually(lambda: doubler.asked)
    leaves.cancel()
    doubler.release.set()
    assert await stays == 4
    assert leaves.cancelled() or leaves.cancelling()
