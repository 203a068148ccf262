"""A seller's listings for others' catalogues: JSON-LD, Meta's and Google's tables, page by page in the
order in which the log last told of them.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from io import StringIO
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.backends.machines import Machines, Mesh
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import ANYONE, SEARCHES, Door
from api.entry.routing import new_router
from api.listings.bodies import LISTING_ID
from api.listings.feed_forms import GOOGLE, META, Shop, TableFeed, json_ld, lines_of, page_json_of
from api.listings.sight import PUBLIC, hidden
from api.profiles.sight import people_of
from api.wire.emitted import moment
from api.wire.etags import REVALIDATE, UNCHANGED, json_response
from api.wire.problems import invalid, problem_responses
from api.wire.successes import headers_told
from infra.settings import Settings
from projections.listings import listing_page
from projections.listings.listing_page import FEED_MAX
from projections.profiles import seller_profiles
from schemas.listings import seller_account, source_name
from schemas.log.messages import Fault
from schemas.values.texts import Form, Line

PAGES = CaughtUp(listing_page.listing_page)
# Caches may keep a page but must ask each time: what was hidden a moment ago is shown no more.
ASKED = {"Cache-Control": REVALIDATE}
LD_JSON = "application/ld+json"
CSV = "text/csv"

SellerId = Annotated[
    str,
    Line(120),
    Query(description="Whose listings; `seller_id` of any of theirs"),
]
After = Annotated[
    str,
    Form(
        r"^20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z/[0-9a-f-]{36}$",
        "is no place in a feed: take it from the last page's Link",
    ),
    Query(description="The place behind which to go on, from the last page's Link"),
]
Limit = Annotated[int, Query(ge=1, le=FEED_MAX, description="Listings looked at for a page")]

router = new_router("listings")


class CarAnswer(BaseModel):
    """A schema.org Car; of its many properties those that are always there."""

    model_config = ConfigDict(extra="allow")

    context: str = Field(alias="@context")
    type: str = Field(alias="@type")
    url: str
    name: str | None = None


class CarsAnswer(BaseModel):
    """A page of a seller's cars as a schema.org ItemList."""

    model_config = ConfigDict(extra="allow")

    context: str = Field(alias="@context")
    type: str = Field(alias="@type")
    elements: list[CarAnswer] = Field(alias="itemListElement")


_CAR = {
    "@context": "https://schema.org",
    "@type": "Car",
    "@id": f"https://example.org/listings/{LISTING_ID}",
    "url": f"https://example.org/listings/{LISTING_ID}",
    "name": "Porsche 911 Carrera 4S",
    "offers": {
        "@type": "Offer",
        "price": "85000.00",
        "priceCurrency": "USD",
        "availability": "https://schema.org/InStock",
    },
}
_LIST = {"@context": "https://schema.org", "@type": "ItemList"}


def _told(description: str, media_type: str, example: Any) -> dict[int | str, dict[str, Any]]:
    """A page of a feed, as the document tells of it."""
    content = {media_type: {"example": example}}
    headers = headers_told(["Link"])
    return {200: {"description": description, "content": content, "headers": headers}}


def _table(description: str, feed: TableFeed) -> dict[int | str, dict[str, Any]]:
    return _told(description, CSV, ",".join(feed.header()))


async def shop_of(mesh: Machines, seller_id: str) -> Shop:
    """By what name the seller goes, and where pages and pictures are."""
    account = seller_account(seller_id)
    name = source_name(seller_id)
    if str(account) == seller_id:
        name = await _name_of(mesh, account)
    return Shop(name, *addresses(mesh.settings))


def addresses(settings: Settings) -> tuple[str, str]:
    """Where the pages are that people look at, and where this API is."""
    own = settings.public_url.rstrip("/")
    return settings.frontend_url.rstrip("/") or f"{own}/api", own


async def _name_of(mesh: Machines, account: UUID) -> str:
    """The business's name or, where none is told, the seller's."""
    row = await seller_profiles.by_id(mesh.postgres, str(account))
    key = await mesh.vault.person(account)
    if row is not None and key is not None and row["business_name_sealed"] is not None:
        return key.unseal("business_name", row["business_name_sealed"])
    people = await people_of(mesh, [str(account)])
    return people.name(str(account))


