"""What clients send and get of saved searches and alerts, with examples."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from api.listings.sight import SUMMARY, ListingSummary, SeenStatus
from api.wire.changes import ChangedAnswer
from api.wire.forms import Body, Chosen
from projections.searches.saved_searches import NEW_MAX, NEW_WITHIN
from schemas.search import Amount, Filters, Kilometers, Latitude, Longitude, Power, Radius, Year
from schemas.searches import NAME_LENGTH_MAX, Channel, Channels, Frequency, MatchReason
from schemas.values.numbers import NUMBER
from schemas.values.texts import Line, refusal

SEARCH_ID = "01980000-0000-7000-8000-000000000021"
ALERT_ID = "01980000-0000-7000-8000-000000000022"
CHANGED = {"id": SEARCH_ID, "version": 1}
NEW_SEARCH: dict[str, Any] = {
    "name": "A 911 under 90,000",
    "filters": {"make": ["Porsche"], "model": ["911"], "price_max": 90_000, "currency": "USD"},
}
SAVED: dict[str, Any] = {
    "id": SEARCH_ID,
    **NEW_SEARCH,
    "created_at": "2026-03-01T12:00:00Z",
    "new_matches": 3,
    "alert": {"id": ALERT_ID, "frequency": "daily", "channels": ["email"]},
}
LOOK = {"new": 14, "price_drops": 3, "back_on_market": 1}
NEW_ALERT: dict[str, Any] = {"search_id": SEARCH_ID, "frequency": "daily", "channels": ["email"]}
ALERT: dict[str, Any] = {
    "id": ALERT_ID,
    "search_id": SEARCH_ID,
    "search_name": NEW_SEARCH["name"],
    "frequency": "daily",
    "channels": ["email"],
    "active": True,
    "created_at": "2026-03-01T12:00:00Z",
    "last_sent_at": None,
}
MATCH: dict[str, Any] = {
    "listing_id": SUMMARY["id"],
    "reason": "price_drop",
    "price_minor": 8_500_000,
    "currency": "USD",
    "matched_at": "2026-03-02T12:00:00Z",
    "notified_at": None,
    "status": "active",
    "listing": SUMMARY,
}


_MAJOR = Field(default=None, description="Major units, e.g. 5000")
_KILOMETERS = Field(default=None, description="Kilometers")
_KILOWATTS = Field(default=None, description="Kilowatts")


class SearchFilters(Filters):
    """The same filters in JSON, where a number is a number."""

    price_min: Annotated[Amount | None, NUMBER] = _MAJOR
    price_max: Annotated[Amount | None, NUMBER] = _MAJOR
    year_min: Annotated[Year | None, NUMBER] = None
    year_max: Annotated[Year | None, NUMBER] = None
    mileage_min: Annotated[Kilometers | None, NUMBER] = _KILOMETERS
    mileage_max: Annotated[Kilometers | None, NUMBER] = _KILOMETERS
    power_min: Annotated[Power | None, NUMBER] = _KILOWATTS
    power_max: Annotated[Power | None, NUMBER] = _KILOWATTS
    lat: Annotated[Latitude | None, NUMBER] = None
    lon: Annotated[Longitude | None, NUMBER] = None
    radius_km: Annotated[Radius | None, NUMBER] = None


class NewSearch(Body):
    """Filters to keep: the parameters of `GET /api/search`, by their names."""

    model_config = ConfigDict(json_schema_extra={"examples": [NEW_SEARCH]})

    name: Annotated[str, Line(NAME_LENGTH_MAX)]
    filters: SearchFilters


class NewAlert(Body):
    """Be told of what a saved search finds."""

    model_config = ConfigDict(json_schema_extra={"examples": [NEW_ALERT]})

    search_id: UUID
    frequency: Frequency = Frequency.INSTANT
    channels: Channels = (Channel.EMAIL,)


class AlertChanges(Body):
    """How often, and by which ways; what is left out stays, and one of them is to be sent."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"frequency": "weekly"}], "minProperties": 1}
    )

    frequency: Annotated[Frequency | None, Chosen] = None
    channels: Annotated[Channels | None, Chosen] = None

    @model_validator(mode="after")
    def _says_something(self) -> AlertChanges:
        if not self.model_fields_set:
            told = "changes nothing: send frequency, channels or both"
            raise refusal(told)
        return self


class SearchChangedAnswer(ChangedAnswer):
    """The search, and the version that the caller's searches have now."""


class AlertChangedAnswer(ChangedAnswer):
    """The alert, and the version that the caller's searches have now."""


class AlertOfSearch(BaseModel):
    """A search's alert."""

    id: UUID
    frequency: Frequency
    channels: list[Channel]


class SavedSearch(BaseModel):
    """A saved search. `filters` in the form in which all that ask for the same are one."""

    id: UUID
    name: str
    filters: Filters
    created_at: AwareDatetime
    new_matches: int = Field(
        description=f"What its alert has found within {NEW_WITHIN.days} days; {NEW_MAX + 1} means "
        "more than that. 0 without an alert"
    )
    alert: AlertOfSearch | None


class LookBack(BaseModel):
    """Of how many listings a search would have told somebody, by why: each once a reason."""

    new: int
    price_drops: int
    back_on_market: int


class SavedSearchAnswer(SavedSearch):
    """A saved search, and what it would have told in the last 30 days."""

    looked_back: LookBack | None


class SavedSearchesAnswer(BaseModel):
    """All saved searches, the last saved first."""

    items: list[SavedSearch]


class AlertAnswer(BaseModel):
    """An alert. `active` says whether it sends mails."""

    id: UUID
    search_id: UUID
    search_name: str
    frequency: Frequency
    channels: list[Channel]
    active: bool
    created_at: AwareDatetime
    last_sent_at: AwareDatetime | None


class AlertsAnswer(BaseModel):
    """All alerts, the last made first."""

    items: list[AlertAnswer]


class Match(BaseModel):
    """A listing that an alert has found: why last, and at what price."""

    listing_id: UUID
    reason: MatchReason
    price_minor: int
    currency: str
    matched_at: AwareDatetime
    notified_at: AwareDatetime | None
    status: SeenStatus = Field(description="`gone`: it can't be seen any more")
    listing: ListingSummary | None = Field(description="Null when it is gone")


class MatchesAnswer(BaseModel):
    """A page of what a search's alert has found, the last first."""

    items: list[Match]
    next_cursor: str | None
