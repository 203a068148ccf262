"""Offsets that several lanes commit together."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError

from processors.reactions.offsets import Offsets
from tests.waiting import let_pass


@pytest.mark.parametrize(("error", "kept"), [(None, True), (CommitFailedError(), False)])
async def test_whose_offset_another_commits_waits_for_how_that_ends(
    error: Exception | None, kept: bool
) -> None:
    asked, may_end = asyncio.Event(), asyncio.Event()

    class Consumer:
        async def commit(self, offsets: dict[TopicPartition, int]) -> None:
            assert len(offsets) == 2
            asked.set()
            await may_end.wait()
            if error:
                raise error

    consumer: Any = Consumer()
    shared = Offsets(consumer, "test")
    for number in range(2):
        shared.done(TopicPartition("events.test", number), 0)
    first, second = (asyncio.create_task(shared.commit()) for _ in range(2))
    await asyncio.wait_for(asked.wait(), 5)
    await let_pass(0.05, because="the second might end too early")
    assert not second.done()
    may_end.set()
    assert await asyncio.gather(first, second) == [kept, kept]
