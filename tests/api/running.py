"""A mesh at work for tests: writer, workers and reactor as processes of their own, on a
database of their own; the API inside the test, so that a test can give it other settings.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import httpx
import orjson
from fastapi import FastAPI
from pydantic import SecretStr

from api.app import create_app
from api.backends.machines import Machines
from api.entry.consistency import CaughtUp
from api.identity.routes import WHO_IS_HERE
from cli.people import send_grant
from infra.settings import Settings
from projections.identity import users
from projections.journal.journal import journal
from schemas.log.messages import Role
from schemas.log.positions import parse_token
from tests.stack import session_state
from tests.waiting import eventually, eventually_blocking

ROOT = Path(__file__).parents[2]
PASSWORD = "correct horse battery"
READY_S = 120.0
STOP_S = 15.0
JSONS = ("application/json", "application/problem+json")
OTHER_MOMENT = re.compile(r'"\d{4}-\d\d-\d\dT\d\d:\d\d(?:[:.+\d-]*)"')
JOURNAL = CaughtUp(journal)
PROCESSES = (("writer",), ("worker", "journal"), ("worker", "pages"), ("reactor",))


def environment(settings: Settings) -> dict[str, str]:
    """The environment that makes a process read exactly these settings."""
    values = {}
    for name in Settings.model_fields:
        value = getattr(settings, name)
        text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        values[name.upper()] = text
    state = str(session_state().folder)  # where messages lie that are carried to nobody
    return {**os.environ, **values, "PYTHONPATH": str(ROOT), "MESH_STATE": state}


@dataclass
class Process:
    """One `mesh` process and what it says."""

    command: tuple[str, ...]
    folder: Path
    running: subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        """Everything it has written so far."""
        return (self.folder / "log").read_text("utf-8", "replace")

    def is_ready(self) -> bool:
        """Whether it says that it does its work."""
        assert self.running.poll() is None, f"{self.command} ended:\n{self.log[-3_000:]}"
        return (self.folder / "ready").exists()

    def stop(self) -> None:
        """End it, gently at first."""
        self.running.terminate()
        try:
            self.running.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.running.kill()
            self.running.wait()


def started(settings: Settings, folder: Path, *command: str) -> Process:
    """A `mesh` process that is starting."""
    folder.mkdir(parents=True)
    with (folder / "log").open("wb") as output:
        running = subprocess.Popen(
            [sys.executable, "-m", "cli.main", *command],
            env={**environment(settings), "MESH_READY_FILE": str(folder / "ready")},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return Process(command, folder, running)


@contextmanager
def processes(
    settings: Settings, commands: Sequence[tuple[str, ...]] = PROCESSES
) -> Iterator[list[Process]]:
    """Everything behind the API, ready; ended with the block."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        found = []
        for command in commands:
            process = started(settings, Path(folder) / "-".join(command), *command)
            stack.callback(process.stop)
            found.append(process)
        for process in found:
            eventually_blocking(process.is_ready, READY_S, f"{process.command} is ready")
        yield found


@dataclass(frozen=True)
class Account:
    """Somebody registered and logged in."""

    user_id: str
    email: str
    session_id: str
    access_token: str
    refresh_token: str
    role: str

    @property
    def headers(self) -> dict[str, str]:
        """What shows that a request is theirs."""
        return {"Authorization": f"Bearer {self.access_token}"}


