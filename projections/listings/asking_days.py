"""For what each listing was offered, day by day: what fair prices are judged by. Postgres, a row a
listing.

A day is what stood at its end, in UTC, and an entry is kept where that differs from the day
before. So a row grows by one entry a day at most, however often a price changes, and what it says of
a day that is over never changes. Nothing of it can be read but figures, and they stay when a listing
goes: else the past would be another one.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from typing import Any, TypeAlias, get_args

from sqlalchemy import Index, MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads
from schemas.listings import (
    ListingCreated,
    ListingDeleted,
    ListingExpired,
    ListingHidden,
    ListingPriceChanged,
    ListingPublished,
    ListingShown,
    ListingSold,
    ListingStatus,
    ListingUnpublished,
    ListingUpdated,
    status_after,
)
from schemas.log.frozen import changed, frozen
from schemas.log.messages import Market
from schemas.log.recorded import Recorded
from schemas.values.vehicles import VehicleFacts

NOT_OFFERED = "not_on_offer"
DAMAGED = "damaged"
FACTS_MISSING = "facts_missing"
REASONS = frozenset({NOT_OFFERED, DAMAGED, FACTS_MISSING})  # why a day has no kind
YEARS_APART = 1
COMPARED_MAX = 50

Heard: TypeAlias = (
    ListingCreated
    | ListingUpdated
    | ListingPriceChanged
    | ListingPublished
    | ListingUnpublished
    | ListingSold
    | ListingDeleted
    | ListingHidden
    | ListingExpired
    | ListingShown
)


@frozen
class AskingDays:
    """What is offered now, and, a place a day on which it changed, the `kinds` it was of, at which
    price and with what mileage. `kinds_had` are the kinds of all days: by them others find it.
    """

    seller_id: str = ""
    market: Market = Market.EXOTICS
    status: ListingStatus = ListingStatus.DRAFT
    make_hash: str | None = None
    model_hash: str | None = None
    year: int | None = None
    mileage_km: int | None = None
    price_minor: int | None = None
    currency: str | None = None
    damaged: bool = False
    days: tuple[date, ...] = ()
    kinds: tuple[str, ...] = ()
    years: tuple[int, ...] = ()
    mileages_km: tuple[int, ...] = ()
    prices: tuple[int, ...] = ()
    kinds_had: tuple[str, ...] = ()


def key(recorded: Recorded[Heard]) -> str:
    """The listing's id."""
    return str(recorded.event.listing_id)


def fold(row: AskingDays | None, recorded: Recorded[Heard]) -> AskingDays:
    """The row after the event. Its day is the log's, and never before that of the last entry: what a writer with
    a slow clock says does not change a day that is over.
    """
    row, event = row or AskingDays(), recorded.event
    row = changed(row, status=status_after(event, row.status), **_stated(row, event))
    return _told(row, max((recorded.recorded_at.astimezone(UTC).date(), *row.days[-1:])))


def _stated(row: AskingDays, event: Heard) -> dict[str, Any]:
    match event:
        case ListingCreated(seller_id=seller_id, market=market, fields=fields):
            return {"seller_id": seller_id, "market": market, **_facts(row, fields, ())}
        case ListingUpdated(fields=fields, cleared=cleared):
            return _facts(row, fields, cleared)
        case ListingPriceChanged(price_minor=price_minor, currency=currency):
            return {"price_minor": price_minor, "currency": currency}
        case _:
            return {}


def _facts(row: AskingDays, fields: VehicleFacts, cleared: Sequence[str]) -> dict[str, Any]:
    """The columns that these fields fill or empty."""
    mileage = None if fields.mileage is None else fields.mileage.kilometres
    stated = {
        "make_hash": ("make", _hashed(fields.make), row.make_hash),
        "model_hash": ("model", _hashed(fields.model), row.model_hash),
        "year": ("year", fields.year, row.year),
        "mileage_km": ("mileage", mileage, row.mileage_km),
        "price_minor": ("price_minor", fields.price_minor, row.price_minor),
        "currency": ("currency", fields.currency, row.currency),
    }
    kept = {
        column: None if name in cleared else (old if new is None else new)
        for column, (name, new, old) in stated.items()
    }
    damaged = row.damaged if fields.damaged is None else fields.damaged
    return {**kept, "damaged": damaged and "damaged" not in cleared}


def _hashed(name: str | None) -> str | None:
    """A make or model by which all its spellings are one; it can't be read back. Not the search's
    spelling: what that learns later would make another past.
    """
    if name is None:
        return None
    text = unicodedata.normalize("NFKD", name).casefold()
    kept = "".join(each for each in text if each.isalnum() or unicodedata.category(each) == "Mc")
    return hashlib.sha256((kept or text).encode()).hexdigest()[:16]


