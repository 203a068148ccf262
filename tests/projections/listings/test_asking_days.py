"""For what listings were offered on past days: equal to a recount of their events, and the same for
ever.
"""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from infra.settings import Settings
from processors.stores.port import Change, Generation, Held
from processors.stores.postgres import open_postgres_store
from projections.listings.asking_days import (
    COMPARED_MAX,
    DAMAGED,
    FACTS_MISSING,
    NOT_OFFERED,
    AskingDays,
    Offer,
    asking_days,
    offer_on,
    offers_like,
)
from schemas.listings import ListingCreated, ListingPublished
from schemas.log.messages import Event, Market
from schemas.log.recorded import Recorded
from schemas.values.vehicles import Mileage, VehicleFields
from tests.projections.cars import (
    FULL,
    ID,
    STREAM,
    created,
    day,
    deleted,
    published,
    repriced,
    unpublished,
    updated,
)
from tests.projections.history import history, rows_of
from tests.worlds import world

DAYS, CARS, FLEET = 40, 120, 200
WIDE = (0, 5_000_000)


def kept(*events: Event) -> AskingDays:
    (row,) = rows_of(asking_days, history(STREAM, *events)).values()
    assert isinstance(row, AskingDays)
    return row


def test_BY_10_a_day_is_what_stood_at_its_end() -> None:
    row = kept(created(), published(1), repriced(700, on=1.2), repriced(900, on=1.9))
    assert (row.days[-1], row.prices[-1], len(row.days)) == (day(1).date(), 900, 2)


def test_BY_10_a_row_grows_by_a_day_at_most() -> None:
    changes = [repriced(1_000 + each, on=2 + each / 1_000) for each in range(2_000)]
    assert len(kept(created(), published(1), *changes).days) == 4


def test_a_day_that_ends_as_the_one_before_is_no_entry() -> None:
    row = kept(created(), published(1), repriced(700, on=2), repriced(8_500_000, on=2.5))
    assert row.days == (day(0).date(), day(1).date())


def test_BY_10_an_event_dated_back_changes_no_day_before_the_last() -> None:
    before = kept(created(), published(1), repriced(700, on=9))
    for on in (0.5, 1.5, 8.9):
        row = kept(created(), published(1), repriced(700, on=9), repriced(900, on=on))
        assert (row.days, row.prices[:-1]) == (before.days, before.prices[:-1])
        assert row.prices[-1] == 900
    gone = kept(created(), published(3), deleted(2))
    assert gone.days == tuple(sorted(gone.days))


def test_what_is_not_offered_damaged_or_not_stated_is_of_no_kind() -> None:
    assert kept(created()).kinds == (NOT_OFFERED,)
    assert kept(created(), published(), updated(VehicleFields(damaged=True))).kinds == (DAMAGED,)
    assert kept(created(), published(), updated(None, "model")).kinds == (FACTS_MISSING,)


def test_a_deleted_listing_keeps_its_past_and_no_word_of_it() -> None:
    row = kept(created(), published(1), deleted(9))
    assert (row.kinds[-1], row.prices[-2]) == (NOT_OFFERED, FULL.price_minor)
    assert "orsche" not in repr(row)


@pytest.mark.parametrize("model", ["911", " 9 1 1", "9-1-1", "９１１"])
def test_spellings_of_a_model_are_one(model: str) -> None:
    other = kept(created(VehicleFields(**FULL.stated() | {"model": model})), published(1))
    assert other.kinds[-1] == kept(created(), published(1)).kinds[-1]


def test_other_models_and_currencies_are_other_kinds() -> None:
    kinds = {
        kept(created(VehicleFields(**FULL.stated() | more)), published(1)).kinds[-1]
        for more in ({}, {"model": "912"}, {"make": "Audi"}, {"currency": "LKR"})
    }
    assert len(kinds) == 4


# A shop of a few kinds of cars that come, change their price and go.


