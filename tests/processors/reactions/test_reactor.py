"""Reactions: every event is answered with commands, at least once, and once in effect."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args
from uuid import UUID, uuid4, uuid5

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from infra.clients.kafka import aio_consumer, aio_producer, ensure_topics
from infra.metrics import HANDLED
from infra.settings import Settings
from processors import replay
from processors.reacting.commands import Commands
from processors.reacting.parked import list_parked
from processors.reacting.positions import Positions
from processors.reacting.reactions import Reaction
from processors.reactions.identity import confirm_email
from processors.reactions.reactor import REACTIONS, run_reactor
from processors.reactions.wallet import grant_signup_tokens
from schemas.identity import (
    IdentityCommand,
    RegisterUser,
    UserRegistered,
    email_claim_stream,
    user_stream,
)
from schemas.log.contexts import Topic
from schemas.log.messages import Command, Language, Market, Role
from schemas.log.recorded import (
    CommandEnvelope,
    Recorded,
    decode_command,
    event_id_of,
    headers_of_event,
    value_of,
)
from schemas.registry import kind_of
from schemas.wallet import GrantTokens, wallet_stream
from tests.partitions import PARTITIONS, partition_of_stream
from tests.projections.history import recorded
from tests.waiting import eventually
from tests.worlds import World

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
COMMANDS = "commands.identity"
COMMAND_TYPES = {kind_of(each): each for each in get_args(IdentityCommand)}


@dataclass(frozen=True)
class Elsewhere(Reaction):
    """A reaction that listens to a topic of the test's own."""

    topic: str = ""

    @property
    def topics(self) -> tuple[str, ...]:
        return (self.topic,)


