"""Heartbeats on a real Redis, by its clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from infra import heartbeats
from infra.clients.redis import open_redis
from infra.heartbeats import (
    AT_ONCE_MAX,
    BEAT_S,
    FRESH_S,
    PING_ANSWER_S,
    PING_EVERY_S,
    Heart,
    Heartbeats,
    Presence,
    mark_of,
)
from infra.vault.vault import PersonKey
from tests.api.limited import redis_url, settings_on
from tests.waiting import eventually

OFFLINE_S = 30.0
NOBODY = Presence()


@pytest.fixture
async def beats() -> AsyncIterator[Heartbeats]:
    redis = open_redis(settings_on(redis_url()))
    yield Heartbeats(redis, f"{uuid4().hex}_")
    await redis.aclose()


def heart(user_id: str, device: str = "") -> Heart:
    return Heart(user_id, device or uuid4().hex, f"mark-{user_id}")


async def looked(beats: Heartbeats, user_id: str) -> Presence:
    return (await beats.look({user_id: f"mark-{user_id}"}))[user_id]


def test_MS_27_nobody_is_taken_to_be_there_for_thirty_seconds_after_they_are_not() -> None:
    killed_process = FRESH_S + BEAT_S
    killed_client = PING_EVERY_S + 2 * PING_ANSWER_S
    assert max(killed_process, killed_client) < OFFLINE_S
    assert FRESH_S > 3 * BEAT_S  # a slow beat is no death


async def test_MS_27_who_beats_is_there_and_came_once(beats) -> None:
    one = heart("one")
    assert await looked(beats, "one") == NOBODY
    assert [await beats.beat([one]) for _ in range(2)] == [["one"], []]
    found = await looked(beats, "one")
    assert found.online
    assert abs(found.last_seen - datetime.now(UTC)) < timedelta(seconds=5)
    assert await looked(beats, "two") == NOBODY


async def test_MS_27_of_several_devices_the_last_one_counts(beats) -> None:
    first, second = heart("one"), heart("one")
    assert await beats.beat([first, second]) == ["one"]
    assert not await beats.leave(first)
    assert (await looked(beats, "one")).online
    assert await beats.leave(second)
    found = await looked(beats, "one")
    assert (found.online, found.last_seen is None) == (False, False)
    assert not await beats.leave(second)


async def test_MS_27_who_stops_beating_is_gone_and_one_process_learns_it(
    beats, monkeypatch
) -> None:
    monkeypatch.setattr(heartbeats, "FRESH_S", 0.3)
    await beats.beat([heart("one")])
    before = (await looked(beats, "one")).last_seen

    async def offline() -> bool:
        return not (await looked(beats, "one")).online

    await eventually(offline, 5)
    assert [await beats.sweep(), await beats.sweep()] == [["one"], []]
    assert (await looked(beats, "one")).last_seen == before
    assert await beats.beat([heart("one")]) == ["one"]


async def test_MS_27_a_device_of_a_killed_process_keeps_nobody_there(beats, monkeypatch) -> None:
    monkeypatch.setattr(heartbeats, "FRESH_S", 0.3)
    own = heart("one")
    await beats.beat([heart("one"), own])

    async def swept() -> list[str]:
        return await beats.sweep()

    assert await eventually(swept, 5) == ["one"]
    assert await beats.beat([own]) == ["one"]
    assert await beats.leave(own)


async def test_MS_27_more_than_one_call_holds_beat_all(beats) -> None:
    people = [f"{number}" for number in range(AT_ONCE_MAX * 2 + 7)]
    assert await beats.beat([heart(each) for each in people]) == people
    found = await beats.look({each: f"mark-{each}" for each in people})
    assert sum(each.online for each in found.values()) == len(people)


async def test_MS_27_who_is_still_there_is_not_swept(beats) -> None:
    await beats.beat([heart("one")])
    assert await beats.sweep() == []


async def test_PR_10_the_moment_of_whoever_has_left_is_nobodys(beats) -> None:
    """Its name in Redis follows from the person's key alone."""
    user_id = uuid4()
    one, other = (mark_of(PersonKey(user_id, bytes([n]) * 32)) for n in (1, 2))
    assert one != other
    assert str(user_id) not in one
    assert one == mark_of(PersonKey(UUID(str(user_id)), bytes([1]) * 32))
