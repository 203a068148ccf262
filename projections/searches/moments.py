"""The moments at which a listing is worth telling of: it is new, it is back, or it costs less.

One pure rule over a listing's own events, which both the live matcher and the look back over the
past (projections.searches.listing_moments) go by, so that they can't disagree:

- new: it is on offer for the first time;
- back on the market: it is on offer again after it was not;
- price drop: while on offer, it costs at least DROP_PERCENT less than at its last moment, so that
  small steps count together, and going up and down again is told once. Another currency is no drop:
  from then on the price is compared with that one.

What else is changed, a title put right, a description made longer, is no moment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from projections.search import listing_search
from projections.search.listing_search import ListingDocument
from schemas.listings import ListingPriceChanged, ListingPublished, ListingShown, ListingStatus
from schemas.log.recorded import Recorded
from schemas.searches import MatchReason

DROP_PERCENT = 3
MOMENTS = (ListingPublished, ListingShown, ListingPriceChanged)


@dataclass(frozen=True, slots=True)
class Offered:
    """A listing as it is searched for; whether it ever was on offer, and what it cost at its last
    moment.
    """

    document: ListingDocument | None = None
    ever: bool = False
    told_minor: int = 0
    told_currency: str = ""


def after(offered: Offered, recorded: Recorded[Any]) -> tuple[Offered, MatchReason | None]:
    """The listing after an event of it, and why that is a moment; None: it is none."""
    before = offered.document
    document = listing_search.fold(before, recorded)
    offered = replace(offered, document=document)
    if document is None or document.status is not ListingStatus.ACTIVE:
        return offered, None
    if not isinstance(recorded.event, MOMENTS):
        return offered, None
    if document.price_minor is None or document.currency is None:
        return offered, None
    reason = _reason(offered, document, was_active=_active(before))
    if reason is not None or document.currency != offered.told_currency:
        told = (document.price_minor, document.currency)
        offered = replace(offered, ever=True, told_minor=told[0], told_currency=told[1])
    return offered, reason


def _active(document: ListingDocument | None) -> bool:
    return document is not None and document.status is ListingStatus.ACTIVE


def _reason(offered: Offered, document: ListingDocument, *, was_active: bool) -> MatchReason | None:
    if not offered.ever:
        return MatchReason.NEW
    if not was_active:
        return MatchReason.BACK_ON_MARKET
    if document.currency != offered.told_currency or document.price_minor is None:
        return None
    most = offered.told_minor * (100 - DROP_PERCENT)
    return MatchReason.PRICE_DROP if document.price_minor * 100 <= most else None
