"""Searching listings, and what somebody may be about to type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Any
from urllib.parse import urlencode

import orjson
from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.backends.machines import Machines, Mesh
from api.backends.stores import opensearch_answering
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp, has_token
from api.entry.doors import ANYONE, SEARCHES, Door
from api.entry.paging import Page, Paging
from api.entry.pictures import first_drawn
from api.entry.routing import new_router
from api.listings.bodies import IS_FAVORITE, LISTING_ID, PICTURE
from api.listings.favored import favored
from api.wire.emitted import json_of
from api.wire.problems import Problem, StoreUnavailableError, problem_responses
from api.wire.successes import ok
from infra.clients.opensearch import alias_of
from projections.favorites.favorites import favorites
from projections.search.listing_search import listing_search
from projections.search.query import Sort, by_currency, facets_of, search_body, truncated_facets
from projections.search.relaxing import hits_without, relaxing_body, removable, without
from projections.search.suggestions import (
    SUGGESTIONS_MAX,
    TEXT_LENGTH_MAX,
    suggestions_body,
    suggestions_of,
)
from schemas.log.messages import Fault, Market
from schemas.search import Filters
from schemas.values.texts import Line
from schemas.values.vehicles import GeoPoint

INDEX = CaughtUp(listing_search)
FAVORITES = CaughtUp(favorites)
_MOMENTS = {"created_at", "published_at"}

router = new_router("search")


class Hit(BaseModel):
    """A listing as a search shows it, with what else its seller said of it. `distance_km` only
    when hits are sorted by distance.
    """

    id: str
    seller_id: str
    title: str
    price_minor: int
    currency: str
    year: int
    make: str
    model: str | None
    mileage_km: int
    place: GeoPoint | None
    fuel_type: str | None = None
    created_at: datetime
    published_at: datetime | None = None
    thumbnail: str | None = None
    is_favorite: bool | None = Field(default=None, description=IS_FAVORITE)
    distance_km: float | None = None


class FacetValue(BaseModel):
    """How many hits there are with this value alone chosen in its facet; `label` is a spelling
    to show.
    """

    value: str
    label: str
    count: int


class Relaxation(BaseModel):
    """What can be taken out of a search that finds nothing: the parameters `without` which it has so
    many `hits`, and the `query` that is left, as it stands in an address.
    """

    without: list[str]
    hits: int
    query: str


class SearchAnswer(BaseModel):
    """A page of hits. `typos` says that no listing has the words as typed, and that each of
    them was allowed one wrong letter. `by_currency` says that hits sorted by price come one currency
    after another, for prices in several can't be compared: choose one with `currency`.
    `truncated_facets` have more values than the 50 most frequent, which are told.
    `relaxations` are there when nothing is found: the at most 5 filters each of which, taken out alone,
    leaves the most hits; the words count as one, and so do both ends of a range.
    """

    hits: list[Hit]
    total: int
    typos: bool
    by_currency: bool
    facets: dict[str, list[FacetValue]]
    truncated_facets: list[str]
    relaxations: list[Relaxation]
    next: str | None


class Suggestion(BaseModel):
    """A make, a make with a model, or a location, and how many listings there are of it; `kind` says
    which: `make`, `model` or `location`.
    """

    text: str
    kind: str
    count: int


class SuggestionsAnswer(BaseModel):
    """Those that begin with the text come first, then those with one typo."""

    items: list[Suggestion]


_HIT = {
    "id": LISTING_ID,
    "seller_id": "01980000-0000-7000-8000-00000000000a",
    "title": "Porsche 911 Carrera 4S",
    "price_minor": 8_500_000,
    "currency": "USD",
    "year": 2019,
    "make": "Porsche",
    "model": "911",
    "mileage_km": 42_000,
    "fuel_type": "petrol",
    "place": {"lat": 6.9271, "lon": 79.8612},
    "created_at": "2026-03-01T12:00:00.123456Z",
    "published_at": "2026-03-01T12:00:10.654321Z",
    "thumbnail": PICTURE["thumbnail"],
    "is_favorite": None,
}
_SEARCHED = {
    "hits": [_HIT],
    "total": 1,
    "typos": False,
    "by_currency": False,
    "facets": {"make": [{"value": "porsche", "label": "Porsche", "count": 1}]},
    "truncated_facets": [],
    "relaxations": [],
    "next": None,
}


class FilterParameters(Filters):
    """Filters among the other parameters of a request."""

    model_config = ConfigDict(extra="ignore")


@Door(ANYONE, SEARCHES, keys=True)
async def _search(
    request: Request,
    mesh: Mesh,
    page: Paging,
    filters: Annotated[FilterParameters, Query()],
    sort: Annotated[
        Sort | None,
        Query(description="Default: `relevance` with a text, else `newest`; `-` turns round"),
    ] = None,
) -> Response:
    """Listings that fit all filters, with counts for every facet. Values of one facet are
    alternatives. Prices are in major units: `price_max=5000` means 5,000.00 in whatever currency a
    listing is priced in, unless `currency` chooses one; sorted by price, hits of several come one
    currency after another. Hyphens, points, spaces, accents and capitals make no difference,
    nor does it whether known makes, cities and colors are in Latin, Sinhala or Tamil letters.
    """
    order = order_of(filters, sort)
    asked = Asked(page, filters, order, typos=bool(page.after and page.after[0]))
    ask = mesh.searches.anew if has_token(request) else mesh.searches.answer
    kept = await INDEX.read(request, lambda: ask(asked.question, lambda: _found(mesh, asked)))
    typos, found, hits_left = orjson.loads(kept)
    asked = replace(asked, typos=typos)
    told = _relaxations(filters, sort, hits_left)
    return _answer(asked, found, await _marks(request, found), told)


def order_of(filters: Filters, sort: Sort | None) -> Sort:
    """How the hits are sorted; a 422 problem where that can't be."""
    order = sort or (Sort.RELEVANCE if filters.q else Sort.NEWEST)
    if order is Sort.DISTANCE and filters.lat is None:
        fault = Fault(pointer="?sort", detail="`distance` needs a center: send lat and lon")
        raise Problem(422, "invalid", "Distance from where?", faults=[fault])
    return order


