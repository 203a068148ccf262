"""What is parked for a handler waits in its order, until an operator has decided."""

from __future__ import annotations

from uuid import uuid4

import pytest

from processors.reacting import lanes
from processors.reacting.effects import (
    EffectRefusedError,
    OutsideDownError,
    Tools,
)
from processors.reacting.lanes import Head, Lane
from processors.reacting.parked import Parked
from processors.reactions.reactor import EFFECTS as RUNNING
from schemas.identity import (
    UserBanned,
    UserDeactivated,
    UserDeleted,
    UserReactivated,
    UserRegistered,
    UserUnbanned,
    user_stream,
)
from schemas.log.positions import Position
from schemas.log.recorded import Recorded
from tests.processors.reacting.at_work import (
    Log,
    decide,
    failing,
    lane,
    offer,
    outcomes,
    position,
    raised,
    refusing,
    streams,
    waiting,
    worked,
)
from tests.processors.reacting.happening import record_of
from tests.waiting import eventually
from tests.worlds import World


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


async def test_what_cannot_be_parked_yet_waits_for_room_and_decisions_make_it(
    quick: None, mesh: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "PARKED_STREAMS_MAX", 1)
    people = [uuid4(), uuid4(), uuid4()]
    run, took, refuses = refusing(*people[:2])
    records = [record_of(each, offset=place) for place, each in enumerate(people)]
    at_work = lane(mesh, run, Log(*records))
    offer(at_work, *records)
    await eventually(lambda: lanes.HANDLER_WAITS.labels(at_work.handler.name)._value.get() >= 3)
    refuses.clear()
    await decide(mesh, at_work, 0, "retry")
    assert took == [people[0], people[2]]
    assert outcomes(at_work) == {"parked": 2, "done": 2}


