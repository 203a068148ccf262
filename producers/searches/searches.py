"""What may happen to somebody's saved searches and alerts: they alone save, change and delete them,
but for what follows when their time has come, when they leave, or when they use a mail's link.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar, assert_never
from uuid import UUID

from producers.decider import Decider, Rejected
from schemas.log.messages import Role
from schemas.searches import (
    DIGESTS,
    SEARCHES_MAX,
    AlertCreated,
    AlertDeleted,
    AlertUpdated,
    Channel,
    CreateAlert,
    DeleteAlert,
    DeleteSearch,
    DeleteSearches,
    DigestDue,
    Frequency,
    SaveSearch,
    SearchDeleted,
    SearchesClosed,
    SearchesCommand,
    SearchesEvent,
    SearchSaved,
    SendDigest,
    Unsubscribe,
    UpdateAlert,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Alert:
    """One search's alert."""

    search_id: UUID
    frequency: Frequency
    channels: tuple[Channel, ...]


@dataclass(frozen=True)
class Searches:
    """Saved searches with the hashes of their filters, alerts by their ids, the last hour of each
    digest, and whether the person has left.
    """

    saved: Mapping[UUID, str] = field(default_factory=dict)
    alerts: Mapping[UUID, Alert] = field(default_factory=dict)
    digested: Mapping[Frequency, datetime] = field(default_factory=dict)
    left: bool = False

    def alert_of(self, search_id: UUID) -> UUID | None:
        """The alert of a search."""
        found = (key for key, each in self.alerts.items() if each.search_id == search_id)
        return next(found, None)


_OF_NOBODY = (DeleteSearches, SendDigest, Unsubscribe)


def decide(command: SearchesCommand, searches: Searches) -> Sequence[SearchesEvent]:
    """The events that the command leads to; none when it asks for what already is."""
    if isinstance(command, _OF_NOBODY):
        if command.asked_role is not Role.SYSTEM:
            raise Rejected("role_not_allowed", 403)
    elif command.asked_by != str(command.user_id):
        raise Rejected("not_yours", 403)
    match command:
        case SaveSearch():
            return save(command, searches)
        case DeleteSearch():
            return delete(command, searches)
        case CreateAlert() | UpdateAlert() | DeleteAlert():
            return _about_alert(command, searches)
        case Unsubscribe():
            return unsubscribe(command, searches)
        case DeleteSearches():
            return close(command, searches)
        case SendDigest():
            return digest(command, searches)
        case _:
            assert_never(command)


def save(command: SaveSearch, searches: Searches) -> Sequence[SearchesEvent]:
    """Once, while there is room: the id follows from what is looked for. What was under way when
    somebody left comes too late.
    """
    if searches.left:
        raise Rejected("user_deleted", 410)
    if command.search_id in searches.saved:
        return []
    if len(searches.saved) >= SEARCHES_MAX:
        raise Rejected("searches_full")
    return [
        SearchSaved(
            user_id=command.user_id,
            search_id=command.search_id,
            name_sealed=command.name_sealed,
            text_sealed=command.text_sealed,
            filters=command.filters,
            filters_hash=command.filters_hash,
            saved_at=command.asked_at,
        )
    ]


def close(command: DeleteSearches, searches: Searches) -> Sequence[SearchesEvent]:
    """All at once, and for good."""
    if searches.left:
        return []
    return [
        *(event for each in searches.saved for event in _deleted(command, each, searches)),
        SearchesClosed(user_id=command.user_id, closed_at=command.asked_at),
    ]


def delete(command: DeleteSearch, searches: Searches) -> Sequence[SearchesEvent]:
    """With its alert: no alert is of nothing."""
    if command.search_id not in searches.saved:
        raise Rejected("search_unknown", 404)
    return _deleted(command, command.search_id, searches)


def _deleted(
    command: DeleteSearch | DeleteSearches, search_id: UUID, searches: Searches
) -> list[SearchesEvent]:
    events: list[SearchesEvent] = []
    alert_id = searches.alert_of(search_id)
    if alert_id is not None:
        events.append(
            AlertDeleted(user_id=command.user_id, alert_id=alert_id, deleted_at=command.asked_at)
        )
    return [
        *events,
        SearchDeleted(
            user_id=command.user_id,
            search_id=search_id,
            filters_hash=searches.saved[search_id],
            deleted_at=command.asked_at,
        ),
    ]


def _about_alert(
    command: CreateAlert | UpdateAlert | DeleteAlert, searches: Searches
) -> Sequence[SearchesEvent]:
    match command:
        case CreateAlert():
            return create_alert(command, searches)
        case UpdateAlert():
            return update_alert(command, searches)
        case DeleteAlert():
            return delete_alert(command, searches)
        case _:
            assert_never(command)


