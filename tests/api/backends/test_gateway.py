"""The way to the writer and back, on a real broker with a real writer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from aiokafka.errors import KafkaError

from api.backends.gateway import SILENCE_S, CommandGateway
from api.wire.problems import WriteUnavailableError
from infra.settings import Settings
from infra.stack.state import State
from tests.producers.writer.boxes import envelope, open_box, put_in
from tests.producers.writer.own_stack import bring_up, kill, own_stack
from tests.producers.writer.room import Room, room
from tests.stack import local_stack
from tests.waiting import eventually, quick_once

state = pytest.fixture(scope="module")(own_stack)


@pytest.fixture(scope="module")
def servers() -> Settings:
    return local_stack({"kafka", "postgres"})


@pytest.fixture(scope="module")
async def served(servers: Settings) -> AsyncIterator[Room]:
    async with room(servers) as found, found.writer():
        yield found


@pytest.fixture(scope="module")
async def unserved(servers: Settings) -> AsyncIterator[Room]:
    """Commands can be sent, but nobody answers."""
    async with room(servers) as found:
        yield found


@pytest.fixture
async def gateway(served: Room) -> AsyncIterator[CommandGateway]:
    found = CommandGateway(served.settings, [served.rules.context])
    await found.start()
    yield found
    await found.stop()


@pytest.fixture
async def unanswered(unserved: Room) -> AsyncIterator[CommandGateway]:
    found = CommandGateway(unserved.settings, [unserved.rules.context], in_flight_max=2)
    await found.start()
    yield found
    await found.stop()


async def test_an_accepted_command_returns_the_writers_reply(gateway: CommandGateway) -> None:
    box = uuid4()

    opened = await gateway.send(envelope(open_box(box)), 20)
    filled = await gateway.send(envelope(put_in(box, 2)), 20)

    assert (opened.outcome, opened.version) == ("accepted", 1)
    assert (filled.outcome, filled.version, filled.event_count) == ("accepted", 3, 2)


async def test_a_refusal_is_a_reply_too(gateway: CommandGateway) -> None:
    reply = await gateway.send(envelope(put_in(uuid4())), 20)

    assert (reply.outcome, reply.reason, reply.status) == ("refused", "box_is_closed", 404)


async def test_thousands_in_flight_get_each_their_own_reply(gateway: CommandGateway) -> None:
    commands = [envelope(open_box(uuid4())) for _ in range(3_000)]

    replies = await asyncio.gather(*(gateway.send(each, 60) for each in commands))

    assert [each.command_id for each in replies] == [each.command_id for each in commands]


async def test_a_command_id_in_flight_twice_with_two_bodies_gets_two_answers(
    gateway: CommandGateway,
) -> None:
    box = uuid4()
    mine = envelope(open_box(box), fingerprint="mine")
    other = envelope(put_in(box), mine.command_id, fingerprint="other")

    first, second = await asyncio.gather(gateway.send(mine, 20), gateway.send(other, 20))

    assert first.outcome == "accepted"
    assert second.reason == "idempotency_key_reused"


async def test_a_command_sent_twice_at_once_is_answered_twice_and_decided_once(
    served: Room, gateway: CommandGateway
) -> None:
    opening = envelope(open_box(uuid4()))

    replies = await asyncio.gather(gateway.send(opening, 20), gateway.send(opening, 20))

    assert [each.outcome for each in replies] == ["accepted", "accepted"]
    found = [each for each in await served.events() if each.command_id == opening.command_id]
    assert len(found) == 1


async def refusal_s(gateway: CommandGateway) -> float:
    """How long it takes until a command is refused because nobody answers (seconds)."""
    started_at = time.monotonic()
    with pytest.raises(WriteUnavailableError):
        await gateway.send(envelope(open_box(uuid4())))
    return time.monotonic() - started_at


async def test_no_reply_in_time_is_unavailable_within_the_settings_bound(
    unanswered: CommandGateway,
) -> None:
    async def refused() -> float:
        took = await refusal_s(unanswered)
        assert took > 1.9
        return took

    await quick_once(refused, 3)
    assert unanswered.unanswered_s is not None


async def test_a_request_that_ends_before_its_answer_tells_of_the_silence_too(
    unanswered: CommandGateway,
) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await unanswered.send(envelope(open_box(uuid4())))
    assert unanswered.unanswered_s is None  # so little says nothing
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(SILENCE_S + 0.2):
            await unanswered.send(envelope(open_box(uuid4())))
    assert unanswered.unanswered_s is not None


async def test_an_answer_to_anybody_shows_that_commands_are_judged(
    gateway: CommandGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as lost:
        lost.setattr(gateway, "_hand_out", lambda _record: None)
        with pytest.raises(WriteUnavailableError):
            await gateway.send(envelope(open_box(uuid4())), 1)
    assert gateway.unanswered_s is not None
    await gateway.send(envelope(open_box(uuid4())), 20)
    assert gateway.unanswered_s is None


async def test_more_than_may_be_in_flight_wait_their_turn(unanswered: CommandGateway) -> None:
    holding = [
        asyncio.create_task(unanswered.send(envelope(open_box(uuid4())), 30)) for _ in range(2)
    ]
    await eventually(lambda: len(unanswered._waiting) == 2, 10)

    with pytest.raises(WriteUnavailableError):
        await unanswered.send(envelope(open_box(uuid4())), 0.2)

    assert len(unanswered._waiting) == 2
    for each in holding:
        each.cancel()


async def test_nothing_is_kept_of_a_command_that_nobody_answered(
    unanswered: CommandGateway,
) -> None:
    with pytest.raises(WriteUnavailableError):
        await unanswered.send(envelope(open_box(uuid4())), 0.2)

    assert not unanswered._waiting


async def test_a_command_given_up_is_refused_when_a_writer_comes_too_late(
    unserved: Room, unanswered: CommandGateway
) -> None:
    late = envelope(open_box(uuid4()))
    with pytest.raises(WriteUnavailableError):
        await unanswered.send(late, 0.3)

    async with unserved.writer():

        async def reason() -> str:
            found = [
                each for each in await unserved.replies() if each.command_id == late.command_id
            ]
            return found[0].reason if found else ""

        assert await eventually(reason, 20) == "deadline_passed"


async def test_a_command_keeps_the_deadline_it_came_with(gateway: CommandGateway) -> None:
    passed = datetime.now(UTC) - timedelta(seconds=1)

    reply = await gateway.send(envelope(open_box(uuid4()), deadline=passed), 20)

    assert reply.reason == "deadline_passed"


async def test_a_command_too_large_for_the_log_is_refused_unsent(gateway: CommandGateway) -> None:
    reply = await gateway.send(envelope(open_box(uuid4(), note="x" * 1_100_000)), 20)

    assert (reply.outcome, reply.reason, reply.status) == ("refused", "too_large", 422)


async def test_a_gateway_that_could_not_start_may_be_started_again(served: Room) -> None:
    nowhere = served.settings.model_copy(update={"kafka_bootstrap": "127.0.0.1:1"})
    gateway = CommandGateway(nowhere, [served.rules.context])
    with pytest.raises(KafkaError):
        await gateway.start()

    gateway._settings = served.settings
    await gateway.start()

    reply = await gateway.send(envelope(open_box(uuid4())), 20)
    assert reply.outcome == "accepted"
    await gateway.stop()


async def test_whoever_waits_is_told_when_the_gateway_stops(unserved: Room) -> None:
    gateway = CommandGateway(unserved.settings, [unserved.rules.context])
    await gateway.start()
    waiting = asyncio.create_task(gateway.send(envelope(open_box(uuid4())), 30))
    await eventually(lambda: gateway._waiting, 10)

    await gateway.stop()

    with pytest.raises(WriteUnavailableError):
        await waiting


async def test_a_dead_broker_is_told_in_two_seconds_and_forgotten_when_it_is_back(
    state: State,
) -> None:
    async with room(bring_up(state)) as fragile, fragile.writer():
        gateway = CommandGateway(fragile.settings, [fragile.rules.context])
        await gateway.start()
        await gateway.send(envelope(open_box(uuid4())), 20)
        kill(state, "kafka")
        await quick_once(lambda: refusal_s(gateway), 2.5)
        bring_up(state)

        async def works() -> bool:
            try:
                reply = await gateway.send(envelope(open_box(uuid4())))
            except WriteUnavailableError:
                return False
            return reply.outcome == "accepted"

        await eventually(works, 60)
        await gateway.stop()
