"""A review as everybody sees it, and what is said where there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from api.backends.machines import Machines
from api.profiles.sight import People, people_of
from api.wire.problems import Problem
from projections.reviews import reviews

Row = Mapping[str, Any]


async def known(mesh: Machines, review_id: UUID) -> Row:
    """The review, a deleted one too; raises a 404 problem where there never was one."""
    row = await reviews.by_id(mesh.postgres, str(review_id))
    if row is None:
        raise Problem(404, "review_unknown", "There is no such review")
    return row


def gone(row: Row) -> Problem | None:
    """What stands against all that is new about it."""
    if row["deleted"]:
        return Problem(410, "review_deleted", "This review was taken away")
    return None


async def standing(mesh: Machines, review_id: UUID) -> Row:
    """A review that stands; raises 404 and 410 problems."""
    row = await known(mesh, review_id)
    if (problem := gone(row)) is not None:
        raise problem
    return row


async def people_in(mesh: Machines, rows: Iterable[Row]) -> People:
    """Whoever speaks in these reviews."""
    wanted: set[str] = set()
    for row in rows:
        wanted.add(row["reviewer_id"])
        if row["responded_at"] is not None:
            wanted.add(row["seller_id"])
    return await people_of(mesh, wanted)


def shown(row: Row, people: People) -> dict[str, Any]:
    """A row as everybody sees it."""
    reviewer_id = row["reviewer_id"]
    return {
        "id": row["key"],
        **{name: row[name] for name in ("listing_id", "seller_id", "reviewer_id")},
        "reviewer_name": people.names.get(reviewer_id) if row["reviewer_is_here"] else None,
        "rating": row["rating"],
        "title": people.said(reviewer_id, row["title_sealed"], "title"),
        "content": people.said(reviewer_id, row["content_sealed"]),
        **{name: row[name] for name in ("verified_buyer", "helpful", "unhelpful")},
        "response": _response(row, people),
        **{name: row[name] for name in ("created_at", "updated_at", "version")},
    }


def _response(row: Row, people: People) -> dict[str, Any] | None:
    if row["responded_at"] is None:
        return None
    return {
        "content": people.said(row["seller_id"], row["response_sealed"]),
        "responded_at": row["responded_at"],
        "edited_at": row["response_edited_at"],
    }
