"""Lanes: what becomes of an event, whatever its handler raises."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

import asyncpg
import pytest
from aiokafka.errors import KafkaConnectionError

from infra.channels.errors import ChannelDeferredError, ChannelRefusedError, ChannelUnavailableError
from infra.vault.vault import VaultUnavailableError
from processors.reacting import lanes
from processors.reacting.effects import (
    EffectRefusedError,
    OutsideDownError,
    Tools,
    effect_id_of,
)
from processors.reacting.hearing import STREAM_ID_LENGTH_MAX, Heard
from processors.reacting.lanes import Lane
from processors.reacting.positions import Place, Positions
from processors.reactions.reactor import EFFECTS as RUNNING
from processors.reactions.reactor import REACTIONS
from schemas.identity import (
    UserRegistered,
    user_stream,
)
from schemas.log.recorded import Recorded
from tests.processors.reacting.at_work import (
    Log,
    failing,
    lane,
    offer,
    outcome,
    outcomes,
    position,
    refusing,
    waiting,
    worked,
)
from tests.processors.reacting.happening import record_of
from tests.waiting import eventually
from tests.worlds import World


def test_an_effect_has_one_id_however_often_it_runs() -> None:
    record = record_of(uuid4(), command_id=str(uuid4()))
    event_id = dict(record.headers)["ce_id"].decode()
    recorded = Heard(record).recorded
    assert effect_id_of(recorded, "greet") == uuid5(UUID(event_id), "greet")
    assert effect_id_of(recorded, "greet") != effect_id_of(recorded, "warn")


def test_every_handler_has_a_name_of_its_own() -> None:
    names = [each.name for each in (*RUNNING, *REACTIONS)]
    assert names
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "error",
    [
        OutsideDownError(),
        ChannelUnavailableError(),
        VaultUnavailableError(),
        KafkaConnectionError(),
        ConnectionRefusedError(),
        TimeoutError(),
        asyncpg.CannotConnectNowError(),
        asyncpg.UndefinedTableError(),
    ],
    ids=lambda each: type(each).__name__,
)
async def test_while_the_outside_is_down_the_event_waits_for_as_long_as_it_takes(
    quick: None, mesh: World, error: Exception
) -> None:
    run, tries = failing(*[error] * 3 * lanes.TRIES_MAX)
    assert await outcome(lane(mesh, run), record_of(uuid4())) == "done"
    assert len(tries) == 3 * lanes.TRIES_MAX + 1
    assert len(set(tries)) == 1


@pytest.mark.parametrize(
    "error",
    [EffectRefusedError(), ChannelRefusedError(), KeyError(), TypeError(), ZeroDivisionError()],
    ids=lambda each: type(each).__name__,
)
async def test_what_is_certain_to_fail_again_is_parked_at_once(
    quick: None, mesh: World, error: Exception
) -> None:
    run, tries = failing(error)
    user_id, at_work = uuid4(), lane(mesh, run)
    assert await outcome(at_work, record_of(user_id)) == "parked"
    assert len(tries) == 1
    (found,) = await waiting(mesh, at_work)
    assert (found.stream_id, found.events, found.tries) == (user_stream(user_id), 1, 1)
    assert (found.reason, found.kind) == (type(error).__name__, "user.registered")
    assert await position(mesh, at_work) == 8


@pytest.mark.parametrize("error", [RuntimeError(), ChannelDeferredError()], ids=["unknown", "mail"])
async def test_what_may_be_over_soon_is_tried_again_but_not_for_ever(
    quick: None, mesh: World, error: Exception
) -> None:
    run, tries = failing(error, error)
    assert await outcome(lane(mesh, run), record_of(uuid4())) == "done"
    run, tries = failing(*[error] * 100)
    at_work = lane(mesh, run)
    assert await outcome(at_work, record_of(uuid4())) == "parked"
    assert len(tries) == lanes.TRIES_MAX
    assert [each.tries for each in await waiting(mesh, at_work)] == [lanes.TRIES_MAX]


async def given_up_until(at_work: Lane, tries: Sequence[int], count: int) -> None:
    """Give up each try of a handler that hangs, until there have been so many."""
    for tried in range(1, count + 1):
        await eventually(lambda: len(tries) == tried)  # noqa: B023
        at_work.end_overdue(time.monotonic() + lanes.RUN_TIMEOUT_S + 1)


async def test_a_try_that_hangs_is_given_up_and_made_again(quick: None, mesh: World) -> None:
    tries = []

    async def run(_recorded: Recorded[Any], _tools: Tools) -> None:
        tries.append(1)
        if len(tries) < 3:
            await asyncio.Event().wait()

    at_work = lane(mesh, run)
    offer(at_work, record_of(uuid4()))
    await given_up_until(at_work, tries, 2)
    await worked(at_work)
    assert outcomes(at_work) == {"done": 1}
    assert len(tries) == 3


async def test_what_is_overdue_at_every_try_is_parked_and_not_tried_for_ever(
    quick: None, mesh: World
) -> None:
    tries = []

    async def run(_recorded: Recorded[Any], _tools: Tools) -> None:
        tries.append(1)
        await asyncio.Event().wait()

    at_work = lane(mesh, run)
    offer(at_work, record_of(uuid4()))
    await given_up_until(at_work, tries, lanes.TRIES_MAX)
    await worked(at_work)
    (found,) = await waiting(mesh, at_work)
    assert (found.reason, found.tries) == ("OverdueError", lanes.TRIES_MAX)
    assert outcomes(at_work) == {"parked": 1}


async def test_what_ends_late_by_itself_all_the_same_is_done(
    mesh: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "RUN_TIMEOUT_S", 0)
    began, tries = asyncio.Event(), []

    async def run(_recorded: Recorded[Any], _tools: Tools) -> None:
        tries.append(1)
        began.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    at_work = lane(mesh, run)
    offer(at_work, record_of(uuid4()), record_of(uuid4(), offset=8))
    for _ in range(2):
        await asyncio.wait_for(began.wait(), 5)
        began.clear()
        at_work.end_overdue(time.monotonic() + 1)
    await worked(at_work)
    assert (outcomes(at_work), len(tries)) == ({"done": 2}, 2)


async def test_a_record_that_cannot_be_read_is_parked(mesh: World) -> None:
    run, tries = failing()
    assert await outcome(lane(mesh, run), record_of(uuid4())._replace(value=b"{")) == "parked"
    assert tries == []


async def test_an_effect_with_a_term_is_not_done_after_it(mesh: World) -> None:
    run, tries = failing()
    old, young = (record_of(uuid4(), age=timedelta(days=days)) for days in (4, 2))
    assert await outcome(lane(mesh, run, within=timedelta(days=3)), old) == "late"
    assert tries == []
    assert await outcome(lane(mesh, run, within=timedelta(days=3)), young) == "done"


async def test_one_that_waits_ends_at_once_when_told_to(mesh: World) -> None:
    run, tries = failing(*[OutsideDownError()] * 1000)
    at_work = lane(mesh, run)
    offer(at_work, record_of(uuid4()))
    await eventually(lambda: len(tries) >= 2)
    await asyncio.wait_for(lanes.end([at_work], 5), 0.2)
    assert (at_work.task, at_work.next_offset) == (None, 7)


async def test_logs_tell_of_poison_without_the_text_of_foreign_errors(
    mesh: World, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    run, _ = failing(KeyError("nimal@example.org"))
    at_work = lane(mesh, run)
    assert await outcome(at_work, record_of(uuid4())) == "parked"
    told = "".join(capsys.readouterr()) + caplog.text
    assert "event_parked" in told
    assert "nimal" not in told
    assert "nimal" not in str(await waiting(mesh, at_work))


async def test_a_lane_that_is_full_lets_the_reader_pass_and_catches_up_by_itself(
    mesh: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "QUEUE_MAX", 2)
    took: list[UUID] = []
    open_again = asyncio.Event()

    async def run(recorded: Recorded[UserRegistered], _tools: Tools) -> None:
        await open_again.wait()
        took.append(recorded.event.user_id)

    people = [uuid4() for _ in range(9)]
    records = [record_of(each, offset=place) for place, each in enumerate(people)]
    log = Log(*records)
    at_work = lane(mesh, run, log)
    offer(at_work, *records[:7])
    assert at_work.next_offset == 0
    open_again.set()
    await worked(at_work)
    offer(at_work, *records[7:])
    await worked(at_work)
    assert took == people
    assert log.asked == [(2, 7)]
    assert at_work.next_offset == 9


async def test_a_lane_that_is_further_than_the_reader_takes_nothing_twice(mesh: World) -> None:
    run, tries = failing()
    at_work = lane(mesh, run)
    at_work.next = 5
    offer(at_work, *(record_of(uuid4(), offset=place) for place in range(7)))
    await worked(at_work)
    assert len(tries) == 2


@pytest.mark.parametrize(("repeatable", "kept"), [(False, 3), (True, 0)])
async def test_an_effect_that_may_be_repeated_keeps_its_position_seldom(
    mesh: World, repeatable: bool, kept: int
) -> None:
    run, _ = failing()
    at_work = lane(mesh, run, repeatable=repeatable)
    offer(at_work, *(record_of(uuid4(), offset=place) for place in range(3)))
    await worked(at_work)
    assert (await position(mesh, at_work), at_work.next_offset) == (kept, 3)


async def test_positions_are_kept_together_and_never_go_back(mesh: World) -> None:
    positions = Positions(mesh.pool)
    places = [Place(f"test_{uuid4().hex[:12]}", "events.test", number) for number in range(20)]
    await asyncio.gather(*(positions.save({each: 5}) for each in places))
    await positions.save({places[0]: 3, places[1]: 7})
    await positions.begin({places[0]: 9})
    kept = await positions.of([each.handler for each in places])
    assert [kept[each] for each in places] == [5, 7, *[5] * 18]


async def test_positions_that_could_not_be_kept_are_kept_with_the_next(mesh: World) -> None:
    class Pool:
        """One that fails once."""

        failures = 1

        async def execute(self, *statement: Any) -> Any:
            if self.failures:
                self.failures -= 1
                raise ConnectionResetError
            return await mesh.pool.execute(*statement)

    pool: Any = Pool()
    positions = Positions(pool)
    first, second = (Place(f"test_{uuid4().hex[:12]}", "events.test", 0) for _ in range(2))
    with pytest.raises(ConnectionResetError):
        await positions.save({first: 4})
    await positions.save({second: 5})
    kept = await Positions(mesh.pool).of([first.handler, second.handler])
    assert kept == {first: 4, second: 5}


async def test_a_handler_that_is_cancelled_by_itself_is_tried_again(
    quick: None, mesh: World
) -> None:
    tries = []

    async def run(_recorded: Recorded[Any], _tools: Tools) -> None:
        tries.append(1)
        if len(tries) == 1:
            cancelled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            cancelled.cancel()
            await cancelled

    assert await outcome(lane(mesh, run), record_of(uuid4())) == "done"
    assert len(tries) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [("ce_subject", b"user/\x00"), ("ce_subject", b"x" * 10_000), ("ce_subject", b"\xff")],
    ids=["nul", "long", "no text"],
)
async def test_whatever_a_record_is_called_it_can_be_parked(
    mesh: World, name: str, value: bytes
) -> None:
    record = record_of(uuid4())
    headers = [(key, value if key == name else old) for key, old in record.headers]
    run, _ = failing(KeyError())
    at_work = lane(mesh, run)
    assert await outcome(at_work, record._replace(headers=headers)) == "parked"
    (found,) = await waiting(mesh, at_work)
    assert 0 < len(found.stream_id) <= STREAM_ID_LENGTH_MAX


async def test_past_a_bound_nothing_more_is_parked_and_the_lane_waits(
    quick: None, mesh: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "PARKED_STREAMS_MAX", 1)
    people = [uuid4(), uuid4()]
    run, _, _ = refusing(*people)
    at_work = lane(mesh, run)
    offer(at_work, *(record_of(each, offset=place) for place, each in enumerate(people)))
    await eventually(lambda: outcomes(at_work) == {"parked": 1})
    waits = lanes.HANDLER_WAITS.labels(at_work.handler.name)._value
    await eventually(lambda: waits.get() >= 3)
    assert at_work.next_offset == 1
    await lanes.end([at_work], 5)
