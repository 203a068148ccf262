"""What people talk about: a listing, or an item of their own campus; and with whom."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from api.backends.machines import Machines
from api.entry.auth import Caller
from api.entry.paging import Row
from api.items.campus import campus_person
from api.listings.sight import PUBLIC, hidden
from api.wire.problems import Problem
from projections.items import items
from projections.listings.listing_page import by_id
from schemas.items import ImageProcessing, ItemStatus
from schemas.listings import ListingStatus, seller_account
from schemas.messages import Market


@dataclass(frozen=True)
class Offer:
    """Something on offer: `seller_id` is whom one talks with about it, `public` whether a
    conversation may begin, `gone` what stands against all that is new about it.
    """

    offer_id: UUID
    seller_id: UUID
    public: bool
    gone: Problem | None = None


async def listing_offer(mesh: Machines, listing_id: UUID) -> Offer:
    """A listing, whatever has become of it; raises a 404 problem where there never was one."""
    found = await _listing(mesh, listing_id)
    if found is None:
        raise hidden()
    return found


async def item_offer(mesh: Machines, caller: Caller, item_id: UUID) -> Offer:
    """An item of the caller's campus, whatever has become of it; raises a 403 problem for whoever
    is on none and a 404 problem where their campus never had such an item.
    """
    campus = await campus_person(mesh, caller)
    row = await items.by_id(mesh.postgres, str(item_id))
    if row is None or row["email_domain"] != campus.email_domain:
        raise item_unknown()
    owner_id, seen = UUID(row["owner_id"]), item_seen(row)
    gone = campus.against
    if row["status"] == ItemStatus.DELETED and (seen or caller.user_id == str(owner_id)):
        gone = gone or Problem(410, "item_deleted", "This item was taken away")
    return Offer(item_id, owner_id, seen, gone)


async def offer_of(mesh: Machines, caller: Caller, offer_id: UUID) -> Offer:
    """Whichever of the two has this id, for clients that call both an item."""
    found = await _listing(mesh, offer_id)
    if found is not None:
        return found
    if caller.market != Market.CAMPUS:
        raise hidden()
    return await item_offer(mesh, caller, offer_id)


def item_seen(row: Row) -> bool:
    """Whether others of its campus see the item, or have seen it."""
    if row["status"] == ItemStatus.DELETED:
        return bool(row["image_processing_status"] != ImageProcessing.PENDING)
    return bool(row["status"] == ItemStatus.ACTIVE and row["owner_is_here"])


def item_unknown() -> Problem:
    """The answer about an item that is not there, or of another campus: nobody can tell which."""
    return Problem(404, "item_unknown", "There is no such item")


async def _listing(mesh: Machines, listing_id: UUID) -> Offer | None:
    row = await by_id(mesh.postgres, str(listing_id))
    if row is None:
        return None
    gone = None
    if row["status"] == ListingStatus.DELETED and row["published_at"] is not None:
        gone = Problem(410, "listing_deleted", "This listing was taken away")
    return Offer(listing_id, seller_account(row["seller_id"]), row["status"] in PUBLIC, gone)
