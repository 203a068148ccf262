"""Saved searches for tests: what somebody asks of theirs, and what happens to them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from schemas.log.messages import Role
from schemas.searches import (
    AlertCreated,
    AlertDeleted,
    AlertMatched,
    AlertNotified,
    AlertUpdated,
    Channel,
    CreateAlert,
    DeleteAlert,
    DeleteMatch,
    DeleteSearch,
    DeleteSearches,
    DigestDue,
    Frequency,
    MarkNotified,
    MatchAlert,
    MatchDeleted,
    MatchReason,
    SaveSearch,
    SearchDeleted,
    SearchesClosed,
    SearchSaved,
    SendDigest,
    Unsubscribe,
    UpdateAlert,
    match_id_of,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NINE = datetime(2026, 3, 1, 3, 30, tzinfo=UTC)  # in Colombo
DAY = timedelta(days=1)
ID, OTHER = UUID(int=1), UUID(int=2)
LISTING = UUID(int=900)
FILTERS = '{"market":"exotics"}'
SYSTEM = {"asked_by": "effect/test", "asked_role": Role.SYSTEM}
MAIL = (Channel.EMAIL,)


def search(number: int) -> UUID:
    return UUID(int=100 + number)


def alert(number: int) -> UUID:
    return UUID(int=200 + number)


def hashed(number: int) -> str:
    return f"{number:064x}"


def asked(**more: Any) -> dict[str, Any]:
    return {
        "user_id": ID, "asked_at": NOW, "asked_by": str(ID), "asked_role": Role.BUYER, **more
    }  # fmt: skip


def save(number: int = 1, **more: Any) -> SaveSearch:
    about = {"search_id": search(number), "name_sealed": "name", "filters": FILTERS}
    return SaveSearch(**{**about, "filters_hash": hashed(number), **asked(**more)})


def delete(number: int = 1, **more: Any) -> DeleteSearch:
    return DeleteSearch(search_id=search(number), **asked(**more))


def create(number: int = 1, frequency: Frequency = Frequency.DAILY, **more: Any) -> CreateAlert:
    about = {"alert_id": alert(number), "search_id": search(number), "frequency": frequency}
    return CreateAlert(**about, **asked(**more))


def update(frequency: Frequency, number: int = 1, **more: Any) -> UpdateAlert:
    return UpdateAlert(alert_id=alert(number), frequency=frequency, **asked(**more))


def end(number: int = 1, **more: Any) -> DeleteAlert:
    return DeleteAlert(alert_id=alert(number), **asked(**more))


def unsubscribe(number: int | None = None, **more: Any) -> Unsubscribe:
    alert_id = None if number is None else alert(number)
    return Unsubscribe(alert_id=alert_id, **asked(**{**SYSTEM, **more}))


def digest(
    due_at: datetime = NINE, frequency: Frequency = Frequency.DAILY, **more: Any
) -> SendDigest:
    return SendDigest(frequency=frequency, due_at=due_at, **asked(**{**SYSTEM, **more}))


def leave(**more: Any) -> DeleteSearches:
    return DeleteSearches(**asked(**{**SYSTEM, **more}))


def saved(number: int = 1, **more: Any) -> SearchSaved:
    about = {"search_id": search(number), "name_sealed": "name", "filters": FILTERS}
    return SearchSaved(
        **{"user_id": ID, **about, "filters_hash": hashed(number), "saved_at": NOW, **more}
    )


def deleted(number: int = 1) -> SearchDeleted:
    about = {"search_id": search(number), "filters_hash": hashed(number)}
    return SearchDeleted(user_id=ID, **about, deleted_at=NOW)


def closed() -> SearchesClosed:
    return SearchesClosed(user_id=ID, closed_at=NOW)


def created(number: int = 1, frequency: Frequency = Frequency.DAILY) -> AlertCreated:
    about = {"alert_id": alert(number), "search_id": search(number), "frequency": frequency}
    return AlertCreated(user_id=ID, **about, channels=MAIL, created_at=NOW)


def updated(frequency: Frequency, number: int = 1) -> AlertUpdated:
    about = {"alert_id": alert(number), "frequency": frequency}
    return AlertUpdated(user_id=ID, **about, channels=MAIL, updated_at=NOW)


def ended(number: int = 1) -> AlertDeleted:
    return AlertDeleted(user_id=ID, alert_id=alert(number), deleted_at=NOW)


def due(due_at: datetime = NINE, frequency: Frequency = Frequency.DAILY) -> DigestDue:
    return DigestDue(user_id=ID, frequency=frequency, due_at=due_at, digested_at=NOW)


def _found(reason: MatchReason, price_minor: int, currency: str) -> dict[str, Any]:
    return {
        "match_id": match_id_of(alert(1), LISTING),
        "alert_id": alert(1),
        "search_id": search(1),
        "user_id": ID,
        "listing_id": LISTING,
        "reason": reason,
        "frequency": Frequency.INSTANT,
        "price_minor": price_minor,
        "currency": currency,
        "caused_by": "an-event",
    }


def match(
    reason: MatchReason = MatchReason.NEW,
    price_minor: int = 900,
    currency: str = "USD",
    **more: Any,
) -> MatchAlert:
    about = _found(reason, price_minor, currency)
    return MatchAlert(**{**about, "asked_at": NOW, **SYSTEM, **more})


def matched(
    reason: MatchReason = MatchReason.NEW, price_minor: int = 900, currency: str = "USD"
) -> AlertMatched:
    return AlertMatched(**_found(reason, price_minor, currency), matched_at=NOW)


def mark(up_to: int, **more: Any) -> MarkNotified:
    match_id = match_id_of(alert(1), LISTING)
    return MarkNotified(**{"match_id": match_id, "up_to": up_to, "asked_at": NOW, **SYSTEM, **more})


def notified(up_to: int) -> AlertNotified:
    return AlertNotified(match_id=match_id_of(alert(1), LISTING), up_to=up_to, notified_at=NOW)


def delete_match(**more: Any) -> DeleteMatch:
    match_id = match_id_of(alert(1), LISTING)
    return DeleteMatch(**{"match_id": match_id, "asked_at": NOW, **SYSTEM, **more})


def match_deleted() -> MatchDeleted:
    return MatchDeleted(match_id=match_id_of(alert(1), LISTING), deleted_at=NOW)
