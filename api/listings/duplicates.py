"""Listings of one vehicle, with what speaks for it: for the seller of either, and for moderators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from api.backends.machines import Machines, Mesh
from api.entry.auth import SignedIn
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import MODERATORS, SEARCHES, SIGNED_IN, Door
from api.entry.routing import new_router
from api.listings.bodies import IMAGE_ID, LISTING_ID
from api.listings.sight import listing_for, sees_all
from api.wire.problems import Problem, problem_responses
from api.wire.successes import ok, private_json
from projections.listings.duplicate_rules import evidence
from projections.listings.listing_page import listing_page
from projections.listings.listing_signs import Found, alike, by_id, listing_signs, on_offer

SIGNS = CaughtUp(listing_page, listing_signs)
LOOKED_AT_MAX: Final = 50

router = new_router("listings")


class EvidencePart(BaseModel):
    """A sign that both have; `image_ids` are this listing's pictures that the other shows, too."""

    kind: Literal["vin", "picture", "text"]
    similarity: float
    image_ids: list[UUID]


class Duplicate(BaseModel):
    """Another listing on offer that seems to be of the same vehicle, and why."""

    listing_id: UUID
    seller_id: str
    evidence: list[EvidencePart]


class DuplicatesAnswer(BaseModel):
    """What seems to be of the same vehicle; of at most 50 that share a sign."""

    listing_id: UUID
    duplicates: list[Duplicate]


class Pair(BaseModel):
    """Two listings on offer that seem to be of one vehicle, and why."""

    listing_ids: list[UUID] = Field(min_length=2, max_length=2)
    seller_ids: list[str]
    evidence: list[EvidencePart]


class PairsAnswer(BaseModel):
    """Pairs among the listings that were looked at, each once; `next_after` is where to go on."""

    items: list[Pair]
    next_after: UUID | None


_EVIDENCE = {"kind": "picture", "similarity": 0.969, "image_ids": [IMAGE_ID]}
_OTHER = "01980000-0000-7000-8000-000000000002"
_SELLERS = ["01980000-0000-7000-8000-00000000000a", "01980000-0000-7000-8000-00000000000b"]
_DUPLICATES = {
    "listing_id": LISTING_ID,
    "duplicates": [{"listing_id": _OTHER, "seller_id": _SELLERS[1], "evidence": [_EVIDENCE]}],
}
_PAIR = {
    "listing_ids": [LISTING_ID, _OTHER],
    "seller_ids": _SELLERS,
    "evidence": [_EVIDENCE],
}


@router.get(
    "/api/listings/{listing_id:uuid}/duplicates",
    operation_id="list_listing_duplicates",
    response_model=DuplicatesAnswer,
    responses={**ok("Duplicates", _DUPLICATES), **problem_responses(400, 401, 403, 404, 410)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, SEARCHES, keys=True)
async def list_listing_duplicates(
    listing_id: UUID, request: Request, mesh: Mesh, caller: SignedIn
) -> Response:
    """What is on offer of the same vehicle as the listing, with the evidence; for its seller and
    moderators only.
    """
    await SIGNS.wait(request)
    row = await listing_for(request, listing_id)
    if not sees_all(caller, row["seller_id"]):
        raise Problem(403, "not_owner", "Only the seller sees what is like a listing")
    own = await by_id(mesh.postgres, row["key"])
    found = [] if own is None else await _duplicates(mesh, own)
    told = [
        {"listing_id": key, "seller_id": signs.seller_id, "evidence": why}
        for (key, signs), why in found
    ]
    return private_json({"listing_id": row["key"], "duplicates": told})


async def _duplicates(mesh: Machines, own: Found) -> list[tuple[Found, list[dict[str, Any]]]]:
    others = await alike(mesh.postgres, *own)
    told = [(other, [asdict(each) for each in evidence(own[1], other[1])]) for other in others]
    return [(other, why) for other, why in told if why]


@router.get(
    "/api/duplicates",
    operation_id="list_duplicates",
    response_model=PairsAnswer,
    responses={
        **ok("Pairs", {"items": [_PAIR], "next_after": None}),
        **problem_responses(400, 401, 403),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(MODERATORS, SEARCHES, within_s=10.0)
async def list_duplicates(
    request: Request,
    mesh: Mesh,
    _caller: SignedIn,
    after: Annotated[UUID | None, Query(description="`next_after` of the last page")] = None,
    limit: Annotated[
        int, Query(ge=1, le=LOOKED_AT_MAX, description="Listings looked at for a page")
    ] = 20,
) -> Response:
    """The pairs of listings on offer that seem to be of one vehicle, with the evidence. A page may be
    empty and others follow: go on while there is a `next_after`.
    """
    await SIGNS.wait(request)
    start = "" if after is None else str(after)
    looked_at = await on_offer(mesh.postgres, start, limit)
    items = [pair for own in looked_at for pair in _pairs(own, await _duplicates(mesh, own))]
    following = looked_at[-1][0] if len(looked_at) == limit else None
    return private_json({"items": items, "next_after": following})


def _pairs(
    own: Found, duplicates: Sequence[tuple[Found, list[dict[str, Any]]]]
) -> Iterator[dict[str, Any]]:
    """Each pair once: where the one with the lower id is looked at."""
    for (key, signs), why in duplicates:
        if own[0] < key:
            yield {
                "listing_ids": [own[0], key],
                "seller_ids": [own[1].seller_id, signs.seller_id],
                "evidence": why,
            }
