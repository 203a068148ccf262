"""`mesh status`: lags in events, and an answer whatever is down."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr

import cli.status
from cli.lags import lag_of, read_tails
from cli.status import _daemons, _tell, mesh_status
from infra.settings import Settings
from infra.stack.state import State
from processors.feeding.reading import open_log
from processors.stores.port import Watermark
from schemas.log.positions import TopicPartition
from schemas.topics import TOPICS
from tests.cli.harness.commands import commands_on
from tests.partitions import PARTITIONS
from tests.processors.replay.shop import BY_NAME, Shop, append, listings, shop


@pytest_asyncio.fixture(scope="module")
async def made(stack: Settings) -> AsyncIterator[Shop]:
    async with shop(stack) as made:
        await append(made.settings, listings(5))
        yield made


def line(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in found["projections"] if each["name"] == name)


async def test_the_document_has_what_tools_read(
    made: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    mesh = commands_on(made.settings, monkeypatch, cli.status)
    found = json.loads((await mesh("status", "--json")).stdout)
    assert found["urls"]["api"] == made.settings.public_url
    assert {each["name"] for each in found["processes"]} >= {"api", "writer", "worker-journal"}
    assert {each["name"] for each in found["projections"]} == set(BY_NAME)
    assert {"name", "store", "generation", "lag_events", "lag_seconds", "replay_due"} <= set(
        line(found, "listing_page")
    )
    assert found["parked"] == {"events": 0, "streams": 0, "withheld": {}}
    assert {name: len(each) for name, each in found["partitions"].items()} == {
        topic.name: PARTITIONS for topic in TOPICS
    }
    assert found["errors"] == []


def test_a_supervisor_that_has_died_is_told_as_dead(tmp_path: Path) -> None:
    state = State(tmp_path)
    assert state_of(state, "supervise") == "not started here"
    state.want(frozenset({"kafka", "api"}))
    assert [state_of(state, each) for each in ("supervise", "api")] == ["dead", "dead"]


def state_of(state: State, name: str) -> str:
    found = _daemons(state)
    (told,) = (each for kind in found.values() for each in kind if each["name"] == name)
    return str(told["state"])


async def test_a_read_model_at_the_end_is_behind_by_no_event_in_spite_of_markers(
    made: Shop,
) -> None:
    live = await made.live("listing_page")
    await made.feed(live)
    assert line(await mesh_status(made.settings), "listing_page")["lag_events"] == 0
    records = listings(4)
    await append(made.settings, records, per_transaction=1)
    behind = line(await mesh_status(made.settings), "listing_page")
    assert behind["lag_events"] == len(records)
    assert 0 < behind["lag_seconds"] < 120
    await made.feed(live)
    assert line(await mesh_status(made.settings), "listing_page")["lag_events"] == 0


async def test_where_nothing_came_yet_events_are_counted_and_no_markers(made: Shop) -> None:
    """A partition of which a read model has seen nothing, beside one of which it has seen all."""
    await append(made.settings, listings(8), per_transaction=1)
    places = [TopicPartition("events.listings", each) for each in range(PARTITIONS)]
    async with open_log(made.settings) as log:
        bounds = await log.bounds(["events.listings"])
        seen = {places[0]: Watermark(bounds[places[0]].end, 0.0)}
        tails = await read_tails(log, ["events.listings"], [seen])
    behind, _ = lag_of(seen, ["events.listings"], tails)
    assert behind == sum(len(tails[each].events) for each in places[1:])
    assert all(tails[each].read_from == bounds[each].start for each in places[1:])


async def test_rows_of_an_older_fold_make_a_replay_due(made: Shop) -> None:
    assert not line(await mesh_status(made.settings), "listing_views")["replay_due"]
    await made.world.pool.execute(
        "UPDATE mesh.generations SET version = 0 WHERE projection = 'listing_views'"
    )
    assert line(await mesh_status(made.settings), "listing_views")["replay_due"]


@pytest.mark.parametrize(
    ("away", "value", "named", "unknown"),
    [
        ("kafka_bootstrap", "127.0.0.1:1", "kafka", "listing_page"),
        ("database_url", SecretStr("postgresql://a:b@127.0.0.1:1/x"), "postgres", "listing_page"),
        ("opensearch_url", "http://127.0.0.1:1", "watermarks in opensearch", "listing_search"),
        (
            "clickhouse_url",
            SecretStr("clickhouse://a:b@127.0.0.1:1/x"),
            "watermarks in clickhouse",
            "listing_facts",
        ),
    ],
)
async def test_what_is_down_is_named_and_the_rest_is_told(
    made: Shop, away: str, value: Any, named: str, unknown: str
) -> None:
    found = await mesh_status(made.settings.model_copy(update={away: value}))
    assert any(error.startswith(named) for error in found["errors"]), found["errors"]
    assert line(found, unknown)["lag_events"] is None
    assert found["processes"]


async def test_without_servers_the_cure_is_told_and_no_table_of_nothing(
    made: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = {
        "kafka_bootstrap": "127.0.0.1:1",
        "database_url": SecretStr("postgresql://a:b@127.0.0.1:1/x"),
    }
    _tell(await mesh_status(made.settings.model_copy(update=nowhere)))
    told = capsys.readouterr().out
    assert "listing_page" not in told
    assert "`mesh up` starts what is not running" in told