def _life(number: int, chance: random.Random) -> list[Recorded[Any]]:
    listing_id = UUID(int=number + 1)
    begun = created(_car(chance), on=chance.uniform(0, DAYS / 2), listing_id=listing_id)
    owner = f"seller-{number % CARS}" if number % 3 else "import:feed"
    market = Market.CAMPUS if number % 10 == 0 else Market.EXOTICS
    begun = begun.model_copy(update={"seller_id": owner, "market": market})
    events = [begun, *_later(listing_id, chance)]
    return history(f"listing/{listing_id}", *events)


def _car(chance: random.Random) -> VehicleFields:
    return VehicleFields(
        title="A car",
        make="Make",
        model=chance.choice(["One", "Two"]),
        year=chance.choice([2015, 2016, 2017, 2018]),
        mileage=Mileage(value=chance.randrange(0, 200_000)),
        price_minor=chance.randrange(1, 1_000),
        currency=chance.choice(["EUR", "EUR", "LKR"]),
    )


def _later(listing_id: UUID, chance: random.Random) -> Iterator[Event]:
    on = DAYS / 2.0
    yield published(on, listing_id)
    for _ in range(chance.randrange(6)):
        on += chance.uniform(0, 6)
        event = chance.choice(
            [
                repriced(chance.randrange(1, 1_000), "EUR", on),
                unpublished(on),
                published(on),
                updated(VehicleFields(year=2016, mileage=Mileage(value=90_000)), on=on),
                updated(VehicleFields(damaged=chance.random() < 0.5), on=on),
                updated(None, "model", on=on),
            ]
        )
        yield event.model_copy(update={"listing_id": listing_id})


LIVES = [_life(number, random.Random(number)) for number in range(FLEET)]
ALL = [each for life in LIVES for each in life]


def rows_until(last: date) -> dict[str, AskingDays]:
    return rows_of(asking_days, [each for each in ALL if each.recorded_at.date() <= last])


def told_on(life: Sequence[Recorded[Any]], last: date) -> dict[str, Any]:
    """What is known of a listing at the end of a day, by reading every event in turn."""
    seen: dict[str, Any] = {"public": False}
    for each in life:
        event = each.event
        if each.recorded_at.date() > last:
            break
        if isinstance(event, ListingCreated):
            seen |= {"seller": event.seller_id, "market": event.market, "id": str(event.listing_id)}
        if hasattr(event, "fields"):
            seen |= event.fields.stated()
            seen |= dict.fromkeys(getattr(event, "cleared", ()))
        if hasattr(event, "price_minor"):
            seen |= {"price_minor": event.price_minor, "currency": event.currency}
        if each.kind in ("listing.published", "listing.unpublished"):
            seen["public"] = isinstance(event, ListingPublished)
    return seen


def comparable(seen: Mapping[str, Any]) -> bool:
    return seen["public"] and not seen.get("damaged") and seen.get("model") is not None


def recounted(life: Sequence[Recorded[Any]], last: date) -> list[tuple[str, int]] | None:
    own = told_on(life, last)
    if not comparable(own):
        return None
    others = [told_on(each, last) for each in LIVES if each is not life]
    same = ("model", "currency", "market")
    like = [
        other
        for other in others
        if comparable(other)
        and all(other[name] == own[name] for name in same)
        and abs(other["year"] - own["year"]) <= 1
        and (other["seller"] != own["seller"] or own["seller"] == "import:feed")
    ]
    kilometres = own["mileage"].value
    like.sort(
        key=lambda one: (
            abs(one["year"] - own["year"]),
            abs(one["mileage"].value - kilometres),
            one["id"],
        )
    )
    return [(one["id"], one["price_minor"]) for one in like[:COMPARED_MAX]]


async def _fill(settings: Settings, rows: Mapping[str, AskingDays]) -> None:
    store = await open_postgres_store(settings)
    try:
        generation = Generation(asking_days, 1)
        await store.create(generation)
        async with store.session(generation) as session:
            changes = [Change(key, Held(row, 1)) for key, row in rows.items()]
            await session.write(changes, {})
        await store.publish([generation])
    finally:
        await store.close()


