"""Fixtures of the writer's tests: Kafka and Postgres only."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from infra.settings import Settings
from tests.producers.writer.room import Room, room
from tests.stack import local_stack


@pytest.fixture(scope="session")
def servers() -> Settings:
    return local_stack({"kafka", "postgres"})


@pytest.fixture(scope="module")
async def writer_room(servers: Settings) -> AsyncIterator[Room]:
    """One room a module: its tests use boxes of their own."""
    async with room(servers) as found:
        yield found