def _relaxations(
    filters: Filters, sort: Sort | None, hits_left: Mapping[str, int]
) -> list[dict[str, Any]]:
    """As the answer tells them, in the spelling of whoever asks."""
    parameters = removable(filters)
    return [
        {
            "without": parameters[name],
            "hits": hits,
            "query": _query(filters, sort, parameters[name]),
        }
        for name, hits in hits_left.items()
    ]


def _query(filters: Filters, sort: Sort | None, parameters: tuple[str, ...]) -> str:
    left = without(filters, parameters).model_dump(mode="json", exclude_defaults=True)
    return urlencode(left | ({} if sort is None else {"sort": sort.value}), doseq=True)


async def _marks(request: Request, found: dict[str, Any]) -> Mapping[str, bool | None]:
    """Which hits are favourites of the caller's. A search needs no Postgres: while it is away nobody
    is told.
    """
    ids = [hit["_id"] for hit in found["hits"]["hits"]]
    try:
        return await favored(request, ids)
    except StoreUnavailableError:
        return dict.fromkeys(ids)


async def _found(mesh: Machines, asked: Asked) -> bytes:
    """Whether typos were allowed in the end, as they are where nothing fits without; what OpenSearch
    has found; and where that is nothing, what would help.
    """
    found = await run(mesh, asked.body)
    if asked.page.after is None and asked.filters.q and not total_of(found):
        asked = replace(asked, typos=True)
        found = await run(mesh, asked.body)
    hits_left: dict[str, int] = {}
    if asked.page.after is None and removable(asked.filters) and not total_of(found):
        hits_left = hits_without(await run(mesh, relaxing_body(asked.filters)))
    return json_of((asked.typos, found, hits_left))


