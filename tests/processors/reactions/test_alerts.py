"""Whom the matcher tells of a listing, and what it does where something is away or broken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from opensearchpy import ConnectionError as NotConnectedError

from infra.settings import Settings
from infra.vault.vault import PersonKey
from processors.reacting.effects import EffectRefusedError, OutsideDownError
from processors.reacting.handlers import Begins
from processors.reactions.reactor import EFFECTS
from processors.reactions.searches import alerts
from projections.journal import journal
from projections.listings.listing_page import listing_page
from schemas.listings import (
    ListingHidden,
    ListingPriceChanged,
    ListingPublished,
    ListingShown,
)
from schemas.log.messages import Event
from schemas.log.recorded import CommandEnvelope, Recorded
from schemas.searches import AlertCreated, Channel, Frequency, searches_stream
from tests.producers.searches.looking import FILTERS, alert, search
from tests.projections.cars import ID, STREAM, created, day
from tests.projections.history import BEGINNING, history, recorded, rows_of

BUYER, OTHER = UUID(int=1), UUID(int=2)
HASH = "a" * 64
PUBLISHED = ListingPublished(listing_id=ID, published_at=day(1))
HIDDEN = ListingHidden(listing_id=ID, hidden_at=day(2))
SHOWN = ListingShown(listing_id=ID, shown_at=day(3))
CLOSED = {"timed_out": False, "_shards": {"failed": 0}}
EFFECT = {each.name: each for each in EFFECTS}


def priced(price_minor: int, on: float = 4) -> ListingPriceChanged:
    return ListingPriceChanged(
        listing_id=ID, price_minor=price_minor, currency="USD", changed_at=day(on)
    )


def watcher(number: int = 1, since: datetime = BEGINNING, **more: Any) -> dict[str, Any]:
    return {
        "user_id": str(UUID(int=number)), "alert_id": str(alert(number)),
        "search_id": str(search(number)), "frequency": "instant", "alert_since": since,
        "text_sealed": "", "filters": FILTERS, "filters_hash": HASH, **more,
    }  # fmt: skip


def new_alert(at: datetime) -> Recorded[AlertCreated]:
    about = {"alert_id": alert(1), "search_id": search(1), "frequency": Frequency.INSTANT}
    event = AlertCreated(user_id=BUYER, **about, channels=(Channel.EMAIL,), created_at=at)
    return recorded(searches_stream(BUYER), 2, event)


@dataclass
class World:
    """Tools of the matcher: one listing, the searches that it fits, and commands that are kept."""

    life: Sequence[Recorded[Any]]
    watchers: Sequence[Mapping[str, Any]] = ()
    withheld: bool = False
    read_to: int = 1_000  # by the sets of filters
    fits: bool = True
    answer: Mapping[str, Any] = field(default_factory=lambda: CLOSED)
    fails: Exception | None = None
    keys: Mapping[UUID, PersonKey] = field(default_factory=dict)
    asked: list[Mapping[str, Any]] = field(default_factory=list)
    looked: list[str] = field(default_factory=list)
    sent: list[CommandEnvelope] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return Settings.model_construct(store_prefix="")

    @property
    def postgres(self) -> World:
        return self

    vault = opensearch = commands = indices = postgres

    @property
    def told(self) -> list[tuple[UUID, str]]:
        return [(each.command.user_id, each.command.reason) for each in self.sent]

    async def people(self, user_ids: Iterable[UUID]) -> Mapping[UUID, PersonKey]:
        return {each: self.keys[each] for each in user_ids if each in self.keys}

    async def hand_over(self, envelopes: Iterable[CommandEnvelope]) -> None:
        self.sent += envelopes

    async def fetchval(self, query: str, *_values: Any) -> Any:
        if "live_parked" in query:
            return STREAM if self.withheld else None
        return 1_000

    async def fetchrow(self, query: str, *_values: Any) -> Any:
        if "reads.journal" in query:
            return {"version": 1}
        if "saved_searches" in query:
            return next(iter(self.watchers), None)
        (page,) = rows_of(listing_page, self.life).values()
        return None if self.withheld else {"key": str(ID), **asdict(page)}

    async def fetch(self, query: str, *values: Any) -> Any:
        if "reads.journal" in query:
            _, last, wanted = values
            events = [each for each in self.life if each.version > last][:wanted]
            return [{"key": each.event_id, **asdict(journal.fold(None, each))} for each in events]
        if "saved_searches" in query:
            self.looked.append("watchers")
            return [row for row in self.watchers if row["user_id"] > values[1]]
        page = await self.fetchrow(query)
        _, since, last_key, _ = values
        return [page] if (page["updated_at"], page["key"]) > (since, last_key) else []

    async def get_alias(self, **_asked: Any) -> Any:
        return {"mesh-filter_sets-g3": {}}

    async def mget(self, *, index: str, body: Any) -> Any:
        assert index == "mesh-watermarks"
        assert body["ids"][0].startswith("filter_sets__g3|events.searches|")
        return {"docs": [{"found": True, "_source": {"next_offset": self.read_to}}]}

    async def refresh(self, **asked: Any) -> None:
        self.looked.append(f"refresh {asked['index']}")

    async def search(self, *, body: Mapping[str, Any], **_asked: Any) -> Any:
        self.asked.append(body)
        if self.fails is not None:
            raise self.fails
        hits = [{"_id": HASH, "sort": [HASH]}] if self.fits else []
        return {**self.answer, "hits": {"hits": hits}}


def life(*events: Event) -> list[Recorded[Any]]:
    return history(STREAM, created(on=0), *events)


async def heard(world: Any, number: int = 2) -> list[tuple[UUID, str]]:
    """Whom the listing's event of this number is told."""
    await EFFECT["match_alerts"].run(world.life[number - 1], world)
    told: list[tuple[UUID, str]] = world.told
    return told


