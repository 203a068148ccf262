"""What API processes tell each other by way of Redis, and what happens when it goes quiet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

import pytest

from api.messaging.realtime import Realtime
from infra.settings import Settings
from tests.api.limited import redis_url, settings_on
from tests.waiting import eventually, let_pass


@dataclass
class Line:
    """A way to Redis that can go dead without a word, as a cable does."""

    target: tuple[str, int]
    url: str = ""
    dead: bool = False
    connections: int = 0
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there, back = await asyncio.open_connection(*self.target)
        self.tasks += [
            asyncio.create_task(self.carry(reader, back)),
            asyncio.create_task(self.carry(there, writer)),
        ]

    async def carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        newer = self.dead
        with suppress(OSError):
            while data := await source.read(65_536):
                if self.dead and not newer:
                    await asyncio.Event().wait()  # neither an end nor an error: nothing
                sink.write(data)
                await sink.drain()
            sink.close()


@asynccontextmanager
async def line_to(url: str) -> AsyncIterator[Line]:
    parts = urlsplit(url)
    line = Line((parts.hostname or "", parts.port or 0))
    server = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    line.url = url.replace(f":{parts.port}", f":{port}")
    yield line
    server.close()
    for task in line.tasks:
        task.cancel()
    await asyncio.gather(*line.tasks, return_exceptions=True)


@asynccontextmanager
async def listening(settings: Settings) -> AsyncIterator[Realtime]:
    realtime = Realtime(settings)
    realtime.start(None)  # type: ignore[arg-type]  # nobody connects
    try:
        yield realtime
    finally:
        await realtime.close()


@pytest.fixture
def heard(monkeypatch) -> list[str]:
    """Every event that a process hears from another one."""
    found: list[str] = []

    async def hear(_self: object, message: dict[str, str]) -> None:
        found.append(message["event"])

    monkeypatch.setattr("api.messaging.rooms.Rooms._handle_emit", hear)
    return found


async def test_MS_15_a_line_that_died_without_a_word_is_opened_again(monkeypatch, heard) -> None:
    monkeypatch.setattr("api.messaging.rooms.PING_S", 0.05)
    monkeypatch.setattr("api.messaging.rooms.SILENCE_MAX_S", 0.2)
    url, prefix = redis_url(), {"store_prefix": "line"}
    async with line_to(url) as line:
        settings = settings_on(line.url, **prefix)
        async with listening(settings) as there, listening(settings_on(url, **prefix)) as here:
            await eventually(there.rooms.listening.is_set)
            line.dead = True
            await eventually(lambda: line.connections > 1, 5, "it has connected again")
            await eventually(there.rooms.listening.is_set)

            async def told() -> bool:
                await here.server.emit("hello", room="anywhere")
                return heard.count("hello") > 1  # one's own, and the other's

            await eventually(told)


async def test_MS_15_a_quiet_line_is_no_dead_one(monkeypatch) -> None:
    monkeypatch.setattr("api.messaging.rooms.PING_S", 0.05)
    monkeypatch.setattr("api.messaging.rooms.SILENCE_MAX_S", 0.5)
    async with line_to(redis_url()) as line:
        settings = settings_on(line.url, store_prefix="quiet")
        async with listening(settings) as there:
            await eventually(there.rooms.listening.is_set)
            await let_pass(1.2, because="a quiet line is the input, longer than silence may last")
            assert line.connections == 1


async def test_MS_15_without_redis_ones_own_sockets_still_hear(heard) -> None:
    async with listening(settings_on("redis://127.0.0.1:1")) as alone:
        await alone.server.emit("hello", room="anywhere")
    assert heard == ["hello"]


class Swallowing:
    """A subscription on which a cancellation is lost, as with a client whose answer comes at the
    same moment.
    """

    def __init__(self) -> None:
        self.asked = 0
        self.swallowed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is open."""

    async def subscribe(self, *_channels: str) -> None:
        """Nobody says anything."""

    async def ping(self) -> None:
        """Nobody answers."""

    async def get_message(self, timeout: float) -> None:  # noqa: ASYNC109 - as the client names it
        self.asked += 1
        try:
            await asyncio.wait_for(asyncio.Event().wait(), timeout)
        except asyncio.CancelledError:
            self.swallowed = True
        except TimeoutError:
            pass


async def test_MS_15_a_process_ends_though_its_cancellation_was_lost(monkeypatch) -> None:
    monkeypatch.setattr("api.messaging.rooms.PING_S", 0.05)
    subscription = Swallowing()
    realtime = Realtime(settings_on("redis://127.0.0.1:1"))
    monkeypatch.setattr(realtime.rooms._listener, "pubsub", lambda: subscription)
    realtime.start(None)  # type: ignore[arg-type]  # nobody connects
    await eventually(lambda: subscription.asked > 0)
    await realtime.close()
    assert subscription.swallowed
    assert realtime.rooms.thread.done()