@dataclass
class Bench:
    """A topic of events, what is in `commands.identity` since the test began, a reaction."""

    mesh: World
    producer: AIOKafkaProducer
    consumer: AIOKafkaConsumer
    reaction: Elsewhere
    sent: list[CommandEnvelope] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return self.mesh.settings

    async def parked(self) -> list[str]:
        """The reasons of what waits for the reaction, stream by stream."""
        found = await list_parked(self.mesh.pool, [self.reaction.name])
        return [each.reason for each in found]

    async def happen(self, user_id: UUID) -> str:
        """Somebody registers; the event's id."""
        command_id = str(uuid4())
        sealed = {"email_sealed": "1e", "name_sealed": "1n", "email_hash": hash_of(user_id)}
        event = UserRegistered(
            user_id=user_id,
            role=Role.BUYER,
            market=Market.EXOTICS,
            language=Language.ENGLISH,
            registered_at=NOW,
            **sealed,
        )
        command = RegisterUser(
            user_id=user_id,
            role=Role.BUYER,
            market=Market.EXOTICS,
            asked_at=NOW,
            asked_by=str(user_id),
            asked_role=Role.BUYER,
            token_id=user_id,
            token_hash=hash_of(user_id),
            expires_at=NOW,
            **sealed,
        )
        headers = headers_of_event(
            event,
            index=0,
            count=1,
            version=1,
            envelope=CommandEnvelope(command, command_id, "correlation-1", command_id, ""),
            writer_epoch=1,
            recorded_at=NOW,
        )
        await self.record(user_stream(user_id), value_of(event), headers)
        return event_id_of(command_id, 0)

    async def record(self, stream_id: str, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        """Anything at all."""
        await self.producer.send_and_wait(
            self.reaction.topic,
            value,
            key=stream_id.encode(),
            headers=headers,
            partition=partition_of_stream(stream_id),
        )

    async def commands_for(self, user_id: UUID) -> list[CommandEnvelope]:
        """What has been asked for somebody, as often as it was."""
        for batch in (await self.consumer.getmany(timeout_ms=100)).values():
            for record in batch:
                self.sent.append(decode_command(record, COMMAND_TYPES))
        stream = email_claim_stream(hash_of(user_id))
        return [each for each in self.sent if each.command.stream_id == stream]


def hash_of(user_id: UUID) -> str:
    return user_id.hex * 2


@pytest.fixture
async def bench(mesh: World) -> AsyncIterator[Bench]:
    name = f"test_{uuid4().hex[:12]}"
    topic = f"events.{name}"
    await ensure_topics(mesh.settings)
    await ensure_topics(mesh.settings, [Topic(topic, -1)])
    producer = aio_producer(mesh.settings, name)
    consumer = aio_consumer(mesh.settings, name)
    await producer.start()
    await consumer.start()
    try:
        consumer.assign([TopicPartition(COMMANDS, each) for each in range(PARTITIONS)])
        await consumer.seek_to_end()
        for each in consumer.assignment():
            await consumer.position(each)
        yield Bench(
            mesh,
            producer,
            consumer,
            Elsewhere(name, (UserRegistered,), confirm_email, topic),
        )
    finally:
        await consumer.stop()
        await producer.stop()


@asynccontextmanager
async def reacting(bench: Bench, reaction: Reaction | None = None) -> AsyncIterator[None]:
    """A reactor at work, stopped gently with the block."""
    stop = asyncio.Event()
    task = asyncio.create_task(run_reactor(bench.settings, stop, (reaction or bench.reaction,), ()))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


def asked(bench: Bench, user_id: UUID, times: int = 1) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        return len(await bench.commands_for(user_id)) >= times

    return condition


def test_ID_01_a_registration_confirms_the_email() -> None:
    names = {each.name: each for each in REACTIONS}
    assert names["confirm_email"].kinds == {"user.registered"}
    assert names["confirm_email"].topics == ("events.identity",)


def registered(market: Market) -> Recorded[UserRegistered]:
    user_id = UUID(int=7)
    event = UserRegistered(
        user_id=user_id,
        email_sealed="1e",
        email_hash=hash_of(user_id),
        name_sealed="1n",
        role=Role.BUYER,
        market=market,
        language=Language.ENGLISH,
        registered_at=NOW,
    )
    return recorded(user_stream(user_id), 1, event)


def test_WA_02_a_registration_on_campus_grants_two_tokens() -> None:
    (grants,) = [each for each in REACTIONS if each.name == "grant_signup_tokens"]
    assert grants.kinds == {"user.registered"}
    event = registered(Market.CAMPUS)
    (envelope,) = grants.envelopes(event)
    command = envelope.command
    assert isinstance(command, GrantTokens)
    assert (command.amount, command.reason, command.asked_role) == (2, "signup", Role.SYSTEM)
    assert command.stream_id == wallet_stream(event.event.user_id)
    assert [each.command_id for each in grants.envelopes(event)] == [envelope.command_id]


def test_WA_02_a_registration_elsewhere_grants_nothing() -> None:
    assert grant_signup_tokens(registered(Market.EXOTICS)) == []


async def test_an_event_becomes_a_command_with_an_id_of_its_own(bench: Bench) -> None:
    user_id = uuid4()
    async with reacting(bench):
        event_id = await bench.happen(user_id)
        await eventually(asked(bench, user_id))
    (envelope,) = await bench.commands_for(user_id)
    assert envelope.command_id == str(uuid5(UUID(event_id), f"{bench.reaction.name}/0"))
    assert (envelope.causation_id, envelope.correlation_id) == (event_id, "correlation-1")
    assert envelope.command.asked_role is Role.SYSTEM


async def test_what_happened_while_it_was_away_is_made_up_for(bench: Bench) -> None:
    before, while_away = uuid4(), uuid4()
    await bench.happen(before)
    async with reacting(bench):
        await eventually(asked(bench, before))
    await bench.happen(while_away)
    async with reacting(bench):
        await eventually(asked(bench, while_away))


async def test_a_gentle_restart_repeats_nothing(bench: Bench) -> None:
    first, second = uuid4(), uuid4()
    async with reacting(bench):
        await bench.happen(first)
        await eventually(asked(bench, first))
    async with reacting(bench):
        await bench.happen(second)
        await eventually(asked(bench, second))
    assert len(await bench.commands_for(first)) == 1


async def test_a_crash_before_the_position_is_kept_repeats_the_same_command(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = uuid4()

    async def crash(*_: object) -> None:
        raise RuntimeError

    await bench.happen(user_id)
    with monkeypatch.context() as patched:
        patched.setattr(Positions, "save", crash)
        with pytest.raises(ExceptionGroup):
            await asyncio.wait_for(
                run_reactor(bench.settings, asyncio.Event(), (bench.reaction,), ()), 30
            )
    async with reacting(bench):
        await eventually(asked(bench, user_id, times=2))
    ids = {each.command_id for each in await bench.commands_for(user_id)}
    assert len(ids) == 1


async def test_while_the_broker_takes_no_commands_the_reaction_waits(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = uuid4()
    await bench.happen(user_id)
    refusals = []

    async def refused(*_: object) -> None:
        refusals.append(1)
        raise KafkaError

    with monkeypatch.context() as patched:
        patched.setattr(Commands, "hand_over", refused)
        async with reacting(bench):
            await eventually(lambda: len(refusals) >= 3)
    assert set((await Positions(bench.mesh.pool).of([bench.reaction.name])).values()) == {0}
    async with reacting(bench):
        await eventually(asked(bench, user_id))
    assert len(await bench.commands_for(user_id)) == 1


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (b"{not json", None),
        (b"{}", None),
        (b"", [("ce_type", b"user.registered")]),
    ],
)
async def test_an_event_that_cannot_be_read_is_parked_and_holds_nobody_up(
    bench: Bench, value, headers
) -> None:
    user_id = uuid4()
    if headers is None:
        headers = [("ce_type", b"user.registered"), ("ce_dataschema", b"user.registered/1")]
    await bench.record(user_stream(user_id), value, headers)
    await bench.happen(user_id)
    async with reacting(bench):
        await eventually(asked(bench, user_id))
    (reason,) = await bench.parked()
    assert reason.startswith("UndecodableError: ")


async def test_a_reaction_that_raises_holds_up_only_that_stream(bench: Bench) -> None:
    poisoned, fine = uuid4(), uuid4()

    def react(recorded: Recorded[UserRegistered]) -> Sequence[Command]:
        if recorded.event.user_id == poisoned:
            raise ZeroDivisionError
        return confirm_email(recorded)

    picky = Elsewhere(bench.reaction.name, (UserRegistered,), react, bench.reaction.topic)
    for each in (poisoned, fine, poisoned):
        await bench.happen(each)
    async with reacting(bench, picky):
        await eventually(asked(bench, fine))
        await eventually(lambda: HANDLED.labels(picky.name, "parked")._value.get() == 2)
    assert await bench.parked() == ["ZeroDivisionError"]
    assert await bench.commands_for(poisoned) == []


async def test_other_events_are_passed_over(bench: Bench) -> None:
    user_id = uuid4()
    await bench.record(user_stream(user_id), b"{}", [("ce_type", b"user.role_granted")])
    await bench.happen(user_id)
    async with reacting(bench):
        await eventually(asked(bench, user_id))
    assert await bench.parked() == []


def test_a_replay_knows_no_reactions() -> None:
    found = []
    for file in Path(replay.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [each.name for each in node.names]
                if isinstance(node, ast.Import)
                else []
            )
            found += [name for name in names if name.startswith("processors.react")]
    assert found == []
