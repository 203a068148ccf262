"""What a listing has cost for anyone to see, and when. Postgres, a row a listing.

A price that nobody saw was never asked: the public prices are the stretches during which the
listing was shown, and nothing is claimed of days on which it was not. However often a price
changes, the row keeps what the answers need (projections.listings.price_stretches).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias, get_args

from sqlalchemy import MetaData, Table

from projections.listings.price_stretches import EXACT_MAX, Low, Stretch, compacted, lowest
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
    ListingUnpublished,
)
from schemas.log.frozen import changed, frozen
from schemas.log.recorded import Recorded

LOW_SPAN = timedelta(days=30)
MICROSECOND = timedelta(microseconds=1)

Heard: TypeAlias = (
    ListingCreated
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
class ListingPrices:
    """What the listing costs and, since `public_since`, what anyone sees of that; since when
    that price stands for them (`price_since`), and what it cost before: parallel columns, a place a
    stretch, of which the first `merged` stand for several prices each. `first_*` is the price
    at publication. `at_price_us` is for how long, in all, the last of the past prices stood
    unchanged; `away_since` and `back_since` are when the listing last left and came back, within
    what is past, and `times_back` how often it did.
    """

    price_minor: int | None = None
    currency: str | None = None
    shown: bool = False
    public_since: datetime | None = None
    price_since: datetime | None = None
    first_price_minor: int | None = None
    first_currency: str | None = None
    first_since: datetime | None = None
    first_until: datetime | None = None
    past_prices: tuple[int, ...] = ()
    past_currencies: tuple[str, ...] = ()
    past_begun: tuple[datetime, ...] = ()
    past_ended: tuple[datetime, ...] = ()
    past_whole: tuple[bool, ...] = ()
    merged: int = 0
    at_price_us: int = 0
    away_since: datetime | None = None
    back_since: datetime | None = None
    times_back: int = 0


def key(recorded: Recorded[Heard]) -> str:
    """The listing's id."""
    return str(recorded.event.listing_id)


def fold(row: ListingPrices | None, recorded: Recorded[Heard]) -> ListingPrices:
    """The prices after the event. Its time is the log's, as everywhere, and never before what is
    known: no stretch ends before it begins.
    """
    row = row or ListingPrices()
    at = max((recorded.recorded_at, *_moments(row)))
    match recorded.event:
        case ListingCreated(fields=fields):
            return _now(row, at, fields.price_minor, fields.currency, shown=row.shown)
        case ListingPriceChanged(price_minor=price_minor, currency=currency):
            return _now(row, at, price_minor, currency, shown=row.shown)
        case ListingPublished() | ListingShown():
            return _now(row, at, row.price_minor, row.currency, shown=True)
        case (
            ListingUnpublished()
            | ListingSold()
            | ListingDeleted()
            | ListingHidden()
            | ListingExpired()
        ):
            return _now(row, at, row.price_minor, row.currency, shown=False)


def _moments(row: ListingPrices) -> Iterator[datetime]:
    """The last moments that the row tells of."""
    yield from row.past_ended[-1:]
    yield from filter(None, (row.public_since, row.price_since))


def _now(
    row: ListingPrices, at: datetime, price: int | None, currency: str | None, *, shown: bool
) -> ListingPrices:
    if (price, currency, shown) == (row.price_minor, row.currency, row.shown):
        return row
    row = changed(_ended(row, at), price_minor=price, currency=currency, shown=shown)
    if not shown or price is None or currency is None:
        return row
    return changed(_begun(row, at, price, currency), public_since=at)


def _ended(row: ListingPrices, at: datetime) -> ListingPrices:
    """The row once what was public is past. What nobody had time to see was not public."""
    since = row.public_since
    if since is None or row.price_minor is None or row.currency is None:
        return row
    row = changed(row, public_since=None)
    if since == at:
        return row
    row = changed(
        row,
        **_return(row, since),
        at_price_us=_at_price(row, at - since) // MICROSECOND,
        first_until=row.first_until or at,
        past_prices=(*row.past_prices, row.price_minor),
        past_currencies=(*row.past_currencies, row.currency),
        past_begun=(*row.past_begun, since),
        past_ended=(*row.past_ended, at),
        past_whole=(*row.past_whole, True),
    )
    return row if len(row.past_prices) - row.merged <= EXACT_MAX else _compacted(row, at)


def _at_price(row: ListingPrices, lately: timedelta) -> timedelta:
    """For how long its price stood in all, with how long it has stood since it was last seen."""
    if not row.past_prices:
        return lately
    past = (row.past_prices[-1], row.past_currencies[-1])
    same = past == (row.price_minor, row.currency)
    return lately + row.at_price_us * MICROSECOND if same else lately


def _return(row: ListingPrices, since: datetime) -> dict[str, Any]:
    """What is new when a price is public from then on: a listing that was away has come back."""
    if not row.past_ended or row.past_ended[-1] == since:
        return {}
    times = row.times_back + 1
    return {"away_since": row.past_ended[-1], "back_since": since, "times_back": times}