def _kind_of(row: AskingDays) -> str:
    """What others are like it, but for their year; or why it is like none."""
    if row.status is not ListingStatus.ACTIVE:
        return NOT_OFFERED
    if row.damaged:
        return DAMAGED
    facts = (row.make_hash, row.model_hash, row.currency, row.price_minor, row.year, row.mileage_km)
    if None in facts:
        return FACTS_MISSING
    return f"{row.make_hash}/{row.model_hash}/{row.currency}"


def _told(row: AskingDays, day: date) -> AskingDays:
    """The row with what it is now as what it was on that day."""
    kind = _kind_of(row)
    figures = (0, 0, 0)
    if kind not in REASONS:
        figures = (row.year or 0, row.mileage_km or 0, row.price_minor or 0)
    same_day = bool(row.days) and row.days[-1] == day
    before = len(row.days) - same_day
    columns = ("kinds", "years", "mileages_km", "prices")
    now = dict(zip(columns, (kind, *figures), strict=True))
    past = {name: getattr(row, name)[:before] for name in columns}
    if before and all(past[name][-1] == now[name] for name in columns):
        told = {"days": row.days[:before], **past}
    else:
        told = {"days": (*row.days[:before], day)}
        told |= {name: (*past[name], now[name]) for name in columns}
    had = [
        f"{kind}/{year}"
        for kind, year in zip(told["kinds"], told["years"], strict=True)
        if kind not in REASONS
    ]
    return changed(row, **told, kinds_had=tuple(sorted(set(had))))


table = Table("asking_days", MetaData(), *columns_of(AskingDays))
Index("of_kinds", table.c.kinds_had, postgresql_using="gin")

asking_days = Projection(
    name="asking_days",
    version=1,
    hears=get_args(Heard),
    key=key,
    fold=fold,
    row=AskingDays,
    target=PostgresTable(table),
)

_ON_DAY = """
    SELECT kind, year, mileage_km, price_minor
    FROM unnest({row}.days, {row}.kinds, {row}.years, {row}.mileages_km, {row}.prices)
        AS told (day, kind, year, mileage_km, price_minor)
    WHERE day <= {day} ORDER BY day DESC LIMIT 1
"""
_ASKED = f"""
    SELECT own.seller_id, own.market, was.*
    FROM reads.asking_days AS own CROSS JOIN LATERAL ({_ON_DAY.format(row="own", day="$2")}) AS was
    WHERE own.key = $1
"""  # noqa: S608 - our own names
_LIKE = f"""
    SELECT other.key AS listing_id, was.price_minor, was.year, was.mileage_km
    FROM reads.asking_days AS other
    CROSS JOIN LATERAL ({_ON_DAY.format(row="other", day="$2")}) AS was
    WHERE other.kinds_had && $3 AND other.key <> $1 AND other.market = $4
      AND other.days[1] <= $2
      AND (other.days[cardinality(other.days)] > $2
           OR other.kinds[cardinality(other.kinds)] = $6)
      AND (other.seller_id <> $5 OR other.seller_id LIKE 'import:%')
      AND was.kind = $6 AND was.year BETWEEN $7 - {YEARS_APART} AND $7 + {YEARS_APART}
      AND was.mileage_km BETWEEN $8 AND $9
    ORDER BY abs(was.year - $7), abs(was.mileage_km - $10), other.key LIMIT {COMPARED_MAX}
"""  # noqa: S608 - our own names


@dataclass(frozen=True, slots=True)
class Offer:
    """What a listing was at the end of a day. `kind` is one of REASONS where it can't be compared."""

    listing_id: str
    seller_id: str
    market: str
    kind: str
    year: int
    mileage_km: int
    price_minor: int


async def offer_on(reads: Reads, listing_id: str, day: date) -> Offer | None:
    """What a listing was at the end of that day; None where it was not there."""
    row = await reads.fetchrow(_ASKED, listing_id, day)
    return None if row is None else Offer(listing_id=listing_id, **dict(row))


async def offers_like(
    reads: Reads, offer: Offer, day: date, mileages_km: tuple[int, int]
) -> Sequence[Mapping[str, Any]]:
    """What else of its kind was on offer at the end of that day, within a year and these mileages:
    the nearest by year and mileage first. A person's other offers are left out, for nobody makes the
    measure of their own price; those of an import are not, for its ads are many people's.

    Of what came only later, or was gone by then, no day is looked at.
    """
    apart = range(offer.year - YEARS_APART, offer.year + YEARS_APART + 1)
    wanted = [f"{offer.kind}/{year}" for year in apart]
    own = (offer.listing_id, day, wanted, offer.market, offer.seller_id, offer.kind, offer.year)
    return await reads.fetch(_LIKE, *own, *mileages_km, offer.mileage_km)
