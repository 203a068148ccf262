"""Lanes: what becomes of an event, whatever its handler raises."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

import asyncpg
import pytest
from aiokafka.errors import KafkaConnectionError

from infra.mail import MailDeferredError, MailRefusedError, MailUnavailableError
from infra.metrics import HANDLED
from infra.vault import VaultUnavailableError
from processors.reacting import lanes
from processors.reacting.effects import (
    Effect,
    EffectRefusedError,
    OutsideDownError,
    Tools,
    effect_id_of,
)
from processors.reacting.lanes import Head, Heard, Lane, Means
from processors.reacting.parked import Parked, ParkedStream, list_parked
from processors.reacting.positions import Place, Positions
from processors.reactions.reactor import EFFECTS as RUNNING
from processors.reactions.reactor import REACTIONS
from schemas.identity import (
    UserBanned,
    UserDeactivated,
    UserDeleted,
    UserReactivated,
    UserRegistered,
    UserUnbanned,
    user_stream,
)
from schemas.recorded import Record, Recorded
from tests.processors.reacting.happening import record_of
from tests.waiting import eventually
from tests.worlds import World

Run = Callable[[Recorded[Any], Tools], Awaitable[None]]
OUTCOMES = ("done", "late", "parked", "skipped")


class Log:
    """What a lane fetches by itself, in place of the log."""

    def __init__(self, *records: Record) -> None:
        self.records = records
        self.asked: list[tuple[int, int]] = []

    async def read(
        self, _place: Place, _kinds: frozenset[str], stretch: tuple[int, int]
    ) -> tuple[list[Heard], int]:
        self.asked.append(stretch)
        start, end = stretch
        return [Heard(each) for each in self.records if start <= each.offset < end], end


def lane(mesh: World, run: Run, log: Log | None = None, **how: Any) -> Lane:
    """A lane of an effect of the test's own: its positions and what it parks are real."""
    effect = Effect(f"test_{uuid4().hex[:12]}", (UserRegistered,), run, **how)
    cursors: Any = log or Log()
    nothing: Any = None
    means = Means(nothing, Positions(mesh.pool), Parked(mesh.pool), cursors)
    return Lane(effect, Place(effect.name, "events.test", 0), Head(0), 0, means, _raise)


def _raise(error: BaseException) -> None:
    raise error


async def worked(at_work: Lane) -> None:
    """Return when the lane has nothing to do."""
    while (task := at_work.task) is not None:
        await asyncio.wait_for(task, 20)


def offer(at_work: Lane, *records: Record) -> None:
    """What the reader does with records."""
    for each in records:
        at_work.offer(Heard(each))
        at_work.head.next_offset = each.offset + 1


async def outcome(at_work: Lane, record: Record) -> str:
    """What becomes of one record."""
    offer(at_work, record)
    await worked(at_work)
    (found,) = outcomes(at_work)
    return found


def outcomes(at_work: Lane) -> Mapping[str, int]:
    """How many events came to which end."""
    counts = {each: HANDLED.labels(at_work.handler.name, each)._value.get() for each in OUTCOMES}
    return {each: int(count) for each, count in counts.items() if count}


async def waiting(mesh: World, at_work: Lane) -> list[ParkedStream]:
    return await list_parked(mesh.pool, [at_work.handler.name])


async def position(mesh: World, at_work: Lane) -> int:
    return (await Positions(mesh.pool).of([at_work.handler.name])).get(at_work.place, 0)


def failing(*errors: Exception) -> tuple[Run, list[str]]:
    """An effect that raises these, one a try, and then succeeds; and its tries."""
    tries: list[str] = []

    async def run(recorded: Recorded[Any], _tools: Tools) -> None:
        tries.append(recorded.event_id)
        if len(tries) <= len(errors):
            raise errors[len(tries) - 1]

    return run, tries


def refusing(*refused: UUID) -> tuple[Run, list[UUID], set[UUID]]:
    """An effect that refuses these people, whom it took, and whom it goes on to refuse."""
    took: list[UUID] = []
    refuses = set(refused)

    async def run(recorded: Recorded[UserRegistered], _tools: Tools) -> None:
        if recorded.event.user_id in refuses:
            message = "no such mailbox"
            raise EffectRefusedError(message)
        took.append(recorded.event.user_id)

    return run, took, refuses


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "PAUSE_FIRST_S", 0.0001)
    monkeypatch.setattr(lanes, "PAUSE_MAX_S", 0.001)


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
        MailUnavailableError(),
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
    [EffectRefusedError(), MailRefusedError(), KeyError(), TypeError(), ZeroDivisionError()],
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


@pytest.mark.parametrize("error", [RuntimeError(), MailDeferredError()], ids=["unknown", "mail"])
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


