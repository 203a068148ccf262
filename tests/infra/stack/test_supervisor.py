"""Up, down and repair, on the two servers that start fastest and on programs made for it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from infra.settings import SettingsError
from infra.stack import daemons, launch, supervisor
from infra.stack.daemons import Daemon, NotReadyError, StartError
from infra.stack.state import LOCAL_PARTITIONS, BusyError, State
from infra.stack.view import View
from infra.stack.watch import HUNG_S, LOOK_S, PAUSE_MOST_S, RECOVERED_S, Patience, Watch
from tests.infra.stack.killing import kill_hard
from tests.waiting import eventually_blocking

LIGHT = frozenset({"valkey", "postgres"})


def up(state: State, names: frozenset[str] = LIGHT) -> None:
    with state.lock():
        supervisor.servers_up(state, names, View(quiet=True))


def pids(state: State) -> dict[str, int | None]:
    return {name: daemons.running_pid(state.of(name) / "pid") for name in sorted(LIGHT)}


@pytest.fixture
def empty() -> Iterator[State]:
    """A state folder of this test alone, taken down afterwards."""
    state = State(Path(tempfile.mkdtemp(prefix="mesh-supervisor-")))
    yield state
    supervisor.down(state, wipe=True)


@pytest.fixture(scope="module")
def running() -> Iterator[State]:
    """The light servers, up. A test that stops one brings it up again."""
    state = State(Path(tempfile.mkdtemp(prefix="mesh-supervisor-")))
    up(state)
    yield state
    supervisor.down(state, wipe=True)


def test_up_twice_keeps_what_runs(running: State) -> None:
    before = pids(running)
    up(running)
    assert pids(running) == before
    assert None not in before.values()


@pytest.mark.parametrize("name", sorted(LIGHT))
def test_up_repairs_what_was_killed_and_leaves_the_rest(running: State, name: str) -> None:
    before, ports = pids(running), running.ports()
    kill_hard(running.of(name) / "pid")
    up(running)
    after = pids(running)
    assert after[name] not in {None, before[name]}
    assert {other: pid for other, pid in after.items() if other != name} == {
        other: pid for other, pid in before.items() if other != name
    }
    assert running.ports() == ports


def test_what_postgres_committed_is_there_after_kill_9(running: State) -> None:
    address = supervisor.stack_settings(running).database_url.get_secret_value()
    with psycopg.connect(address) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    kill_hard(running.of("postgres") / "pid")
    up(running)
    with psycopg.connect(address) as connection:
        assert connection.execute("SELECT n FROM kept").fetchall() == [(7,)]
        connection.execute("DROP TABLE kept")


def test_postgres_runs_as_the_stack_needs_it(running: State) -> None:
    address = supervisor.stack_settings(running).database_url.get_secret_value()
    with psycopg.connect(address) as connection:
        asked = "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)"
        names = ["fsync", "max_connections", "listen_addresses", "full_page_writes"]
        assert dict(connection.execute(asked, [names]).fetchall()) == {
            "fsync": "on",
            "full_page_writes": "on",
            "max_connections": "200",
            "listen_addresses": "127.0.0.1",
        }


def test_servers_listen_on_this_machine_only(running: State) -> None:
    import psutil

    for pid in pids(running).values():
        assert pid is not None
        listening = [
            connection.laddr.ip
            for connection in psutil.Process(pid).net_connections()
            if connection.status == psutil.CONN_LISTEN
        ]
        assert listening
        assert set(listening) == {"127.0.0.1"}


def test_settings_and_secrets_are_their_owners_only(running: State) -> None:
    for name in ("settings.json", "secrets.json"):
        assert stat.S_IMODE((running.folder / name).stat().st_mode) == 0o600


def test_secrets_are_made_once(running: State) -> None:
    before = running.secrets()
    up(running)
    assert State(running.folder).secrets() == before
    assert len(before["MASTER_KEY"]) == 44


def test_a_secret_that_is_added_later_leaves_the_others_as_they_were(empty: State) -> None:
    kept = {"MASTER_KEY": "the vault is wrapped with this"}
    empty.folder.mkdir(exist_ok=True)
    (empty.folder / "secrets.json").write_text(json.dumps(kept))
    assert empty.secrets().items() > kept.items()


def test_settings_name_every_server(running: State) -> None:
    written = json.loads(running.settings_file.read_text())
    assert set(written) == {
        *(
            "KAFKA_BOOTSTRAP",
            "TOPIC_PARTITIONS",
            "DATABASE_URL",
            "OPENSEARCH_URL",
            "CLICKHOUSE_URL",
            "REDIS_URL",
        ),
        *("MASTER_KEY", "LOOKUP_KEY", "PORT", "PUBLIC_URL"),
        *("SMTP_HOST", "SMTP_PORT", "SMTP_SECURITY"),
        *("SMS_VIA", "PUSH_VIA", "VAPID_KEY"),
        "CAMPUS_DOMAINS",
        *("LIMIT_ADDRESS", "LIMIT_DEFAULT", "LIMIT_JOINING", "LIMIT_SEARCH"),
    }


def test_two_commands_at_once_are_refused(running: State) -> None:
    with running.lock(), pytest.raises(BusyError, match="at work"):
        up(running)


def test_the_lock_of_a_dead_command_blocks_nobody(empty: State) -> None:
    code = (
        "import sys, time; from pathlib import Path; from infra.stack.state import State\n"
        f"with State(Path({str(empty.folder)!r})).lock(): print('held', flush=True); time.sleep(99)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(BusyError), empty.lock():
            pass
        holder.kill()
    with empty.lock():
        assert holder.returncode == -signal.SIGKILL


def test_a_remembered_port_that_a_stranger_took_is_chosen_again(empty: State) -> None:
    first = empty.settle_ports(frozenset())
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", first["valkey"]))
        stranger.listen()
        second = empty.settle_ports(frozenset())
    assert second["valkey"] != first["valkey"]
    assert {**second, "valkey": 0} == {**first, "valkey": 0}


def test_a_port_held_by_its_own_server_is_kept(empty: State) -> None:
    first = empty.settle_ports(frozenset())
    with socket.socket() as own:
        own.bind(("127.0.0.1", first["valkey"]))
        own.listen()
        assert empty.settle_ports(frozenset({"valkey"})) == first


def test_a_log_keeps_the_partitions_that_it_was_made_with(
    empty: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty.settle_ports(frozenset())
    monkeypatch.setenv("TOPIC_PARTITIONS", "5")
    empty.write_settings()
    monkeypatch.delenv("TOPIC_PARTITIONS")
    assert not empty.write_settings()
    assert supervisor.stack_settings(empty).topic_partitions == 5


def test_a_log_of_before_partitions_could_be_chosen_has_eight(empty: State) -> None:
    empty.settle_ports(frozenset())
    empty.write_settings()
    values = json.loads(empty.settings_file.read_text("utf-8"))
    assert values.pop("TOPIC_PARTITIONS") == LOCAL_PARTITIONS
    empty.settings_file.write_text(json.dumps(values), "utf-8")
    empty.write_settings()
    assert supervisor.stack_settings(empty).topic_partitions == 8


@pytest.mark.parametrize("text", ["0", "-1", "1001", "two", "1.5", "٣"])
def test_a_number_of_partitions_that_is_none_is_told(
    empty: State, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("TOPIC_PARTITIONS", text)
    with pytest.raises(SettingsError, match=r"TOPIC_PARTITIONS must be .* from 1 to 1000"):
        supervisor.servers_up(empty, ["valkey"], View(quiet=True))
    assert not supervisor.is_running(empty, "valkey")


def test_an_up_that_was_killed_half_way_is_completed_by_the_next(empty: State) -> None:
    code = (
        "from pathlib import Path\n"
        "from infra.stack import supervisor\n"
        "from infra.stack.state import State\n"
        "from infra.stack.view import View\n"
        f"state = State(Path({str(empty.folder)!r}))\n"
        "with state.lock(): supervisor.servers_up(state, {'valkey', 'postgres'}, View(quiet=True))"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as first:
        eventually_blocking(
            lambda: (empty.of("valkey") / "pid").exists() or first.poll() is not None
        )
        first.kill()
    valkey = pids(empty)["valkey"]
    up(empty)
    assert valkey is not None
    assert pids(empty)["valkey"] == valkey
    assert pids(empty)["postgres"] is not None


def test_down_stops_what_it_started(empty: State) -> None:
    up(empty)
    assert sorted(supervisor.down(empty)) == sorted(LIGHT)
    assert set(pids(empty).values()) == {None}
    assert supervisor.down(empty) == []


def test_down_leaves_a_stranger_alone_who_got_a_recycled_pid(empty: State) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        folder = empty.of("valkey")
        folder.mkdir(parents=True)
        noted = {"pid": stranger.pid, "identity": "another boot:1"}
        (folder / "pid").write_text(json.dumps(noted))
        assert supervisor.down(empty) == []
        assert stranger.poll() is None
        stranger.kill()


def test_down_leaves_another_stack_alone(running: State, empty: State) -> None:
    before = pids(running)
    up(empty, frozenset({"valkey"}))
    supervisor.down(empty)
    assert pids(running) == before


def program(folder: Path, script: str, ready: Callable[[], None], **bounds: float) -> Daemon:
    return Daemon("sample", folder, ("/bin/sh", "-c", script), ready, **bounds)  # type: ignore[arg-type]


def never() -> None:
    msg = "no"
    raise NotReadyError(msg)


def test_a_failed_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    daemon = program(tmp_path, "for n in $(seq 30); do echo line-$n; done; exit 3", never)
    daemons.spawn(daemon)
    with pytest.raises(StartError) as failure:
        daemons.wait_ready(daemon)
    assert "exited while starting" in str(failure.value)
    assert "line-30" in str(failure.value)
    assert "line-10\n" not in str(failure.value)


def test_a_start_has_a_bound(tmp_path: Path) -> None:
    daemon = program(tmp_path, "sleep 60", never, start_s=0.3)
    daemons.spawn(daemon)
    with pytest.raises(StartError, match=r"not ready within 0 s \(NotReadyError: no\)"):
        daemons.wait_ready(daemon)
    daemons.stop(daemon)


def test_what_ignores_the_request_to_stop_is_killed(tmp_path: Path) -> None:
    script = f"trap '' TERM; touch {tmp_path}/deaf; while :; do sleep 0.1; done"
    daemon = program(tmp_path, script, never, stop_s=0.5)
    pid = daemons.spawn(daemon)
    eventually_blocking((tmp_path / "deaf").exists)
    assert daemons.stop(daemon)
    assert launch.identity(pid) is None


def test_a_second_start_waits_for_the_first_ones_pid(tmp_path: Path) -> None:
    daemon = program(tmp_path, "sleep 60", never)
    first = daemons.spawn(daemon)
    # As if `up` had been killed after the fork and before the file.
    aside = daemon.pid_file.replace(tmp_path / "aside")
    late = threading.Timer(0.5, lambda: aside.replace(daemon.pid_file))
    late.start()
    assert daemons.spawn(daemon) == first
    late.join()
    daemons.stop(daemon)


def test_a_folder_is_not_prepared_while_its_program_runs(tmp_path: Path) -> None:
    daemon = program(tmp_path, "sleep 60", never)
    with daemons.idle(daemon) as before:
        assert before
    daemons.spawn(daemon)
    with daemons.idle(daemon) as meanwhile:
        assert not meanwhile
    daemons.stop(daemon)


def test_a_daemon_outlives_the_terminal_of_its_starter(tmp_path: Path) -> None:
    daemon = program(tmp_path, "sleep 60", never)
    pid = daemons.spawn(daemon)
    assert os.getsid(pid) == pid != os.getsid(0)
    daemons.stop(daemon)


def test_the_supervisor_starts_a_dead_server_again(running: State) -> None:
    running.want(LIGHT)
    killed = kill_hard(running.of("valkey") / "pid")
    assert Watch(running).look() == ["valkey"]
    assert pids(running)["valkey"] not in {None, killed}


def test_the_supervisor_leaves_alone_what_nobody_asked_for(empty: State) -> None:
    up(empty, frozenset({"valkey"}))
    empty.want(frozenset())
    kill_hard(empty.of("valkey") / "pid")
    assert Watch(empty).look() == []
    assert pids(empty)["valkey"] is None


def test_the_supervisor_does_nothing_while_another_command_works(running: State) -> None:
    running.want(LIGHT)
    kill_hard(running.of("valkey") / "pid")
    with running.lock():
        assert Watch(running).look() == []
    assert Watch(running).look() == ["valkey"]


def test_the_supervisor_goes_on_after_a_start_that_failed(running: State) -> None:
    running.want(LIGHT)
    kill_hard(running.of("valkey") / "pid")
    now = [100.0]
    watch = Watch(running, clock=lambda: now[0])
    aside = running.of("valkey").with_name("aside")
    running.of("valkey").replace(aside)
    running.of("valkey").write_text("a file where the folder should be")
    assert watch.look() == []
    running.of("valkey").unlink()
    aside.replace(running.of("valkey"))
    now[0] += PAUSE_MOST_S
    assert watch.look() == ["valkey"]


def beating(state: State) -> tuple[Daemon, Path]:
    """A process named as one of ours, which is up."""
    ready = state.ready_file("writer")
    daemon = Daemon("writer", state.of("writer"), ("sleep", "60"), ready=lambda: None)
    daemons.spawn(daemon)
    ready.parent.mkdir(parents=True)
    ready.touch()
    state.want(frozenset({"writer"}))
    return daemon, ready


def test_what_has_not_moved_for_long_is_ended(empty: State) -> None:
    (daemon, ready), now = beating(empty), 100.0
    watch = Watch(empty, clock=lambda: now)
    for number in range(round(3 * HUNG_S / LOOK_S)):
        os.utime(ready, (number, number))
        assert watch.end_hung() == []
        now += LOOK_S
    looks = 0
    while watch.end_hung() == []:
        now += LOOK_S
        looks += 1
    assert HUNG_S - LOOK_S <= looks * LOOK_S <= HUNG_S + LOOK_S
    assert daemons.running_pid(daemon.pid_file) is None
    assert watch.end_hung() == []


def test_who_has_not_looked_ends_nobody(empty: State) -> None:
    (daemon, _), now = beating(empty), 100.0
    watch = Watch(empty, clock=lambda: now)
    for _ in range(10):
        assert watch.end_hung() == []
        now += 10 * HUNG_S  # the lid was shut
    assert daemons.running_pid(daemon.pid_file) is not None


def test_what_is_not_up_yet_does_not_hang(empty: State) -> None:
    (_, ready), now = beating(empty), 100.0
    ready.unlink()
    watch = Watch(empty, clock=lambda: now)
    for _ in range(round(3 * HUNG_S / LOOK_S)):
        assert watch.end_hung() == []
        now += LOOK_S


def test_what_keeps_dying_is_started_more_and_more_rarely() -> None:
    patience, now, waited = Patience(), 1000.0, []
    for _ in range(8):
        patience.restarted(now)
        waited.append(patience.not_before - now)
        now = patience.not_before
    assert waited == [0, 1, 2, 4, 8, 16, PAUSE_MOST_S, PAUSE_MOST_S]


def test_what_stayed_alive_is_started_again_at_once() -> None:
    patience = Patience()
    patience.restarted(1000.0)
    patience.restarted(1001.0)
    patience.restarted(1001.0 + RECOVERED_S)
    assert patience.allows(1001.0 + RECOVERED_S)


def test_the_view_tells_each_step_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    view = View()
    with view.showing():
        view.starting("kafka", "formatting")
        view.failed("kafka", "kafka/log")
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "kafka: starting (formatting)"
    assert told[1].startswith("kafka: failed after 0.0 s (kafka/log)")


def test_wiping_takes_the_folder_too() -> None:
    state = State(Path(tempfile.mkdtemp(prefix="mesh-supervisor-")))
    try:
        up(state, frozenset({"valkey"}))
        supervisor.down(state, wipe=True)
        assert not state.folder.exists()
    finally:
        shutil.rmtree(state.folder, ignore_errors=True)
