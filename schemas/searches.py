"""Saved searches and their alerts: what somebody looks for again, and how they are told of it.

All of one person's are one stream, so that how many there are is judged in its order. What an
alert has found is a stream of its own, one of an alert and a listing: a search that finds a lot
makes nobody's stream long.

What somebody calls a search, and all that they write freely in it or that tells where they are, is
personal, and sealed with their key. `filters` are a canonical JSON text of the rest
(projections.searches.canonical), which many people have in common: it is found by its hash.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, TypeAlias, get_args
from uuid import UUID, uuid5

from pydantic import AwareDatetime, Field, StringConstraints

from schemas.log.contexts import Context
from schemas.log.messages import Command, Event
from schemas.values.numbers import NUMBER
from schemas.values.texts import SEALED, TOKEN, Form, Line
from schemas.values.vehicles import CurrencyCode, PriceMinor

SEARCHES_MAX = 50  # of one person
NAME_LENGTH_MAX = 100
FILTERS_LENGTH_MAX = 8_000  # bytes
SEARCHES = UUID("5b7c1e0a-92d4-5f36-8a1b-c3e7d9204f68")  # the namespace of their ids
MATCHES = UUID("e2a94d17-6c3b-5d80-b5f2-18c07a6de941")  # of matches' ids

FiltersHash = Annotated[str, Form(r"^[0-9a-f]{64}$", "is no hash of filters")]
# 100 characters of any script: 400 bytes, and a third more in base64.
SealedText = Annotated[str, StringConstraints(max_length=1_200)]
# FILTERS_LENGTH_MAX, likewise.
SealedFilters = Annotated[str, StringConstraints(max_length=11_000)]


class Frequency(StrEnum):
    """How often somebody is told of what an alert has found."""

    INSTANT = "instant"
    DAILY = "daily"
    WEEKLY = "weekly"
    OFF = "off"  # it goes on finding, and sends nothing


DIGESTS = frozenset({Frequency.DAILY, Frequency.WEEKLY})


class Channel(StrEnum):
    """By which way."""

    EMAIL = "email"


class MatchReason(StrEnum):
    """Why a listing is told of."""

    NEW = "new"
    PRICE_DROP = "price_drop"
    BACK_ON_MARKET = "back_on_market"


Channels = Annotated[tuple[Channel, ...], Field(min_length=1, max_length=len(Channel))]


def searches_stream(user_id: UUID | str) -> str:
    """The stream of one person's searches and alerts."""
    return f"searches/{user_id}"


def search_id_of(user_id: UUID, search_hash: str) -> UUID:
    """The one saved search that somebody has with these filters and words. The hash is made with
    their key, so that nobody can try words or places.
    """
    return uuid5(SEARCHES, f"{user_id}/{search_hash}")


def match_id_of(alert_id: UUID, listing_id: UUID) -> UUID:
    """What one alert has found of one listing."""
    return uuid5(MATCHES, f"{alert_id}/{listing_id}")


def match_stream(match_id: UUID | str) -> str:
    """The stream of what one alert has found of one listing."""
    return f"alert_match/{match_id}"


class _SearchesCommand(Command):
    user_id: UUID

    @property
    def stream_id(self) -> str:
        return searches_stream(self.user_id)


class SaveSearch(_SearchesCommand):
    """Keep filters, to look again."""

    kind: Literal["search.save"] = "search.save"
    search_id: UUID
    name_sealed: Annotated[SealedText, SEALED]
    text_sealed: Annotated[SealedFilters, SEALED] | None = None
    filters: Annotated[str, Line(FILTERS_LENGTH_MAX)]
    filters_hash: FiltersHash


class DeleteSearch(_SearchesCommand):
    """Keep it no longer, nor its alert."""

    kind: Literal["search.delete"] = "search.delete"
    search_id: UUID


class DeleteSearches(_SearchesCommand):
    """Keep none any longer: the person has left."""

    kind: Literal["searches.delete"] = "searches.delete"


class CreateAlert(_SearchesCommand):
    """Be told of what a saved search finds from now on."""

    kind: Literal["alert.create"] = "alert.create"
    alert_id: UUID
    search_id: UUID
    frequency: Frequency
    channels: Channels = (Channel.EMAIL,)


class UpdateAlert(_SearchesCommand):
    """Be told of it more or less often, or by other ways."""

    kind: Literal["alert.update"] = "alert.update"
    alert_id: UUID
    frequency: Frequency | None = None
    channels: Channels | None = None


class DeleteAlert(_SearchesCommand):
    """Be told no longer."""

    kind: Literal["alert.delete"] = "alert.delete"
    alert_id: UUID


class Unsubscribe(_SearchesCommand):
    """Send no mail of this alert any more; without one: of none that comes in a digest."""

    kind: Literal["alert.unsubscribe"] = "alert.unsubscribe"
    alert_id: UUID | None = None


