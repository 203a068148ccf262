"""Imports into a real log: broker, journal and writer are the real ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from api.backends.gateway import CommandGateway
from cli.imports.files.table import open_table
from cli.imports.language.mapping import Mapping
from cli.imports.language.mapping_file import load_mapping, parse_mapping
from cli.imports.outcomes import Outcome
from cli.imports.sending.report import Tally
from cli.imports.sending.sending import Limits, Sender
from cli.imports.translate import Translator
from infra.settings import Settings
from producers.listings.listings import listings
from producers.writer.deciders import Rulebook
from schemas.log.contexts import Context
from schemas.topics import CONTEXTS, EVENT_TYPES
from tests.cli.imports.ads import EXAMPLES, SAMPLE_ADS
from tests.cli.imports.reading import order
from tests.producers.writer.room import Room, room
from tests.stack import local_stack
from tests.waiting import eventually

OTHER_FILE = EXAMPLES / "other_seller.csv"
OTHER_SELLER = load_mapping(EXAMPLES / "mappings" / "other_seller.yaml")
LIMITS = Limits(in_flight_max=2_000, reply_timeout_s=20, retry_for_s=60)


def listing_rules(name: str) -> Rulebook:
    """The rules of listings on topics that no other test uses."""
    (real,) = (context for context in CONTEXTS if context.name == "listings")
    context = Context(name, real.commands, real.events)
    return Rulebook(context, {"listing": listings}, EVENT_TYPES)


@pytest.fixture(scope="module")
def servers() -> Settings:
    return local_stack({"kafka", "postgres"})


@pytest.fixture(scope="module")
async def market(servers: Settings) -> AsyncIterator[Room]:
    """A room for listings, in which a writer is at work."""
    async with room(servers, listing_rules) as found, found.writer():
        yield found


@asynccontextmanager
async def gateway_to(market: Room) -> AsyncIterator[CommandGateway]:
    gateway = CommandGateway(market.settings, [market.rules.context])
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.stop()


class Noted(list[Outcome]):
    """A report in memory."""

    def write(self, outcome: Outcome) -> None:
        self.append(outcome)

    @property
    def accepted(self) -> set[str]:
        return {outcome.listing_id for outcome in self if outcome.refusal is None}

    @property
    def tally(self) -> Tally:
        tally = Tally(read=len(self))
        for outcome in self:
            tally.count(outcome)
        return tally


async def imported(
    market: Room, file: Path, mapping: Mapping, noted: Noted, limits: Limits = LIMITS
) -> None:
    """What `mesh import` does, into this room."""
    async with gateway_to(market) as gateway:
        with open_table(file, mapping.file) as table:
            translator = Translator(order(mapping))
            await Sender(gateway.send, noted, limits).run(table, translator.translate)


async def created(market: Room) -> list[str]:
    """The listing of every listing.created in the log, repeats and all."""
    return [
        each.stream_id.partition("/")[2]
        for each in await market.events()
        if each.kind == "listing.created"
    ]


def renamed(mapping: Mapping, source: str) -> Mapping:
    """The same mapping for a source of its own, so that its listings are nobody else's."""
    return mapping.model_copy(update={"source": source})


async def test_every_accepted_row_of_the_sample_is_in_the_log_once_and_no_refused_one(
    market: Room,
) -> None:
    noted = Noted()
    await imported(market, SAMPLE_ADS.file, renamed(SAMPLE_ADS.mapping, "once"), noted)
    in_log = [each for each in await created(market) if each in noted.accepted]
    assert len(noted) == len(SAMPLE_ADS.rows())
    assert noted.tally.balances
    assert len(in_log) == len(set(in_log)) == len(noted.accepted) > 4_000


async def test_importing_again_adds_nothing_and_answers_the_same(market: Room) -> None:
    mapping = renamed(OTHER_SELLER, "again")
    first, second = Noted(), Noted()
    await imported(market, OTHER_FILE, mapping, first)
    before = await market.events()
    await imported(market, OTHER_FILE, mapping, second)
    assert await market.events() == before
    assert second.accepted == first.accepted
    assert second.tally.as_json() == first.tally.as_json()
    assert first.accepted


async def test_a_row_whose_content_has_changed_is_refused_by_the_writer(
    market: Room, tmp_path: Path
) -> None:
    mapping = renamed(OTHER_SELLER, "changed")
    text = OTHER_FILE.read_text("utf-8")
    changed = tmp_path / "changed.csv"
    changed.write_text(text.replace("5.495,00", "4.995,00"), "utf-8")
    await imported(market, OTHER_FILE, mapping, Noted())
    noted = Noted()
    await imported(market, changed, mapping, noted)
    refused = [each for each in noted if each.refusal and each.refusal.by.value == "writer"]
    assert [each.refusal.reason for each in refused if each.refusal] == ["listing_exists"]
    assert "updates with --update" in str(refused[0].refusal)
    assert refused[0].row == 1


async def test_a_row_that_lacks_what_a_listing_must_state_is_refused_by_the_writer(
    market: Room, tmp_path: Path
) -> None:
    file = tmp_path / "ads.csv"
    file.write_text("name\nVW Golf\n", "utf-8")
    mapping = parse_mapping(
        "version: 1\nsource: lacking\nkey: row\nfields: {title: {as: text, column: name}}\n"
    )
    noted = Noted()
    await imported(market, file, mapping, noted)
    (outcome,) = noted
    assert outcome.refusal is not None
    assert (outcome.refusal.by.value, outcome.refusal.reason) == ("writer", "fields_missing")
    assert "/price_minor" in outcome.refusal.detail


async def test_an_import_that_is_cut_off_is_finished_by_running_it_again(market: Room) -> None:
    mapping = renamed(SAMPLE_ADS.mapping, "cut-off")
    cut_off, finished = Noted(), Noted()
    task = asyncio.create_task(imported(market, SAMPLE_ADS.file, mapping, cut_off))
    await eventually(lambda: len(cut_off) > 500, 30)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(cut_off) < len(SAMPLE_ADS.rows())
    await imported(market, SAMPLE_ADS.file, mapping, finished)
    in_log = [each for each in await created(market) if each in finished.accepted]
    assert len(finished) == len(SAMPLE_ADS.rows())
    assert len(in_log) == len(set(in_log)) == len(finished.accepted)
    assert cut_off.accepted <= finished.accepted


async def test_an_import_waits_for_a_writer_and_lists_nothing_twice(servers: Settings) -> None:
    async with room(servers, listing_rules) as market:
        noted = Noted()
        impatient = Limits(reply_timeout_s=0.3, retry_for_s=60, pause_s=0.05, pause_max_s=0.1)
        task = asyncio.create_task(
            imported(market, OTHER_FILE, renamed(OTHER_SELLER, "waits"), noted, impatient)
        )
        # Each command is asked for again and again, so the log holds it many times.
        await eventually(lambda: commands_waiting(market, 60), 30)
        async with market.writer():
            await task
        in_log = await created(market)
        assert len(in_log) == len(set(in_log)) == len(noted.accepted) == 15


async def commands_waiting(market: Room, at_least: int) -> bool:
    return len(await market.records(market.rules.context.commands_topic)) >= at_least