@pytest.fixture(scope="module")
async def reads(stack: Settings) -> AsyncIterator[asyncpg.Pool]:
    async with world(stack) as mesh:
        await _fill(mesh.settings, rows_until(day(1_000).date()))
        yield mesh.pool


async def found_on(reads: asyncpg.Pool, listing_id: str, last: date) -> list[Any] | None:
    offer = await offer_on(reads, listing_id, last)
    if offer is None or offer.kind in (NOT_OFFERED, DAMAGED, FACTS_MISSING):
        return None
    return [
        (each["listing_id"], each["price_minor"])
        for each in await offers_like(reads, offer, last, WIDE)
    ]


async def test_BY_10_comparables_of_any_past_day_equal_a_recount(reads) -> None:
    told = 0
    for last in (day(10).date(), day(DAYS / 2).date(), day(25).date(), day(33).date()):
        for life in LIVES[::4]:
            expected = recounted(life, last)
            assert await found_on(reads, str(life[0].event.listing_id), last) == expected
            told += bool(expected)
    assert told > 50


def test_BY_10_nothing_that_happens_later_changes_a_day() -> None:
    last = day(26).date()
    then, later = rows_until(last), rows_until(day(1_000).date())
    assert then != later
    added = {key: later[key].days[len(row.days) :] for key, row in then.items()}
    assert sum(map(len, added.values())) > 20
    for key, row in then.items():
        count = len(row.days)
        for name in ("days", "kinds", "years", "mileages_km", "prices"):
            assert getattr(later[key], name)[:count] == getattr(row, name), name
        assert [each for each in added[key] if each <= last] == []
        assert set(row.kinds_had) <= set(later[key].kinds_had)


async def test_BY_10_only_mileages_within_the_bounds_are_compared(reads) -> None:
    offer = Offer(str(ID), "somebody", "exotics", "", 2016, 90_000, 1)
    kind = rows_until(day(1_000).date())[str(UUID(int=2))].kinds_had[0].rpartition("/")[0]
    offer = Offer(**{name: getattr(offer, name) for name in Offer.__slots__} | {"kind": kind})
    last = day(DAYS / 2).date()
    every = await offers_like(reads, offer, last, WIDE)
    within = await offers_like(reads, offer, last, (60_000, 120_000))
    expected = [each for each in every if 60_000 <= each["mileage_km"] <= 120_000]
    assert list(within) == expected
    assert 0 < len(within) < len(every)


class Explained:
    """Stands for a pool: tells of how many rows the days were looked at."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self.looked_at = 0

    async def fetchrow(self, query: str, *values: Any) -> Any:
        return await self.pool.fetchrow(query, *values)

    async def fetch(self, query: str, *values: Any) -> Any:
        told = await self.pool.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", *values)
        self.looked_at = sum(_loops(json.loads(told)[0]["Plan"]))
        return await self.pool.fetch(query, *values)


def _loops(plan: dict[str, Any]) -> Iterator[int]:
    if plan["Node Type"] == "Function Scan":
        yield plan["Actual Loops"]
    for each in plan.get("Plans", ()):
        yield from _loops(each)


async def test_BY_10_days_are_looked_at_only_of_what_was_there_on_the_day(reads) -> None:
    """A kind has many that came later or went before; they cost no more than to be passed over."""
    offer = await offer_on(reads, str(LIVES[1][0].event.listing_id), day(DAYS / 2 + 0.5).date())
    assert offer is not None
    rows = rows_until(day(1_000).date()).values()
    for number in (DAYS / 2 - 5, DAYS / 2, DAYS + 40):
        last = day(number).date()
        explained = Explained(reads)
        await offers_like(explained, offer, last, WIDE)
        there = [row for row in rows if row.days[0] <= last]
        alive = [row for row in there if row.days[-1] > last or row.kinds[-1] == offer.kind]
        assert explained.looked_at <= len(alive) < len(rows), number