async def test_decisions_are_looked_at_while_the_outside_is_down(
    mesh: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pause is cut short by one: nobody waits for the mail server to skip an event."""
    monkeypatch.setattr(lanes, "PAUSE_FIRST_S", 3_600)
    monkeypatch.setattr(lanes, "PAUSE_MAX_S", 3_600)
    refused, stuck = uuid4(), uuid4()

    async def run(recorded: Recorded[UserRegistered], _tools: Tools) -> None:
        if recorded.event.user_id == refused:
            raise EffectRefusedError
        raise OutsideDownError

    records = [record_of(refused, offset=0), record_of(stuck, offset=1)]
    at_work = lane(mesh, run, Log(*records))
    offer(at_work, *records)
    await eventually(lambda: at_work.next_offset == 1)
    await Parked(mesh.pool).decide(at_work.handler.name, Position("events.test", 0, 0), "skip")
    at_work.decided(user_stream(refused))

    async def gone() -> bool:
        return await waiting(mesh, at_work) == []

    await eventually(gone)
    await lanes.end([at_work], 5)


async def test_a_retry_of_what_the_log_does_not_hold_stops_nobody(mesh: World) -> None:
    refused, fine = uuid4(), uuid4()
    run, took, _ = refusing(refused)
    at_work = lane(mesh, run, Log())
    offer(at_work, record_of(refused, offset=0))
    await worked(at_work)
    await decide(mesh, at_work, 0, "retry")
    (found,) = await waiting(mesh, at_work)
    assert found.reason == "the log does not hold this event"
    offer(at_work, record_of(fine, offset=1))
    await worked(at_work)
    assert took == [fine]


async def test_what_is_cut_short_while_it_is_settled_goes_on_with_the_next_owner(
    mesh: World,
) -> None:
    person = uuid4()
    run, took, refuses = refusing(person)
    records = [record_of(person, offset=place) for place in range(4)]
    first = lane(mesh, run, Log(*records))
    offer(first, *records)
    await worked(first)
    refuses.clear()
    handed = Lane(first.handler, first.place, Head(4), 4, first.means, raised)
    parked = Parked(mesh.pool)
    # As if a process had died after it had come past one of them.
    await parked.remove(await parked.first(first.place, user_stream(person)))
    assert await streams(mesh, handed) == {user_stream(person): True}
    handed.parked.add(user_stream(person))
    handed.decided(user_stream(person))
    await worked(handed)
    assert took == [person] * 3
    assert await waiting(mesh, handed) == []


async def test_a_lane_ends_between_two_events_that_it_settles(mesh: World) -> None:
    person = uuid4()
    refuses, tries = [True], []

    async def run(recorded: Recorded[UserRegistered], _tools: Tools) -> None:
        if refuses:
            raise EffectRefusedError
        tries.append(recorded.event_id)
        if len(tries) == 2:
            at_work.end()

    records = [record_of(person, offset=place) for place in range(5)]
    at_work = lane(mesh, run, Log(*records))
    offer(at_work, *records)
    await worked(at_work)
    refuses.clear()
    await decide(mesh, at_work, 0, "retry")
    assert len(tries) == 2
    assert [each.events for each in await waiting(mesh, at_work)] == [3]


async def test_a_retry_is_one_try_and_takes_turns_with_what_comes(mesh: World) -> None:
    refused, fine = uuid4(), uuid4()
    refuses, order = [True], []

    async def run(recorded: Recorded[UserRegistered], _tools: Tools) -> None:
        user_id = recorded.event.user_id
        order.append(user_id)
        if user_id == refused and refuses:
            raise EffectRefusedError
        if user_id == refused and len(order) > 8:
            raise RuntimeError

    records = [record_of(refused, offset=place) for place in range(6)]
    others = [record_of(fine, offset=6 + place) for place in range(6)]
    at_work = lane(mesh, run, Log(*records))
    offer(at_work, *records)
    await worked(at_work)
    refuses.clear()
    order.clear()
    await Parked(mesh.pool).decide(at_work.handler.name, Position("events.test", 0, 0), "retry")
    at_work.decided(user_stream(refused))
    offer(at_work, *others)
    await worked(at_work)
    assert sorted(order[:4]) == sorted([refused, fine] * 2)
    assert order[8:].count(refused) == 1
    assert order.count(fine) == 6
    (found,) = await waiting(mesh, at_work)
    assert (found.reason, found.tries) == ("RuntimeError", 1)


async def test_one_decision_is_one_try(mesh: World) -> None:
    refused = uuid4()
    run, _, _ = refusing(refused)
    record = record_of(refused, offset=0)
    at_work = lane(mesh, run, Log(record))
    offer(at_work, record)
    await worked(at_work)
    await decide(mesh, at_work, 0, "retry")
    at_work.decided(user_stream(refused))  # a look at the table that was under way meanwhile
    await worked(at_work)
    assert [each.tries for each in await waiting(mesh, at_work)] == [2]


async def test_what_comes_again_after_a_crash_changes_nothing_about_what_is_parked(
    mesh: World,
) -> None:
    refused = uuid4()
    run, took, refuses = refusing(refused)
    records = [record_of(refused, offset=place) for place in range(2)]
    before = lane(mesh, run, Log(*records), repeatable=True)
    offer(before, *records)
    await worked(before)
    assert await position(mesh, before) == 2  # so that nothing comes again once it is decided
    refuses.clear()
    await Parked(mesh.pool).decide(before.handler.name, Position("events.test", 0, 0), "skip")
    # All the same, as if that had been lost.
    after = Lane(before.handler, before.place, Head(0), 0, before.means, raised)
    after.parked.add(user_stream(refused))
    after.decided(user_stream(refused))
    await worked(after)
    assert took == []
    offer(after, *records)
    await worked(after)
    (found,) = await waiting(mesh, after)
    assert (found.decided, found.reason) == ("skip", "EffectRefusedError: no such mailbox")
    after.decided(user_stream(refused))
    await worked(after)
    assert took == [refused]
    assert await waiting(mesh, after) == []
