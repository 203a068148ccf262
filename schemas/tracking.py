"""Tracking: facts at the moment they happen, in no order that matters."""

from __future__ import annotations

from typing import Literal, TypeAlias
from uuid import UUID

from pydantic import AwareDatetime

from schemas.messages import Event


class ListingViewed(Event):
    """Somebody looked at a listing; counted once per viewer in 30 minutes.

    `viewer` is a keyed hash: the same within a day, meaningless to anyone without the key.
    """

    kind: Literal["listing.viewed"] = "listing.viewed"
    listing_id: UUID
    seller_id: str
    viewer: str
    signed_in: bool
    network: str = ""  # the address cut to /24 or /48, never whole
    viewed_at: AwareDatetime


TrackingEvent: TypeAlias = ListingViewed
