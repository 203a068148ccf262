"""`mesh parked`: events that wait are listed, folded again, or given up."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

import cli.parked
from cli.status import mesh_status
from infra.settings import Settings
from processors.stores.port import Generation
from schemas.log.recorded import Record
from tests.cli.harness.commands import Mesh, commands_on
from tests.processors.pure import pure_fold
from tests.processors.replay.shop import BY_NAME, Shop, append, keys_of, listings, shop

PAGE = BY_NAME["listing_page"]


@pytest_asyncio.fixture(scope="module")
async def made(stack: Settings) -> AsyncIterator[Shop]:
    async with shop(stack) as made:
        yield made


@pytest.fixture
def mesh(made: Shop, monkeypatch: pytest.MonkeyPatch) -> Mesh:
    return commands_on(made.settings, monkeypatch, cli.parked)


async def parked_stream(made: Shop) -> str:
    """A stream that a broken fold has parked; the real one can fold it."""
    return (await parked_records(made))[0].key.decode()


async def parked_records(made: Shop) -> list[Record]:
    """The events of such a stream."""
    records = listings(1, length_max=3)
    stream, (key,) = records[0].key.decode(), keys_of(records)

    def broken(row, recorded):
        if recorded.stream_id == stream:
            message = "broken on purpose"
            raise ValueError(message)
        return PAGE.fold(row, recorded)

    live = await made.live("listing_page")
    await append(made.settings, records)
    await made.feed(Generation(replace(PAGE, fold=broken), live.number))
    assert key not in await made.rows(live)
    return records


@pytest.mark.parametrize(
    "words",
    [("skip", "listing/nobodys", "listing_page"), ("retry", "--stream", "listing/nobodys")],
    ids=["skip", "retry"],
)
async def test_what_is_not_parked_is_told_by_the_exit_code(
    mesh: Mesh, words: tuple[str, ...]
) -> None:
    found = await mesh("parked", *words)
    assert found.exit_code == 1
    assert "nothing of listing/nobodys is parked there" in found.stderr


async def test_list_names_stream_place_and_reason(mesh: Mesh, made: Shop) -> None:
    stream = await parked_stream(made)
    (found,) = json.loads((await mesh("parked", "list", "--json")).stdout)
    assert (found["projection"], found["stream_id"]) == ("listing_page", stream)
    assert found["reason"].startswith("ValueError at test_parked.py")
    assert stream in (await mesh("parked", "list", "listing_page")).stdout
    assert (await mesh("parked", "skip", stream, "listing_page")).exit_code == 0


async def test_retry_folds_what_can_be_folded_now(mesh: Mesh, made: Shop) -> None:
    stream = await parked_stream(made)
    found = await mesh("parked", "retry", "--stream", stream)
    assert found.exit_code == 0, found.output
    assert "0 still wait" in found.stdout
    assert stream.rpartition("/")[2] in await made.rows(await made.live("listing_page"))
    assert (await mesh("parked", "list")).stdout == "nothing is parked\n"


async def test_skip_gives_the_first_event_up_and_folds_the_rest(mesh: Mesh, made: Shop) -> None:
    first, *rest = await parked_records(made)
    stream, (key,) = first.key.decode(), keys_of([first])
    found = await mesh("parked", "skip", stream, "listing_page")
    assert found.exit_code == 0
    assert "1 events skipped" in found.stdout
    assert "0 still wait" in found.stdout
    assert (await mesh("parked", "list")).stdout == "nothing is parked\n"
    rows = await made.rows(await made.live("listing_page"))
    assert rows.get(key) == pure_fold(PAGE, rest).get(key)


async def test_status_says_for_which_read_models_rows_are_withheld(mesh: Mesh, made: Shop) -> None:
    stream = await parked_stream(made)
    found = (await mesh_status(made.settings))["parked"]
    assert (found["streams"], found["withheld"]) == (1, {"listing_page": 1})
    await mesh("parked", "skip", stream, "listing_page")
    assert (await mesh_status(made.settings))["parked"]["withheld"] == {}


async def test_an_unknown_projection_ends_with_2(mesh: Mesh) -> None:
    assert (await mesh("parked", "list", "nothing")).exit_code == 2
