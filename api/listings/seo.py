"""What others show beside a link to a listing: metadata, and a picture with title and price."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from api.backends.machines import Mesh
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import ANYONE, SEARCHES, Door
from api.entry.routing import new_router
from api.listings.bodies import LISTING_ID
from api.listings.feed_forms import Row, json_ld, page_json_of, price_of
from api.listings.feeds import addresses, public_row, shop_of, tagged
from api.wire.etags import UNCHANGED
from api.wire.problems import problem_responses
from api.wire.successes import headers_told, ok
from infra.social_cards import SIZE, first_writable
from projections.listings.listing_page import listing_page

PAGES = CaughtUp(listing_page)
DESCRIPTION_MAX = 200
METADATA = "/api/functions/seo-metadata"

ListingParameter = Annotated[UUID, Query(description="The listing's id")]

router = new_router("listings")


class SeoAnswer(BaseModel):
    """What stands in the head of a listing's page: for search engines, Open Graph and cards of links.
    `image` is drawn with title and price; `json_ld` is a schema.org Car. As it comes, this may stand
    inside a page's `<script>`; whoever reads it and writes `json_ld` anew must escape `<` again, or
    take it from the listing's `json-ld`.
    """

    title: str
    description: str
    url: str
    type: str
    image: str
    image_width: int
    image_height: int
    json_ld: dict[str, Any]


_SEO = {
    "title": "Porsche 911 Carrera 4S",
    "description": "85000.00 USD, 2019, 42000 km, petrol, Colombo",
    "url": f"https://example.org/listings/{LISTING_ID}",
    "type": "product",
    "image": f"https://api.example.org{METADATA}/image?listing={LISTING_ID}",
    "image_width": SIZE[0],
    "image_height": SIZE[1],
    "json_ld": {"@context": "https://schema.org", "@type": "Car"},
}


@router.get(
    METADATA,
    operation_id="read_seo_metadata",
    response_model=SeoAnswer,
    responses={
        **ok("The metadata", _SEO, headers=["ETag"]),
        **UNCHANGED,
        **problem_responses(400, 401, 404),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ANYONE, SEARCHES, keys=True)
async def read_seo_metadata(request: Request, mesh: Mesh, listing: ListingParameter) -> Response:
    """What stands in the head of a listing's page. What is not for everyone is not there, whoever
    asks.
    """
    await PAGES.wait(request)
    row = await public_row(mesh, listing)
    shop = await shop_of(mesh, row["seller_id"])
    body = {
        "title": row["title"] or "",
        "description": description_of(row),
        "url": shop.page_of(row["key"]),
        "type": "product",
        "image": f"{addresses(mesh.settings)[1]}{METADATA}/image?listing={row['key']}",
        "image_width": SIZE[0],
        "image_height": SIZE[1],
        "json_ld": json_ld(row, shop),
    }
    return tagged(request, page_json_of(body), "application/json")


@router.get(
    f"{METADATA}/image",
    operation_id="read_seo_image",
    response_class=Response,
    responses={
        200: {
            "description": "The picture",
            "content": {"image/png": {"example": "(bytes)"}},
            "headers": headers_told(["ETag"]),
        },
        **UNCHANGED,
        **problem_responses(400, 401, 404),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ANYONE, SEARCHES)
async def read_seo_image(request: Request, mesh: Mesh, listing: ListingParameter) -> Response:
    """A PNG of 1200 by 630 pixels with the listing's title and price; where the title can't be written
    in Latin letters, with make, model and year, or the seller's name, in its place. What is not for everyone is not
    there, whoever asks.
    """
    await PAGES.wait(request)
    row = await public_row(mesh, listing)
    title = first_writable(row["title"] or "", _named(row))
    if not title:
        title = first_writable((await shop_of(mesh, row["seller_id"])).name)
    picture = await mesh.pictures.card(title, _price(row), _facts(row, first_writable))
    return tagged(request, picture, "image/png")


def description_of(row: Row) -> str:
    """Price and facts, and as much of the description as fits."""
    told = ", ".join(filter(None, (_price(row), _facts(row))))
    more = " ".join((row["description"] or "").split())
    text = f"{told}. {more}" if more else told
    return text if len(text) <= DESCRIPTION_MAX else f"{text[: DESCRIPTION_MAX - 1].rstrip()}…"


def _price(row: Row) -> str:
    return "" if row["price_minor"] is None or row["currency"] is None else price_of(row)


def _facts(row: Row, told: Callable[[str], str] = str) -> str:
    """The facts, each as it is `told`."""
    kilometres = None if row["mileage_km"] is None else f"{row['mileage_km']} km"
    facts = (row["year"], kilometres, row["fuel_type"], row["location"])
    return ", ".join(filter(None, (told(str(each)) for each in facts if each is not None)))


def _named(row: Row) -> str:
    """Make, model and year; nothing where neither make nor model can be written."""
    names = first_writable(" ".join(filter(None, (row["make"], row["model"]))))
    return f"{names} {row['year'] or ''}".strip() if names else ""