@dataclass(frozen=True)
class Mesh:
    """The API, asked in-process, and what it works with."""

    settings: Settings
    app: FastAPI
    client: httpx.AsyncClient
    emails: list[str] = field(default_factory=list)

    @property
    def machines(self) -> Machines:
        found: Machines = self.app.state.machines
        return found

    async def register(self, email: str = "", **more: Any) -> httpx.Response:
        """Ask to join, as a buyer unless `role` says otherwise."""
        headers = more.pop("headers", {})
        body = {"email": email or new_email(), "password": PASSWORD, "name": "Test Person"}
        return await self.client.post("/api/auth/register", json={**body, **more}, headers=headers)

    async def log_in(self, email: str, password: str = PASSWORD) -> httpx.Response:
        """Ask for tokens."""
        body = {"email": email, "password": password}
        return await self.client.post("/api/auth/login", json=body)

    async def account(self, role: str = "buyer") -> Account:
        """Somebody new, in any role: roles of trust are granted as the CLI grants them."""
        email = new_email()
        trusted = role not in {"buyer", "seller", "dealer"}
        joined = await self.register(email, role="buyer" if trusted else role)
        assert joined.status_code == 201, joined.text
        if trusted:
            await self.until_read(joined)
            await send_grant(self.settings, email, Role(role))
            await eventually(lambda: self._has_role(email, role))
        answer = await self.log_in(email)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        claims = await self.machines.tokens.verify(found["access_token"])
        return Account(
            user_id=found["user"]["id"],
            email=email,
            session_id=claims.session_id,
            access_token=found["access_token"],
            refresh_token=found["refresh_token"],
            role=role,
        )

    async def until_read(self, answer: httpx.Response) -> None:
        """Wait until people, sessions and the journal are read up to a write's place in the log."""
        positions = parse_token(answer.headers["Consistency-Token"])
        await WHO_IS_HERE.reach(self.machines, positions)
        await JOURNAL.reach(self.machines, positions)

    async def _has_role(self, email: str, role: str) -> bool:
        row = await users.by_email(
            self.machines.postgres, self.machines.vault.wrapping.lookup_hash(email)
        )
        return row is not None and row["role"] == role


def new_email() -> str:
    """An address that nobody has."""
    return f"{uuid4().hex}@example.org"


async def spells_moments(answer: httpx.Response) -> None:
    """Whatever any test is told: a moment in it ends with `Z`."""
    if answer.headers.get("Content-Type", "").partition(";")[0] in JSONS:
        await answer.aread()
        other = OTHER_MOMENT.search(answer.text)
        assert other is None, f"{answer.request.url.path} tells {other and other[0]}"


@asynccontextmanager
async def api(settings: Settings) -> AsyncIterator[Mesh]:
    """The API on these settings, asked without a socket."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(
            transport=transport,
            base_url="http://mesh.test",
            timeout=30,
            event_hooks={"response": [spells_moments]},
        ) as client:
            yield Mesh(settings, app, client)


@asynccontextmanager
async def held_back(mesh: Mesh, projection: str) -> AsyncIterator[None]:
    """A read model of Postgres that stands still: whoever writes its rows waits for this block's
    end. The table is locked, as a partition without events has no watermark to lock.
    """
    async with mesh.machines.postgres.pool.acquire() as connection, connection.transaction():
        await connection.execute(f"LOCK TABLE reads.{projection} IN EXCLUSIVE MODE")
        yield


async def journal_kinds(mesh: Mesh, stream_id: str) -> list[str]:
    """The kinds of a stream's events, as far as the journal has read."""
    rows = await mesh.machines.postgres.fetch(
        "SELECT kind FROM reads.journal WHERE stream_id = $1 ORDER BY version", stream_id
    )
    return [row["kind"] for row in rows]


async def journalled(mesh: Mesh, stream_id: str, kind: str) -> list[str]:
    """The kinds of a stream's events, once the journal has read one of that kind."""

    async def told() -> list[str]:
        kinds = await journal_kinds(mesh, stream_id)
        return kinds if kind in kinds else []

    return await eventually(told, what=f"{kind} of {stream_id} in the journal")


def claims_of(token: str) -> dict[str, Any]:
    """What an access token says, unverified."""
    body = token.split(".")[1]
    found: dict[str, Any] = orjson.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


def problem(answer: httpx.Response) -> tuple[int, str]:
    """An error's status and reason."""
    return answer.status_code, answer.json()["reason"]
