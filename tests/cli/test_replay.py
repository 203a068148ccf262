"""`mesh replay` from the terminal: what it prints and how it ends."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import pytest_asyncio

import cli.replay
from infra.settings import Settings
from processors.feeding.generations import GenerationStatus, Registered
from processors.replay.locks import only_replay
from processors.stores.port import Change, Held
from tests.cli.harness.commands import Mesh, commands_on
from tests.processors.replay.shop import Shop, append, listings, shop


@pytest_asyncio.fixture(scope="module")
async def made(stack: Settings) -> AsyncIterator[Shop]:
    async with shop(stack) as made:
        await append(made.settings, listings(20))
        yield made


@pytest.fixture
def mesh(made: Shop, monkeypatch: pytest.MonkeyPatch) -> Mesh:
    return commands_on(made.settings, monkeypatch, cli.replay)


async def test_start_verify_switch_rollback_and_drop_tell_what_they_did(
    stack: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shop(stack) as untouched:
        await append(untouched.settings, listings(20))
        await replay_told(commands_on(untouched.settings, monkeypatch, cli.replay))


async def replay_told(mesh: Mesh) -> None:
    started = await mesh("replay", "start", "listing_page")
    assert started.exit_code == 0, started.output
    assert "generation 2 of listing_page is built" in started.stderr
    for asked, generation in ((["--generation", "2"], 2), ([], 2), (["--live"], 1)):
        verified = await mesh("replay", "verify", "listing_page", *asked)
        assert f"listing_page generation {generation} (postgres): equal" in verified.stdout
        assert verified.exit_code == 0
    assert "listing_page: generation 2 is live" in (await mesh("replay", "switch", "--all")).stdout
    status = json.loads((await mesh("replay", "status", "listing_page", "--json")).stdout)
    assert [(each["generation"], each["status"]) for each in status] == [
        (1, "previous"),
        (2, "live"),
    ]
    dropped = await mesh("replay", "drop", "listing_page")
    assert "listing_page: generation 1 is removed" in dropped.stdout


@pytest.mark.parametrize(
    ("statuses", "live", "chosen"),
    [
        (["live"], False, 1),
        (["live", "ready", "ready"], False, 3),
        (["live", "ready"], True, 1),
        (["previous", "ready", "live"], False, 3),  # nobody can switch back to what was built
        (["ready"], False, 1),
        (["building", "dropped"], False, None),
    ],
)
def test_what_a_switch_would_show_is_looked_at_first(
    statuses: list[str], live: bool, chosen: int | None
) -> None:
    now = datetime.now(UTC)
    own = [
        Registered("any", number, 1, "postgres", GenerationStatus(status), now, now)
        for number, status in enumerate(statuses, start=1)
    ]
    found = cli.replay._to_verify(own, live=live)
    assert (found and found.number) == chosen


def test_what_was_rolled_back_last_is_what_a_switch_would_show() -> None:
    moments = [datetime(2026, 3, day, tzinfo=UTC) for day in (1, 3, 2)]
    statuses = [GenerationStatus.LIVE, GenerationStatus.READY, GenerationStatus.READY]
    own = [
        Registered("any", number, 1, "postgres", status, moment, moment)
        for number, (status, moment) in enumerate(zip(statuses, moments, strict=True), start=1)
    ]
    found = cli.replay._to_verify(own, live=False)
    assert found is not None
    assert found.number == 2


async def test_verify_ends_with_1_and_names_the_row_that_differs(mesh: Mesh, made: Shop) -> None:
    assert (await mesh("replay", "start", "listing_page")).exit_code == 0
    assert (await mesh("replay", "switch", "listing_page")).exit_code == 0
    live = await made.live("listing_page")
    key, row = next(iter((await made.rows(live)).items()))
    async with made.store(live.projection) as store, store.session(live) as session:
        await session.load([key])
        await session.write([Change(key, Held(replace(row, title="planted"), 2))], {})
    found = await mesh("replay", "verify", "listing_page")
    assert found.exit_code == 1
    assert f"different {key}" in found.stdout
    assert '"title":"planted"' in found.stdout
    told = json.loads((await mesh("replay", "verify", "listing_page", "--json")).stdout)
    assert [(each["ok"], each["differing"]) for each in told] == [(False, 1)]
    assert told[0]["differences"][0]["key"] == key


async def test_a_build_until_a_moment_is_said_to_be_for_inspection(mesh: Mesh) -> None:
    assert (await mesh("replay", "start", "listing_page", "--until", "2100-01-01")).exit_code == 0
    status = json.loads((await mesh("replay", "status", "listing_page", "--json")).stdout)
    assert status[-1]["status"] == "inspection"
    assert status[-1]["note"] == "until 2100-01-01: for inspection, can't be switched to"
    assert (await mesh("replay", "drop", "listing_page")).exit_code == 0


async def test_an_unknown_projection_ends_with_2_and_the_names_there_are(mesh: Mesh) -> None:
    found = await mesh("replay", "start", "listing_pages")
    assert found.exit_code == 2
    assert "no projection listing_pages" in found.stderr
    assert "listing_page" in found.stderr


async def test_what_is_refused_ends_with_1_and_one_line(mesh: Mesh, made: Shop) -> None:
    async with only_replay(made.settings, ["listing_page"]):
        found = await mesh("replay", "start", "listing_page")
    assert found.exit_code == 1
    assert found.stderr.startswith("ReplayRunningError: a replay of listing_page runs")
    assert found.stderr.count("\n") == 1
    assert (await mesh("replay", "resume", "listing_page")).exit_code == 1