@router.get(
    "/api/listings/{listing_id:uuid}/json-ld",
    operation_id="read_listing_json_ld",
    response_model=CarAnswer,
    response_class=Response,
    responses={
        200: {
            "description": "A schema.org Car",
            "content": {LD_JSON: {"example": _CAR}},
            "headers": headers_told(["ETag"]),
        },
        **UNCHANGED,
        **problem_responses(400, 401, 404),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ANYONE, SEARCHES, keys=True)
async def read_listing_json_ld(listing_id: UUID, request: Request, mesh: Mesh) -> Response:
    """The listing as schema.org's Car with its Offer, for the head of a page: as it comes it may stand
    inside a `<script>`, for no text of it can end that. What is not for everyone is not there, whoever
    asks.
    """
    await PAGES.wait(request)
    row = await public_row(mesh, listing_id)
    shop = await shop_of(mesh, row["seller_id"])
    return tagged(request, page_json_of(json_ld(row, shop)), LD_JSON)


def tagged(request: Request, body: bytes, media_type: str) -> Response:
    """The body with an ETag, or 304 for whoever has it already. The tag is the body's, not the
    listing's version: a seller's name changes, or goes, without the listing.
    """
    tag = int.from_bytes(hashlib.sha256(body).digest()[:7])
    answer = json_response(request, body, tag)
    if answer.status_code == HTTPStatus.OK:
        answer.headers["Content-Type"] = media_type
    return answer


async def public_row(mesh: Machines, listing_id: UUID) -> Mapping[str, Any]:
    """A listing that everyone may see; raises a 404 problem for any other."""
    row = await listing_page.by_id(mesh.postgres, str(listing_id))
    if row is None or row["status"] not in PUBLIC:
        raise hidden()
    return row


@router.get(
    "/api/feeds/vehicles.jsonld",
    operation_id="read_json_ld_feed",
    response_model=CarsAnswer,
    response_class=Response,
    responses={
        **_told("A page of cars", LD_JSON, {**_LIST, "itemListElement": [_CAR]}),
        **problem_responses(400, 401),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ANYONE, SEARCHES, keys=True)
async def read_json_ld_feed(
    request: Request,
    mesh: Mesh,
    seller_id: SellerId,
    after: After | None = None,
    limit: Limit = 100,
) -> Response:
    """A seller's listings on offer as schema.org Cars. `Link` leads to the next page."""
    rows, headers = await _page(request, mesh, seller_id, after, limit)
    shop = await shop_of(mesh, seller_id) if rows else None
    cars = [json_ld(row, shop) for row in rows if shop is not None]
    body = {**_LIST, "numberOfItems": len(cars), "itemListElement": cars}
    return Response(page_json_of(body), headers=headers, media_type=LD_JSON)


@router.get(
    "/api/feeds/meta-vehicles.csv",
    operation_id="read_meta_feed",
    response_class=Response,
    responses={**_table("A page of vehicles", META), **problem_responses(400, 401)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ANYONE, SEARCHES, keys=True)
async def read_meta_feed(
    request: Request,
    mesh: Mesh,
    seller_id: SellerId,
    after: After | None = None,
    limit: Limit = 100,
) -> Response:
    """A seller's listings on offer for Meta's vehicle catalogue. What lacks a field that Meta requires
    is left out. `Link` leads to the next page.
    """
    return await _lines(request, mesh, META, seller_id, after, limit)


@router.get(
    "/api/feeds/google-vehicles.csv",
    operation_id="read_google_feed",
    response_class=Response,
    responses={**_table("A page of vehicles", GOOGLE), **problem_responses(400, 401)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ANYONE, SEARCHES, keys=True)
async def read_google_feed(
    request: Request,
    mesh: Mesh,
    seller_id: SellerId,
    after: After | None = None,
    limit: Limit = 100,
) -> Response:
    """A seller's listings on offer for Google's vehicle listings. What lacks a field that Google
    requires is left out. `Link` leads to the next page.
    """
    return await _lines(request, mesh, GOOGLE, seller_id, after, limit)


async def _lines(
    request: Request, mesh: Machines, feed: TableFeed, seller_id: str, after: str | None, limit: int
) -> Response:
    rows, headers = await _page(request, mesh, seller_id, after, limit)
    lines = lines_of(feed, rows, await shop_of(mesh, seller_id)) if rows else []
    text = StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([feed.header(), *lines])
    return Response(text.getvalue(), headers=headers, media_type=CSV)


async def _page(
    request: Request, mesh: Machines, seller_id: str, after: str | None, limit: int
) -> tuple[Sequence[Mapping[str, Any]], dict[str, str]]:
    """The listings of a page, and the headers that lead to the next."""
    await PAGES.wait(request)
    rows = await listing_page.feed(mesh.postgres, seller_id, _place(after), limit + 1)
    if len(rows) <= limit:
        return rows, ASKED
    last = rows[limit - 1]
    place = f"{moment(last['updated_at'])}/{last['key']}"
    more = {"seller_id": seller_id, "limit": limit, "after": place}
    link = f'<{request.url.path}?{urlencode(more)}>; rel="next"'
    return rows[:limit], {**ASKED, "Link": link}


def _place(after: str | None) -> tuple[datetime, str]:
    """The moment and the id behind which a page begins; raises a 422 problem for a day that no month
    has.
    """
    if after is None:
        return datetime.min.replace(tzinfo=UTC), ""
    at, _, key = after.partition("/")
    try:
        return datetime.fromisoformat(at), key
    except ValueError:
        told = "is no place in a feed: take it from the last page's Link"
        raise invalid([Fault(pointer="?after", detail=told)]) from None
