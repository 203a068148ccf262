"""What may happen to somebody's comparison: they alone add, take out, clear and share it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never
from uuid import UUID

from producers import sharing
from producers.decider import Decider, Rejected
from producers.sharing import Links
from schemas.comparisons import (
    COMPARED_MAX,
    AddToComparison,
    ClearComparison,
    ComparisonCleared,
    ComparisonCommand,
    ComparisonEvent,
    ComparisonItemAdded,
    ComparisonItemRemoved,
    ComparisonShared,
    ComparisonUnshared,
    RemoveFromComparison,
    ShareComparison,
    UnshareComparison,
)


@dataclass(frozen=True)
class Comparison:
    """Which listings somebody compares, the first added first, and their links."""

    listings: tuple[UUID, ...] = ()
    links: Links = field(default_factory=Links)


def decide(command: ComparisonCommand, comparison: Comparison) -> Sequence[ComparisonEvent]:
    """The events that the command leads to; none when it asks for what already is."""
    if command.asked_by != str(command.user_id):
        raise Rejected("not_yours", 403)
    match command:
        case AddToComparison():
            return add(command, comparison)
        case RemoveFromComparison():
            return remove(command, comparison)
        case ClearComparison():
            return clear(command, comparison)
        case ShareComparison():
            return share(command, comparison)
        case UnshareComparison():
            return unshare(command, comparison)
        case _:
            assert_never(command)


def add(command: AddToComparison, comparison: Comparison) -> Sequence[ComparisonEvent]:
    """Once, while there is room."""
    if command.listing_id in comparison.listings:
        return []
    if len(comparison.listings) >= COMPARED_MAX:
        raise Rejected("comparison_full")
    return [
        ComparisonItemAdded(
            user_id=command.user_id, listing_id=command.listing_id, added_at=command.asked_at
        )
    ]


def remove(command: RemoveFromComparison, comparison: Comparison) -> Sequence[ComparisonEvent]:
    """Whatever has become of the listing."""
    if command.listing_id not in comparison.listings:
        return []
    return [
        ComparisonItemRemoved(
            user_id=command.user_id, listing_id=command.listing_id, removed_at=command.asked_at
        )
    ]


def clear(command: ClearComparison, comparison: Comparison) -> Sequence[ComparisonEvent]:
    """All at once, in one event. Links stay, and show what they showed."""
    if not comparison.listings:
        return []
    return [ComparisonCleared(user_id=command.user_id, cleared_at=command.asked_at)]


def share(command: ShareComparison, comparison: Comparison) -> Sequence[ComparisonEvent]:
    """A link of its own each time, to what is compared now; there must be something."""
    sharing.may_share(command, comparison.links)
    if not comparison.listings:
        raise Rejected("comparison_empty")
    return [
        ComparisonShared(
            share_id=command.share_id,
            user_id=command.user_id,
            token_hash=command.token_hash,
            listing_ids=comparison.listings,
            shared_at=command.asked_at,
            expires_at=command.expires_at,
        )
    ]


def unshare(command: UnshareComparison, comparison: Comparison) -> Sequence[ComparisonEvent]:
    """For good; nothing is to do for a link that was revoked before."""
    if not sharing.is_open(command, comparison.links):
        return []
    return [
        ComparisonUnshared(
            share_id=command.share_id, user_id=command.user_id, unshared_at=command.asked_at
        )
    ]


def evolve(comparison: Comparison, event: ComparisonEvent) -> Comparison:
    """The comparison after the event."""
    match event:
        case ComparisonItemAdded(listing_id=listing_id):
            return replace(comparison, listings=(*_without(comparison, listing_id), listing_id))
        case ComparisonItemRemoved(listing_id=listing_id):
            return replace(comparison, listings=_without(comparison, listing_id))
        case ComparisonCleared():
            return replace(comparison, listings=())
        case ComparisonShared() | ComparisonUnshared():
            return replace(comparison, links=sharing.after(comparison.links, event))
        case _:
            assert_never(event)


def _without(comparison: Comparison, listing_id: UUID) -> tuple[UUID, ...]:
    return tuple(each for each in comparison.listings if each != listing_id)


comparisons: Decider[ComparisonCommand, Comparison, ComparisonEvent] = Decider(
    initial=Comparison(), decide=decide, evolve=evolve
)
