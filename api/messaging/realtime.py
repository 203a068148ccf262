"""The Socket.IO side of messaging: who is let in, for how long, and what becomes of each event.

Whoever connects shows an access token; it is checked by the code that checks HTTP's, at the
handshake, at every event and now and then in between. Events of one socket are handled one
after another, in the order in which they came. Transports are long-polling and WebSocket.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import socketio
import structlog
from asgi_correlation_id import correlation_id
from engineio.async_drivers.asgi import WebSocket
from fastapi import Request
from pydantic import BaseModel, ValidationError
from socketio.exceptions import ConnectionRefusedError as Refused

from api.backends.machines import Machines
from api.backends.networks import network_of
from api.backends.rate_limits import Limit, admit_person
from api.entry.auth import Caller, caller_of
from api.entry.consistency import CaughtUp
from api.entry.doors import CHANGES, FROM_ONE_ADDRESS, SEARCHES, SIGNED_IN, Door
from api.messaging.coming import Coming
from api.messaging.events import (
    Connection,
    Events,
    InChat,
    JoinChat,
    SayInChat,
    token_of,
)
from api.messaging.fanout import Fanout, Said
from api.messaging.rooms import Rooms
from api.profiles.sight import people_of
from api.wire.deadlines import AnswerWithin, NoAnswerInTimeError
from api.wire.faults import fault_of
from api.wire.problems import Problem, StoreUnavailableError, WriteUnavailableError, note_surprise
from infra.heartbeats import PING_ANSWER_S, PING_EVERY_S, Heart
from infra.settings import Settings
from infra.sockets import person_room
from infra.vault.vault import VaultUnavailableError
from projections.messaging import conversations
from schemas.log.messages import Fault
from schemas.log.recorded import Reply
from schemas.messaging import SendMessage

PATH = "socket.io"
# 4,000 characters as JSON may escape them, each in twelve bytes, and the envelope.
PACKET_BYTES_MAX = 64 * 1024
CONNECT_S = 10.0  # for showing a token, once the transport is open
CHECK_S = 10.0  # between looks whether a session has ended
CLOSE_S = 2.0
REFUSAL = "Authentication failed"
_BINARY = ("5", "6")  # packets with attachments, which no event of ours has

HEARD = CaughtUp(conversations.conversations)

CONNECTING = Door(SIGNED_IN, CHANGES)
READING = Door(SIGNED_IN, SEARCHES)
SENDING = Door(SIGNED_IN, (Limit("chat"),))

# What is asked over the socket, by event. What HTTP offers too has the same door there, so that it
# is counted together.
SOCKET: Final[dict[str, Door]] = {
    "connect": CONNECTING,
    "join-chat": READING,
    "send-message": SENDING,
    "typing": CONNECTING,
    "stop-typing": CONNECTING,
}

log = structlog.get_logger()


@dataclass(frozen=True)
class Handler:
    """What an event must look like, what is done about it and what is said when that fails."""

    body: type[BaseModel]
    handle: Callable[[Events, Connection, Any], Awaitable[dict[str, Any] | None]]
    failure: str


HANDLERS: Final[dict[str, Handler]] = {
    "join-chat": Handler(JoinChat, Events.join_chat, "Failed to join chat"),
    "send-message": Handler(SayInChat, Events.send_message, "Failed to send message"),
    "typing": Handler(InChat, Events.typing, "Failed to tell"),
    "stop-typing": Handler(InChat, Events.stop_typing, "Failed to tell"),
}


class _Transport(WebSocket):  # type: ignore[misc]  # a library without types
    """A WebSocket that the session of Engine.IO, for which it is opened, knows."""

    def __init__(self, handler: Any, server: Any) -> None:
        super().__init__(handler, server)
        handler.__self__.transport = self


class _Server(socketio.AsyncServer):  # type: ignore[misc]  # a library without types
    """python-socketio's server with bounds that it lacks: whoever opens a transport shows a
    token soon, and no packet that can't be read or has attachments is waited on.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.eio._async = {**self.eio._async, "websocket": _Transport}  # noqa: SLF001 - no other way

    async def cut(self, eio_sid: str) -> None:
        """End a transport, whatever its client does. The library sends a packet that asks the
        client to close, and waits for it.
        """
        session = self.eio.sockets.get(eio_sid)
        if session is None:
            return
        try:
            async with asyncio.timeout(CLOSE_S):
                await self.eio.disconnect(eio_sid)
        except TimeoutError:
            log.info("socket_close_not_fetched")
        self.eio.sockets.pop(eio_sid, None)
        transport = getattr(session, "transport", None)
        if transport is not None:
            await transport.close()

    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> None:
        await super()._handle_eio_connect(eio_sid, environ)
        asyncio.get_running_loop().call_later(CONNECT_S, self._expect, eio_sid)

    def _expect(self, eio_sid: str) -> None:
        if eio_sid in self.environ and self.manager.sid_from_eio_sid(eio_sid, "/") is None:
            self.start_background_task(self.cut, eio_sid)

    async def _handle_eio_message(self, eio_sid: str, data: str | bytes) -> None:
        try:
            if isinstance(data, bytes) or data.startswith(_BINARY):
                raise ValueError  # noqa: TRY301 - told with the others
            await super()._handle_eio_message(eio_sid, data)
        except Exception as error:  # noqa: BLE001 - whatever it was, its sender did not speak Socket.IO
            log.info("socket_packet_unreadable", error=type(error).__name__)
            await self.cut(eio_sid)

    async def _handle_event(self, eio_sid: str, namespace: str, id: Any, data: Any) -> None:  # noqa: A002
        # The library would take a client's own `connect` and `disconnect` for the real ones.
        if data[0] in HANDLERS:
            await super()._handle_event(eio_sid, namespace, id, data)


