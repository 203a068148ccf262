"""Why the hits of a search stand where they do, for the staff."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from api.backends.machines import Machines, Mesh
from api.entry.auth import SignedIn
from api.entry.consistency import OPENAPI_EXTRA
from api.entry.doors import MODERATORS, SEARCHES, Door
from api.entry.routing import new_router
from api.listings.bodies import LISTING_ID
from api.listings.search import INDEX, FilterParameters, order_of, run, total_of
from api.wire.problems import problem_responses
from api.wire.successes import ok, private_json
from projections.search.explaining import EXPLAINED_MAX, SCORED, explained_body, parts_of
from projections.search.query import Sort
from schemas.search import Filters

router = new_router("search")


class ScorePart(BaseModel):
    """What a hit meets: `words` in `field`, by `way`: `term` and `terms` one of them, `prefix` what begins
    so, `match` any of them, perhaps with a typo.
    """

    field: str
    way: str
    words: list[str]
    score: float


class ExplainedHit(BaseModel):
    """A hit at its place. `score` is the sum of its parts; `sorted_by` are the values that it is
    sorted by, the last of which tells equals apart.
    """

    place: int
    id: str
    title: str | None
    score: float
    parts: list[ScorePart]
    sorted_by: list[Any] = Field(description="Numbers and texts, in the order of the sort")


class ExplainedAnswer(BaseModel):
    """The first hits of a search, and why they are the first."""

    hits: list[ExplainedHit]
    total: int
    typos: bool


_PART = {"field": "make_key", "way": "terms", "words": ["porsche"], "score": 3.0}
_EXPLAINED = {
    "hits": [
        {
            "place": 1,
            "id": LISTING_ID,
            "title": "Porsche 911 Carrera 4S",
            "score": 3.0,
            "parts": [_PART],
            "sorted_by": [3.0, LISTING_ID],
        }
    ],
    "total": 1,
    "typos": False,
}


@router.get(
    "/api/search/explain",
    operation_id="explain_search",
    response_model=ExplainedAnswer,
    responses={**ok("The first hits, explained", _EXPLAINED), **problem_responses(400, 401, 403)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(MODERATORS, SEARCHES)
async def explain_search(
    request: Request,
    mesh: Mesh,
    _caller: SignedIn,
    filters: Annotated[FilterParameters, Query()],
    sort: Annotated[Sort | None, Query(description="As `GET /api/search` takes it")] = None,
    limit: Annotated[int, Query(ge=1, le=EXPLAINED_MAX)] = EXPLAINED_MAX,
) -> Response:
    """The first hits of `GET /api/search` with the same parameters: what each is worth, and which words
    met which field. For moderators only.
    """
    order = order_of(filters, sort)

    async def found() -> dict[str, Any]:
        answer = await _explained(mesh, filters, order, limit, typos=False)
        if filters.q and not answer["total"]:
            answer = await _explained(mesh, filters, order, limit, typos=True)
        return answer

    return private_json(await INDEX.read(request, found))


async def _explained(
    mesh: Machines, filters: Filters, order: Sort, limit: int, *, typos: bool
) -> dict[str, Any]:
    body, parts = explained_body(filters, order, size=limit, typos=typos)
    answer = await run(mesh, body, SCORED)
    hits = [
        {
            "place": place,
            "id": hit["_id"],
            "title": hit["_source"].get("title"),
            "score": round(hit["_score"] or 0.0, 4),
            "parts": parts_of(hit, parts),
            "sorted_by": hit["sort"],
        }
        for place, hit in enumerate(answer["hits"]["hits"], 1)
    ]
    return {"hits": hits, "total": total_of(answer), "typos": typos}
