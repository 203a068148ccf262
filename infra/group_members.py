"""Who is in a consumer group, asked of the broker."""

from __future__ import annotations

import asyncio

from confluent_kafka.admin import AdminClient

from infra.kafka import client_config
from infra.settings import Settings


class GroupMembers:
    """One client for all questions, made at the first of them."""

    def __init__(self, settings: Settings) -> None:
        self._config = client_config(settings, "mesh-members")
        self._admin: AdminClient | None = None

    async def count(self, group: str, timeout_s: float) -> int:
        """How many members the group has. One that hangs counts until its session lapses, one
        with a name of its own (`INSTANCE`) until then even when it was killed.

        Raises KafkaException when the broker does not say so within `timeout_s` seconds.
        """
        if self._admin is None:
            self._admin = await asyncio.to_thread(AdminClient, self._config)
        asked = self._admin.describe_consumer_groups([group], request_timeout=timeout_s)
        return len((await asyncio.wrap_future(asked[group])).members)
