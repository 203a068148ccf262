"""A whole shop of its own for tests that break things: `mesh up` in a folder nobody else uses."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import httpx

from cli.status import mesh_status
from infra.settings import Settings
from infra.stack.daemons import running_pid
from infra.stack.servers.mail import mailbox
from infra.stack.servers.mailbox import SHOWN_MAX, Mail
from infra.stack.state import State
from tests.stack import limit_settings
from tests.waiting import eventually_blocking

ROOT = Path(__file__).parents[2]
UP_TIMEOUT_S = 240.0
PASSWORD = "correct horse battery staple"
CAMPUSES = "*.campus.example"
_PROOF = re.compile(r"token=([A-Za-z0-9_-]{20,})")  # in the link of a mail


@dataclass(frozen=True)
class Shop:
    """A running mesh, driven only as a user could: the CLI, HTTP, and kill."""

    folder: Path

    @property
    def env(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if k not in Settings.model_fields}
        unlimited = {name.upper(): "off" for name in limit_settings()}
        own = {"CAMPUS_DOMAINS": CAMPUSES, "MESH_STATE": str(self.folder)}
        return {**kept, **unlimited, **own}

    def mesh(self, *args: str, check: bool = True, timeout_s: float = UP_TIMEOUT_S) -> str:
        """Run a `mesh` command to its end; its standard output."""
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", *args],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if check and done.returncode != 0:
            message = f"mesh {' '.join(args)} ended with {done.returncode}\n"
            raise AssertionError(message + done.stdout[-3_000:] + done.stderr[-3_000:])
        return done.stdout

    def start(self, *args: str) -> subprocess.Popen[bytes]:
        """Start a `mesh` command and leave it running."""
        log = (self.folder / f"started-{uuid4().hex[:8]}.log").open("wb")
        return subprocess.Popen(
            [sys.executable, "-m", "cli.main", *args],
            cwd=ROOT,
            env=self.env,
            stdout=log,
            stderr=subprocess.STDOUT,
        )

    def up(self) -> None:
        self.mesh("up", "--no-sample")

    def down(self) -> None:
        self.mesh("down")

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.mesh("status", "--json"))
        return found

    @property
    def settings(self) -> Settings:
        values = json.loads((self.folder / "settings.json").read_text("utf-8"))
        return Settings(**{name.lower(): value for name, value in values.items()})

    @property
    def url(self) -> str:
        return self.settings.public_url

    def pid(self, name: str) -> int:
        found = running_pid(self.folder / name / "pid")
        assert found is not None, f"{name} does not run"
        return found

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """End one process or server of this shop, hard."""
        os.kill(self.pid(name), number)

    def logs(self) -> str:
        """The ends of all logs, for a failing test's report."""
        return "\n".join(
            f"--- {log.parent.name}\n{log.read_text('utf-8', 'replace')[-1_500:]}"
            for log in sorted(self.folder.glob("*/log"))
        )

    def lag(self) -> int | None:
        """Events that some projection has not folded yet; None while that cannot be told."""
        # Asked in this process: one for each look would take more than what is looked at.
        found = asyncio.run(mesh_status(self.settings))["projections"]
        lags = [each["lag_events"] for each in found]
        return None if None in lags else sum(lags)

    def wait_until_read(self, timeout_s: float = 180.0) -> None:
        """Wait until every projection has folded the whole log."""
        eventually_blocking(lambda: self.lag() == 0, timeout_s, "every projection read up")

    def mails(self, email: str, text: str = "") -> list[Mail]:
        """What was sent to somebody that holds this text."""
        every = mailbox(State(self.folder)).newest(SHOWN_MAX)
        return [mail for mail in every if email in mail.recipients and text in mail.text()]

    def proof(self, email: str) -> str:
        """The token that proves somebody's address; nothing before it has come."""
        found = (_PROOF.search(mail.text()) for mail in self.mails(email))
        return next((each[1] for each in found if each), "")

    def account(self, role: str = "seller") -> dict[str, str]:
        """A new person's authorization header."""
        email = f"{uuid4().hex}@example.org"
        body = {"email": email, "password": PASSWORD, "name": "Test Person", "role": role}
        try:
            token = self._let_in(body)
        except AssertionError as error:
            error.add_note(self.logs())
            raise
        return {"Authorization": f"Bearer {token}"}

    def _let_in(self, body: Mapping[str, str]) -> str:
        with httpx.Client(base_url=self.url, timeout=20) as client:
            # Right after an outage writes may still be away: 503 says so, and to come again. What
            # it was said of may be done by then, so the repeat must be known for one.
            same = {"Idempotency-Key": uuid4().hex}
            eventually_blocking(
                lambda: taken(client.post("/api/auth/register", json=body, headers=same)),
                60,
                "the shop takes people in",
            )
            known = {name: body[name] for name in ("email", "password")}
            token: str = eventually_blocking(
                lambda: taken(client.post("/api/auth/login", json=known)), 60, "the shop lets in"
            )["access_token"]
        return token


def second_api(shop: Shop) -> tuple[subprocess.Popen[bytes], str]:
    """One more API process, and where it answers, which it has begun to."""
    process = shop.start("api")
    log = max(shop.folder.glob("started-*.log"), key=lambda each: each.stat().st_mtime)
    serving = re.compile(r"serving on (http://127\.0\.0\.1:\d+)")
    (url,) = eventually_blocking(lambda: serving.findall(log.read_text("utf-8")), 60)
    with httpx.Client(timeout=10) as client:
        eventually_blocking(lambda: _answers(client, f"{url}/health/ready"), 30)
    return process, url


def _answers(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(url).is_success
    except httpx.ConnectError:
        return False


def taken(answer: httpx.Response) -> dict[str, Any]:
    """What a good answer holds; nothing where the shop says to come again in a moment. Raises
    httpx.HTTPStatusError for others.
    """
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return {}
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


@contextlib.contextmanager
def folder_apart() -> Iterator[Path]:
    """A folder for a shop's state. Not one of pytest's: each of its sessions that begins closes
    them all to other users, and so to the one whom Postgres may have to run as.
    """
    with TemporaryDirectory(
        prefix="mesh's $HOME 100% ü, journeys ", ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder) / "state"


@contextlib.contextmanager
def open_shop(folder: Path) -> Iterator[Shop]:
    """A shop that is up, and down again at the end whatever happens."""
    folder.mkdir(parents=True, exist_ok=True)
    shop = Shop(folder)
    try:
        shop.up()
        yield shop
    finally:
        shop.mesh("down", check=False)
