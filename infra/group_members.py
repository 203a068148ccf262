"""Who is in a consumer group, asked of the broker."""

from __future__ import annotations

import asyncio

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code

from infra.settings import Settings

_TIMES_OVERDUE = 2  # of the time that it has: to ask, and to close its client


class GroupMembers:
    """How many members one group has. Whoever asks while the broker is being asked is told the
    same answer: anybody may ask for our health as often as they like.
    """

    def __init__(self, settings: Settings, group: str) -> None:
        self._bootstrap = settings.kafka_bootstrap
        self._group = group
        self._asking: asyncio.Task[int] | None = None
        self._overdue_at = 0.0

    async def count(self, timeout_s: float) -> int:
        """One that hangs counts until its session lapses, one with a name of its own (`INSTANCE`)
        until then even when it was killed.

        Raises KafkaError or TimeoutError when the broker does not say so within `timeout_s`
        seconds.
        """
        now = asyncio.get_running_loop().time()
        if self._asking is None or self._asking.done() or now > self._overdue_at:
            if self._asking is not None:
                # Kafka's client swallows some cancellations, and a question that never ends must
                # not be the last one that is asked.
                self._asking.cancel()
            self._asking = asyncio.create_task(self._count(timeout_s))
            self._asking.add_done_callback(_noted)
            self._overdue_at = now + _TIMES_OVERDUE * timeout_s
        return await asyncio.shield(self._asking)

    async def _count(self, timeout_s: float) -> int:
        # Not librdkafka's: asked this of a broker that hangs, it ends the whole process when the
        # answer comes after all (its issue 4605). And a client of its own each time: one that has
        # met a dead coordinator may go on asking that one.
        admin = AIOKafkaAdminClient(
            bootstrap_servers=self._bootstrap,
            client_id="mesh-members",
            request_timeout_ms=round(timeout_s * 1_000),
        )
        try:
            async with asyncio.timeout(timeout_s):
                await admin.start()
                [answer] = await admin.describe_consumer_groups([self._group])
        finally:
            await admin.close()
        [(error, _group, _state, _type, _protocol, members, *_)] = answer.groups
        if error:
            raise for_code(error)(self._group)
        return len(members)


def _noted(asked: asyncio.Task[int]) -> None:
    """Whoever asked may have stopped waiting; asyncio complains of errors that nobody sees."""
    if not asked.cancelled():
        asked.exception()
