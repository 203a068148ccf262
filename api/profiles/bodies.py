"""What clients send of profiles and preferences and what they get, with examples."""

from __future__ import annotations

import re
from typing import Annotated
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
)

from api.wire.changes import ChangedAnswer
from api.wire.forms import Body, Chosen
from projections.messaging.conversations import RESPONSES_DAYS, RESPONSES_MIN
from schemas.identity import UserStatus
from schemas.log.messages import Language, Market, Role
from schemas.profiles import Theme
from schemas.values.numbers import Switch
from schemas.values.texts import Line, Lines, refusal

# A sealed text has at most 4,000 characters of base64: 600 characters of any script fit.
BIO_LENGTH_MAX = 600

_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")  # E.164
_PHONE_FILLERS = re.compile(r"[ \u00a0().-]")


def _normal_phone(text: str) -> str:
    found = _PHONE_FILLERS.sub("", text)
    if not _PHONE.fullmatch(found):
        told = "is no phone number: write it with its country, like +94 77 123 4567"
        raise refusal(told)
    return found


ShortLine = Annotated[str, Line(100)]
Phone = Annotated[str, StringConstraints(max_length=40), AfterValidator(_normal_phone)]
Bio = Annotated[str, Lines(BIO_LENGTH_MAX)]

USER_ID = "01980000-0000-7000-8000-00000000000a"
_AVATAR_URL = f"/api/avatars/{USER_ID}/01980000-0000-7000-8000-0000000000b1/{'0' * 64}.webp"
AVATAR = {"avatar_url": _AVATAR_URL, "avatar_small_url": _AVATAR_URL}
USER = {
    "id": USER_ID,
    "full_name": "Nimal Perera",
    "role": "seller",
    "market": "exotics",
    "location": "Colombo",
    "bio": "Old Porsches, honestly described.",
    **AVATAR,
    "created_at": "2026-03-01T12:00:00Z",
}
CHANGED = {"id": USER_ID, "version": 2}
SELLER = {
    "id": USER_ID,
    "business_name": "Perera Motors",
    "rating": None,
    "review_count": 0,
    "verified": False,
    "created_at": "2026-03-01T12:00:00Z",
    "response_rate": 0.93,
    "response_minutes": 42,
}
PREFERENCES = {
    "id": USER_ID,
    "version": 1,
    "language": "si",
    "theme": "dark",
    "notifications": True,
    "email_notifications": True,
    "sms_notifications": False,
    "push_notifications": True,
    "show_phone": True,
    "show_email": False,
    "show_presence": True,
}
STATS = {
    "id": USER_ID,
    "listings": 7,
    "active": 3,
    "sold": 2,
    "views": 1480,
    "favorites": 12,
    "reviews": 4,
    "response_rate": 0.93,
    "response_minutes": 42,
}


class ProfileChanges(Body):
    """What shall be different: a field that is left out stays, null empties it (RFC 7396)."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"phone": "+94 77 123 4567", "bio": None}]}
    )

    full_name: ShortLine | None = None
    phone: Phone | None = None
    location: ShortLine | None = None
    bio: Bio | None = None


class SellerChanges(Body):
    """What shall be different. Rating and verification are nobody's own to state."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"business_name": "Perera Motors"}]})

    business_name: ShortLine | None = None


class PreferenceChanges(Body):
    """What shall be different: a field that is left out stays."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"language": "si", "email_notifications": False}]}
    )

    language: Annotated[Language, Chosen] = Language.ENGLISH
    theme: Annotated[Theme, Chosen] = Theme.SYSTEM
    notifications: Annotated[Switch, Chosen] = True
    email_notifications: Annotated[Switch, Chosen] = True
    sms_notifications: Annotated[Switch, Chosen] = False
    push_notifications: Annotated[Switch, Chosen] = True
    show_phone: Annotated[Switch, Chosen] = False
    show_email: Annotated[Switch, Chosen] = False
    show_presence: Annotated[Switch, Chosen] = True


class ProfileChangedAnswer(ChangedAnswer):
    """Whose it is and the version it has now."""


class AvatarAnswer(BaseModel):
    """Where the picture's squares are: 512 and 128 pixels a side."""

    avatar_url: str
    avatar_small_url: str


class ProfileAnswer(BaseModel):
    """A person. `phone` and `email` are there for the person and where they show them to all;
    `status`, `email_verified` and `version` for the person only.
    """

    id: UUID
    full_name: str
    role: Role
    market: Market
    location: str | None
    bio: str | None
    avatar_url: str | None
    avatar_small_url: str | None
    created_at: AwareDatetime
    phone: str | None = Field(default=None, description="E.164")
    email: str | None = None
    status: UserStatus | None = None
    email_verified: bool | None = None
    version: int | None = None


class SellerAnswer(BaseModel):
    """A seller. `rating` is null until somebody has reviewed them, what tells of their responses
    until enough have asked them something, of late.
    """

    id: UUID
    business_name: str | None
    rating: float | None
    review_count: int
    verified: bool
    created_at: AwareDatetime
    response_rate: float | None = Field(
        description=f"Which share of those who asked within {RESPONSES_DAYS} days was answered, 0"
        " to 1. Whoever has waited for less than a day is not counted before they are answered;"
        f" null where fewer than {RESPONSES_MIN} are"
    )
    response_minutes: int | None = Field(
        description="Within which time, the median of those who were answered; null likewise"
    )
    version: int | None = None


class PreferencesAnswer(BaseModel):
    """What holds for a person, chosen or by default."""

    id: UUID
    version: int
    language: Language
    theme: Theme
    notifications: bool
    email_notifications: bool
    sms_notifications: bool
    push_notifications: bool
    show_phone: bool
    show_email: bool
    show_presence: bool


class StatsAnswer(BaseModel):
    """A person's figures: listings created ever, on offer now, sold ever, views of all, by how many
    each is kept in mind now, all together, the reviews that stand about the person, and how they answer
    those who ask, as on a seller's page.
    """

    id: UUID
    listings: int
    active: int
    sold: int
    views: int
    favorites: int
    reviews: int
    response_rate: float | None
    response_minutes: int | None