def create_alert(command: CreateAlert, searches: Searches) -> Sequence[SearchesEvent]:
    """One a search, and only of one's own."""
    if command.search_id not in searches.saved:
        raise Rejected("search_unknown", 404)
    if searches.alert_of(command.search_id) is not None:
        raise Rejected("alert_exists")
    return [
        AlertCreated(
            user_id=command.user_id,
            alert_id=command.alert_id,
            search_id=command.search_id,
            frequency=command.frequency,
            channels=command.channels,
            created_at=command.asked_at,
        )
    ]


def update_alert(command: UpdateAlert, searches: Searches) -> Sequence[SearchesEvent]:
    """It holds from now on, also for what was found and waits to be told."""
    alert = searches.alerts.get(command.alert_id)
    if alert is None:
        raise Rejected("alert_unknown", 404)
    frequency = command.frequency or alert.frequency
    return _updated(command, command.alert_id, alert, frequency, command.channels)


def _updated(
    command: UpdateAlert | Unsubscribe,
    alert_id: UUID,
    alert: Alert,
    frequency: Frequency,
    channels: tuple[Channel, ...] | None = None,
) -> list[SearchesEvent]:
    wanted = replace(alert, frequency=frequency, channels=channels or alert.channels)
    if wanted == alert:
        return []
    return [
        AlertUpdated(
            user_id=command.user_id,
            alert_id=alert_id,
            frequency=wanted.frequency,
            channels=wanted.channels,
            updated_at=command.asked_at,
        )
    ]


def delete_alert(command: DeleteAlert, searches: Searches) -> Sequence[SearchesEvent]:
    """The search stays."""
    if command.alert_id not in searches.alerts:
        raise Rejected("alert_unknown", 404)
    return [
        AlertDeleted(
            user_id=command.user_id, alert_id=command.alert_id, deleted_at=command.asked_at
        )
    ]


def unsubscribe(command: Unsubscribe, searches: Searches) -> Sequence[SearchesEvent]:
    """Of what is gone nobody gets mail: the link in an old one is as good as used."""
    return [
        event
        for alert_id, alert in searches.alerts.items()
        if _is_meant(command, alert_id, alert)
        for event in _updated(command, alert_id, alert, Frequency.OFF)
    ]


def _is_meant(command: Unsubscribe, alert_id: UUID, alert: Alert) -> bool:
    if command.alert_id is None:
        return alert.frequency in DIGESTS
    return command.alert_id == alert_id


def digest(command: SendDigest, searches: Searches) -> Sequence[SearchesEvent]:
    """Once an hour that has come, and never one before the last."""
    if command.frequency not in DIGESTS:
        raise Rejected("no_digest")
    last = searches.digested.get(command.frequency)
    if last is not None and command.due_at <= last:
        return []
    return [
        DigestDue(
            user_id=command.user_id,
            frequency=command.frequency,
            due_at=command.due_at,
            digested_at=command.asked_at,
        )
    ]


def evolve(searches: Searches, event: SearchesEvent) -> Searches:
    """The searches after the event."""
    match event:
        case SearchSaved(search_id=search_id, filters_hash=filters_hash):
            return replace(searches, saved={**searches.saved, search_id: filters_hash})
        case SearchDeleted(search_id=search_id):
            return replace(searches, saved=_without(searches.saved, search_id))
        case AlertDeleted(alert_id=alert_id):
            return replace(searches, alerts=_without(searches.alerts, alert_id))
        case AlertCreated() | AlertUpdated():
            return _with_alert(searches, event)
        case SearchesClosed():
            return replace(searches, left=True)
        case DigestDue(frequency=frequency, due_at=due_at):
            return replace(searches, digested={**searches.digested, frequency: due_at})
        case _:
            assert_never(event)


def _with_alert(searches: Searches, event: AlertCreated | AlertUpdated) -> Searches:
    if isinstance(event, AlertCreated):
        alert = Alert(event.search_id, event.frequency, event.channels)
    else:
        before = searches.alerts[event.alert_id]
        alert = replace(before, frequency=event.frequency, channels=event.channels)
    return replace(searches, alerts={**searches.alerts, event.alert_id: alert})


def _without(known: Mapping[UUID, T], gone: UUID) -> dict[UUID, T]:
    return {key: each for key, each in known.items() if key != gone}


searches: Decider[SearchesCommand, Searches, SearchesEvent] = Decider(
    initial=Searches(), decide=decide, evolve=evolve
)