class Realtime:
    """The sockets of one API process. `app` is what is mounted; it works once `start` was
    called.
    """

    def __init__(self, settings: Settings) -> None:
        quiet = logging.getLogger("mesh.socketio")
        quiet.setLevel(logging.ERROR)  # below that the library writes down what people say
        self.rooms = Rooms(settings)
        self.server = _Server(
            client_manager=self.rooms,
            async_mode="asgi",
            async_handlers=False,
            cors_allowed_origins=origin_of(settings.frontend_url),
            cors_credentials=False,
            max_http_buffer_size=PACKET_BYTES_MAX,
            ping_interval=PING_EVERY_S,
            ping_timeout=PING_ANSWER_S,
            logger=quiet,
            engineio_logger=quiet,
        )
        self.app = socketio.ASGIApp(self.server, socketio_path=PATH)
        self.fanout = Fanout(self.server)
        self._machines: Machines | None = None
        self._connections: dict[str, Connection] = {}
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._coming = Coming(settings, self.fanout, lambda: self.machines, self._later)
        self.rooms.ended = self._look_again
        self.server.on("connect", self._connect)
        self.server.on("disconnect", self._disconnect)
        for name in HANDLERS:
            self.server.on(name, self._handler(name))

    def start(self, machines: Machines) -> None:
        """Let people in, and listen to the other processes."""
        self._machines = machines
        self.server.manager_initialized = True
        self.rooms.initialize()
        self._later(self._coming.keep(self._hearts))

    async def close(self) -> None:
        """Let everybody go."""
        tasks = [*self._watches.values(), *self._tasks]
        for task in tasks:
            task.cancel()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=CLOSE_S)
            if late:
                log.warning("sockets_not_let_go", tasks=len(late))
        await self.server.shutdown()
        await self.rooms.close()
        await self._coming.close()

    @property
    def machines(self) -> Machines:
        """What handlers work with; raises StoreUnavailableError before `start`."""
        if self._machines is None:
            raise StoreUnavailableError("socket")
        return self._machines

    def message_was_sent(self, command: SendMessage, content: str, reply: Reply) -> None:
        """Tell those who are connected of a message that came over HTTP, once it is known whom
        it is for.
        """
        self._later(self._tell(command, content, reply))

    async def _tell(self, command: SendMessage, content: str, reply: Reply) -> None:
        machines, sender_id = self.machines, command.asked_by
        if reply.position is not None:
            await HEARD.reach(machines, [reply.position])
        row = await conversations.by_id(machines.postgres, str(command.conversation_id))
        if row is None:
            return
        people = await people_of(machines, (sender_id,))
        said = Said(
            command=command,
            content=content,
            listing_id=row["listing_id"],
            recipient_id=row["seller_id" if sender_id == row["buyer_id"] else "buyer_id"],
            sender_name=people.name(sender_id),
            token=token_of(reply),
        )
        await self.fanout.message_sent(said)

    def _later(self, work: Awaitable[None]) -> None:
        async def guarded() -> None:
            try:
                await work
            except Exception as error:  # noqa: BLE001 - nobody waits for it: it is in the log
                log.warning("fanout_failed", code=_code_of(error))

        task = asyncio.create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        correlation_id.set(uuid4().hex)
        scope = environ["asgi.scope"]
        token = auth.get("token") if isinstance(auth, dict) else None
        try:
            async with AnswerWithin(CONNECTING.answer_within_s(self.machines.settings)):
                caller = await self._admitted("connect", token if isinstance(token, str) else "")
        except Exception as error:  # noqa: BLE001 - whatever it is, they are not let in
            await self._count_refusal(scope)
            log.info("socket_refused", code=_code_of(error))
            raise Refused(REFUSAL) from None
        origin = network_of(self.machines.rate_limits.addresses.whole(scope))
        connection = Connection(sid, str(token), caller, origin)
        self._connections[sid] = connection
        self._watches[sid] = asyncio.create_task(self._watch(connection))
        await self.server.enter_room(sid, person_room(caller.user_id))
        log.info("socket_connected", user_id=caller.user_id)
        connection.heart = await self._coming.came(caller.user_id, sid)

    async def _count_refusal(self, scope: Any) -> None:
        """Nobody tries tokens uncounted."""
        limiter = self.machines.rate_limits
        address = limiter.addresses.of(scope)
        for limit in FROM_ONE_ADDRESS:
            await limiter.spend(limit.policy, address, limit.cost)

    async def _disconnect(self, sid: str, *_reason: Any) -> None:
        connection = self._connections.pop(sid, None)
        if connection is None:
            return
        watch = self._watches.pop(sid)
        if watch is not asyncio.current_task():
            watch.cancel()
        log.info("socket_disconnected", user_id=connection.caller.user_id)
        await self._coming.left(connection.heart)
        await self._events().left(connection)

    async def _admitted(self, event: str, token: str) -> Caller:
        """Whoever the token names, if they may ask for this now; raises Problem and what stores
        raise.
        """
        door = SOCKET[event]
        caller = await caller_of(self.machines, token)
        if not door.lets_in(caller.role) or caller.operations is not None:
            raise Problem(403, "role_not_allowed", "Your role may not do this")
        await admit_person(self.machines.rate_limits, caller.user_id, door.limits)
        return caller

    async def _watch(self, connection: Connection) -> None:
        """Disconnect at the token's end, or when its session has ended before."""
        while True:
            until = connection.caller.expires_at or datetime.now(UTC)
            left = (until - datetime.now(UTC)).total_seconds()
            if left <= 0:
                break
            await asyncio.sleep(min(left, CHECK_S))
            try:
                await caller_of(self.machines, connection.token)
            except Problem:
                break
            except (StoreUnavailableError, VaultUnavailableError):
                continue  # nobody can tell now: the token's end still holds
        await self._let_go(connection)

    def _look_again(self, whose: str) -> None:
        """Tokens of this session or person have just become void."""
        for connection in self._connections.values():
            if whose in (connection.caller.session_id, connection.caller.user_id):
                self._later(self._let_go_if_ended(connection))

    async def _let_go_if_ended(self, connection: Connection) -> None:
        try:
            await caller_of(self.machines, connection.token)
        except Problem:
            await self._let_go(connection)

    async def _let_go(self, connection: Connection) -> None:
        """End the session and its transport."""
        transport = self.rooms.eio_sid_from_sid(connection.sid, "/")
        log.info("socket_let_go", user_id=connection.caller.user_id)
        await self.server.disconnect(connection.sid)
        if transport is not None:
            await self.server.cut(transport)

    def _hearts(self) -> list[Heart]:
        """Of whoever is connected: a client that went away while it was let in has left none."""
        return [
            each.heart
            for each in self._connections.values()
            if each.heart is not None and self.rooms.is_connected(each.sid, "/")
        ]

    def _events(self) -> Events:
        return Events(self.machines, self.fanout, self._later)

    def _handler(self, name: str) -> Callable[..., Awaitable[Any]]:
        handler = HANDLERS[name]

        async def handle(sid: str, *payloads: Any) -> Any:
            connection = self._connections.get(sid)
            if connection is None:
                return None
            correlation_id.set(uuid4().hex)
            try:
                async with AnswerWithin(CONNECTING.answer_within_s(self.machines.settings)):
                    connection.caller = await self._admitted(name, connection.token)
                    body = handler.body.model_validate(payloads[0] if payloads else {})
                    return await handler.handle(self._events(), connection, body)
            except Exception as error:  # noqa: BLE001 - told to the client, by a code
                return await self._failed(connection, name, handler.failure, error)

        return handle

    async def _failed(
        self, connection: Connection, name: str, failure: str, error: Exception
    ) -> dict[str, Any]:
        """Tell the client; whose token is no good any more is let go."""
        told: dict[str, Any] = {"message": failure, "code": _code_of(error), "event": name}
        if isinstance(error, ValidationError):
            told["errors"] = _errors(
                [fault_of({**each, "loc": ("body", *each["loc"])}) for each in error.errors()]
            )
        if isinstance(error, Problem):
            told["detail"] = error.detail
            if error.faults:
                told["errors"] = _errors(error.faults)
            if "Retry-After" in error.headers:
                told["retryAfter"] = int(error.headers["Retry-After"])
        await self.server.emit("error", told, to=connection.sid)
        if isinstance(error, Problem) and error.reason in _ENDED:
            self._later(self._let_go(connection))
        return {"error": told}


def _errors(faults: Sequence[Fault]) -> list[dict[str, str]]:
    return [{"pointer": each.pointer, "detail": each.detail} for each in faults]


_ENDED = frozenset({"token_invalid", "session_ended", "account_deactivated"})


def _code_of(error: Exception) -> str:
    """A stable code for programs, as `reason` is over HTTP."""
    match error:
        case Problem():
            return error.reason
        case WriteUnavailableError():
            return "write_unavailable"
        case StoreUnavailableError() | VaultUnavailableError() | NoAnswerInTimeError():
            return "store_unavailable"
        case ValidationError():
            return "invalid"
        case _:
            note_surprise(error)
            return "unexpected"


def origin_of(frontend_url: str) -> list[str] | None:
    """The one origin whose pages may connect; None: only pages of the API's own."""
    parts = urlsplit(frontend_url)
    return [f"{parts.scheme}://{parts.netloc}".lower()] if parts.netloc else None


def realtime_of(request: Request) -> Realtime:
    """The sockets of the app that serves this request."""
    found: Realtime = request.app.state.realtime
    return found
