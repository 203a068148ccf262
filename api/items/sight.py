"""Who may see an item, and so talk about it: its campus, once its images are drawn; its owner
before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fastapi import Request

from api.backends.machines import Machines, machines_of
from api.entry.auth import Caller
from api.entry.campus import CampusPerson, campus_person
from api.listings.sight import Offer
from api.wire.problems import Problem
from projections.items import items
from schemas.items import SEEN, ImageProcessing, ItemStatus


async def item_for(request: Request, campus: CampusPerson, item_id: UUID) -> Mapping[str, Any]:
    """The item's row, if this person may see it; raises 404 and 410 problems."""
    row = await _of_campus(machines_of(request), campus, item_id)
    if row["owner_id"] != campus.user_id and not item_seen(row):
        raise item_unknown()
    if row["status"] == ItemStatus.DELETED:
        raise _deleted()
    return row


async def item_offer(mesh: Machines, caller: Caller, item_id: UUID) -> Offer:
    """An item of the caller's campus, whatever has become of it; raises a 403 problem for whoever
    is on none and a 404 problem where their campus never had such an item.
    """
    campus = await campus_person(mesh, caller)
    row = await _of_campus(mesh, campus, item_id)
    owner_id, seen = UUID(row["owner_id"]), item_seen(row)
    gone = campus.against
    if row["status"] == ItemStatus.DELETED and (seen or caller.user_id == str(owner_id)):
        gone = gone or _deleted()
    return Offer(item_id, owner_id, seen, gone)


def item_seen(row: Mapping[str, Any]) -> bool:
    """Whether others of its campus see the item, or have seen it."""
    if row["status"] == ItemStatus.DELETED:
        return bool(row["image_processing_status"] != ImageProcessing.PENDING)
    return bool(row["status"] in SEEN and row["owner_is_here"])


def item_unknown() -> Problem:
    """The answer about an item that is not there, or of another campus: nobody can tell which."""
    return Problem(404, "item_unknown", "There is no such item")


async def _of_campus(mesh: Machines, campus: CampusPerson, item_id: UUID) -> Mapping[str, Any]:
    row = await items.by_id(mesh.postgres, str(item_id))
    if row is None and (
        waiting := await mesh.withheld.of(items.items.name, str(item_id), why=False)
    ):
        raise waiting
    if row is None or row["email_domain"] != campus.email_domain:
        raise item_unknown()
    return row


def _deleted() -> Problem:
    return Problem(410, "item_deleted", "This item was taken away")
