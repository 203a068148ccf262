"""The API on real sockets, and devices that talk Socket.IO with it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import socketio
import uvicorn
from socketio.exceptions import ConnectionError as RefusedError

from api.messaging.realtime import Realtime
from cli.running.processes import _uvicorn_config
from infra.settings import Settings
from tests.waiting import eventually

ANSWER_S = 20.0
WEBSOCKET = ("websocket",)
FRONTEND = "https://shop.example"


class Served(Protocol):
    """Where a device can connect to."""

    @property
    def url(self) -> str: ...


@dataclass(frozen=True)
class Replica:
    """One API process, as far as a test can tell."""

    url: str
    realtime: Realtime


@asynccontextmanager
async def served(settings: Settings, *, writes: bool = True) -> AsyncIterator[Replica]:
    """The API as `mesh api` serves it, hearing the other replicas and, if it `writes`, answers."""
    config = _uvicorn_config(settings)
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        task = asyncio.create_task(server._serve([listener]))
        await eventually(lambda: server.started, 20, "the API serves")
        realtime = config.app.state.realtime
        await eventually(realtime.rooms.listening.is_set, 20, "it hears the others")
        if writes:
            gateway = config.app.state.machines.writes
            await eventually(lambda: gateway.started, 20, "the gateway has started")
        yield Replica(f"http://127.0.0.1:{listener.getsockname()[1]}", realtime)
        server.should_exit = True
        await task


@dataclass(frozen=True)
class Replicas:
    """Two API processes. Pages of the API itself may connect to the first, the frontend's to the
    second, which also counts messages as production does.
    """

    first: Replica
    second: Replica


@asynccontextmanager
async def two_replicas(settings: Settings) -> AsyncIterator[Replicas]:
    told = {"frontend_url": f"{FRONTEND}/app", "limit_chat": "100 per minute"}
    async with (
        served(settings) as first,
        served(settings.model_copy(update=told)) as second,
    ):
        yield Replicas(first, second)


@dataclass
class Device:
    """One client and everything that it heard."""

    client: socketio.AsyncClient
    heard: list[tuple[str, Any]] = field(default_factory=list)
    refused: list[Any] = field(default_factory=list)

    @property
    def connected(self) -> bool:
        return bool(self.client.connected)

    async def ask(self, event: str, **asked: Any) -> Any:
        """The acknowledgement of an event."""
        return await self.client.call(event, asked, timeout=ANSWER_S)

    @property
    def events(self) -> set[str]:
        """What it heard of, but for people who come and go, as they do in all tests."""
        return {name for name, _ in self.heard} - {"presence"}

    def all(self, event: str) -> list[Any]:
        return [data for name, data in self.heard if name == event]

    async def hears(self, event: str, count: int = 1) -> Any:
        """The `count`th such event."""
        return (await eventually(lambda: self.all(event)[count - 1 :], ANSWER_S, event))[0]

    async def gone(self) -> bool:
        return bool(await eventually(lambda: not self.connected, ANSWER_S, "it is let go"))

    async def join(self, **asked: Any) -> str:
        """Join a chat; its id."""
        answer = await self.ask("join-chat", **asked)
        assert "error" not in answer, answer
        chat_id: str = answer["chatId"]
        return chat_id


@dataclass(frozen=True)
class Devices:
    """Makes devices, and disconnects all of them at the end."""

    stack: AsyncExitStack

    async def connect(
        self,
        replica: Served,
        token: Any,
        *,
        transports: Any = WEBSOCKET,
        **headers: str,
    ) -> Device:
        """A device; raises RefusedError."""
        client = socketio.AsyncClient(reconnection=False)
        device = Device(client)

        async def hear(event: str, *data: Any) -> None:
            device.heard.append((event, data[0] if data else None))

        client.on("*", hear)
        client.on("connect_error", device.refused.append)
        self.stack.push_async_callback(client.disconnect)
        try:
            await client.connect(
                replica.url,
                headers=headers,
                auth=None if token is None else {"token": token},
                transports=list(transports) if transports else None,
                wait_timeout=ANSWER_S,
            )
        except RefusedError as error:
            error.add_note(str(device.refused))
            raise
        return device


@asynccontextmanager
async def devices() -> AsyncIterator[Devices]:
    async with AsyncExitStack() as stack:
        yield Devices(stack)


async def refusal_of(some: Devices, replica: Replica, token: Any, **headers: str) -> str:
    """What a device is told that is not let in."""
    try:
        await some.connect(replica, token, **headers)
    except RefusedError as error:
        return " ".join([str(error), *error.__notes__])
    return ""
