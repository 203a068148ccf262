"""Tracking: facts at the moment they happen, in no order that matters."""

from __future__ import annotations

from typing import Literal, TypeAlias
from uuid import UUID

from pydantic import AwareDatetime

from schemas.listings import listing_stream
from schemas.log.contexts import Context
from schemas.log.messages import Command, Event


class ViewListing(Command):
    """Have a look counted. No writer judges it: what is sent is the event, at once, and this
    is only what its envelope tells of where it came from. `asked_by` is the viewer's hash.
    """

    kind: Literal["listing.view"] = "listing.view"
    listing_id: UUID

    @property
    def stream_id(self) -> str:
        """The listing's, so that its views lie in one partition."""
        return listing_stream(self.listing_id)


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

CONTEXT = Context("tracking", (), (ListingViewed,))
