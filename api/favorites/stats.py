"""How many keep a seller's listings in mind, day by day; nobody learns who."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from fastapi import Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from api.backends.machines import Machines, Mesh
from api.backends.stores import clickhouse_answering
from api.entry.auth import SignedIn
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import SEARCHES, SIGNED_IN, Door
from api.entry.paging import Paging
from api.entry.routing import new_router
from api.listings.sight import NOT_DELETED
from api.wire.problems import problem_responses
from api.wire.spans import First, Last, span_of
from api.wire.successes import NO_STORE, ok
from projections.analytics import favorite_changes
from projections.listings import listing_page

PAGES = CaughtUp(listing_page.listing_page)
CHANGES = CaughtUp(favorite_changes.favorite_changes)

router = new_router("favorites")


class DayOfFavorites(BaseModel):
    """One day, UTC, on which somebody began or ceased to keep the listing in mind."""

    day: date
    added: int
    removed: int
    kept: int = Field(description="How many kept it in mind at the day's end")


class ListingFavorites(BaseModel):
    """One listing from the first to the last day, both included."""

    listing_id: UUID
    title: str | None
    kept_before: int = Field(description="How many kept it in mind when the first day began")
    kept: int = Field(description="How many kept it in mind when the last day ended")
    days: list[DayOfFavorites]


class FavoriteStatsAnswer(BaseModel):
    """A page of one's listings, the last created first."""

    first: date
    last: date
    items: list[ListingFavorites]
    next_cursor: str | None


_STATS: dict[str, Any] = {
    "first": "2026-03-01",
    "last": "2026-03-30",
    "items": [
        {
            "listing_id": "01980000-0000-7000-8000-000000000001",
            "title": "Porsche 911 Carrera 4S",
            "kept_before": 2,
            "kept": 3,
            "days": [{"day": "2026-03-02", "added": 2, "removed": 1, "kept": 3}],
        }
    ],
    "next_cursor": None,
}


@router.get(
    "/api/favorites/stats",
    operation_id="read_favorite_stats",
    response_model=FavoriteStatsAnswer,
    responses={**ok("A page", _STATS), **problem_responses(400, 401, 403)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, SEARCHES, within_s=5.0)
async def read_favorite_stats(
    request: Request,
    mesh: Mesh,
    page: Paging,
    caller: SignedIn,
    first: First = None,
    last: Last = None,
) -> Response:
    """How many keep each of the caller's listings in mind, day by day; days without a change are
    left out.
    """
    span = span_of(first, last)
    await PAGES.wait(request)
    found = await listing_page.mine(mesh.postgres, caller.user_id, NOT_DELETED, page.part)
    rows, after = page.shown(found, "created_at", "key")
    told = await CHANGES.read(request, lambda: _told(mesh, rows, *span))
    return page.response(told, after, headers=NO_STORE, first=span[0], last=span[1])


async def _told(
    mesh: Machines, rows: Sequence[Mapping[str, Any]], first: date, last: date
) -> Sequence[dict[str, Any]]:
    ids = [row["key"] for row in rows]
    with clickhouse_answering():
        before = await favorite_changes.kept_before(mesh.clickhouse, ids, first)
        days = await favorite_changes.changes_per_day(mesh.clickhouse, ids, first, last)
    return [
        {
            "listing_id": row["key"],
            "title": row["title"],
            "kept_before": before[row["key"]],
            "kept": days[row["key"]][-1].kept if days[row["key"]] else before[row["key"]],
            "days": days[row["key"]],
        }
        for row in rows
    ]
