"""The scheduler: commands whose time has come, and calendar jobs.

What is due stands in the read model of timers; whether it still fits, the deciders say. A command's
id is derived from its timer, stream and due time, and it is marked as sent once the broker has it:
sent twice, it is once in effect. Of several schedulers one at a time looks, so that what is due goes
out in its order. What came due while nobody was there goes out when somebody is; a calendar job that
missed several times runs once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import cast
from uuid import NAMESPACE_OID, uuid5

import asyncpg
import structlog
from aiokafka.errors import KafkaError

from infra.clients.postgres import means_down, open_pool
from infra.metrics import TIMERS_SENT
from infra.process import stopped_within
from infra.settings import Settings
from infra.vault.vault import VaultUnavailableError
from processors.feeding.generations import one_at_a_time
from processors.reacting.calendar import CalendarJob
from processors.reacting.commands import Commands
from processors.reacting.positions import UNBUILT
from projections.reads import Reads
from projections.timers.timers import BY_NAME, Due, due_by
from schemas.log.messages import Role
from schemas.log.recorded import CommandEnvelope, uncaused

LOOK_S = 1.0
RETRY_S = 5.0
PAGE = 500
ASKED_BY = "scheduler"

_SCHEMA = """
    CREATE SCHEMA IF NOT EXISTS mesh;

    -- Timers whose commands the broker has, until their events are folded.
    CREATE TABLE IF NOT EXISTS mesh.timers_sent (
        name text NOT NULL,
        stream_id text NOT NULL,
        due_at timestamptz NOT NULL,
        sent_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (stream_id, name, due_at)
    );

    -- The time of each calendar job's last run; of a new one, when it was first seen.
    CREATE TABLE IF NOT EXISTS mesh.calendar_runs (
        name text PRIMARY KEY,
        run_for timestamptz NOT NULL
    );
"""
_SENT = """
    INSERT INTO mesh.timers_sent (name, stream_id, due_at)
    SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[]) ON CONFLICT DO NOTHING
"""
# What is set no more needs no mark; what was sent of late may just not be folded yet.
_FORGET = """
    DELETE FROM mesh.timers_sent AS sent
    WHERE sent_at < now() - interval '1 day' AND NOT EXISTS (
        SELECT FROM reads.timers AS waiting
        WHERE waiting.key = sent.stream_id AND sent.due_at = ANY(waiting.dues)
    )
