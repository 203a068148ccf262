"""Who may see a listing, and so talk about it: everyone what is or was on offer, a draft only its
seller and moderators.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from fastapi import Request
from pydantic import AwareDatetime, BaseModel

from api.backends.machines import Machines, machines_of
from api.entry.auth import Caller
from api.entry.consistency import CaughtUp
from api.entry.doors import MODERATORS
from api.entry.pictures import first_drawn
from api.wire.problems import Problem
from projections.listings.listing_page import by_id, counted_by_id, listing_page
from schemas.listings import ListingStatus, seller_account

PUBLIC = frozenset({ListingStatus.ACTIVE, ListingStatus.SOLD})

Row = Mapping[str, Any]
SeenStatus = Literal["active", "sold", "draft", "hidden", "expired", "gone"]
NOT_DELETED = tuple(status for status in ListingStatus if status is not ListingStatus.DELETED)
LISTING = CaughtUp(listing_page)
UNSEEN = frozenset({ListingStatus.DRAFT, ListingStatus.HIDDEN, ListingStatus.EXPIRED})


class ListingSummary(BaseModel):
    """What is told of a listing where it stands among others; null means "not stated"."""

    id: UUID
    seller_id: str
    title: str | None
    price_minor: int | None
    currency: str | None
    year: int | None
    make: str | None
    model: str | None
    mileage_km: int | None
    fuel_type: str | None
    location: str | None
    published_at: AwareDatetime | None
    sold_at: AwareDatetime | None
    thumbnail: str | None


SUMMARY: dict[str, Any] = {
    "id": "01980000-0000-7000-8000-000000000001",
    "seller_id": "01980000-0000-7000-8000-00000000000a",
    "title": "Porsche 911 Carrera 4S",
    "price_minor": 8_500_000,
    "currency": "USD",
    "year": 2019,
    "make": "Porsche",
    "model": "911",
    "mileage_km": 42_000,
    "fuel_type": "petrol",
    "location": "Colombo",
    "published_at": "2026-03-01T12:00:00Z",
    "sold_at": None,
    "thumbnail": None,
}


@dataclass(frozen=True)
class Offer:
    """Something on offer: `seller_id` is whom one talks with about it, `public` whether a
    conversation may begin, `gone` what stands against all that is new about it.
    """

    offer_id: UUID
    seller_id: UUID
    public: bool
    gone: Problem | None = None

    def against(self, user_id: UUID) -> Problem | None:
        """What stands against anything new of this person about a listing."""
        return self.gone or (None if self.public or user_id == self.seller_id else hidden())


def sees_all(caller: Caller, seller_id: str) -> bool:
    """Whether the caller may see what only the seller and moderators may."""
    return caller.user_id == seller_id or caller.role in MODERATORS


def hidden() -> Problem:
    """The answer about what is not there, or not for this caller: nobody can tell which."""
    return Problem(404, "listing_unknown", "There is no such listing")


async def listing_for(
    request: Request, listing_id: UUID, *, deleted: bool = False, counted: bool = False
) -> Row:
    """The listing's row, if this request's caller may see it; raises 404 and 410 problems.

    With `deleted` its seller and moderators get a deleted listing's row, too; `counted` tells how
    many keep it in mind, and whether the caller does.
    """
    postgres, caller = machines_of(request).postgres, request.scope["caller"]
    if counted:
        row = await counted_by_id(postgres, str(listing_id), caller.user_id)
    else:
        row = await by_id(postgres, str(listing_id))
    if row is None:
        raise hidden()
    status = row["status"]
    if status in PUBLIC:
        return row
    insider = sees_all(caller, row["seller_id"])
    if status == ListingStatus.DELETED and (insider or row["published_at"] is not None):
        if insider and deleted:
            return row
        raise _deleted()
    if status == ListingStatus.EXPIRED and not insider:
        raise Problem(410, "listing_expired", "This listing is no longer on offer")
    if not insider:
        raise hidden()
    return row


def summary_for(row: Row, caller: Caller) -> tuple[str, dict[str, Any] | None]:
    """A listing's status and what is told of it where it stands among others. What this caller may
    not see is `gone`, whatever it is; so is what has no row, whose columns are null.
    """
    status = row["status"]
    told = status in PUBLIC or (status in UNSEEN and sees_all(caller, row["seller_id"]))
    if not told:
        return "gone", None
    named = {name: row[name] for name in SUMMARY if name not in ("id", "thumbnail")}
    return status, {"id": row["key"], **named, "thumbnail": first_drawn(row["thumbnail_keys"])}


async def against_keeping(request: Request, listing_id: UUID, caller: Caller) -> Problem | None:
    """What stands against keeping a listing in mind, or comparing it, now."""
    try:
        await LISTING.wait(request)
        offer = await listing_offer(machines_of(request), listing_id)
    except Problem as problem:
        return problem
    return offer.against(UUID(caller.user_id))


async def listing_offer(mesh: Machines, listing_id: UUID) -> Offer:
    """A listing, whatever has become of it; raises a 404 problem where there never was one, and
    BeingRepaired where it is withheld.
    """
    found = await offered(mesh, listing_id)
    if found is None:
        # In a body nobody else looks for ids of what waits to be mended.
        waiting = await mesh.withheld.of(listing_page.name, str(listing_id), why=False)
        raise waiting or hidden()
    return found


async def offered(mesh: Machines, listing_id: UUID) -> Offer | None:
    """The same; None where there never was one."""
    row = await by_id(mesh.postgres, str(listing_id))
    if row is None:
        return None
    gone = None
    if row["status"] == ListingStatus.DELETED and row["published_at"] is not None:
        gone = _deleted()
    return Offer(listing_id, seller_account(row["seller_id"]), row["status"] in PUBLIC, gone)


def _deleted() -> Problem:
    return Problem(410, "listing_deleted", "This listing was taken away")
