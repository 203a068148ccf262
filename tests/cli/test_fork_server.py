"""Processes that are started by a fork of one that has loaded everything already."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.stack import daemons, forking, launch
from infra.stack.daemons import Daemon
from infra.stack.forking import ForkServer
from infra.stack.processes import PROCESSES
from infra.stack.state import State
from infra.stack.watch import Watch
from tests.api.running import environment
from tests.infra.some_settings import some_settings
from tests.infra.stack.killing import kill_hard
from tests.waiting import eventually_blocking

# A fork server with little to load, whose processes do what their first word says.
SERVER = """
import os, random, secrets, signal, sys, time
import cli.running.fork_server, cli.main
import uuid_utils

def act():
    word = sys.argv[1]
    if word == "say":
        print(os.environ["SAID"], len(os.environ), sys.argv, sys.stdin.read(), flush=True)
    elif word == "fail":
        sys.exit("that went wrong")
    elif word == "draw":
        print(random.random(), secrets.token_hex(), uuid_utils.uuid4(), uuid_utils.uuid7())
    elif word == "files":
        print(sorted(map(int, os.listdir("/proc/self/fd")))[:-1])
    else:
        time.sleep(60)

cli.running.fork_server.LOADED = ()
cli.main.main = act
{more}
cli.running.fork_server.main()
"""


def server(more: str = "") -> ForkServer:
    program = (sys.executable, "-c", SERVER.replace("{more}", more))
    return ForkServer(program, {"PYTHONUNBUFFERED": "1"})


@pytest.fixture
def forks() -> Iterator[ForkServer]:
    with server() as opened:
        yield opened


@pytest.fixture
def sleeping(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon that runs for a minute, ended afterwards."""
    daemon = daemon_in(tmp_path / "sleeping", "sleep")
    yield daemon
    daemons.stop(daemon)


def daemon_in(folder: Path, *command: str) -> Daemon:
    long_way = ("/bin/sh", "-c", "echo the long way; exec sleep 60")
    return Daemon("sample", folder, long_way, lambda: None, {"SAID": "heard"}, command=command)


def said(daemon: Daemon) -> str:
    eventually_blocking(lambda: daemons.running_pid(daemon.pid_file) is None)
    return daemon.log.read_text()


def own_server(forks: ForkServer) -> int:
    assert forks._open is not None
    return forks._open[0].pid


def test_a_fork_is_a_process_like_any_other(forks: ForkServer, sleeping: Daemon) -> None:
    pid = daemons.spawn(sleeping, forks)
    assert daemons.running_pid(sleeping.pid_file) == pid
    assert os.getsid(pid) == pid
    assert Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0 ") == b"mesh sleep"
    # It is not started twice, and its end is seen: no zombie stays.
    assert daemons.spawn(sleeping, forks) == pid
    assert daemons.stop(sleeping)
    assert launch.identity(pid) is None
    eventually_blocking(lambda: not Path(f"/proc/{pid}").exists())


def test_it_has_the_environment_words_and_files_that_were_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEFORE", "it was loaded")
    with server() as forks:
        forks.open()
        monkeypatch.delenv("BEFORE")
        monkeypatch.setenv("AFTERWARDS", "\udcff")  # what a shell may hold that is no text
        daemon = daemon_in(tmp_path / "a folder", "say", "--much")
        daemons.spawn(daemon, forks)
        count = len({**os.environ, **daemon.env})
        assert said(daemon) == f"heard {count} ['mesh', 'say', '--much'] \n"
        daemon = daemon_in(tmp_path / "b", "files")
        daemons.spawn(daemon, forks)
    # The fourth is the lock beside its pid file.
    assert said(daemon) == "[0, 1, 2, 3]\n"


def test_how_it_fails_stands_in_its_log(forks: ForkServer, tmp_path: Path) -> None:
    daemon = daemon_in(tmp_path / "a", "fail")
    daemons.spawn(daemon, forks)
    assert said(daemon) == "that went wrong\n"


def test_two_forks_draw_different_numbers(forks: ForkServer, tmp_path: Path) -> None:
    drawn: list[str] = []
    for name in ("a", "b"):
        daemon = daemon_in(tmp_path / name, "draw")
        daemons.spawn(daemon, forks)
        drawn += said(daemon).split()
    assert len(drawn) == len(set(drawn)) == 8