async def test_an_outside_that_hangs_counts_as_down(
    quick: None, mesh: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "RUN_TIMEOUT_S", 0.01)
    tries = []

    async def run(_recorded: Recorded[Any], _tools: Tools) -> None:
        tries.append(1)
        if len(tries) < 3:
            await asyncio.Event().wait()

    assert await outcome(lane(mesh, run), record_of(uuid4())) == "done"
    assert len(tries) == 3


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


async def test_what_follows_a_parked_event_in_its_stream_waits_behind_it_and_the_rest_goes_on(
    mesh: World,
) -> None:
    refused, fine = uuid4(), uuid4()
    run, took, _ = refusing(refused)
    at_work = lane(mesh, run)
    people = (refused, fine, refused, refused, fine)
    offer(at_work, *(record_of(each, offset=place) for place, each in enumerate(people)))
    await worked(at_work)
    assert took == [fine, fine]
    assert outcomes(at_work) == {"parked": 3, "done": 2}
    (found,) = await waiting(mesh, at_work)
    assert (found.events, found.position_offset, found.tries) == (3, 0, 1)
    assert found.reason == "EffectRefusedError: no such mailbox"


async def test_what_looks_at_what_is_so_now_waits_behind_nothing(mesh: World) -> None:
    person = uuid4()
    run, took, refuses = refusing(person)
    records = [record_of(person, offset=place) for place in range(3)]
    at_work = lane(mesh, run, Log(*records), in_order=False)
    offer(at_work, records[0])
    await worked(at_work)
    refuses.clear()
    offer(at_work, *records[1:])
    await worked(at_work)
    assert took == [person] * 2
    assert [each.events for each in await waiting(mesh, at_work)] == [1]
    await decide(mesh, at_work, 0, "retry")
    assert took == [person] * 3


def test_what_follows_a_person_waits_behind_nothing() -> None:
    """A ban, or a deletion, must have its effect whatever waits for an operator."""
    standing = {UserDeactivated, UserReactivated, UserBanned, UserUnbanned, UserDeleted}
    follow = [each for each in RUNNING if standing & {*each.hears}]
    assert len(follow) >= 4
    assert [each.name for each in follow if each.in_order] == []


@pytest.mark.parametrize("mended", [True, False])
async def test_a_retry_handles_what_waits_in_order_as_far_as_that_is_possible(
    mesh: World, mended: bool
) -> None:
    refused = uuid4()
    run, took, refuses = refusing(refused)
    records = [record_of(refused, offset=place) for place in range(3)]
    at_work = lane(mesh, run, Log(*records))
    offer(at_work, *records)
    await worked(at_work)
    if mended:
        refuses.clear()
    await decide(mesh, at_work, 0, "retry")
    if mended:
        assert took == [refused] * 3
        assert await waiting(mesh, at_work) == []
        offer(at_work, record_of(refused, offset=3))
        await worked(at_work)
        assert took == [refused] * 4
    else:
        (found,) = await waiting(mesh, at_work)
        assert (found.events, found.tries, found.decided) == (3, 2, None)


async def test_a_skip_gives_up_the_first_and_handles_what_follows(mesh: World) -> None:
    refused = uuid4()
    run, took, refuses = refusing(refused)
    records = [record_of(refused, offset=place) for place in range(3)]
    at_work = lane(mesh, run, Log(*records))
    offer(at_work, *records)
    await worked(at_work)
    refuses.clear()
    await decide(mesh, at_work, 0, "skip")
    assert took == [refused] * 2
    assert outcomes(at_work) == {"parked": 3, "skipped": 1, "done": 2}
    assert await waiting(mesh, at_work) == []


async def test_a_retry_does_not_wait_for_an_outside_that_is_down(mesh: World) -> None:
    refused, fine = uuid4(), uuid4()
    run, tries = failing(EffectRefusedError(), OutsideDownError("no mail server"))
    records = [record_of(refused, offset=0), record_of(fine, offset=1)]
    at_work = lane(mesh, run, Log(*records))
    offer(at_work, records[0])
    await worked(at_work)
    await decide(mesh, at_work, 0, "retry")
    (found,) = await waiting(mesh, at_work)
    assert (found.reason, found.tries) == ("OutsideDownError: no mail server", 2)
    offer(at_work, records[1])
    await worked(at_work)
    assert len(tries) == 3


async def decide(mesh: World, at_work: Lane, offset: int, decided: Any) -> None:
    """What an operator does, and the reader when it finds that."""
    place = at_work.place
    position = place.topic_partition.at(offset)
    await Parked(mesh.pool).decide(place.handler, position, decided)
    for stream_id, is_decided in (await streams(mesh, at_work)).items():
        assert is_decided
        at_work.decided(stream_id)
    await worked(at_work)


async def streams(mesh: World, at_work: Lane) -> Mapping[str, bool]:
    found = await Parked(mesh.pool).streams([at_work.place.topic_partition])
    return found.get(at_work.place, {})


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
