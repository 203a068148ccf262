"""Writers that die or freeze at the worst moment: every command still counts exactly once."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from infra.settings import Settings
from schemas.log.recorded import CommandEnvelope
from tests.producers.writer import child
from tests.producers.writer.boxes import envelope, open_box, put_in
from tests.producers.writer.room import Room, room
from tests.waiting import eventually, let_pass

WAIT_S = 60.0


@pytest.fixture
async def crash_room(servers: Settings) -> AsyncIterator[Room]:
    # So many that what is sent at once takes several appends.
    async with room(servers, partitions=8) as found:
        yield found


@contextlib.contextmanager
def writer_process(room: Room, log: Path, *harm: str) -> Iterator[subprocess.Popen[bytes]]:
    process = child.start(room.settings, room.rules.context.name, room.group, log, *harm)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGCONT)
        process.kill()
        process.wait(10)


def one_box_each(count: int) -> list[CommandEnvelope]:
    """Two commands for each of so many boxes, two events in the second."""
    commands = []
    for _ in range(count):
        box = uuid4()
        commands += [envelope(open_box(box)), envelope(put_in(box, 2))]
    return commands


async def answered(room: Room, commands: list[CommandEnvelope]) -> None:
    async def all_of_them() -> bool:
        known = {each.command_id for each in await room.replies()}
        return {each.command_id for each in commands} <= known

    await eventually(all_of_them, WAIT_S, "a reply to every command")


async def counted_once(room: Room, commands: list[CommandEnvelope]) -> None:
    """Each command has all of its events once, and first replies agree with them."""
    events = await room.events()
    per_command = Counter(each.command_id for each in events)
    assert per_command == {
        each.command_id: 1 if each.command.kind == "box.open" else 2 for each in commands
    }
    streams: dict[str, list[int]] = {}
    for each in events:
        streams.setdefault(each.stream_id, []).append(each.version)
    assert set(map(tuple, streams.values())) == {(1, 2, 3)}
    first = [each for each in await room.replies() if not each.repeated]
    assert Counter(each.command_id for each in first) == {each.command_id: 1 for each in commands}
    assert {each.outcome for each in first} == {"accepted"}
    epochs: dict[int, list[int]] = {}
    for each in events:
        epochs.setdefault(each.position.partition, []).append(each.writer_epoch)
    assert epochs == {partition: sorted(found) for partition, found in epochs.items()}


POINTS = ["-begin", "+begin", "-flush", "+flush", "-commit", "+commit"]


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.asvs("V2.3.3")
async def test_a_writer_killed_at_any_point_of_an_append_loses_and_doubles_nothing(
    crash_room: Room, tmp_path: Path, point: str
) -> None:
    commands = one_box_each(20)
    with writer_process(crash_room, tmp_path / "victim.log", point, "KILL", "3") as victim:
        await crash_room.send(*commands[:20])
        await eventually(lambda: victim.poll() is not None, WAIT_S, "the victim's death")
        assert victim.returncode == -signal.SIGKILL
        await crash_room.send(*commands[20:])

    async with crash_room.writer():
        await answered(crash_room, commands)

    await counted_once(crash_room, commands)


async def test_a_frozen_writer_that_wakes_in_mid_append_after_a_takeover_appends_nothing(
    crash_room: Room, tmp_path: Path
) -> None:
    commands = one_box_each(20)
    log = tmp_path / "zombie.log"
    with writer_process(crash_room, log, "-commit", "STOP", "2") as zombie:
        await eventually(log.with_suffix(".ready").exists, WAIT_S, "the zombie's first life")
        await crash_room.send(*commands[:20])
        status = Path(f"/proc/{zombie.pid}/stat")
        await eventually(lambda: status.read_text().split(")")[1].split()[0] == "T", WAIT_S)
        async with crash_room.writer():
            await answered(crash_room, commands[:20])
            os.kill(zombie.pid, signal.SIGCONT)
            await crash_room.send(*commands[20:])
            await answered(crash_room, commands)
            await eventually(lambda: b"writer_fenced" in log.read_bytes(), WAIT_S, "its end")

    await counted_once(crash_room, commands)


async def test_a_second_writer_shares_the_partitions_without_loss(
    crash_room: Room, tmp_path: Path
) -> None:
    commands = one_box_each(60)
    log = tmp_path / "second.log"
    async with crash_room.writer():
        await crash_room.send(*commands[:40])
        with writer_process(crash_room, log):
            await crash_room.send(*commands[40:80])
            await eventually(log.with_suffix(".ready").exists, WAIT_S, "the second writer")
            await eventually(lambda: b"writer_opened" in log.read_bytes(), WAIT_S, "its share")
            await crash_room.send(*commands[80:])
            await answered(crash_room, commands)

    await counted_once(crash_room, commands)


async def test_a_killed_writers_partitions_are_taken_over_within_seconds(
    crash_room: Room, tmp_path: Path
) -> None:
    log = tmp_path / "victim.log"
    with writer_process(crash_room, log) as victim:
        await eventually(log.with_suffix(".ready").exists, WAIT_S, "the victim")
        async with crash_room.writer():
            await crash_room.send(*(first := one_box_each(20)))
            await answered(crash_room, first)
            victim.kill()
            await crash_room.send(*(second := one_box_each(20)))
            session_s = crash_room.settings.session_timeout_ms / 1000

            async def done() -> bool:
                known = {each.command_id for each in await crash_room.replies()}
                return {each.command_id for each in second} <= known

            await eventually(done, session_s + 6, "the takeover")
    await counted_once(crash_room, first + second)


async def test_a_named_writer_is_given_its_partitions_back_long_before_its_session_lapses(
    crash_room: Room, tmp_path: Path
) -> None:
    named = replace(
        crash_room,
        settings=crash_room.settings.model_copy(
            update={"instance": "writer", "session_timeout_ms": 10 * 1000 * int(WAIT_S)}
        ),
    )
    log = tmp_path / "victim.log"
    with writer_process(named, log) as victim:
        await eventually(log.with_suffix(".ready").exists, WAIT_S, "the victim")
        victim.kill()
    commands = one_box_each(20)
    with writer_process(named, tmp_path / "successor.log"):
        await crash_room.send(*commands)
        await answered(crash_room, commands)

    await counted_once(crash_room, commands)


async def test_a_writer_asked_to_stop_ends_cleanly_and_at_once(
    crash_room: Room, tmp_path: Path
) -> None:
    log = tmp_path / "writer.log"
    with writer_process(crash_room, log) as process:
        await eventually(log.with_suffix(".ready").exists, WAIT_S, "the writer")
        process.terminate()
        await eventually(lambda: process.poll() is not None, 5, "its end")
    assert process.returncode == 0


async def test_an_idle_writer_costs_next_to_nothing(crash_room: Room, tmp_path: Path) -> None:
    log = tmp_path / "writer.log"
    with writer_process(crash_room, log) as process:
        await eventually(log.with_suffix(".ready").exists, WAIT_S, "the writer")
        before = _cpu_s(process.pid)
        await let_pass(5, because="idling is what is measured")
        assert _cpu_s(process.pid) - before < 0.5


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
