"""The one reader: every handler hears what it wants, held up by nobody."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.errors import KafkaError as AioKafkaError

from infra.metrics import HANDLED, HANDLER_PARKED
from infra.settings import Settings
from processors.reacting import lanes
from processors.reacting.commands import Commands, following, open_commands
from processors.reacting.hearing import Heard
from processors.reacting.parked import (
    Decision,
    Parked,
    ParkedEvent,
)
from processors.reacting.positions import Place, Positions
from processors.reacting.reader import Reader
from processors.reactions.reactor import open_tools, run_reactor
from schemas.identity import DeleteUser, user_stream
from schemas.log.messages import Role
from tests.partitions import partition_of_stream
from tests.processors.reacting.happening import other_partition, record_of, same_partition
from tests.processors.reacting.topic_bench import Bench, Elsewhere, running
from tests.waiting import eventually


async def test_an_event_has_its_effect_and_a_gentle_restart_repeats_none(bench: Bench) -> None:
    before, after = uuid4(), uuid4()
    first = await bench.happen(before)
    async with running(bench):
        await eventually(bench.took(before))
    second = await bench.happen(after)
    async with running(bench):
        await eventually(bench.took(after))
    assert sorted(bench.taken) == sorted([(first, before), (second, after)])


async def test_while_one_waits_for_its_outside_others_go_on(bench: Bench) -> None:
    stuck = uuid4()
    behind, beside = same_partition(stuck), other_partition(stuck)
    bench.down_for.add(stuck)
    for each in (stuck, behind, beside):
        await bench.happen(each)
    async with running(bench, bench.effect(), bench.effect(f"{bench.name}_other")):
        await eventually(bench.took(beside, times=2))  # the other lanes of the same effect
        await eventually(bench.took(behind))  # the other effect has come past
        await eventually(lambda: bench.tried.count(stuck) >= 3)
        assert not bench.took(behind, times=2)()
        bench.down_for.clear()
        await eventually(bench.took(behind, times=2))
    assert bench.took(stuck, times=2)()


async def test_one_that_is_left_behind_catches_up_with_a_cursor_of_its_own(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "QUEUE_MAX", 2)
    stuck = uuid4()
    others = [same_partition(stuck) for _ in range(9)]
    bench.down_for.add(stuck)
    other = bench.effect(f"{bench.name}_other")
    async with running(bench, bench.effect(), other):
        await bench.happen(stuck)
        for each in others:
            await bench.happen(each)
            await eventually(bench.took(each))
        assert HANDLED.labels(bench.name, "done")._value.get() == 0
        bench.down_for.clear()
        for each in others:
            await eventually(bench.took(each, times=2))
        await bench.happen(later := same_partition(stuck))
        await eventually(bench.took(later, times=2))
    by_name = [user for effect_id, user in bench.taken]
    assert [by_name.count(each) for each in (stuck, *others, later)] == [2] * 11
    assert HANDLED.labels(bench.name, "done")._value.get() == 11


async def test_no_position_is_kept_before_the_outside_has_taken_it(bench: Bench) -> None:
    user_id = uuid4()
    bench.down_for.add(user_id)
    effect_id = await bench.happen(user_id)
    async with running(bench):
        await eventually(lambda: bench.tried.count(user_id) >= 3)
    assert await bench.position(user_id) == 0
    bench.down_for.clear()
    async with running(bench):
        await eventually(bench.took(user_id))
    assert await bench.position(user_id) == 1
    assert bench.taken == [(effect_id, user_id)]


async def test_what_a_handler_does_not_hear_moves_its_position_on(bench: Bench) -> None:
    user_id = uuid4()
    deaf = Elsewhere(f"{bench.name}_deaf", (), bench.effect().run, topic=f"events.{bench.name}")
    async with running(bench, bench.effect(), deaf):
        await bench.happen(user_id)
        await eventually(bench.took(user_id))

        async def passed() -> bool:
            return await bench.position(user_id, deaf.name) == 1

        await eventually(passed)
    assert len(bench.taken) == 1


async def test_a_crash_before_the_position_is_kept_repeats_the_effect_under_the_same_id(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = uuid4()
    effect_id = await bench.happen(user_id)

    async def crash(*_: object) -> bool:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(Positions, "save", crash)
        with pytest.raises(ExceptionGroup):
            await asyncio.wait_for(
                run_reactor(bench.settings, asyncio.Event(), (), (bench.effect(),)), 30
            )
    async with running(bench):
        await eventually(bench.took(user_id, times=2))
    assert set(bench.taken) == {(effect_id, user_id)}


@pytest.mark.parametrize("decision", ["retry", "skip"])
async def test_a_parked_stream_waits_for_a_decision_and_the_others_for_nothing(
    bench: Bench, decision: Decision
) -> None:
    refused = uuid4()
    beside = same_partition(refused)
    bench.refused.add(refused)
    ids = [await bench.happen(refused), await bench.happen(beside), await bench.happen(refused)]
    async with running(bench):
        await eventually(bench.took(beside))
    # Another process takes the partition over, and what waits with it.
    async with running(bench):
        ids.append(await bench.happen(refused))

        async def three_wait() -> bool:
            return [each.events for each in await bench.waiting()] == [3]

        await eventually(three_wait)
        await eventually(lambda: HANDLER_PARKED.labels(bench.name)._value.get() == 1)
        assert bench.tried.count(refused) == 1
        bench.refused.clear()
        (waits,) = await bench.waiting()
        await bench.decide(waits, decision)
        await eventually(bench.took(refused, times=3 if decision == "retry" else 2))
        await eventually(lambda: HANDLER_PARKED.labels(bench.name)._value.get() == 0)
        ids.append(await bench.happen(refused))
        await eventually(bench.took(refused, times=4 if decision == "retry" else 3))
    assert await bench.waiting() == []
    skipped = ids[:0] if decision == "retry" else ids[:1]
    in_order = [effect_id for effect_id, user in bench.taken if user == refused]
    assert in_order == [each for each in (ids[0], *ids[2:]) if each not in skipped]


async def test_two_processes_share_the_work_and_one_takes_over_from_the_other(
    bench: Bench,
) -> None:
    people = [uuid4() for _ in range(16)]
    async with running(bench):
        async with running(bench):
            for each in people[:8]:
                await bench.happen(each)
            for each in people[:8]:
                await eventually(bench.took(each))
        for each in people[8:]:
            await bench.happen(each)
        for each in people[8:]:
            await eventually(bench.took(each))
    assert {user for _, user in bench.taken} == set(people)


async def test_a_producer_that_has_failed_is_replaced(bench: Bench) -> None:
    """What a partition without a leader leads to, which a broker of one's own does not show."""
    async with open_commands(bench.settings, "test-replaced") as commands:
        envelope = following("test", Heard(record_of(uuid4())).recorded, [erasing(uuid4())])
        assert await commands.hand_over(envelope) == 1
        failed = commands._producer
        cluster = failed._sender._message_accumulator._cluster
        cluster.leader_for_partition = lambda _place: -1
        with pytest.raises(AioKafkaError):
            await commands.hand_over(envelope)
        assert await commands.hand_over(envelope) == 1
        assert commands._producer is not failed