def _begun(row: ListingPrices, at: datetime, price: int, currency: str) -> ListingPrices:
    if not row.past_prices:
        first = {"first_price_minor": price, "first_currency": currency, "first_since": at}
        return changed(row, price_since=at, **first)
    if (row.past_prices[-1], row.past_currencies[-1]) == (price, currency):
        return row  # Hiding and showing a listing again changes no price.
    return changed(row, price_since=at)


def _compacted(row: ListingPrices, now: datetime) -> ListingPrices:
    """The same answers from fewer stretches: those of the last 30 days, and of the 30 days
    before the present price began.
    """
    began = row.price_since or now
    past, merged = compacted(
        _past(row),
        row.merged,
        lambda each: (
            each.until > now - LOW_SPAN or (each.since < began and each.until > began - LOW_SPAN)
        ),
    )
    return changed(
        row,
        past_prices=tuple(each.price_minor for each in past),
        past_currencies=tuple(each.currency for each in past),
        past_begun=tuple(each.since for each in past),
        past_ended=tuple(each.until for each in past),
        past_whole=tuple(each.whole for each in past),
        merged=merged,
    )


def _past(row: ListingPrices) -> list[Stretch]:
    columns = (row.past_prices, row.past_currencies, row.past_begun, row.past_ended)
    return list(map(Stretch, *columns, row.past_whole))


price_history = Projection(
    name="price_history",
    version=5,
    hears=get_args(Heard),
    key=key,
    fold=fold,
    row=ListingPrices,
    target=PostgresTable(Table("price_history", MetaData(), *columns_of(ListingPrices))),
)


async def by_listing(reads: Reads, listing_id: str) -> ListingPrices | None:
    """A listing's prices."""
    row: Mapping[str, Any] | None = await reads.fetchrow(
        "SELECT * FROM reads.price_history WHERE key = $1", listing_id
    )
    if row is None:
        return None
    columns = {name: value for name, value in row.items() if name != "key"}
    return ListingPrices(**{name: _column(value) for name, value in columns.items()})


def _column(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class PublicPrice:
    """A price that anyone could see from `since` until `until`; None: they still can."""

    price_minor: int
    currency: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class PublicPrices:
    """The latest public prices in order. With `truncated` there were others before them;
    `observed_since` is the moment from which none is missing.
    """

    items: list[PublicPrice]
    first: PublicPrice | None
    observed_since: datetime | None
    truncated: bool


def public_prices(row: ListingPrices, limit: int) -> PublicPrices:
    """The latest `limit` stretches during which one price stood for everyone, and the first."""
    told = [
        PublicPrice(each.price_minor, each.currency, each.since, each.until)
        for each in _past(row)[row.merged :]
    ]
    if row.public_since is not None and row.price_minor is not None and row.currency is not None:
        told.append(PublicPrice(row.price_minor, row.currency, row.public_since, None))
    items = told[-limit:]
    first = _first(row)
    since = items[0].since if items else None
    return PublicPrices(items, first, since, truncated=first is not None and first.since != since)


def _first(row: ListingPrices) -> PublicPrice | None:
    if row.first_price_minor is None or row.first_currency is None or row.first_since is None:
        return None
    return PublicPrice(row.first_price_minor, row.first_currency, row.first_since, row.first_until)


def lowest_lately(row: ListingPrices, now: datetime) -> Low | None:
    """The lowest price that stood within 30 days before now; None where nothing was public."""
    past = _past(row)
    if row.public_since is not None and row.price_minor is not None and row.currency is not None:
        past.append(Stretch(row.price_minor, row.currency, row.public_since, now))
    return lowest(past, now, LOW_SPAN)


def lowest_before_change(row: ListingPrices) -> Low | None:
    """The lowest price within 30 days before the present one began; None when it never changed."""
    if row.price_since is None or row.price_since == row.first_since:
        return None
    return lowest(_past(row), row.price_since, LOW_SPAN)


@dataclass(frozen=True, slots=True)
class Return:
    """When a listing that everyone had seen was last away, and how often it has been."""

    away_since: datetime
    back_since: datetime
    times: int


def days_at_price(row: ListingPrices, now: datetime) -> int | None:
    """For how many whole days, in all, anyone could see the present price; days on which the listing
    was away count for nothing. None where there is no public price.
    """
    if row.public_since is None:
        return None
    # The writer's clock may be ahead of the one that is asked.
    return _at_price(row, max(timedelta(), now - row.public_since)).days


def last_return(row: ListingPrices) -> Return | None:
    """How the listing last came back on the market; None where it never did."""
    if row.public_since is not None:
        row = changed(row, **_return(row, row.public_since))
    if row.away_since is None or row.back_since is None:
        return None
    return Return(row.away_since, row.back_since, row.times_back)