class SendDigest(_SearchesCommand):
    """Tell at once of all that waits for a digest: the hour has come. It is asked for when it is
    seen to have come, which after an outage is later than `due_at`.
    """

    kind: Literal["digest.send"] = "digest.send"
    frequency: Frequency
    due_at: AwareDatetime


class _MatchCommand(Command):
    match_id: UUID

    @property
    def stream_id(self) -> str:
        return match_stream(self.match_id)


class MatchAlert(_MatchCommand):
    """An alert has found a listing. `caused_by` is the event of the listing that did it."""

    kind: Literal["alert.match"] = "alert.match"
    alert_id: UUID
    search_id: UUID
    user_id: UUID
    listing_id: UUID
    reason: MatchReason
    frequency: Frequency
    price_minor: PriceMinor
    currency: CurrencyCode
    caused_by: Annotated[str, TOKEN, StringConstraints(max_length=100)]


class MarkNotified(_MatchCommand):
    """Somebody has been told of all that was found up to this version of the stream."""

    kind: Literal["alert.mark_notified"] = "alert.mark_notified"
    up_to: Annotated[int, Field(ge=1, le=2**31 - 1), NUMBER]


class DeleteMatch(_MatchCommand):
    """Keep it no longer: its alert is gone, or the person."""

    kind: Literal["alert.delete_match"] = "alert.delete_match"


SearchesCommand: TypeAlias = (
    SaveSearch
    | DeleteSearch
    | DeleteSearches
    | CreateAlert
    | UpdateAlert
    | DeleteAlert
    | Unsubscribe
    | SendDigest
)
MatchCommand: TypeAlias = MatchAlert | MarkNotified | DeleteMatch


class SearchSaved(Event):
    """Somebody keeps filters. `filters` are what is public of them, by `filters_hash`; `text_sealed`
    is a JSON text of the rest, exactly.
    """

    kind: Literal["search.saved"] = "search.saved"
    user_id: UUID
    search_id: UUID
    name_sealed: str
    text_sealed: str | None = None
    filters: str
    filters_hash: str
    saved_at: AwareDatetime


class SearchDeleted(Event):
    """They keep them no longer. The hash is that of the filters, so that whoever counts by it
    needs no look at what was before.
    """

    kind: Literal["search.deleted"] = "search.deleted"
    user_id: UUID
    search_id: UUID
    filters_hash: str
    deleted_at: AwareDatetime


class SearchesClosed(Event):
    """The person has left: nothing is saved for them any more."""

    kind: Literal["searches.closed"] = "searches.closed"
    user_id: UUID
    closed_at: AwareDatetime


class AlertCreated(Event):
    """Somebody is told of what a search of theirs finds from now on."""

    kind: Literal["alert.created"] = "alert.created"
    user_id: UUID
    alert_id: UUID
    search_id: UUID
    frequency: Frequency
    channels: tuple[Channel, ...]
    created_at: AwareDatetime


class AlertUpdated(Event):
    """They are told of it so often, and by these ways, from now on."""

    kind: Literal["alert.updated"] = "alert.updated"
    user_id: UUID
    alert_id: UUID
    frequency: Frequency
    channels: tuple[Channel, ...]
    updated_at: AwareDatetime


class AlertDeleted(Event):
    """They are told of it no longer."""

    kind: Literal["alert.deleted"] = "alert.deleted"
    user_id: UUID
    alert_id: UUID
    deleted_at: AwareDatetime


class DigestDue(Event):
    """The hour of a digest has come: `due_at` is when it was meant to, `digested_at` when it did."""

    kind: Literal["digest.due"] = "digest.due"
    user_id: UUID
    frequency: Frequency
    due_at: AwareDatetime
    digested_at: AwareDatetime


class AlertMatched(Event):
    """An alert has found a listing, and was so frequent then."""

    kind: Literal["alert.matched"] = "alert.matched"
    match_id: UUID
    alert_id: UUID
    search_id: UUID
    user_id: UUID
    listing_id: UUID
    reason: MatchReason
    frequency: Frequency
    price_minor: PriceMinor
    currency: CurrencyCode
    caused_by: str
    matched_at: AwareDatetime


class AlertNotified(Event):
    """Somebody has been told of all that was found up to this version of the stream."""

    kind: Literal["alert.notified"] = "alert.notified"
    match_id: UUID
    up_to: int
    notified_at: AwareDatetime


class MatchDeleted(Event):
    """What was found is kept no longer; nothing is found in its place."""

    kind: Literal["alert.match_deleted"] = "alert.match_deleted"
    match_id: UUID
    deleted_at: AwareDatetime


SearchesEvent: TypeAlias = (
    SearchSaved
    | SearchDeleted
    | SearchesClosed
    | AlertCreated
    | AlertUpdated
    | AlertDeleted
    | DigestDue
)
MatchEvent: TypeAlias = AlertMatched | AlertNotified | MatchDeleted

CONTEXT = Context(
    "searches",
    (*get_args(SearchesCommand), *get_args(MatchCommand)),
    (*get_args(SearchesEvent), *get_args(MatchEvent)),
)
