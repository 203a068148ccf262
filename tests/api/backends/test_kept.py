"""Answers that are kept for a moment: made once for a crowd, never older than they may be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr
from redis.asyncio import Redis

from api.backends import kept as module
from api.backends.kept import Kept
from api.wire.deadlines import AnswerWithin, NoAnswerInTimeError, left
from infra.clients.redis import open_redis
from infra.settings import Settings
from tests.stack import local_stack
from tests.waiting import eventually

QUESTION = b'{"q":"golf"}'


class Maker:
    """Answers with how often it was asked."""

    def __init__(self) -> None:
        self.made = 0
        self.release = asyncio.Event()
        self.release.set()

    async def __call__(self) -> bytes:
        self.made += 1
        made = self.made
        await self.release.wait()
        return b"%d" % made


@pytest.fixture(scope="module")
def settings() -> Settings:
    """With a Redis."""
    return local_stack({"valkey"})


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[Redis]:
    """The server that all share."""
    client = open_redis(settings)
    yield client
    await client.aclose()


@pytest.fixture
def name() -> str:
    """A kind of answers that no other test has."""
    return f"kept-{uuid4().hex}"


def counted(name: str, outcome: str) -> float:
    """How many answers came about so."""
    return (
        REGISTRY.get_sample_value("mesh_kept_answers_total", {"kind": name, "outcome": outcome})
        or 0.0
    )


async def test_RD_03_an_answer_is_kept_for_others_and_for_other_processes(redis, name) -> None:
    make = Maker()
    assert await Kept(redis, name, 60).answer(QUESTION, make) == b"1"
    assert await Kept(redis, name, 60).answer(QUESTION, make) == b"1"
    assert (counted(name, "miss"), counted(name, "hit")) == (1, 1)
    assert await Kept(redis, name, 60).answer(QUESTION + b" ", make) == b"2"


async def test_RD_03_no_answer_is_older_than_it_may_be(redis, name) -> None:
    kept, make = Kept(redis, name, 1.0), Maker()
    await kept.answer(QUESTION, make)
    [key] = await redis.keys(f"{name}:*")
    assert 0 < await redis.pttl(key) <= 1_000
    began = time.monotonic()

    async def another() -> bool:
        return await kept.answer(QUESTION, make) == b"2"

    await eventually(another)
    assert time.monotonic() - began < 10


async def test_a_crowd_waits_for_one_making(redis, name) -> None:
    kept, make = Kept(redis, name, 60), Maker()
    make.release.clear()
    crowd = [asyncio.create_task(kept.answer(QUESTION, make)) for _ in range(20)]
    await eventually(lambda: make.made)
    crowd[0].cancel()  # whoever goes away leaves the others theirs
    make.release.set()
    assert await asyncio.gather(*crowd[1:]) == [b"1"] * 19
    assert (make.made, counted(name, "shared")) == (1, 19)


async def test_what_can_t_be_made_is_told_to_the_crowd_and_asked_again(redis, name) -> None:
    async def fail() -> bytes:
        raise ConnectionError

    kept = Kept(redis, name, 60)
    found = await asyncio.gather(
        *(kept.answer(QUESTION, fail) for _ in range(3)), return_exceptions=True
    )
    assert [type(each) for each in found] == [ConnectionError] * 3
    assert await kept.answer(QUESTION, Maker()) == b"1"


async def test_whoever_must_see_a_write_is_not_given_what_is_kept(redis, name) -> None:
    kept, make = Kept(redis, name, 60), Maker()
    await kept.answer(QUESTION, make)
    assert await kept.anew(QUESTION, make) == b"2"
    assert await kept.answer(QUESTION, make) == b"2"


async def test_nothing_is_kept_where_none_shall_be(redis, name) -> None:
    kept, make = Kept(redis, name, 0), Maker()
    assert [await kept.answer(QUESTION, make) for _ in range(2)] == [b"1", b"2"]
    assert await kept.anew(QUESTION, make) == b"3"
    assert await redis.keys(f"{name}:*") == []


async def test_without_redis_every_answer_is_made_and_nobody_waits(
    settings, name, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AWAY_S", 60.0)
    async with await silent() as silence:
        port = silence.sockets[0].getsockname()[1]
        url = SecretStr(f"redis://127.0.0.1:{port}/0")
        client = open_redis(settings.model_copy(update={"redis_url": url}))
        kept, make = Kept(client, name, 60), Maker()
        began = time.monotonic()
        assert [await kept.answer(QUESTION, make) for _ in range(10)] == [
            b"%d" % each for each in range(1, 11)
        ]
        assert time.monotonic() - began < 1
        assert counted(name, "away") == 10
        await client.aclose()


async def silent() -> asyncio.Server:
    """A server that takes connections and never answers."""

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    return await asyncio.start_server(say_nothing, "127.0.0.1", 0)


async def test_what_is_looked_for_stands_in_no_key(redis, name) -> None:
    await Kept(redis, name, 60).answer(b'{"q":"my own name"}', Maker())
    [key] = await redis.keys(f"{name}:*")
    assert "name" not in str(key).partition(":")[2]


async def test_what_was_begun_before_a_write_is_not_kept_in_its_place(redis, name) -> None:
    kept, slow = Kept(redis, name, 60), Maker()
    slow.release.clear()
    reading = asyncio.create_task(kept.answer(QUESTION, slow))
    await eventually(lambda: slow.made)

    async def written() -> bytes:
        return b"written"

    assert await kept.anew(QUESTION, written) == b"written"
    slow.release.set()
    assert await reading == b"1"
    assert await kept.answer(QUESTION, slow) == b"written"


@pytest.mark.parametrize("way", ["answer", "anew"])
@pytest.mark.parametrize(("takes_s", "left_ms"), [(40, 20_000), (60, 0), (100, 0)])
async def test_RD_03_the_age_of_an_answer_counts_from_when_its_making_began(
    redis, name, monkeypatch: pytest.MonkeyPatch, way, takes_s, left_ms
) -> None:
    now = [1_000.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])

    async def make() -> bytes:
        now[0] += takes_s
        return b"old"

    assert await getattr(Kept(redis, name, 60), way)(QUESTION, make) == b"old"
    found = [await redis.pttl(key) for key in await redis.keys(f"{name}:*")]
    assert [left_ms - 5_000 < each <= left_ms for each in found] == [True] * bool(left_ms)


async def test_what_is_made_for_a_crowd_does_not_end_with_the_time_of_its_first(
    redis, name
) -> None:
    kept, release, begun = Kept(redis, name, 60), asyncio.Event(), asyncio.Event()

    async def make() -> bytes:
        begun.set()
        await release.wait()
        return b"%d" % left(60)  # how long a store might be waited for

    async def first() -> bytes:
        async with AnswerWithin(0.2):
            return await kept.answer(QUESTION, make)

    hurried = asyncio.create_task(first())
    await begun.wait()
    follower = asyncio.create_task(kept.answer(QUESTION, make))
    with pytest.raises(NoAnswerInTimeError):
        await hurried
    release.set()
    assert await follower == b"60"
