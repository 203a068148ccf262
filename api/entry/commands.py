"""From a request to a command and from its reply to an answer, the same way in every route.

    @router.post("/api/things", operation_id="create_thing", ...)
    async def create_thing(body: NewThing, sending: Sending) -> Response:
        thing_id = sending.new_id("thing")
        reply = await sending.send(CreateThing(thing_id=thing_id, **sending.asked))
        return changed(reply, thing_id, 201, location=f"/api/things/{thing_id}")

The Idempotency-Key, scoped to the caller, is the command's id: the log itself knows repeats.
A repeat gets its first answer whatever has become of the things that it is about, so what a read
model has against a command is not raised but handed over, as `unless`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import IO, Annotated, Any, TypeVar
from uuid import UUID, uuid5

import orjson
import uuid_utils
from asgi_correlation_id import correlation_id
from fastapi import Depends, Header, Request

from api.backends.gateway import DEADLINE_PASSED
from api.backends.machines import Machines, machines_of
from api.backends.networks import origin_of
from api.entry.auth import Caller
from api.wire.etags import expected_versions
from api.wire.problems import Problem, accepted
from infra.settings import Settings
from schemas.log.messages import Command
from schemas.log.recorded import CommandEnvelope, Reply

IDEMPOTENCY_KEY = r"^[\x21-\x7e]{1,255}$"
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
T = TypeVar("T")
_TRACEPARENT = re.compile(r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")


@dataclass(frozen=True)
class Way:
    """How a request has come in: what its commands take along of it, whoever has asked."""

    machines: Machines
    method: str
    path: str
    origin: str  # the network that it came from
    if_match: tuple[str, ...] = ()
    traceparent: str | None = None

    @classmethod
    def of(cls, request: Request) -> Way:
        """The way of HTTP."""
        trace = request.headers.get("traceparent")
        return cls(
            machines=machines_of(request),
            method=request.method,
            path=request.url.path,
            origin=origin_of(request),
            if_match=tuple(request.headers.getlist("if-match")),
            traceparent=trace if trace and _TRACEPARENT.match(trace) else None,
        )

    def scope(self, whose: str) -> str:
        """What an Idempotency-Key holds for. Method and path are in it because they name the
        stream: one id on two streams would be judged by two partitions, neither of which sees the
        other's answer.
        """
        return f"{whose}\n{self.method} {self.path}"


@dataclass(frozen=True)
class CommandSender:
    """One request's commands. The first has the request's own command id; others are sent with
    a `step`, which gives each an id that is the same at every retry.
    """

    way: Way
    caller: Caller
    key: str | None  # the Idempotency-Key as sent
    command_id: str
    fingerprint: str
    asked_at: datetime

    async def scoped(
        self, scope: str, asked: Mapping[str, Any], secret: str | None = None
    ) -> CommandSender:
        """For somebody who is not signed in: the key belongs to `scope`, and `asked` is what a
        repeat must ask again, with the same `secret`.
        """
        whose = self.way.scope(scope)
        command_id = command_id_for(self.way.machines.settings, self.key, whose)
        scoped = replace(self, command_id=command_id)
        if self.key is None or secret is None:
            return scoped.comparing(asked)
        return scoped.comparing({**asked, "secret": await self.digest(secret, scope)})

    def comparing(self, asked: Mapping[str, Any]) -> CommandSender:
        """A repeat is known by `asked` and not by the body, which holds a secret."""
        way, body = self.way, orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)
        fingerprint = fingerprint_of(way.machines.settings, way.method, way.path, body)
        return replace(self, fingerprint=fingerprint)

    async def digest(self, secret: str, whose: str) -> str:
        """What tells a repeat's secret from another without telling the secret: keyed, and slow
        to try guesses on, should the key be lost. Empty without a key, as nothing is repeated.
        """
        if self.key is None:
            return ""
        machines = self.way.machines
        salt = keyed(machines.settings, f"secret of a repeat\n{whose}")
        return await machines.passwords.digest(secret, salt)

    def about(self, thing_id: UUID) -> CommandSender:
        """The same about this thing, which a form names: with another one a key stands for another
        request, as where the address names the thing.
        """
        way = replace(self.way, path=f"{self.way.path}/{thing_id}")
        scope = way.scope(self.caller.user_id)
        command_id = command_id_for(way.machines.settings, self.key, scope)
        return replace(self, way=way, command_id=command_id)

    def fresh(self) -> CommandSender:
        """For what is never repeated by key, since its answer holds a secret: tokens."""
        return replace(self, command_id=new_command_id(), fingerprint="")

    @property
    def asked(self) -> dict[str, Any]:
        """The fields that every command has: when, by whom, in which role."""
        return {
            "asked_at": self.asked_at,
            "asked_by": self.caller.user_id,
            "asked_role": self.caller.role,
        }

    def new_id(self, noun: str) -> UUID:
        """The id of what this request creates: a repeat meets the same stream."""
        return uuid5(UUID(self.command_id), noun)

    async def reply_to(
        self,
        command: Command,
        *,
        step: str = "",
        if_match: bool = False,
        if_match_required: bool = False,
        deadline: datetime | None = None,
        unless: Problem | None = None,
    ) -> Reply:
        """The writer's reply, refusals too; raises WriteUnavailableError when there is none.

        `if_match`: the writer compares the request's If-Match with the stream's version.
        `unless`: what the read models have against it now. It is raised, but not to a repeat.
        """
        if unless is not None:
            first = await self.first_reply(command, step=step)
            if first is None:
                raise unless
            return first
        versions = None
        if if_match or if_match_required:
            versions = expected_versions(self.way.if_match, required=if_match_required)
        envelope = enveloped(
            command,
            str(self.new_id(step)) if step else self.command_id,
            cause=self.command_id,
            fingerprint=self.fingerprint,
            expected_versions=versions,
            deadline=deadline,
            traceparent=self.way.traceparent,
            origin=self.way.origin,
        )
        return await self.way.machines.writes.send(envelope)

    async def first_reply(self, command: Command, *, step: str = "") -> Reply | None:
        """What the writer has said to this command already; None if it never came, or has no key.

        The writer is asked and no read model, which may be late: a command that comes too late to
        be judged is still told its first reply.
        """
        if self.key is None:
            return None
        reply = await self.reply_to(command, step=step, deadline=LONG_AGO)
        return None if reply.reason == DEADLINE_PASSED else reply

    async def send(self, command: Command, **how: Any) -> Reply:
        """Like `reply_to`, but a refusal leaves as the problem that tells of it."""
        return accepted(await self.reply_to(command, **how))


async def judged(asked: Awaitable[T]) -> tuple[T | None, Problem | None]:
    """What the read models say, or what they have against it, to be handed over as `unless`."""
    try:
        return await asked, None
    except Problem as problem:
        return None, problem


def enveloped(
    command: Command, command_id: str, *, cause: str = "", fingerprint: str = "", **more: Any
) -> CommandEnvelope:
    """The command on its way; `cause` is the id of the request's own command, if this is another."""
    cause = cause or command_id
    correlation = correlation_id.get() or cause
    return CommandEnvelope(command, command_id, correlation, cause, fingerprint, **more)


