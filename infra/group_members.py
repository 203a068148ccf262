"""Who is in a consumer group, asked of the broker."""

from __future__ import annotations

import asyncio

from confluent_kafka.admin import AdminClient

from infra.kafka import client_config
from infra.settings import Settings


class GroupMembers:
    """How many members one group has. Whoever asks while the broker is being asked is told the
    same answer: anybody may ask for our health as often as they like.
    """

    def __init__(self, settings: Settings, group: str) -> None:
        self._config = client_config(settings, "mesh-members")
        self._group = group
        self._asking: asyncio.Task[int] | None = None

    async def count(self, timeout_s: float) -> int:
        """One that hangs counts until its session lapses, one with a name of its own (`INSTANCE`)
        until then even when it was killed.

        Raises KafkaException when the broker does not say so within `timeout_s` seconds.
        """
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(asyncio.to_thread(self._count, timeout_s))
            self._asking.add_done_callback(_noted)
        return await asyncio.shield(self._asking)

    def _count(self, timeout_s: float) -> int:
        # A client of its own each time: one that has met a dead coordinator may wait for it for
        # ever, after the broker is back.
        admin = AdminClient(self._config)
        asked = admin.describe_consumer_groups([self._group], request_timeout=timeout_s)
        return len(asked[self._group].result(timeout_s).members)


def _noted(asked: asyncio.Task[int]) -> None:
    """Whoever asked may have stopped waiting; asyncio complains of errors that nobody sees."""
    if not asked.cancelled():
        asked.exception()