def test_what_was_forked_outlives_the_server_and_the_server_not_who_asked(
    sleeping: Daemon, tmp_path: Path
) -> None:
    code = (
        "import json, os, sys; from tests.cli.test_fork_server import *\n"
        "forks = server(); daemons.spawn(daemon_in(Path(sys.argv[1]), 'sleep'), forks)\n"
        "print(own_server(forks), flush=True); os.kill(os.getpid(), 9)"
    )
    asked = subprocess.run(
        [sys.executable, "-c", code, str(sleeping.folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert asked.returncode == -signal.SIGKILL, asked.stderr
    eventually_blocking(lambda: launch.identity(int(asked.stdout)) is None)
    assert daemons.running_pid(sleeping.pid_file) is not None


def test_the_long_way_is_taken_while_no_fork_server_answers(
    forks: ForkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forking, "ANSWER_S", 0.5)
    forks.open()
    os.kill(own_server(forks), signal.SIGSTOP)
    hung = own_server(forks)
    daemon = daemon_in(tmp_path / "a", "sleep")
    daemons.spawn(daemon, forks)
    try:
        eventually_blocking(lambda: daemon.log.read_text() == "the long way\n")
        assert launch.identity(hung) is None
    finally:
        daemons.stop(daemon)


def test_it_takes_the_long_way_where_there_can_be_none(tmp_path: Path) -> None:
    daemon = daemon_in(tmp_path / "a", "sleep")
    with ForkServer(("/nowhere/python",), {}) as forks:
        forks.open()
        daemons.spawn(daemon, forks)
    eventually_blocking(lambda: daemon.log.read_text() == "the long way\n")
    daemons.stop(daemon)


def test_a_killed_server_is_followed_by_another(forks: ForkServer, sleeping: Daemon) -> None:
    forks.open()
    killed = own_server(forks)
    os.kill(killed, signal.SIGKILL)
    eventually_blocking(lambda: launch.identity(killed) is None)
    pid = daemons.spawn(sleeping, forks)
    assert own_server(forks) != killed
    assert b"mesh sleep" in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_one_that_can_not_load_is_not_tried_all_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = tmp_path / "tries"
    with ForkServer(("/bin/sh", "-c", f"echo try >> {tries}; exit 1"), {}) as broken:
        broken.open()
        broken_once = own_server(broken)
        eventually_blocking(lambda: launch.identity(broken_once) is None)
        for _ in range(5):
            broken.open()
        assert own_server(broken) == broken_once
        monkeypatch.setattr(forking, "AGAIN_S", 0.0)
        broken.open()
        eventually_blocking(lambda: tries.read_text() == "try\ntry\n")


def test_nothing_runs_on_modules_that_have_changed(tmp_path: Path) -> None:
    module = tmp_path / "changing.py"
    module.write_text("")
    more = (
        f"sys.path.append({str(tmp_path)!r}); import changing, pathlib\n"
        f"cli.running.fork_server._ROOT = pathlib.Path({str(tmp_path)!r})"
    )
    first, second = (daemon_in(tmp_path / name, "sleep") for name in "ab")
    with server(more) as forks:
        os.utime(module, (1, 1))
        pid = daemons.spawn(first, forks)
        assert b"mesh sleep" in Path(f"/proc/{pid}/cmdline").read_bytes()
        before = own_server(forks)
        os.utime(module, (2**32, 2**32))
        daemons.spawn(second, forks)
        eventually_blocking(lambda: second.log.read_text() == "the long way\n")
        assert launch.identity(before) is None
    daemons.stop(first)
    daemons.stop(second)


def test_the_supervisor_starts_the_dead_by_a_fork(tmp_path: Path) -> None:
    state = State(tmp_path)
    ready = state.ready_file("writer")
    daemon = Daemon("writer", state.of("writer"), ("sleep", "60"), ready=lambda: None)
    with server() as forks, state.lock():
        state.settle_ports(frozenset())
        daemons.spawn(daemon)
        watch = Watch(state, forks=forks)
        state.want(frozenset({"writer"}))
        watch.load_ahead()
        assert forks._open is None, "it loads while what is wanted comes up"
        ready.parent.mkdir(parents=True, exist_ok=True)
        ready.touch()
        watch.load_ahead()
        assert forks._open is not None
        kill_hard(daemon.pid_file)
    with forks:
        assert watch.look() == ["writer"]
        pid = daemons.running_pid(daemon.pid_file)
        assert Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0 ") == b"mesh writer"
    daemons.stop(daemon)


# What runs a process, replaced by what tells which modules of ours were loaded for it alone.
REPLACED = """
import sys
import cli.running.fork_server as server
server.load()
before, threads = set(sys.modules), len(__import__("os").listdir("/proc/self/task"))
import cli.main, cli.running.processes, uvicorn
def told(*_, **__):
    new = set(sys.modules) - before
    print(threads, sorted(name for name in new if name.partition(".")[0] in {ours}))
uvicorn.Server.run = told
cli.running.processes.run_process = told
cli.main.main()
"""
OURS = {"schemas", "producers", "processors", "projections", "api", "cli", "infra", "uvicorn"}


@pytest.mark.parametrize("command", [each.command for each in PROCESSES], ids=" ".join)
def test_all_that_a_process_is_made_of_was_loaded_before_the_fork_without_a_thread(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", REPLACED.replace("{ours}", repr(OURS)), *command],
        env=environment(some_settings(port=0)) | {"MESH_STATE": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("1 []\n", 0), done.stderr
