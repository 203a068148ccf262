"""The local stack's mail server: a sink, see infra.stack.servers.mail_sink."""

from __future__ import annotations

import smtplib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from infra.stack.daemons import Daemon
from infra.stack.servers.mailbox import Mailbox
from infra.stack.state import State

_CHECK_S: Final = 2.0


def mailbox(state: State) -> Mailbox:
    """Where its mails lie."""
    return Mailbox(state.of("mail") / "box")


def prepare(state: State, progress: Callable[[str], None]) -> None:
    """Make the box, for its owner only."""
    del progress
    mailbox(state).folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def daemon(state: State) -> Daemon:
    """The sink's process; ready when it greets."""
    port = state.ports()["mail"]
    return Daemon(
        name="mail",
        folder=state.of("mail"),
        argv=(
            sys.executable,
            "-m",
            "infra.stack.servers.mail_sink",
            str(port),
            str(mailbox(state).folder.resolve()),
        ),
        env={"PYTHONPATH": str(Path(__file__).parents[3])},
        ready=lambda: check(port),
        start_s=30.0,
        stop_s=5.0,
    )


def check(port: int) -> None:
    """Return when it speaks SMTP; raises OSError or the client's error otherwise."""
    with smtplib.SMTP("127.0.0.1", port, timeout=_CHECK_S) as client:
        client.noop()


def settle(state: State) -> None:
    """Nothing: whoever sends mail needs no set-up."""
    del state