def erasing(user_id: UUID) -> DeleteUser:
    return DeleteUser(
        user_id=user_id, asked_at=datetime.now(UTC), asked_by="test", asked_role=Role.SYSTEM
    )


async def test_what_another_process_has_parked_late_is_found(bench: Bench) -> None:
    user_id = uuid4()
    async with running(bench):
        await bench.happen(user_id)
        await eventually(bench.took(user_id))
        place = Place(bench.name, f"events.{bench.name}", partition_of_stream(user_stream(user_id)))
        frozen = ParkedEvent(place, 0, user_stream(user_id), "user.registered", "refused", 1)
        await Parked(bench.mesh.pool).park(frozen)
        await eventually(lambda: HANDLER_PARKED.labels(bench.name)._value.get() == 1)
        await bench.happen(user_id)

        async def two_wait() -> bool:
            return [each.events for each in await bench.waiting()] == [2]

        await eventually(two_wait)
        (waits,) = await bench.waiting()
        await bench.decide(waits, "skip")

        async def gone() -> bool:
            return await bench.waiting() == []

        await eventually(gone)


async def test_while_nobody_knows_where_to_go_on_the_broker_is_not_asked_either(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A place of its own is what aiokafka asks it for, without a pause while it is away."""
    looks, asked = [], []
    ask = Fetcher._update_fetch_positions

    async def asking(self: Fetcher, *about: Any) -> Any:
        asked.append(about)
        return await ask(self, *about)

    monkeypatch.setattr(Fetcher, "_update_fetch_positions", asking)

    class Away:
        async def of(self, _handlers: object) -> object:
            looks.append(1)
            raise ConnectionRefusedError

    means: Any = SimpleNamespace(positions=Away(), parked=Parked(bench.mesh.pool))
    waiting, stop = Reader(bench.settings, [bench.effect()], means), asyncio.Event()
    await waiting.start()
    running_reader = asyncio.create_task(waiting.run(stop))
    await eventually(lambda: len(looks) >= 3)
    stop.set()
    await asyncio.wait_for(running_reader, 20)
    assert asked == []


async def test_nothing_is_begun_once_the_reader_is_told_to_stop(bench: Bench) -> None:
    means: Any = SimpleNamespace(
        positions=Positions(bench.mesh.pool), parked=Parked(bench.mesh.pool)
    )
    stopping = Reader(bench.settings, [bench.effect()], means)
    stop = asyncio.Event()
    stop.set()
    await stopping.start()
    await stopping.run(stop)
    await stopping.on_partitions_assigned([])
    assert stopping._opening is None


async def test_tools_need_neither_postgres_nor_a_mail_server_to_be_there(
    kafka_settings: Settings,
) -> None:
    away = kafka_settings.model_copy(update={"smtp_host": ""})
    commands = Commands(away, "test-tools")
    async with open_tools(away, commands) as tools:
        assert tools.settings is away