def command_id_for(settings: Settings, key: str | None, scope: str) -> str:
    """The id of the command that an Idempotency-Key stands for; a new one without a key.

    `scope` is whose key it is and for what: the same text from somebody else, or sent to
    another address, is another command.
    """
    if key is None:
        return new_command_id()
    if not re.fullmatch(IDEMPOTENCY_KEY, key):
        raise Problem(
            400,
            "idempotency_key_invalid",
            "An Idempotency-Key is 1 to 255 visible ASCII characters",
        )
    return command_id_of(settings, key, scope)


def command_id_of(settings: Settings, key: str, scope: str) -> str:
    """A keyed hash: ids of what the command makes follow from it, and nobody shall guess them
    who knows whose key it was and what it said.
    """
    return str(UUID(bytes=keyed(settings, f"idempotency\n{scope}\n{key}")[:16], version=4))


def new_command_id() -> str:
    """For what nobody asks for twice."""
    return str(uuid_utils.uuid7())


def fingerprint_of(settings: Settings, method: str, path: str, body: bytes) -> str:
    """A keyed hash of what was asked: tells a repeat from another request under one key."""
    key = b64decode(settings.lookup_key.get_secret_value())
    return hmac.new(
        key, b"\n".join((method.encode(), path.encode(), body)), hashlib.sha256
    ).hexdigest()


def fingerprint_of_file(settings: Settings, method: str, path: str, file: IO[bytes]) -> str:
    """The same of a body that is too large to be held at once; the file is read to its end."""
    key = b64decode(settings.lookup_key.get_secret_value())
    digest = hmac.new(key, b"\n".join((method.encode(), path.encode(), b"")), hashlib.sha256)
    while block := file.read(1024 * 1024):
        digest.update(block)
    return digest.hexdigest()


def keyed(settings: Settings, text: str) -> bytes:
    """A hash that nobody can try texts on who lacks the key."""
    key = b64decode(settings.lookup_key.get_secret_value())
    return hmac.digest(key, text.encode(), hashlib.sha256)


_Key = Annotated[
    str | None,
    Header(
        json_schema_extra={"minLength": 1, "maxLength": 255, "pattern": IDEMPOTENCY_KEY},
        description="A repeat with the same key gives the first answer again",
        examples=["9b2f6c1e-publish"],
    ),
]


async def _sender_of_files(request: Request, idempotency_key: _Key = None) -> CommandSender:
    way = Way.of(request)
    caller: Caller = request.scope["caller"]
    return CommandSender(
        way=way,
        caller=caller,
        key=idempotency_key,
        command_id=command_id_for(
            way.machines.settings, idempotency_key, way.scope(caller.user_id)
        ),
        fingerprint="",
        asked_at=datetime.now(UTC),
    )


async def _sender(request: Request, idempotency_key: _Key = None) -> CommandSender:
    sender = await _sender_of_files(request, idempotency_key)
    settings = machines_of(request).settings
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    body = await request.body()
    return replace(sender, fingerprint=fingerprint_of(settings, request.method, target, body))


async def _keyless(request: Request) -> CommandSender:
    return (await _sender_of_files(request)).fresh()


Sending = Annotated[CommandSender, Depends(_sender)]
# For what is done anew each time: it takes no key, and its document says none.
SendingAnew = Annotated[CommandSender, Depends(_keyless)]
# For forms of files: nothing has read the body, which may be too large to be held at once. The
# route says itself, as `fingerprint`, what a repeat must send again: the form's boundary is
# another one at every try.
SendingFiles = Annotated[CommandSender, Depends(_sender_of_files)]


def sends_commands(asked: object) -> bool:
    """Whether a route that asks for this sends commands."""
    return asked in (_sender, _keyless, _sender_of_files)
