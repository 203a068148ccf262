"""A listing's past: how it was, who changed what, and what it cost. All of it is folded from the
journal with the folds that make the present.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import AwareDatetime, BaseModel, Field, ValidationError
from starlette.responses import Response

from api.backends.machines import Machines, Mesh, machines_of
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp, awaited_row
from api.entry.doors import ANYONE, SEARCHES, UNLIMITED, Door
from api.entry.paging import Paging
from api.entry.routing import new_router
from api.listings.bodies import LISTING_ID
from api.listings.sight import PUBLIC, Row, hidden, listing_for, sees_all
from api.wire.emitted import MomentParameter, json_of
from api.wire.problems import Problem, problem_responses
from api.wire.successes import ok
from projections.journal.journal import journal
from projections.journal.streams import reaches, version_at
from projections.listings import listing_page, price_history
from projections.listings.listing_page import ListingPage
from projections.listings.price_stretches import EXACT_MAX
from schemas.listings import ListingStatus, listing_stream
from schemas.log.messages import Fault
from schemas.log.recorded import Recorded

ONE = "/api/listings/{listing_id:uuid}"
JOURNAL = CaughtUp(listing_page.listing_page, journal)
PRICES = CaughtUp(listing_page.listing_page, price_history.price_history)
VERSION_MAX = 2**53 - 1  # what every client can count to
# Each entry says the first two itself; where images lie is no business of a history.
_NOT_SHOWN = frozenset({"version", "updated_at", "thumbnail_keys", "medium_keys", "large_keys"})
# Of a change, in a history.
TEXT_SHOWN_MAX = 300  # characters
VALUES_SHOWN_MAX = 10

router = new_router("listings")


class Change(BaseModel):
    """One field before and after. Of what is long both are cut, which `cut` says: `?version=` has
    the whole.
    """

    before: Any
    after: Any
    cut: bool = False


class HistoryEntry(BaseModel):
    """One version of a listing. `changes` are left out for the public where the listing was
    hidden; `actor` is `owner` or `other`, never a name; `cause` is the command or event that
    led to it.
    """

    version: int
    kind: str
    at: AwareDatetime
    actor: str
    cause: str
    changes: dict[str, Change]


class HistoryAnswer(BaseModel):
    """A page of versions, the first first."""

    items: list[HistoryEntry]
    next_cursor: str | None


class PublicPrice(BaseModel):
    """A price that anyone could see from `since` until `until`; null: they still can."""

    price_minor: int
    currency: str
    since: AwareDatetime
    until: AwareDatetime | None


class Low(BaseModel):
    """The lowest public price of a span; `complete` is false where nothing is known of a part
    of it. Known is what the log saw, from `observed_since` on.
    """

    price_minor: int
    currency: str
    observed_since: AwareDatetime
    complete: bool


class Return(BaseModel):
    """When a listing that everyone had seen was last away, until `back_since`, and how many `times`
    it has come back in all.
    """

    away_since: AwareDatetime
    back_since: AwareDatetime
    times: int


class PriceHistoryAnswer(BaseModel):
    """The latest public prices, the first one, and the lowest: of the last 30 days, and of the 30
    days before the present price began (what EU Directive 98/6/EC, Article 6a, asks sellers to
    name). `items` lack nothing from `observed_since` on; with `truncated` there were prices
    before that, which the lowest ones count nevertheless.

    `days_at_price` are the whole days, in all, on which anyone could see the present price; null:
    there is none. `back_on_market` is null where the listing never was away.
    """

    items: list[PublicPrice]
    first: PublicPrice | None
    observed_since: AwareDatetime | None
    truncated: bool
    lowest_30_days: Low | None
    lowest_before_change: Low | None
    days_at_price: int | None
    back_on_market: Return | None


_AT = "2026-03-01T12:00:00Z"
_ENTRY = {
    "version": 3,
    "kind": "listing.price_changed",
    "at": _AT,
    "actor": "owner",
    "cause": LISTING_ID,
    "changes": {"price_minor": {"before": 8_500_000, "after": 7_900_000}},
}
_PRICE = {"price_minor": 8_500_000, "currency": "USD", "since": _AT, "until": None}
_LOW = {"price_minor": 8_500_000, "currency": "USD", "observed_since": _AT, "complete": False}
_PRICES = {
    "items": [_PRICE],
    "first": _PRICE,
    "observed_since": _AT,
    "truncated": False,
    "lowest_30_days": _LOW,
    "lowest_before_change": None,
    "days_at_price": 12,
    "back_on_market": {"away_since": _AT, "back_since": _AT, "times": 1},
}


class Past(BaseModel):
    """Which past of a listing is wanted: by moment or by version."""

    as_of: MomentParameter | None = None
    version: Annotated[int, Field(ge=1, le=VERSION_MAX)] | None = None


PAST_PARAMETERS: list[dict[str, Any]] = [
    {
        "name": "as_of",
        "in": "query",
        "required": False,
        "schema": {"type": "string", "format": "date-time"},
        "description": "The listing as it was at this moment",
    },
    {
        "name": "version",
        "in": "query",
        "required": False,
        "schema": {"type": "integer", "minimum": 1, "maximum": VERSION_MAX},
        "description": "The listing as its n-th version had it",
    },
]


def past_wanted(request: Request) -> Past | None:
    """The past that the request's parameters name, if any. Read by hand: as parameters of the
    route they would cost each read of the present 20 µs, a tenth of our share in it.
    """
    if not request.scope["query_string"]:
        return None
    try:
        past = Past.model_validate(dict(request.query_params))
    except ValidationError as error:
        found = [{**each, "loc": ("query", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(found) from None
    if past.as_of is not None and past.version is not None:
        fault = Fault(pointer="?version", detail="send either `as_of` or `version`")
        raise Problem(422, "invalid", "A past has one address", faults=[fault])
    return None if past == Past() else past


async def as_it_was(request: Request, now: Row, past: Past) -> dict[str, Any]:
    """The row of a listing in its past; raises 404 problems for what never was, or was hidden
    from this caller.
    """
    await JOURNAL.wait(request)
    await _until_told(request, now)
    mesh = machines_of(request)
    version = await _version_of(mesh, now, past)
    found = await mesh.pasts.page_at(mesh.postgres, now["key"], version)
    if found is None:
        raise Problem(404, "version_unknown", "The listing was not there then")
    if found.status not in PUBLIC and not sees_all(request.scope["caller"], found.seller_id):
        raise hidden()
    return {"key": now["key"], **{each.name: getattr(found, each.name) for each in fields(found)}}


async def _version_of(mesh: Machines, now: Row, past: Past) -> int:
    """Which version is meant; 0: none. What the page does not show yet is not told either."""
    if past.as_of is not None:
        stream_id = listing_stream(now["key"])
        return await version_at(mesh.postgres, stream_id, now["version"], past.as_of)
    return past.version if past.version is not None and past.version <= now["version"] else 0


async def _until_told(request: Request, now: Row) -> None:
    """Wait until the journal has all that the page shows: with the last versions missing, what is
    told of the past would be wrong. Raises StoreUnavailableError when that takes too long.
    """
    mesh, stream_id = machines_of(request), listing_stream(now["key"])
    await awaited_row(
        mesh, lambda: reaches(mesh.postgres, stream_id, now["version"]), "past events"
    )


@router.get(
    f"{ONE}/history",
    operation_id="read_listing_history",
    response_model=HistoryAnswer,
    responses={
        **ok("A page of versions", {"items": [_ENTRY], "next_cursor": None}),
        **problem_responses(400, 401, 404, 410),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ANYONE, SEARCHES, keys=True)
async def read_listing_history(listing_id: UUID, request: Request, page: Paging) -> Response:
    """What happened to the listing, version by version: what changed, when and from where."""
    await JOURNAL.wait(request)
    row = await listing_for(request, listing_id, deleted=True)
    await _until_told(request, row)
    insider = sees_all(request.scope["caller"], row["seller_id"])
    asked = page.offset if page.after is None else page.after[0]
    mesh, start = machines_of(request), min(asked, row["version"])
    steps = mesh.pasts.steps(mesh.postgres, row["key"], start, page.limit + 1)
    entries = [_entry(*step, insider=insider) async for step in steps]
    shown = entries[: page.limit]
    last = [shown[-1]["version"]] if len(entries) > page.limit else None
    return page.response(shown, last)


def _entry(
    before: ListingPage | None, after: ListingPage | None, recorded: Recorded[Any], *, insider: bool
) -> dict[str, Any]:
    pages = [page for page in (before, after) if page is not None]
    public = any(page.status is ListingStatus.ACTIVE for page in pages)
    owners = any(page.seller_id == recorded.actor for page in pages)
    return {
        "version": recorded.version,
        "kind": recorded.kind,
        "at": recorded.recorded_at,
        "actor": "owner" if owners else "other",
        "cause": recorded.causation_id,
        "changes": _changes(before, after) if insider or public else {},
    }


def _changes(before: ListingPage | None, after: ListingPage | None) -> dict[str, Any]:
    changes = {}
    for name in (each.name for each in fields(ListingPage) if each.name not in _NOT_SHOWN):
        old, new = getattr(before, name, None), getattr(after, name, None)
        if old != new:
            whole = {"before": old, "after": new}
            short = {side: _short(value) for side, value in whole.items()}
            changes[name] = short if short == whole else short | {"cut": True}
    return changes


def _short(value: Any) -> Any:
    """The beginning of a long text or list: a page has a hundred changes."""
    if isinstance(value, str) and len(value) > TEXT_SHOWN_MAX:
        return f"{value[:TEXT_SHOWN_MAX]}…"
    return value[:VALUES_SHOWN_MAX] if isinstance(value, tuple) else value


@router.get(
    f"{ONE}/price-history",
    operation_id="read_listing_prices",
    response_model=PriceHistoryAnswer,
    responses={**ok("Prices", _PRICES), **problem_responses(400, 401, 404, 410)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ANYONE, UNLIMITED, keys=True)
async def read_listing_prices(
    listing_id: UUID,
    request: Request,
    mesh: Mesh,
    limit: Annotated[int, Query(ge=1, le=EXACT_MAX, description="The latest so many prices")] = 100,
) -> Response:
    """What the listing cost for everyone to see, and the lowest of it, honestly: nothing is
    claimed of days on which there was no public price.
    """
    await PRICES.wait(request)
    await listing_for(request, listing_id)
    row = await price_history.by_listing(mesh.postgres, str(listing_id))
    prices = row or price_history.ListingPrices()
    now = datetime.now(UTC)
    body = {
        **asdict(price_history.public_prices(prices, limit)),
        "lowest_30_days": price_history.lowest_lately(prices, now),
        "lowest_before_change": price_history.lowest_before_change(prices),
        "days_at_price": price_history.days_at_price(prices, now),
        "back_on_market": price_history.last_return(prices),
    }
    headers = {"Cache-Control": "no-cache"}
    return Response(json_of(body), headers=headers, media_type="application/json")
