"""What a listing has cost, when, and what of that anyone could see. Postgres, a row a fact.

A price that nobody saw was never asked: the public prices are the stretches during which the
listing was shown, and nothing is claimed of days on which it was not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, TypeAlias, get_args

from sqlalchemy import Index, MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads
from schemas.frozen import frozen
from schemas.listings import (
    ListingCreated,
    ListingDeleted,
    ListingHidden,
    ListingPriceChanged,
    ListingPublished,
    ListingShown,
    ListingSold,
    ListingUnpublished,
)
from schemas.recorded import Recorded

FACTS_MAX = 5_000  # of one listing; more is no price history but an attack

Heard: TypeAlias = (
    ListingCreated
    | ListingPriceChanged
    | ListingPublished
    | ListingUnpublished
    | ListingSold
    | ListingDeleted
    | ListingHidden
    | ListingShown
)


@frozen
class PriceFact:
    """A new price, or the listing appearing (`shown` true) or disappearing (false)."""

    listing_id: str
    version: int
    at: datetime
    price_minor: int | None = None
    currency: str | None = None
    shown: bool | None = None


def key(recorded: Recorded[Heard]) -> str:
    """The event's own id: every fact has a row."""
    return recorded.event_id


def fold(_row: PriceFact | None, recorded: Recorded[Heard]) -> PriceFact:
    """The fact that an event states."""
    listing, version = str(recorded.event.listing_id), recorded.version
    match recorded.event:
        case ListingCreated(fields=fields, created_at=at):
            return PriceFact(listing, version, at, fields.price_minor, fields.currency)
        case ListingPriceChanged(price_minor=price_minor, currency=currency, changed_at=at):
            return PriceFact(listing, version, at, price_minor, currency)
        case ListingPublished(published_at=at) | ListingShown(shown_at=at):
            return PriceFact(listing, version, at, shown=True)
        case (
            ListingUnpublished(unpublished_at=at)
            | ListingSold(sold_at=at)
            | ListingDeleted(deleted_at=at)
            | ListingHidden(hidden_at=at)
        ):
            return PriceFact(listing, version, at, shown=False)


table = Table("price_history", MetaData(), *columns_of(PriceFact))
Index("of_listing", table.c.listing_id, table.c.version, unique=True)

price_history = Projection(
    name="price_history",
    version=2,
    hears=get_args(Heard),
    key=key,
    fold=fold,
    row=PriceFact,
    target=PostgresTable(table),
    insert_only=True,
)


async def facts_of(reads: Reads, listing_id: str) -> list[PriceFact]:
    """A listing's latest facts in their order."""
    rows: Sequence[Mapping[str, Any]] = await reads.fetch(
        """
        SELECT listing_id, version, at, price_minor, currency, shown FROM reads.price_history
        WHERE listing_id = $1 ORDER BY version DESC LIMIT $2
        """,
        listing_id,
        FACTS_MAX,
    )
    return [PriceFact(**row) for row in reversed(rows)]


@dataclass(frozen=True, slots=True)
class PublicPrice:
    """A price that anyone could see from `since` until `until`; None: they still can."""

    price_minor: int
    currency: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Low:
    """The lowest public price of a span. `observed_since` is the first moment in it at which
    there was one; `complete` says whether there was one at every moment of it.
    """

    price_minor: int
    currency: str
    observed_since: datetime
    complete: bool


def public_prices(facts: Sequence[PriceFact]) -> list[PublicPrice]:
    """The stretches during which one price stood for everyone, in order. None without facts: a
    listing's page may be there a moment before its prices are.
    """
    if not facts:
        return []
    found: list[PublicPrice] = []
    amount: int | None = None
    currency: str | None = None
    shown = False
    for fact, until in zip(facts, [*(each.at for each in facts[1:]), None], strict=True):
        if fact.shown is None:
            amount, currency = fact.price_minor, fact.currency
        else:
            shown = fact.shown
        if shown and amount is not None and currency is not None and until != fact.at:
            found.append(PublicPrice(amount, currency, fact.at, until))
    return found


def lowest(prices: Sequence[PublicPrice], until: datetime, span: timedelta) -> Low | None:
    """The lowest price that stood within `span` before `until`, in the last one's currency:
    others can't be compared with it. None where nothing was public.
    """
    start = until - span
    within = [
        price
        for price in prices
        if price.since < until and (price.until is None or price.until > start)
    ]
    within = [price for price in within if price.currency == within[-1].currency]
    if not within:
        return None
    no_gap = all(one.until == next_one.since for one, next_one in pairwise(within))
    end = within[-1].until
    return Low(
        price_minor=min(price.price_minor for price in within),
        currency=within[-1].currency,
        observed_since=max(start, within[0].since),
        complete=no_gap and within[0].since <= start and (end is None or end >= until),
    )


def lowest_before_change(prices: Sequence[PublicPrice], span: timedelta) -> Low | None:
    """The lowest price within `span` before the present one began; None when it never changed.
    Hiding and showing a listing again changes no price.
    """
    for place in reversed(range(len(prices))):
        if (prices[place].price_minor, prices[place].currency) != (
            prices[-1].price_minor,
            prices[-1].currency,
        ):
            return lowest(prices[: place + 1], prices[place + 1].since, span)
    return None
