"""What a client must know of the vocabulary: every closed list, by name."""

from __future__ import annotations

from enum import StrEnum

from starlette.responses import Response

from api.entry.doors import ANYONE, UNLIMITED, Door
from api.entry.routing import new_router
from api.wire.emitted import json_of
from api.wire.problems import problem_responses
from api.wire.successes import ok
from schemas.identity import UserStatus
from schemas.items import ImageProcessing, ItemCategory, ItemCondition, ItemStatus
from schemas.listings import ListingStatus
from schemas.log.messages import Language, Market, Role
from schemas.profiles import Theme
from schemas.values.vehicles import (
    Availability,
    BodyType,
    Condition,
    DistanceUnit,
    Drivetrain,
    FuelType,
    Transmission,
)

ENUMS: dict[str, type[StrEnum]] = {
    "availability": Availability,
    "body_type": BodyType,
    "condition": Condition,
    "distance_unit": DistanceUnit,
    "drivetrain": Drivetrain,
    "fuel_type": FuelType,
    "image_processing": ImageProcessing,
    "item_category": ItemCategory,
    "item_condition": ItemCondition,
    "item_status": ItemStatus,
    "language": Language,
    "listing_status": ListingStatus,
    "market": Market,
    "role": Role,
    "theme": Theme,
    "transmission": Transmission,
    "user_status": UserStatus,
}

_INTERNAL = {Role.SYSTEM}  # never a person's
_BODY = json_of(
    {name: [each for each in values if each not in _INTERNAL] for name, values in ENUMS.items()}
)

router = new_router("meta", prefix="/api/meta")


@router.get(
    "/enums",
    operation_id="list_enums",
    responses={
        **ok("Every closed list by name", {"market": ["exotics", "campus"]}),
        **problem_responses(),
    },
)
@Door(ANYONE, UNLIMITED)
async def list_enums() -> Response:
    """Every closed list of values, by name."""
    return Response(
        _BODY, headers={"Cache-Control": "public, max-age=300"}, media_type="application/json"
    )
