"""Who may see an item: its campus, once its images are drawn; its owner before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fastapi import Request

from api.backends.machines import machines_of
from api.items.campus import CampusPerson
from api.messaging.offers import item_seen, item_unknown
from api.wire.problems import Problem
from projections.items import items
from schemas.items import ItemStatus


async def item_for(request: Request, campus: CampusPerson, item_id: UUID) -> Mapping[str, Any]:
    """The item's row, if this person may see it; raises 404 and 410 problems."""
    row = await items.by_id(machines_of(request).postgres, str(item_id))
    if row is None or row["email_domain"] != campus.email_domain:
        raise item_unknown()
    if row["owner_id"] != campus.user_id and not item_seen(row):
        raise item_unknown()
    if row["status"] == ItemStatus.DELETED:
        raise Problem(410, "item_deleted", "This item was taken away")
    return row
