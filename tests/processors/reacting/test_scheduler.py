"""The scheduler: what is due is asked for, in order, once in effect, whoever dies."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from aiokafka.errors import KafkaConnectionError

from processors.feeding.generations import ensure_generations
from processors.feeding.showing import renew_views
from processors.reacting import scheduler
from processors.reacting.calendar import CalendarJob
from processors.reacting.scheduler import forget_sent, keep_scheduling, run_due, send_due
from projections.timers.timers import timers
from schemas.log.recorded import CommandEnvelope
from tests.waiting import eventually
from tests.worlds import World, world

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@dataclass
class Sent:
    """The way to the writers: what has come there. `failing`: the broker takes nothing."""

    envelopes: list[CommandEnvelope] = field(default_factory=list)
    failing: bool = False

    async def hand_over(self, envelopes: Iterable[CommandEnvelope]) -> int:
        taken = list(envelopes)
        if self.failing and taken:
            raise KafkaConnectionError
        self.envelopes += taken
        return len(taken)

    @property
    def streams(self) -> list[str]:
        return [each.command.stream_id for each in self.envelopes]


@pytest.fixture
async def mesh(stack) -> Any:
    """A world with an empty read model of timers."""
    async with world(stack) as fresh:
        await ensure_generations(fresh.settings, [timers])
        await renew_views(fresh.settings, [timers])
        yield fresh


@pytest.fixture
def sent() -> Any:
    return Sent()


async def set_timer(mesh: World, due_at: datetime, name: str = "lift_ban", stream: str = "") -> str:
    """What the fold makes of a ban with this end; the stream."""
    stream = stream or f"user/{uuid4()}"
    table = await mesh.pool.fetchval(
        "SELECT tablename FROM pg_tables WHERE tablename LIKE 'timers%' AND schemaname <> 'mesh'"
    )
    schema = await mesh.pool.fetchval(
        "SELECT schemaname FROM pg_tables WHERE tablename = $1", table
    )
    await mesh.pool.execute(
        f'INSERT INTO "{schema}"."{table}" (key, due_at, names, dues) VALUES ($1, $2, $3, $4)',
        stream,
        due_at,
        [name],
        [due_at],
    )
    return stream


async def test_what_is_due_is_sent_once_in_its_order_and_what_is_not_waits(
    mesh: World, sent: Any
) -> None:
    later = await set_timer(mesh, NOW + MINUTE)
    second, first = await set_timer(mesh, NOW), await set_timer(mesh, NOW - MINUTE)
    assert await send_due(mesh.pool, sent, NOW) == 2
    assert sent.streams == [first, second]
    assert {each.command.asked_at for each in sent.envelopes} == {NOW}
    assert {each.command.asked_by for each in sent.envelopes} == {"scheduler/lift_ban"}
    assert await send_due(mesh.pool, sent, NOW) == 0
    assert await send_due(mesh.pool, sent, NOW + MINUTE) == 1
    assert sent.streams == [first, second, later]


async def test_many_come_in_pages(mesh: World, sent: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "PAGE", 2)
    streams = [await set_timer(mesh, NOW - number * MINUTE) for number in range(5)]
    assert await send_due(mesh.pool, sent, NOW) == 5
    assert sent.streams == streams[::-1]


async def test_who_dies_before_the_mark_leads_to_the_same_command_again(
    mesh: World, sent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await set_timer(mesh, NOW)
    with monkeypatch.context() as patched:
        patched.setattr(scheduler, "_SENT", "no statement, but the process's end")
        with pytest.raises(asyncpg.PostgresSyntaxError):
            await send_due(mesh.pool, sent, NOW)
    assert await send_due(mesh.pool, sent, NOW + MINUTE) == 1
    assert len(sent.envelopes) == 2
    assert len({each.command_id for each in sent.envelopes}) == 1


async def test_a_timer_whose_command_cannot_be_made_holds_up_no_other(
    mesh: World, sent: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    await set_timer(mesh, NOW - MINUTE, stream="user/nobodys-id")
    fine = await set_timer(mesh, NOW)
    assert await send_due(mesh.pool, sent, NOW) == 2
    assert sent.streams == [fine]
    assert "timer_poisoned" in "".join(capsys.readouterr())
    assert await send_due(mesh.pool, sent, NOW) == 0


async def test_what_the_broker_does_not_take_is_sent_when_it_does(mesh: World, sent: Any) -> None:
    stream = await set_timer(mesh, NOW)
    sent.failing = True
    with pytest.raises(KafkaConnectionError):
        await send_due(mesh.pool, sent, NOW)
    sent.failing = False
    assert await send_due(mesh.pool, sent, NOW) == 1
    assert sent.streams == [stream]


async def test_of_two_schedulers_one_sends(mesh: World, sent: Any) -> None:
    streams = {await set_timer(mesh, NOW) for _ in range(20)}
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(keep_scheduling(mesh.settings, sent, (), stop, lambda: NOW))
        await eventually(lambda: len(sent.envelopes) >= 20)
        stop.set()
    assert sorted(sent.streams) == sorted(streams)


async def test_a_scheduler_outlives_an_absence_of_the_broker(
    mesh: World, sent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "LOOK_S", 0.02)
    monkeypatch.setattr(scheduler, "RETRY_S", 0.02)
    await set_timer(mesh, NOW)
    sent.failing = True
    tries: list[int] = []
    hand_over = sent.hand_over

    async def counted(envelopes: Iterable[CommandEnvelope]) -> int:
        tries.append(1)
        return await hand_over(envelopes)

    sent.hand_over = counted
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(keep_scheduling(mesh.settings, sent, (), stop, lambda: NOW))
        await eventually(lambda: len(tries) >= 3)
        sent.failing = False
        await eventually(lambda: len(sent.envelopes) == 1)
        stop.set()


async def test_only_marks_of_what_is_set_no_more_are_forgotten(mesh: World, sent: Any) -> None:
    gone, still = f"user/{uuid4()}", await set_timer(mesh, NOW)
    await send_due(mesh.pool, sent, NOW)
    await mesh.pool.execute("INSERT INTO mesh.timers_sent VALUES ('lift_ban', $1, $2)", gone, NOW)
    await forget_sent(mesh.pool)  # of late: they may just not be folded yet
    assert await marked(mesh) == {gone, still}
    await mesh.pool.execute("UPDATE mesh.timers_sent SET sent_at = now() - interval '2 days'")
    await forget_sent(mesh.pool)
    assert await marked(mesh) == {still}


async def marked(mesh: World) -> set[str]:
    rows = await mesh.pool.fetch("SELECT stream_id FROM mesh.timers_sent")
    return {row["stream_id"] for row in rows}


# Calendar jobs.


def daily(runs: list[datetime]) -> CalendarJob:
    async def run(_pool: Any, _commands: Any, moment: datetime) -> None:
        runs.append(moment)

    return CalendarJob(f"test_{uuid4().hex[:8]}", "0 9 * * *", "Asia/Colombo", run)


def nine(day: int) -> datetime:
    return datetime(2026, 3, day, 3, 30, tzinfo=UTC)  # 9:00 in Colombo


async def looks(mesh: World, job: CalendarJob, moments: Sequence[datetime]) -> None:
    for each in moments:
        await run_due(mesh.pool, Sent(), job, each)  # type: ignore[arg-type]


async def test_a_job_runs_once_a_time_and_not_for_times_before_it_was_there(mesh: World) -> None:
    runs: list[datetime] = []
    await looks(mesh, daily(runs), [nine(1), nine(1) + MINUTE, nine(2) - MINUTE])
    assert runs == []
    job = daily(runs)
    await looks(mesh, job, [nine(1) - MINUTE, nine(1), nine(1) + MINUTE, nine(2), nine(2)])
    assert runs == [nine(1), nine(2)]


async def test_times_that_were_missed_are_made_up_for_once(mesh: World) -> None:
    runs: list[datetime] = []
    await looks(mesh, daily(runs), [nine(1) - MINUTE, nine(5) + MINUTE, nine(5) + 2 * MINUTE])
    assert runs == [nine(5)]


async def test_a_job_that_fails_comes_again(mesh: World) -> None:
    runs: list[datetime] = []
    fails = [OSError("a store is down")]

    async def run(_pool: Any, _commands: Any, moment: datetime) -> None:
        if fails:
            raise fails.pop()
        runs.append(moment)

    job = CalendarJob(f"test_{uuid4().hex[:8]}", "0 9 * * *", "Asia/Colombo", run)
    await looks(mesh, job, [nine(1) - MINUTE])
    with pytest.raises(OSError, match="a store is down"):
        await looks(mesh, job, [nine(1)])
    await looks(mesh, job, [nine(1) + MINUTE])
    assert runs == [nine(1)]


async def test_of_two_schedulers_one_runs_a_job(mesh: World) -> None:
    runs: list[datetime] = []
    job = daily(runs)
    await looks(mesh, job, [nine(1) - MINUTE])
    await asyncio.gather(*(looks(mesh, job, [nine(1)]) for _ in range(3)))
    assert runs == [nine(1)]
