"""The states of a listing, and who may change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, TypeAlias, assert_never
from uuid import UUID

from producers.decider import Rejected
from schemas.listings import ListingCommand, ListingImage
from schemas.log.messages import Role
from schemas.media import ImageVariants
from schemas.values.vehicles import VehicleFacts

STAFF = frozenset({Role.MODERATOR, Role.ADMIN, Role.SYSTEM})


@dataclass(frozen=True)
class Unlisted:
    """Nothing has happened yet."""


@dataclass(frozen=True)
class _Listed:
    """What every listing has that exists. `early`: uploads for it that are none of its images yet,
    with what was drawn of them, or None where that failed: whoever draws may be quicker. `spin`: the
    frames of a view all around it.
    """

    seller_id: str
    fields: VehicleFacts
    images: tuple[ListingImage, ...] = ()
    early: Mapping[UUID, ImageVariants | None] = field(default_factory=dict)
    spin: tuple[ListingImage, ...] = ()

    @property
    def kept(self) -> dict[str, Any]:
        """What stays the same in whatever state comes next."""
        return {each.name: getattr(self, each.name) for each in fields(_Listed)}


@dataclass(frozen=True)
class Draft(_Listed):
    """Only the seller sees it, so anything may still be missing."""


@dataclass(frozen=True)
class Active(_Listed):
    """Everyone sees it: every mandatory field is stated. Without a time it stays so."""

    expires_at: datetime | None = None


@dataclass(frozen=True)
class Hidden(_Listed):
    """On offer, but its seller is away: what Active is, seen by nobody."""

    expires_at: datetime | None = None


@dataclass(frozen=True)
class Expired(_Listed):
    """Its time is over; all that Active needs is still stated, so that it can come back."""


@dataclass(frozen=True)
class Sold(_Listed):
    """It found a buyer; only deletion is left."""


@dataclass(frozen=True)
class Deleted:
    """The end."""

    seller_id: str


Existing: TypeAlias = Draft | Active | Hidden | Expired | Sold
Listing: TypeAlias = Unlisted | Existing | Deleted


def changeable(command: ListingCommand, listing: Listing) -> Existing:
    """The listing, if it exists and whoever asks may change it."""
    match listing:
        case Unlisted():
            raise Rejected("listing_unknown", 404)
        case Draft() | Active() | Hidden() | Expired() | Sold() | Deleted():
            if command.asked_by != listing.seller_id and command.asked_role not in STAFF:
                raise _not_theirs(listing)
            if isinstance(listing, Deleted):
                raise Rejected("listing_deleted", 410)
            return listing
        case _:
            assert_never(listing)


def _not_theirs(listing: Existing | Deleted) -> Rejected:
    """What is said to others: of what they can't see, no more than of what there is not."""
    if isinstance(listing, Active | Expired | Sold):
        return Rejected("not_owner", 403)
    return Rejected("listing_unknown", 404)
