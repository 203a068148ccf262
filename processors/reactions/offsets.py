"""The offsets that a consumer of events is done with, and when they are committed."""

from __future__ import annotations

import asyncio
import time

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

# Between commits of what led to nothing. It may be read again: that is cheaper than a commit
# for each event, and still keeps the lag that people see about the true one.
SELDOM_S = 5.0

log = structlog.get_logger()


class Offsets:
    """What one reader, named for the log, has done since its last commit. Those who work on its
    partitions side by side share it: one commit tells of all that is done.
    """

    def __init__(self, consumer: AIOKafkaConsumer, reader: str) -> None:
        self._consumer = consumer
        self._reader = reader
        self._done: dict[TopicPartition, int] = {}
        self._committed_at = 0.0  # time.monotonic()
        self._turn = asyncio.Lock()
        self._lost = False

    def done(self, place: TopicPartition, offset: int) -> None:
        """Note that the record at this offset, and all before it, need not come again."""
        self._done[place] = offset + 1

    async def commit(self) -> bool:
        """Commit what is done, by whomever. False once a partition was another process's, which
        will read the same again.
        """
        # Whoever finds that another is committing what it has done waits for how that ends.
        async with self._turn:
            done, self._done = self._done, {}
            self._committed_at = time.monotonic()
            try:
                if done:
                    await self._consumer.commit(done)
            except (CommitFailedError, IllegalStateError):
                log.info("offsets_commit_too_late", reader=self._reader)
                self._lost = True
            return not self._lost

    async def commit_seldom(self) -> bool:
        """The same for what led to nothing: every SELDOM_S seconds."""
        if not self._done or time.monotonic() - self._committed_at < SELDOM_S:
            return True
        return await self.commit()
