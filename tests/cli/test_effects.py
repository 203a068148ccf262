"""`mesh effects`: what could not be handled is listed, handled again or given up, and audited."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

import cli.effects
from cli.running.prepare import prepare
from cli.status import mesh_status
from infra.settings import Settings
from processors.reacting import reader
from processors.reacting.effects import Effect, EffectRefusedError, Tools
from processors.reacting.parked import list_parked
from processors.reactions.decisions import MARK_PARKED
from processors.reactions.reactor import run_reactor
from schemas.identity import UserRegistered, user_stream
from schemas.log.recorded import Recorded
from tests.api.running import PROCESSES, processes
from tests.cli.harness.commands import Mesh, commands_on
from tests.processors.reacting.happening import registered
from tests.waiting import eventually
from tests.worlds import World, append_events, world

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Shop:
    """A mesh whose one effect refuses whom the test says."""

    world: World
    name: str
    refuses: set[UUID] = field(default_factory=set)
    took: list[UUID] = field(default_factory=list)

    def effect(self) -> Effect:
        async def run(recorded: Recorded[UserRegistered], _tools: Tools) -> None:
            if recorded.event.user_id in self.refuses:
                message = "no such mailbox"
                raise EffectRefusedError(message)
            self.took.append(recorded.event.user_id)

        return Effect(self.name, (UserRegistered,), run)

    async def parked(self, events: int = 1) -> UUID:
        """Somebody of whom so many events wait."""
        user_id = uuid4()
        self.refuses.add(user_id)
        for version in range(1, events + 1):
            stream = (user_stream(user_id), [registered(user_id)])
            await append_events(self.world.settings, [stream], version=version)

        async def waiting() -> bool:
            found = await list_parked(self.world.pool, [self.name], [user_stream(user_id)])
            return [each.events for each in found] == [events]

        await eventually(waiting)
        return user_id

    async def audited(self, kind: str) -> list[tuple[str, str, str]]:
        """Who asked for this, about what, and what came of it."""
        rows = await self.world.pool.fetch(
            "SELECT actor, stream_id, outcome FROM reads.audit WHERE asked = $1", kind
        )
        return [tuple(row) for row in rows]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made(stack: Settings) -> AsyncIterator[Shop]:
    async with world(stack) as fresh:
        await prepare(fresh.settings)
        with processes(fresh.settings, PROCESSES[:3]):
            yield Shop(fresh, f"test_{uuid4().hex[:12]}")


@asynccontextmanager
async def reacting(made: Shop) -> AsyncIterator[None]:
    stop = asyncio.Event()
    effects = (made.effect(), MARK_PARKED)
    task = asyncio.create_task(run_reactor(made.world.settings, stop, (), effects))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


@pytest.fixture(autouse=True)
def attentive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "SAVE_S", 0.1)


@pytest.fixture
def mesh(made: Shop, monkeypatch: pytest.MonkeyPatch) -> Mesh:
    monkeypatch.setattr(cli.effects, "EFFECTS", (made.effect(),))
    return commands_on(made.world.settings, monkeypatch, cli.effects)


async def test_what_waits_is_listed_with_its_reason(made: Shop, mesh: Mesh) -> None:
    async with reacting(made):
        user_id = await made.parked(events=2)
    (found,) = [
        each
        for each in json.loads((await mesh("effects", "list", "--json")).stdout)
        if each["stream_id"] == user_stream(user_id)
    ]
    assert (found["handler"], found["events"], found["tries"]) == (made.name, 2, 1)
    assert found["reason"] == "EffectRefusedError: no such mailbox"
    table = (await mesh("effects", "list", made.name)).stdout
    assert user_stream(user_id) in table


async def test_a_retry_goes_on_with_what_can_be_handled_now(made: Shop, mesh: Mesh) -> None:
    async with reacting(made):
        mended, still = await made.parked(events=3), await made.parked()
        made.refuses.discard(mended)
        found = await mesh("effects", "retry", "--stream", user_stream(mended))
        assert (found.exit_code, found.stdout) == (0, "1 streams go on, 0 still wait\n")
        assert made.took.count(mended) == 3
        found = await mesh("effects", "retry", "--stream", user_stream(still), "--why", "mended?")
        assert found.exit_code == 1
        assert "0 streams go on, 1 still wait" in found.stdout
        assert "no such mailbox" in found.stdout
    (waits,) = await list_parked(made.world.pool, [made.name], [user_stream(still)])
    assert waits.tries == 2


async def test_a_skip_gives_up_one_event_and_stands_in_the_audit_with_its_reason(
    made: Shop, mesh: Mesh
) -> None:
    before = len(await made.audited("handler.skip_parked"))
    async with reacting(made):
        user_id = await made.parked(events=2)
        made.refuses.discard(user_id)
        found = await mesh(
            "effects", "skip", user_stream(user_id), made.name, "--why", "a test account"
        )
    assert (found.exit_code, found.stdout) == (0, "1 streams go on, 0 still wait\n")
    assert made.took.count(user_id) == 1

    async def audited() -> list[tuple[str, str, str]]:
        return (await made.audited("handler.skip_parked"))[before:]

    (entry,) = await eventually(audited)
    assert entry == ("cli/effects", f"handler/{made.name}", "accepted")
    why = await made.world.pool.fetchval(
        "SELECT data::json ->> 'why' FROM reads.journal"
        " WHERE kind = 'handler.skip_decided' ORDER BY recorded_at DESC LIMIT 1"
    )
    assert why == "a test account"


async def test_a_decision_that_no_reactor_comes_to_is_told(
    made: Shop, mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with reacting(made):
        user_id = await made.parked()
    monkeypatch.setattr(cli.effects, "WAIT_S", 0.3)
    made.refuses.discard(user_id)
    found = await mesh("effects", "retry", made.name, "--stream", user_stream(user_id))
    assert found.exit_code == 1
    assert "no reactor has come to them" in found.stderr
    async with reacting(made):  # it stands in the log
        await eventually(lambda: user_id in made.took)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("retry", "--stream", "user/nobodys"), 1, "nothing of user/nobodys waits there"),
        (("retry", "no_such_effect"), 2, "no reaction or effect no_such_effect"),
        (("skip", "user/nobodys", "confirm_email"), 2, "--why"),
        (("skip", "user/nobodys", "confirm_email", "--why", " "), 2, "say why"),
        (("skip", "user/nobodys", "confirm_email", "--why", "a\0b"), 2, "--why"),
        (("retry", "--why", "x" * 501), 2, "--why"),
    ],
    ids=str,
)
async def test_what_cannot_be_decided_is_refused(
    mesh: Mesh, words: tuple[str, ...], code: int, told: str
) -> None:
    found = await mesh("effects", *words)
    assert found.exit_code == code
    assert told in found.stderr


async def test_the_status_tells_what_waits_and_how_far_each_is(
    made: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.status.EFFECTS", (made.effect(),))
    async with reacting(made):
        await made.parked()
    stream = (user_stream(uuid4()), [registered(uuid4())])
    await append_events(made.world.settings, [stream])
    handlers: list[dict[str, Any]] = (await mesh_status(made.world.settings))["handlers"]
    (own,) = [each for each in handlers if each["name"] == made.name]
    assert own["lag_events"] == 1
    assert own["lag_seconds"] > 0
    assert own["parked_streams"] >= 1
