"""Who may see a picture: whoever may see what it is a picture of, its subject. A picture of nothing
is its owner's; moderators see all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from uuid import UUID

from fastapi import Request

from api.backends.machines import machines_of
from api.entry.auth import Caller
from api.entry.campus import campus_of
from api.entry.doors import MODERATORS
from api.items.sight import item_for
from api.listings.sight import listing_for
from api.wire.problems import Problem
from projections.media.media_files import MediaStatus


async def sees(request: Request, caller: Caller, row: Mapping[str, Any]) -> bool:
    """Whether somebody other than its owner may know of this picture, a row of media_files. That
    one is gone is told to its owner and to moderators: nobody else can show that they saw it.
    """
    if caller.role in MODERATORS:
        return True
    if row["status"] != MediaStatus.PROCESSED or row["subject"] is None:
        return False
    kind, _, subject_id = row["subject"].partition("/")
    look = _SUBJECTS.get(kind)
    if look is None:
        return False  # nobody has said who sees such a thing
    try:
        await look(request, caller, UUID(subject_id))
    except Problem:
        return False
    return True


async def _item(request: Request, caller: Caller, item_id: UUID) -> None:
    await item_for(request, await campus_of(machines_of(request), caller), item_id)


async def _listing(request: Request, _caller: Caller, listing_id: UUID) -> None:
    await listing_for(request, listing_id)


# Each raises the problem that the subject's own page would answer.
_SUBJECTS: Final[Mapping[str, Callable[[Request, Caller, UUID], Awaitable[None]]]] = {
    "item": _item,
    "listing": _listing,
}