@dataclass(frozen=True)
class Asked:
    """One page of one search. A cursor begins with `typos`, the hit's sort values follow."""

    page: Page
    filters: Filters
    order: Sort
    typos: bool

    @property
    def body(self) -> dict[str, Any]:
        """What OpenSearch is asked. By cursor one hit more than is shown tells whether others
        follow; by page number the total does, for OpenSearch goes no deeper than the last page.
        """
        after = self.page.after
        return search_body(
            self.filters,
            self.order,
            size=self.page.limit + (after is not None),
            offset=self.page.offset,
            after=after and after[1:],
            typos=self.typos,
        )

    @property
    def question(self) -> bytes:
        """The same for all requests that ask for the same, in whatever order and spelling."""
        return json_of(self.body)


async def run(
    mesh: Machines, body: dict[str, Any], parameters: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    """What OpenSearch answers; StoreUnavailableError where that is not all."""
    with opensearch_answering():
        answer: dict[str, Any] = await mesh.opensearch.search(
            index=alias_of(mesh.settings, listing_search.name), body=body, params=dict(parameters)
        )
    if answer["timed_out"]:
        # Half of the hits would look like all of them.
        raise StoreUnavailableError("opensearch", "the search took too long; narrow it")
    if answer["_shards"]["failed"]:
        raise StoreUnavailableError("opensearch")
    return answer


def _answer(
    asked: Asked,
    found: dict[str, Any],
    marks: Mapping[str, bool | None],
    relaxations: list[dict[str, Any]],
) -> Response:
    page, total, hits = asked.page, total_of(found), found["hits"]["hits"]
    more = len(hits) > page.limit or (page.after is None and total > page.offset + len(hits))
    hits = hits[: page.limit]
    cursor, link = page.next_of([asked.typos, *hits[-1]["sort"]] if hits and more else None)
    body = {
        "hits": [_hit(hit, asked.order) | {"is_favorite": marks[hit["_id"]]} for hit in hits],
        "total": total,
        "typos": asked.typos,
        "by_currency": by_currency(asked.order, asked.filters),
        "facets": facets_of(found),
        "truncated_facets": truncated_facets(found),
        "relaxations": relaxations,
        "next": cursor,
    }
    headers = {"Cache-Control": "no-cache", **link}
    return Response(json_of(body), 200, headers, "application/json")


def total_of(found: dict[str, Any]) -> int:
    """How many hits there are in all."""
    total: int = found["hits"]["total"]["value"]
    return total


def _hit(hit: dict[str, Any], order: Sort) -> dict[str, Any]:
    shown = {"id": hit["_id"], **hit["_source"]}
    for name in _MOMENTS & shown.keys():
        # The store spells them in its own way.
        shown[name] = shown[name] and datetime.fromisoformat(shown[name])
    shown["thumbnail"] = first_drawn(shown.pop("thumbnail_keys"))
    if order is Sort.DISTANCE and shown.get("place"):
        shown["distance_km"] = round(hit["sort"][0], 3)
    return shown


for _path, _operation in (("/api/search", "search"), ("/api/listings/search", "search_listings")):
    router.add_api_route(
        _path,
        _search,
        operation_id=_operation,
        response_model=SearchAnswer,
        responses={**ok("A page of hits", _SEARCHED), **problem_responses(400, 401)},
        openapi_extra=OPENAPI_EXTRA,
    )


@router.get(
    "/api/search/suggestions",
    operation_id="suggest",
    response_model=SuggestionsAnswer,
    responses={
        **ok("Suggestions", {"items": [{"text": "Porsche", "kind": "make", "count": 3}]}),
        **problem_responses(401),
    },
)
@Door(ANYONE, SEARCHES, keys=True)
async def suggest(
    mesh: Mesh,
    q: Annotated[
        str,
        Line(TEXT_LENGTH_MAX),
        Query(description="What has been typed so far"),
    ],
    limit: Annotated[int, Query(ge=1, le=SUGGESTIONS_MAX)] = SUGGESTIONS_MAX,
) -> Response:
    """Makes, models and locations that begin like this, in Latin, Sinhala or Tamil letters, one typo
    tolerated.
    """
    found = await run(mesh, suggestions_body(q, Market.EXOTICS, limit))
    body = json_of({"items": suggestions_of(found, limit)})
    headers = {"Cache-Control": "public, max-age=60"}
    return Response(body, headers=headers, media_type="application/json")