async def alerted(world: Any, at: datetime) -> list[tuple[UUID, str]]:
    """What is made good of an alert that is made then."""
    await EFFECT["match_new_alert"].run(new_alert(at), world)
    told: list[tuple[UUID, str]] = world.told
    return told


async def test_SE_11_nobody_is_told_of_what_was_there_before_their_alert() -> None:
    before, after = watcher(1, day(1)), watcher(2, day(1) + timedelta(seconds=1))
    assert await heard(World(life(PUBLISHED), [before, after])) == [(BUYER, "new")]


def test_SE_11_a_matcher_that_is_new_or_late_tells_no_old_news() -> None:
    for name in ("match_alerts", "match_new_alert"):
        assert EFFECT[name].begins is Begins.FIRST_SEEN
        assert EFFECT[name].within == alerts.MATCHED_WITHIN


@pytest.mark.parametrize(("now", "told"), [(8_400_000, []), (7_900_000, [(BUYER, "price_drop")])])
async def test_SE_11_a_drop_is_told_late_only_if_it_costs_no_more_again(now, told) -> None:
    world = World(life(PUBLISHED, priced(8_000_000), priced(now, 5)), [watcher()])
    assert await heard(world, 3) == told


async def test_SE_11_what_is_away_from_the_market_again_is_no_news() -> None:
    assert await heard(World(life(PUBLISHED, HIDDEN), [watcher()])) == []


async def test_SE_11_a_listing_that_nobody_is_shown_waits_for_its_mending() -> None:
    with pytest.raises(EffectRefusedError):
        await heard(World(life(PUBLISHED), [watcher()], withheld=True))


async def test_SE_11_words_that_do_not_open_keep_nobody_else_from_being_told() -> None:
    key = PersonKey(BUYER, b"0" * 32)
    rows = [watcher(1, text_sealed="broken"), watcher(2)]
    assert await heard(World(life(PUBLISHED), rows, keys={BUYER: key})) == [(OTHER, "new")]
    sealed = watcher(1, text_sealed=key.seal("search_text", '{"q":"sunroof"}'))
    assert await heard(World(life(PUBLISHED), [sealed], keys={BUYER: key})) == [(BUYER, "new")]


async def test_SE_11_a_listing_that_takes_too_long_is_tried_and_not_waited_for() -> None:
    for answer in ({**CLOSED, "timed_out": True}, {**CLOSED, "_shards": {"failed": 1}}):
        with pytest.raises(TimeoutError):
            await heard(World(life(PUBLISHED), [watcher()], answer=answer))
    away = NotConnectedError("N/A", "refused", OSError())
    with pytest.raises(OutsideDownError):
        await heard(World(life(PUBLISHED), [watcher()], fails=away))


async def test_SE_11_what_was_news_just_before_an_alert_could_be_read_is_made_good() -> None:
    cases = [
        (life(PUBLISHED), day(1), [(BUYER, "new")]),
        (life(PUBLISHED), day(2), []),
        (life(PUBLISHED, priced(8_000_000)), day(2), [(BUYER, "price_drop")]),
        (life(PUBLISHED, HIDDEN, SHOWN), day(2), [(BUYER, "back_on_market")]),
        (life(PUBLISHED, HIDDEN), day(0), []),
        (life(PUBLISHED, HIDDEN, SHOWN), day(0), [(BUYER, "new"), (BUYER, "back_on_market")]),
    ]
    for events, at, told in cases:
        assert await alerted(World(events, [watcher()]), at) == told


async def test_SE_11_a_new_alert_asks_for_its_own_filters_alone() -> None:
    world = World(life(PUBLISHED), [watcher()])
    await alerted(world, day(1))
    assert world.looked == ["refresh mesh-filter_sets-g3"]
    (asked,) = world.asked
    assert {"ids": {"values": [HASH]}} in asked["query"]["bool"]["filter"]
    assert await alerted(World(life(PUBLISHED), [watcher()], fits=False), day(1)) == []
    assert await alerted(World(life(PUBLISHED), []), day(1)) == []


async def test_SE_11_a_new_alert_waits_until_its_filters_are_read(monkeypatch) -> None:
    monkeypatch.setattr("processors.reactions.withheld_rows.READ_WAIT_S", 0.01)
    with pytest.raises(OutsideDownError):
        await alerted(World(life(PUBLISHED), [watcher()], read_to=0), day(1))
    # Read, and not there: it waits to be mended, which nobody waits for.
    assert await alerted(World(life(PUBLISHED), [watcher()], fits=False), day(1)) == []
