"""Which sessions have ended: Redis answers, Postgres stands in, nobody gets in on a guess."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sqlalchemy import MetaData
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from api import denylist as module
from api.database import Database
from api.denylist import WHOLE, Denylist
from api.problems import StoreUnavailableError
from infra.redis import open_redis
from infra.settings import Settings
from projections.identity import sessions
from tests.infra.test_vault_keys import settings_with
from tests.stack import local_stack
from tests.waiting import eventually
from tests.worlds import World, world

LIFETIME_S = 30


@pytest.fixture
async def redis() -> AsyncIterator[Redis]:
    """A database of the server that nobody else uses."""
    url = local_stack({"valkey"}).redis_url.get_secret_value().rpartition("/")[0] + "/7"
    settings = settings_with(bytes(32), bytes(32))
    client = open_redis(settings.model_copy(update={"redis_url": SecretStr(url)}))
    await client.flushdb()
    yield client
    await client.flushdb()
    await client.aclose()


@pytest.fixture(scope="module")
async def place() -> AsyncIterator[World]:
    """A Postgres with an empty sessions read model."""
    async with world(local_stack({"postgres"})) as fresh:
        model = sessions.table.to_metadata(MetaData(), schema="reads")
        await fresh.pool.execute(str(CreateTable(model).compile(dialect=postgresql.dialect())))
        yield fresh


@pytest.fixture
async def database(place: World) -> AsyncIterator[Database]:
    await place.pool.execute("TRUNCATE reads.sessions")
    async with opened(place.settings) as found:
        yield found


@pytest.fixture
async def absent(place: World) -> AsyncIterator[Database]:
    """A Postgres that is down."""
    url = SecretStr("postgresql://mesh@127.0.0.1:1/none")
    async with opened(place.settings.model_copy(update={"database_url": url})) as found:
        yield found


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    found = Database(settings)
    await found.open()
    yield found
    await found.close()


def denylist_of(redis: Redis, database: Database) -> Denylist:
    return Denylist(redis, database, lifetime_s=LIFETIME_S, row_wait_s=0.2)


@pytest.fixture
def denylist(redis: Redis, database: Database) -> Denylist:
    return denylist_of(redis, database)


@pytest.fixture
async def kept(denylist: Denylist, redis: Redis) -> AsyncIterator[Denylist]:
    """With its keeper at work, and through its first round."""
    task = asyncio.create_task(denylist.keep())
    await eventually(lambda: redis.exists(WHOLE))
    yield denylist
    task.cancel()


async def session(place: World, *, ended_at: datetime | None) -> str:
    key, now = str(uuid4()), datetime.now(UTC)
    await place.pool.execute(
        "INSERT INTO reads.sessions"
        " (key, user_id, token, started_at, refreshed_at, expires_at, ended_at)"
        " VALUES ($1, '', '', $2, $2, $2, $3)",
        key,
        now,
        ended_at,
    )
    return key


async def test_ID_06_a_denied_session_is_denied(kept: Denylist) -> None:
    key = uuid4()
    assert not await kept.denies(str(key))
    assert await kept.deny(key)
    assert await kept.denies(str(key))


async def test_ID_06_a_whole_denylist_needs_no_postgres(
    kept: Denylist, redis: Redis, absent: Database
) -> None:
    assert await denylist_of(redis, absent).denies(str(uuid4())) is False


async def test_ID_06_a_denial_lasts_as_long_as_the_tokens(denylist: Denylist, redis: Redis) -> None:
    key = uuid4()
    await denylist.deny(key)
    assert LIFETIME_S - 2 <= await redis.ttl(f"denied:{key}") <= LIFETIME_S


@pytest.mark.parametrize("ended", [True, False])
async def test_RD_12_an_empty_redis_is_not_believed(denylist, place: World, ended: bool) -> None:
    key = await session(place, ended_at=datetime.now(UTC) if ended else None)
    assert await denylist.denies(key) is ended


async def test_RD_12_a_flushed_redis_learns_everything_again(
    kept: Denylist, place: World, redis: Redis
) -> None:
    key = await session(place, ended_at=datetime.now(UTC))
    await redis.flushdb()
    await eventually(lambda: redis.exists(WHOLE))
    assert await redis.exists(f"denied:{key}")


async def test_RD_12_many_sessions_ended_at_one_moment_come_in_batches(
    denylist: Denylist, place: World, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 3)
    moment = datetime.now(UTC)
    keys = [await session(place, ended_at=moment) for _ in range(10)]
    await denylist._copy()
    assert await redis.exists(*(f"denied:{key}" for key in keys)) == 10


async def test_ID_06_a_session_of_this_moment_is_waited_for(
    redis: Redis, database: Database, place: World
) -> None:
    patient = Denylist(redis, database, lifetime_s=LIFETIME_S, row_wait_s=20)
    key = str(uuid4())
    asking = asyncio.create_task(patient.denies(key))
    await eventually(lambda: not asking.done())
    await place.pool.execute(
        "INSERT INTO reads.sessions (key, user_id, token, started_at, refreshed_at, expires_at)"
        " VALUES ($1, '', '', now(), now(), now())",
        key,
    )
    assert await asking is False


async def test_ID_06_a_session_that_nobody_knows_is_no_guess(denylist: Denylist) -> None:
    with pytest.raises(StoreUnavailableError):
        await denylist.denies(str(uuid4()))


async def test_ID_06_without_both_stores_nobody_gets_in(redis: Redis, absent: Database) -> None:
    with pytest.raises(StoreUnavailableError):
        await denylist_of(redis, absent).denies(str(uuid4()))


async def test_RD_12_the_marker_lapses_when_nobody_keeps_it(kept: Denylist, redis: Redis) -> None:
    assert 0 < await redis.ttl(WHOLE) <= module.WHOLE_S


async def test_the_keeper_outlives_a_postgres_that_is_away(
    redis: Redis, place: World, absent: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEEP_S", 0.01)
    denylist = denylist_of(redis, absent)
    task = asyncio.create_task(denylist.keep())
    rounds = []
    monkeypatch.setattr(module.log, "info", lambda *_, **__: rounds.append(1))
    await eventually(lambda: rounds)
    async with opened(place.settings) as back:
        denylist._postgres = back
        assert await eventually(lambda: redis.exists(WHOLE))
        task.cancel()