"""
_BEGIN = "INSERT INTO mesh.calendar_runs VALUES ($1, $2) ON CONFLICT DO NOTHING"
_LAST = "SELECT run_for FROM mesh.calendar_runs WHERE name = $1"
_RUN = "UPDATE mesh.calendar_runs SET run_for = $2 WHERE name = $1"
_ALONE = "SELECT pg_try_advisory_xact_lock(hashtext('mesh.scheduler/' || $1))"
_IN_TURN = "SELECT pg_advisory_xact_lock(hashtext('mesh.scheduler/' || $1))"

_DOWN = (*UNBUILT, VaultUnavailableError, KafkaError)

log = structlog.get_logger()


async def create_schema(pool: asyncpg.Pool) -> None:
    """Make the tables; harmless when they are there."""
    async with pool.acquire() as connection, connection.transaction():
        await one_at_a_time(connection, "scheduler")
        await connection.execute(_SCHEMA)


def clock() -> datetime:
    """The time that the scheduler goes by."""
    return datetime.now(UTC)


async def keep_scheduling(
    settings: Settings,
    commands: Commands,
    jobs: Sequence[CalendarJob],
    stop: asyncio.Event,
    now: Callable[[], datetime] = clock,
) -> None:
    """Do what is due until `stop` is set; while a store is down, wait for it."""

    async def timers(pool: asyncpg.Pool) -> None:
        await send_due(pool, commands, now())

    async def calendar(pool: asyncpg.Pool) -> None:
        for job in jobs:
            await run_due(pool, commands, job, now())

    async with asyncio.TaskGroup() as group:
        group.create_task(_keep(settings, stop, timers))
        group.create_task(_keep(settings, stop, calendar))


async def _keep(
    settings: Settings, stop: asyncio.Event, look: Callable[[asyncpg.Pool], Awaitable[None]]
) -> None:
    while not stop.is_set():
        try:
            async with await open_pool(settings, size_max=2) as pool:
                while not stop.is_set():
                    await look(pool)
                    await stopped_within(stop, LOOK_S)
        except Exception as error:
            if not (means_down(error) or isinstance(error, _DOWN)):
                raise
            log.warning("schedule_put_off", what=look.__name__, error=type(error).__name__)
            await stopped_within(stop, RETRY_S)


async def send_due(
    pool: asyncpg.Pool,
    commands: Commands,
    now: datetime,
    names: Sequence[str] | None = None,
    *,
    patient: bool = False,
) -> int:
    """Ask for everything that is due by now, the first due first; of these timers, or of all.
    Returns how many; while another scheduler is at it, the patient wait for their turn and the
    others leave it to that one.
    """
    count = 0
    while await due_by(cast("Reads", pool), now, 1, names):
        async with pool.acquire() as connection, connection.transaction():
            if patient:
                await connection.execute(_IN_TURN, "timers")
            elif not await connection.fetchval(_ALONE, "timers"):
                return count
            due = await due_by(cast("Reads", connection), now, PAGE, names)
            await commands.hand_over(_envelopes(due, now))
            await connection.execute(
                _SENT,
                [each.name for each in due],
                [each.stream_id for each in due],
                [each.due_at for each in due],
            )
        count += len(due)
        for each in due:
            TIMERS_SENT.labels(each.name).inc()
            _tell("timer_due", each)
    return count


async def run_due(pool: asyncpg.Pool, commands: Commands, job: CalendarJob, now: datetime) -> bool:
    """Run a calendar job if one of its times has come since its last run: once, for the latest."""
    last = await pool.fetchval(_LAST, job.name)
    if last is None:
        await pool.execute(_BEGIN, job.name, now)
        return False
    if job.next_after(last) > now:
        return False
    moment = job.last_until(now)
    async with pool.acquire() as connection, connection.transaction():
        if not await connection.fetchval(_ALONE, job.name):
            return False  # another scheduler is at it
        if await connection.fetchval(_LAST, job.name) >= moment:
            return False
        await job.run(pool, commands, moment)
        await connection.execute(_RUN, job.name, moment)
    log.info("calendar_job_run", job=job.name, run_for=moment)
    return True


async def forget_sent(pool: asyncpg.Pool) -> None:
    """Take away the marks of timers that are set no more."""
    await pool.execute(_FORGET)


def _envelopes(due: Sequence[Due], now: datetime) -> Iterator[CommandEnvelope]:
    """Their commands. One that can't be made can't be made again either: it is told, and nobody
    waits for it.
    """
    for each in due:
        try:
            yield _envelope(each, now)
        except Exception as error:  # noqa: BLE001 - whatever it is, it would come again at each look
            _tell("timer_poisoned", each, error=type(error).__name__)


def _tell(what: str, due: Due, **more: str) -> None:
    told = {"timer": due.name, "stream_id": due.stream_id, "due_at": due.due_at, **more}
    (log.error if more else log.info)(what, **told)


def _envelope(due: Due, now: datetime) -> CommandEnvelope:
    asked = {"asked_at": now, "asked_by": f"{ASKED_BY}/{due.name}", "asked_role": Role.SYSTEM}
    moment = due.due_at.astimezone(UTC).isoformat()
    command_id = str(uuid5(NAMESPACE_OID, f"timer/{due.name}/{due.stream_id}/{moment}"))
    return uncaused(BY_NAME[due.name].command(due.stream_id, asked), command_id)
