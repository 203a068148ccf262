"""Kafka and Postgres of a test module's own, because its tests kill them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from infra.settings import Settings
from infra.stack import supervisor
from infra.stack.state import State
from infra.stack.view import View
from tests.infra.stack.killing import kill_hard

SERVERS = frozenset({"kafka", "postgres"})


def own_stack() -> Iterator[State]:
    """A running stack, gone at the end; wrap it as a fixture."""
    state = State(Path(tempfile.mkdtemp(prefix="mesh-own-")))
    try:
        bring_up(state)
        yield state
    finally:
        supervisor.down(state)
        shutil.rmtree(state.folder, ignore_errors=True)


def bring_up(state: State) -> Settings:
    """Start what does not run; the settings point at it."""
    with state.lock():
        supervisor.servers_up(state, SERVERS, View(quiet=True))
    return supervisor.stack_settings(state)


def kill(state: State, name: str) -> None:
    """Kill -9 one server."""
    kill_hard(state.of(name) / "pid")
