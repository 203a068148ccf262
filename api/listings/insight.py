"""Whether a listing's price is a fair one, and beside which others, on any day."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from api.backends.machines import Machines, Mesh
from api.backends.withheld import BeingRepaired
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import ANYONE, SEARCHES, Door
from api.entry.routing import new_router
from api.listings.bodies import LISTING_ID
from api.listings.fair_price import (
    COMPARED_MIN,
    RULE,
    Label,
    label_of,
    middle_of,
    mileages_like,
    percent_of,
)
from api.listings.sight import listing_for
from api.wire.emitted import json_of
from api.wire.problems import (
    StoreUnavailableError,
    WriteUnavailableError,
    invalid,
    problem_responses,
)
from api.wire.successes import ok
from projections.listings.asking_days import (
    NOT_OFFERED,
    REASONS,
    Offer,
    asking_days,
    offer_on,
    offers_like,
)
from projections.listings.listing_page import listing_page
from schemas.log.messages import Fault
from schemas.log.positions import TopicPartition

OFFERS = CaughtUp(listing_page, asking_days)
DAYS = CaughtUp(asking_days)
# An event is dated by its writer before the log has it, and clocks differ.
SETTLES: Final = timedelta(minutes=5)
SETTLING_S: Final = 1.0

_PARKED = """
    SELECT EXISTS (SELECT FROM mesh.live_parked WHERE projection = $1)
"""


router = new_router("listings")


class Comparable(BaseModel):
    """Another vehicle that was on offer at the end of the day, as it was then."""

    listing_id: UUID
    price_minor: int
    year: int
    mileage_km: int


class InsightAnswer(BaseModel):
    """What is said of the price at the end of the day `as_of` (UTC), beside the `median_minor` of its
    `comparables`: of the same make, model, currency and market, at most a year older or newer, with a
    mileage between `mileage_km_min` and `mileage_km_max`, neither damaged nor the same person's; the
    50 nearest. With fewer than `comparables_min` the label is `none`, and `reason` says so.

    `percent_of_median` is rounded up, as the bounds of the labels are meant.

    `final`: the day is over and all of it has been read, so that this is what will always be said;
    never while anything that was said of any listing waits to be mended.
    """

    listing_id: UUID
    as_of: date
    final: bool
    rule: int
    label: Label
    reason: Literal["not_on_offer", "damaged", "facts_missing", "too_few"] | None
    price_minor: int | None
    median_minor: int | None
    percent_of_median: int | None
    mileage_km_min: int | None
    mileage_km_max: int | None
    comparables_min: int = Field(description="With fewer there is no label")
    comparables: list[Comparable]


_INSIGHT = {
    "listing_id": LISTING_ID,
    "as_of": "2026-03-01",
    "final": True,
    "rule": RULE,
    "label": "none",
    "reason": "too_few",
    "price_minor": 8_500_000,
    "median_minor": None,
    "percent_of_median": None,
    "mileage_km_min": 21_500,
    "mileage_km_max": 62_500,
    "comparables_min": COMPARED_MIN,
    "comparables": [
        {
            "listing_id": "01980000-0000-7000-8000-000000000002",
            "price_minor": 8_100_000,
            "year": 2019,
            "mileage_km": 40_000,
        }
    ],
}


@router.get(
    "/api/listings/{listing_id:uuid}/price-insight",
    operation_id="read_price_insight",
    response_model=InsightAnswer,
    responses={**ok("The label", _INSIGHT), **problem_responses(400, 401, 404, 410)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ANYONE, SEARCHES, keys=True)
async def read_price_insight(
    listing_id: UUID,
    request: Request,
    mesh: Mesh,
    as_of: Annotated[date | None, Query(description="Default: today, UTC, as it is now")] = None,
) -> Response:
    """Whether the listing's price is a fair one beside its like on that day, and which those are.
    Of a day that is over the same is said for ever.
    """
    await OFFERS.wait(request)
    await listing_for(request, listing_id)
    now = datetime.now(UTC)
    day = as_of or now.date()
    if day > now.date():
        detail = "is a day to come: send one that has begun, in UTC"
        raise invalid([Fault(pointer="?as_of", detail=detail)])
    final = await is_final(mesh, day, now)
    offer = await offer_on(mesh.postgres, str(listing_id), day)
    body = {
        "listing_id": str(listing_id),
        "as_of": day,
        "final": final,
        **await _insight(mesh, offer, day),
    }
    headers = {"Cache-Control": "no-cache"}
    return Response(json_of(body), headers=headers, media_type="application/json")


async def _insight(mesh: Machines, offer: Offer | None, day: date) -> dict[str, Any]:
    if offer is None or offer.kind in REASONS:
        return _told(offer, NOT_OFFERED if offer is None else offer.kind, (None, None), ())
    between = mileages_like(offer.mileage_km)
    found = await offers_like(mesh.postgres, offer, day, between)
    return _told(offer, None, between, found)


def _told(
    offer: Offer | None,
    reason: str | None,
    between: tuple[int | None, int | None],
    found: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """What is said of the price beside what was found; `reason` is why nothing was looked for."""
    price = None if offer is None or reason is not None else offer.price_minor
    prices = [each["price_minor"] for each in found]
    middle = middle_of(prices)
    label = Label.NONE if price is None else label_of(price, prices)
    percent = None if price is None or not middle else percent_of(price, middle)
    if label is Label.NONE and reason is None:
        reason = "too_few"
    return {
        "rule": RULE,
        "label": label,
        "reason": reason,
        "price_minor": price,
        "median_minor": middle,
        "percent_of_median": percent,
        "mileage_km_min": between[0],
        "mileage_km_max": between[1],
        "comparables_min": COMPARED_MIN,
        "comparables": [dict(each) for each in found],
    }


async def is_final(mesh: Machines, day: date, now: datetime) -> bool:
    """Whether nothing can be added to that day any more: it is over, and all that the log had
    when it was is read. Where nobody can tell, nothing is claimed.
    """
    if now < datetime.combine(day, clock.max, tzinfo=UTC) + SETTLES:
        return False
    places = [
        TopicPartition(topic, each)
        for topic in asking_days.topics
        for each in range(mesh.settings.topic_partitions)
    ]
    try:
        ends = await mesh.writes.ends_of(places)
        # The last place of a partition is the mark at the end of a transaction, which is no event.
        last = [place.at(end - 2) for place, end in ends.items() if end > 1]
        await DAYS.reach(mesh, last, time.monotonic() + SETTLING_S)
        # What waits was passed over, whichever listing it is of: it may be like any other.
        return not await mesh.postgres.fetchval(_PARKED, asking_days.name)
    except (BeingRepaired, StoreUnavailableError, WriteUnavailableError):
        return False
