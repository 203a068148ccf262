"""The servers that tests talk to: the local stack by default, containers on request.

MESH_TEST_STATE   state folder to use; its running servers are reused (a warm stack)
MESH_KEEP_STACK   leave what was started running when the session ends
MESH_STACK        `docker`: testcontainers instead of the local stack
CLICKHOUSE_URL    a clickhouse-server of one's own instead of the local engine
"""

from __future__ import annotations

import atexit
import os
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from infra.settings import Settings
from infra.stack import supervisor
from infra.stack.servers.roster import NAMES
from infra.stack.state import State
from infra.stack.view import View

# Another session may be bringing the same warm stack up (seconds).
_LOCK_WAIT_S = 120.0

# Processes of tests get settings of their own, so this one names the server for tests alone.
REAL_CLICKHOUSE: Final = os.environ.get("CLICKHOUSE_URL", "")

CHEAP_HASHES: Final = {"argon2_memory_kib": 64, "argon2_passes": 1}

_started: set[str] = set()


@lru_cache(maxsize=1)
def session_state() -> State:
    """This session's state folder: the named one, else a temporary one."""
    named = os.environ.get("MESH_TEST_STATE")
    if named:
        return State(Path(named).resolve())
    # Not under pytest's own folder, whose mode would keep Postgres' user out.
    return State(Path(tempfile.mkdtemp(prefix="mesh-test-")))


def local_stack(names: set[str] | frozenset[str] = NAMES) -> Settings:
    """Have the named servers running and return settings that point at them, eased for tests.

    Servers that already run are used as they are. What this session started it stops at
    its end, unless MESH_KEEP_STACK is set. Raises supervisor.UpError with the log's tail.
    """
    if unknown := set(names) - NAMES:
        msg = f"unknown servers {sorted(unknown)}; known are {sorted(NAMES)}"
        raise ValueError(msg)
    if REAL_CLICKHOUSE:
        names = set(names) - {"clickhouse"}
    if os.environ.get("MESH_STACK") == "docker":
        from tests.containers import docker_stack

        return _for_tests(docker_stack(frozenset(names)))
    state = session_state()
    # Tests start servers more often than they search in them.
    os.environ.setdefault("MESH_QUICK_START", "1")
    with state.lock(_LOCK_WAIT_S):
        missing = {name for name in names if not supervisor.is_running(state, name)}
        supervisor.servers_up(state, names, View(quiet=True))
    if missing and not _started:
        atexit.register(stop_started)
    _started.update(missing)
    return _for_tests(supervisor.stack_settings(state))


def _for_tests(settings: Settings) -> Settings:
    """Nobody is limited, for most tests do in seconds what people do in weeks; and a password's
    hash costs little, for it would be most of what they do.
    """
    eased: dict[str, object] = {**dict.fromkeys(limit_settings(), "off"), **CHEAP_HASHES}
    if REAL_CLICKHOUSE:
        eased["clickhouse_url"] = SecretStr(REAL_CLICKHOUSE)
    return settings.model_copy(update=eased)


def limit_settings() -> list[str]:
    """The names of the settings that bound how often who may do what."""
    return [name for name in Settings.model_fields if name.startswith("limit_")]


def stop_started() -> None:
    """Stop what this session started; a temporary state folder goes with it."""
    if os.environ.get("MESH_KEEP_STACK") or not session_state.cache_info().currsize:
        return
    state = session_state()
    started = sorted(_started)
    _started.clear()
    if not os.environ.get("MESH_TEST_STATE"):
        supervisor.down(state, wipe=True)
        return
    with state.lock(_LOCK_WAIT_S):
        supervisor.stop(state, started)
