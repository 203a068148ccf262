"""Which sessions have ended: Redis answers, Postgres stands in, nobody gets in on a guess."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sqlalchemy import MetaData
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from api.backends import denylist as module
from api.backends.database import Database
from api.backends.denylist import OVERLAP, WHOLE, Cut, Denylist
from api.backends.tokens import Claims
from api.wire.problems import StoreUnavailableError
from infra.clients.redis import open_redis
from infra.settings import Settings
from projections.identity import sessions, users
from schemas.identity import UserStatus
from schemas.log.messages import Role
from tests.infra.vault.test_vault_keys import settings_with
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
    """A Postgres with empty read models."""
    async with world(local_stack()) as fresh:
        for table in (sessions.table, users.table):
            model = table.to_metadata(MetaData(), schema="reads")
            await fresh.pool.execute(str(CreateTable(model).compile(dialect=postgresql.dialect())))
        yield fresh


@pytest.fixture
async def database(place: World) -> AsyncIterator[Database]:
    await place.pool.execute("TRUNCATE reads.sessions, reads.users")
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


PERSON = str(uuid4())


async def session(place: World, *, ended_at: datetime | None) -> str:
    key, now = str(uuid4()), datetime.now(UTC)
    await place.pool.execute(
        "INSERT INTO reads.sessions (key, user_id, user_version, token, started_at, refreshed_at,"
        " expires_at, idle_s, until, ended_at) VALUES ($1, $4, 2, '', $2, $2, $2, 1, $2, $3)",
        key,
        now,
        ended_at,
        PERSON,
    )
    return key


async def person(place: World, cut: Cut, *, version: int = 9) -> None:
    await place.pool.execute(
        "INSERT INTO reads.users (key, email_sealed, email_as_typed, email_hash, name_sealed, role, status,"
        " email_verified, market, language, version, created_at, updated_at, sessions_since,"
        " tokens_since, kept_tokens_since, kept_session, cut_at, credential_version) VALUES"
        " ($1, '', true, '', '', '', '', true, '', '', $2, now(), now(), 0, $3, $4, $5, now(), 0)"
        " ON CONFLICT (key) DO UPDATE SET tokens_since = $3",
        PERSON,
        version,
        cut.tokens_since,
        cut.kept_tokens_since,
        cut.kept_session or None,
    )


def token(session_id: object, version: int = 2) -> Claims:
    return Claims(
        user_id=PERSON,
        session_id=str(session_id),
        token_id="",
        role=Role.BUYER,
        email_verified=True,
        market="exotics",
        expires_at=0,
        user_version=version,
        status=UserStatus.ACTIVE,
    )


NOTHING = Cut(0, 0)


async def test_ID_06_a_denied_session_is_denied(kept: Denylist) -> None:
    key = uuid4()
    assert not await kept.denies(token(key))
    assert await kept.deny(key)
    assert await kept.denies(token(key))


async def test_ID_06_a_whole_denylist_needs_no_postgres(
    kept: Denylist, redis: Redis, absent: Database
) -> None:
    assert await denylist_of(redis, absent).denies(token(uuid4())) is False


async def test_ID_06_RD_01_a_denial_lasts_as_long_as_the_tokens(
    denylist: Denylist, redis: Redis
) -> None:
    key = uuid4()
    await denylist.deny(key)
    assert LIFETIME_S - 2 <= await redis.ttl(f"denied:{key}") <= LIFETIME_S


async def test_RD_01_a_denial_that_is_learned_late_lasts_as_long_as_is_left_of_the_tokens(
    redis: Redis, database: Database, place: World
) -> None:
    lifetime, age = timedelta(seconds=900), timedelta(seconds=600)
    key = await session(place, ended_at=datetime.now(UTC) - age)
    late = Denylist(redis, database, lifetime_s=900, row_wait_s=0.2)
    await late._copy()
    left = timedelta(seconds=await redis.ttl(f"denied:{key}"))
    assert lifetime - age <= left <= lifetime - age + OVERLAP


async def test_RD_01_of_whom_no_token_can_be_left_nothing_is_copied(
    denylist: Denylist, place: World, redis: Redis
) -> None:
    gone = timedelta(seconds=LIFETIME_S + 1) + OVERLAP
    await session(place, ended_at=datetime.now(UTC) - gone)
    await denylist._copy()
    assert await redis.keys() == [WHOLE]


@pytest.mark.parametrize("ended", [True, False])
async def test_RD_12_an_empty_redis_is_not_believed(denylist, place: World, ended: bool) -> None:
    key = await session(place, ended_at=datetime.now(UTC) if ended else None)
    await person(place, NOTHING)
    assert await denylist.denies(token(key)) is ended


async def test_RD_12_a_flushed_redis_learns_everything_again(
    kept: Denylist, place: World, redis: Redis
) -> None:
    key = await session(place, ended_at=datetime.now(UTC))
    await redis.flushdb()
    await eventually(lambda: redis.exists(WHOLE))
    assert await redis.exists(f"denied:{key}")


async def test_RD_12_a_redis_that_is_flushed_while_it_learns_is_not_believed(
    denylist: Denylist, place: World, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await session(place, ended_at=datetime.now(UTC))
    await person(place, NOTHING)
    copy_unsure = denylist._copy_unsure

    async def flushed() -> None:
        await copy_unsure()
        await redis.flushdb()

    monkeypatch.setattr(denylist, "_copy_unsure", flushed)
    await denylist._copy()
    assert not await redis.exists(WHOLE)
    assert await denylist.denies(token(key))
    monkeypatch.setattr(denylist, "_copy_unsure", copy_unsure)
    await denylist._copy()
    assert await redis.exists(WHOLE, f"denied:{key}") == 2


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
    await person(place, NOTHING)
    asking = asyncio.create_task(patient.denies(token("")))
    await eventually(lambda: not asking.done())
    await place.pool.execute(
        "UPDATE reads.sessions SET key = '' WHERE key = $1", await session(place, ended_at=None)
    )
    assert await asking is False


async def test_ID_06_a_session_that_nobody_knows_is_no_guess(denylist: Denylist) -> None:
    with pytest.raises(StoreUnavailableError):
        await denylist.denies(token(uuid4()))


async def test_ID_06_without_both_stores_nobody_gets_in(redis: Redis, absent: Database) -> None:
    with pytest.raises(StoreUnavailableError):
        await denylist_of(redis, absent).denies(token(uuid4()))


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


CUTS = [
    (Cut(5, 5), "", 4, True),
    (Cut(5, 5), "", 5, False),
    (Cut(5, 3, "kept"), "kept", 3, False),
    (Cut(5, 3, "kept"), "kept", 2, True),
    (Cut(5, 3, "kept"), "other", 4, True),
]


@pytest.mark.parametrize(("cut", "session_id", "version", "void"), CUTS)
async def test_ID_25_a_cut_voids_the_tokens_before_it(
    kept: Denylist, cut: Cut, session_id: str, version: int, void: bool
) -> None:
    """V7.4.2, V8.3.2: by version, so two changes within one second are still told apart."""
    assert await kept.cut(PERSON, cut)
    assert await kept.denies(token(session_id, version)) is void


@pytest.mark.parametrize(("cut", "session_id", "version", "void"), CUTS)
async def test_ID_25_without_redis_the_read_model_tells_of_the_cut(
    denylist: Denylist, place: World, cut: Cut, session_id: str, version: int, void: bool
) -> None:
    await person(place, cut)
    key = await session(place, ended_at=None)
    await place.pool.execute("UPDATE reads.sessions SET key = $1 WHERE key = $2", session_id, key)
    assert await denylist.denies(token(session_id, version)) is void


async def test_ID_25_of_two_cuts_the_later_one_counts_whoever_writes_first(kept: Denylist) -> None:
    await kept.cut(PERSON, Cut(7, 7))
    await kept.cut(PERSON, Cut(5, 3, "kept"))
    assert await kept.newest_cut(PERSON) == 7
    assert await kept.denies(token("kept", 6))


async def test_ID_25_a_cut_outlives_the_tokens_that_it_voids(kept: Denylist, redis: Redis) -> None:
    await kept.cut(PERSON, Cut(5, 5))
    assert await redis.ttl(f"cut:{PERSON}") > LIFETIME_S


async def test_RD_12_a_flushed_redis_learns_every_cut_again(
    kept: Denylist, place: World, redis: Redis
) -> None:
    await person(place, Cut(8, 6, "kept"))
    await redis.flushdb()
    await eventually(lambda: redis.exists(WHOLE))
    assert await redis.get(f"cut:{PERSON}") == "8 6 kept"


async def test_ID_25_a_closed_redis_takes_no_cut_and_says_so(database: Database) -> None:
    settings = settings_with(bytes(32), bytes(32))
    closed = open_redis(
        settings.model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:1/0")})
    )
    away = denylist_of(closed, database)
    assert not await away.cut(PERSON, Cut(5, 5))
    assert await away.newest_cut(PERSON) == 0


async def test_ID_06_of_a_crowd_each_gets_its_own_answer_and_redis_one_question(
    kept: Denylist, redis: Redis
) -> None:
    crowd = [uuid4() for _ in range(50)]
    ended = set(crowd[::7])
    for each in ended:
        assert await kept.deny(each)
    before = await questions(redis)
    found = await asyncio.gather(*(kept.denies(token(each)) for each in crowd))
    assert {each for each, denied in zip(crowd, found, strict=True) if denied} == ended
    assert await questions(redis) == before + 1


async def questions(redis: Redis) -> int:
    """How often anybody has asked this server for several keys at once."""
    told = await redis.info("commandstats")
    return int(told["cmdstat_mget"]["calls"]) if "cmdstat_mget" in told else 0
