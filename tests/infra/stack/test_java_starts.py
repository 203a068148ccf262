"""A server's start is remembered once, by whoever starts it first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest

from infra.stack.daemons import running_pid
from infra.stack.servers import jars, java_starts
from tests.stack import session_state

# Says that it has started, and on being asked to end writes what it remembers, as Java does.
SERVER = """\
echo run >> "$2"
trap 'echo memory > "${1#-XX:AOTCacheOutput=}"; exit' TERM
echo has started
while :; do sleep 0.05; done
"""
STAYS = "trap '' TERM; echo has started; while :; do sleep 0.05; done"
DIES = 'echo run >> "$2"; echo has started; exit 1'


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "marketmesh" / "server.aot"


def program(text: str, runs: Path) -> Callable[[str], Sequence[str]]:
    return lambda option: ("/bin/sh", "-c", text, "server", option, str(runs))


def test_a_start_is_remembered_and_not_made_again(memory: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for _ in range(2):
        java_starts.learn(memory, program(SERVER, runs), {}, "has started")
    assert memory.read_text() == "memory\n"
    assert runs.read_text() == "run\n", "started once"
    assert java_starts.options(memory)[0] == f"-XX:AOTCache={memory}"


def test_a_server_that_dies_leaves_no_memory(memory: Path, tmp_path: Path) -> None:
    java_starts.learn(memory, program(DIES, tmp_path / "runs"), {}, "has started")
    assert not memory.exists()
    assert java_starts.options(memory) == ()


def test_a_server_that_does_not_end_leaves_no_memory(
    memory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(java_starts, "WRITTEN_TIMEOUT_S", 0.3)
    java_starts.learn(memory, program(STAYS, tmp_path / "runs"), {}, "has started")
    assert not memory.exists()


def test_another_class_path_has_a_memory_of_its_own() -> None:
    assert java_starts.remembered("kafka", "a.jar") != java_starts.remembered("kafka", "b.jar")


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("server", ["kafka", "opensearch"])
def test_the_server_starts_from_memory(server: str) -> None:
    memory = java_starts.remembered(server, jars.classpath(server))
    pid = running_pid(session_state().of(server) / "pid")
    mapped = [each.path for each in psutil.Process(pid).memory_maps()]
    assert str(memory) in mapped, "Java found that it fits"
