"""`mesh timers`: what is due when is told, and asked for by hand."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import pytest_asyncio

import cli.timers
from cli.running.prepare import prepare
from infra.settings import Settings
from projections.timers.timers import timers
from schemas.identity import BanReason, UserBanned, user_stream
from tests.api.running import processes
from tests.cli.harness.commands import Mesh, commands_on
from tests.processors.reacting.happening import registered
from tests.waiting import eventually
from tests.worlds import World, append_events, world

pytestmark = pytest.mark.asyncio(loop_scope="module")
SOON = timedelta(hours=1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made(stack: Settings) -> AsyncIterator[World]:
    async with world(stack) as fresh:
        await prepare(fresh.settings)
        with processes(fresh.settings, [("writer",), ("worker", "journal"), ("worker", "pages")]):
            yield fresh


@pytest.fixture
def mesh(made: World, monkeypatch: pytest.MonkeyPatch) -> Mesh:
    return commands_on(made.settings, monkeypatch, cli.timers)


async def banned(made: World, until: datetime) -> str:
    """Somebody who is banned until then, and their timer is set; the stream."""
    user_id = uuid4()
    ban = UserBanned(user_id=user_id, reason=BanReason.FRAUD, banned_at=until - SOON, until=until)
    stream = user_stream(user_id)
    await append_events(made.settings, [(stream, [registered(user_id), ban])])
    await eventually(
        lambda: made.pool.fetchval(f"SELECT key FROM reads.{timers.name} WHERE key = $1", stream)
    )
    return stream


async def test_CR_06_what_is_set_is_listed_with_its_time(made: World, mesh: Mesh) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + SOON
    stream = await banned(made, until)
    found = json.loads((await mesh("timers", "list", "--json")).stdout)
    (own,) = [each for each in found["timers"] if each["stream_id"] == stream]
    assert own == {
        "timer": "lift_ban",
        "stream_id": stream,
        "due_at": until.isoformat().replace("+00:00", "Z"),
    }
    (sweep,) = [each for each in found["jobs"] if each["job"] == "sweep"]
    next_run = datetime.fromisoformat(sweep["next_run"])
    assert timedelta() < next_run - datetime.now(UTC) <= SOON
    assert (next_run.minute, next_run.second) == (0, 0)
    table = (await mesh("timers", "list")).stdout
    assert stream in table
    assert "sweep" in table


async def test_CR_06_time_can_be_moved_by_hand(made: World, mesh: Mesh) -> None:
    """The whole way: what is due by then is decided and folded, and its timer is gone."""
    until = datetime.now(UTC) + SOON
    stream = await banned(made, until)
    early = (until - timedelta(minutes=1)).isoformat()
    assert (await mesh("timers", "run", "lift_ban", "--at", early)).exit_code == 0
    assert await made.pool.fetchval("SELECT key FROM reads.timers WHERE key = $1", stream)
    found = await mesh("timers", "run", "lift_ban", "--at", (until + SOON).isoformat())
    assert found.exit_code == 0, found.output

    async def gone() -> bool:
        return not await made.pool.fetchval("SELECT key FROM reads.timers WHERE key = $1", stream)

    await eventually(gone)

    async def back() -> bool:
        status = await made.pool.fetchval(
            "SELECT status FROM reads.users WHERE key = $1", stream.partition("/")[2]
        )
        return bool(status == "pending")

    await eventually(back)


async def test_CR_01_a_job_is_run_by_hand(mesh: Mesh) -> None:
    found = await mesh("timers", "run", "sweep")
    assert (found.exit_code, found.stdout.strip().splitlines()[-1]) == (0, "sweep has run")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run", "no_such_timer"), "no timer or job no_such_timer"),
        (("run", "sweep", "--at", "tomorrow"), "--at is a date"),
        (("run", "sweep", "--at", "2026-03-01T12:00:00"), "--at is a date"),
    ],
    ids=str,
)
async def test_what_is_no_timer_or_time_is_refused(
    mesh: Mesh, words: tuple[str, ...], told: str
) -> None:
    found = await mesh("timers", *words)
    assert found.exit_code == 2
    assert told in found.stderr
