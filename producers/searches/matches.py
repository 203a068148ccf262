"""What may happen to what an alert has found of one listing: it is told once a reason, and a price
drop once a price.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from producers.decider import Decider, Rejected
from schemas.log.messages import Role
from schemas.searches import (
    AlertMatched,
    AlertNotified,
    DeleteMatch,
    MarkNotified,
    MatchAlert,
    MatchCommand,
    MatchDeleted,
    MatchEvent,
    MatchReason,
    match_id_of,
)


@dataclass(frozen=True)
class Found:
    """For which reasons it was found, the last price of each currency that was told as a drop, up
    to which version somebody has been told, and whether it is gone.
    """

    version: int = 0
    reasons: frozenset[MatchReason] = frozenset()
    dropped_to: tuple[tuple[str, int], ...] = ()
    notified: int = 0
    deleted: bool = False


def decide(command: MatchCommand, found: Found) -> Sequence[MatchEvent]:
    """The events that the command leads to; none for what has been found before."""
    if command.asked_role is not Role.SYSTEM:
        raise Rejected("role_not_allowed", 403)
    match command:
        case MatchAlert():
            return match_alert(command, found)
        case MarkNotified():
            return mark_notified(command, found)
        case DeleteMatch():
            return delete(command, found)
        case _:
            assert_never(command)


def match_alert(command: MatchAlert, found: Found) -> Sequence[MatchEvent]:
    """Each reason once; a drop again when the price is lower than it ever was told."""
    if command.match_id != match_id_of(command.alert_id, command.listing_id):
        raise Rejected("match_unknown", 404)
    if found.deleted or (command.reason in found.reasons and not _lower(command, found)):
        return []
    return [
        AlertMatched(
            match_id=command.match_id,
            alert_id=command.alert_id,
            search_id=command.search_id,
            user_id=command.user_id,
            listing_id=command.listing_id,
            reason=command.reason,
            frequency=command.frequency,
            price_minor=command.price_minor,
            currency=command.currency,
            caused_by=command.caused_by,
            matched_at=command.asked_at,
        )
    ]


def _lower(command: MatchAlert, found: Found) -> bool:
    if command.reason is not MatchReason.PRICE_DROP:
        return False
    last = dict(found.dropped_to).get(command.currency)
    return last is None or command.price_minor < last


def mark_notified(command: MarkNotified, found: Found) -> Sequence[MatchEvent]:
    """Never back, and not beyond what there is."""
    if command.up_to > found.version:
        raise Rejected("match_unknown", 404)
    if found.deleted or command.up_to <= found.notified:
        return []
    return [
        AlertNotified(match_id=command.match_id, up_to=command.up_to, notified_at=command.asked_at)
    ]


def delete(command: DeleteMatch, found: Found) -> Sequence[MatchEvent]:
    """Once, for good: a match of what is gone that is late comes to nothing."""
    if found.deleted or found.version == 0:
        return []
    return [MatchDeleted(match_id=command.match_id, deleted_at=command.asked_at)]


def evolve(found: Found, event: MatchEvent) -> Found:
    """What was found after the event."""
    found = replace(found, version=found.version + 1)
    match event:
        case AlertMatched(reason=reason, currency=currency, price_minor=price):
            found = replace(found, reasons=found.reasons | {reason})
            if reason is not MatchReason.PRICE_DROP:
                return found
            dropped = {**dict(found.dropped_to), currency: price}
            return replace(found, dropped_to=tuple(sorted(dropped.items())))
        case AlertNotified(up_to=up_to):
            return replace(found, notified=up_to)
        case MatchDeleted():
            return replace(found, deleted=True)
        case _:
            assert_never(event)


matches: Decider[MatchCommand, Found, MatchEvent] = Decider(
    initial=Found(), decide=decide, evolve=evolve
)
