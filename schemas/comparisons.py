"""Comparisons: the few listings that somebody lays side by side, and the links by which others see
what they compared.

All of one person's is one stream, so that what they add, clear and share is judged in its order.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, get_args
from uuid import UUID

from pydantic import AwareDatetime, Field

from schemas.log.contexts import Context
from schemas.log.messages import Command, Event
from schemas.sharing import Share, Shared, Unshare, Unshared

COMPARED_MAX = 4  # of one person at a time: as many as fit side by side


def comparison_stream(user_id: UUID | str) -> str:
    """The stream of one person's comparison."""
    return f"comparison/{user_id}"


class _ComparisonCommand(Command):
    user_id: UUID

    @property
    def stream_id(self) -> str:
        return comparison_stream(self.user_id)


class AddToComparison(_ComparisonCommand):
    """Lay a listing beside the others."""

    kind: Literal["comparison.add"] = "comparison.add"
    listing_id: UUID


class RemoveFromComparison(_ComparisonCommand):
    """Compare it no longer."""

    kind: Literal["comparison.remove"] = "comparison.remove"
    listing_id: UUID


class ClearComparison(_ComparisonCommand):
    """Compare none any longer."""

    kind: Literal["comparison.clear"] = "comparison.clear"


class ShareComparison(Share, _ComparisonCommand):
    """Let others see what is compared now."""

    kind: Literal["comparison.share"] = "comparison.share"


class UnshareComparison(Unshare, _ComparisonCommand):
    """Let a link show it no longer."""

    kind: Literal["comparison.unshare"] = "comparison.unshare"


ComparisonCommand: TypeAlias = (
    AddToComparison | RemoveFromComparison | ClearComparison | ShareComparison | UnshareComparison
)


class ComparisonItemAdded(Event):
    """Somebody compares the listing with the others of theirs."""

    kind: Literal["comparison.item_added"] = "comparison.item_added"
    user_id: UUID
    listing_id: UUID
    added_at: AwareDatetime


class ComparisonItemRemoved(Event):
    """They compare it no longer."""

    kind: Literal["comparison.item_removed"] = "comparison.item_removed"
    user_id: UUID
    listing_id: UUID
    removed_at: AwareDatetime


class ComparisonCleared(Event):
    """They compare none any longer."""

    kind: Literal["comparison.cleared"] = "comparison.cleared"
    user_id: UUID
    cleared_at: AwareDatetime


class ComparisonShared(Shared):
    """A link shows these listings, which they compared when it was opened, whatever they compare
    later.
    """

    kind: Literal["comparison.shared"] = "comparison.shared"
    listing_ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=COMPARED_MAX)]


class ComparisonUnshared(Unshared):
    """The link shows them no longer."""

    kind: Literal["comparison.unshared"] = "comparison.unshared"


ComparisonEvent: TypeAlias = (
    ComparisonItemAdded
    | ComparisonItemRemoved
    | ComparisonCleared
    | ComparisonShared
    | ComparisonUnshared
)

CONTEXT = Context("comparisons", get_args(ComparisonCommand), get_args(ComparisonEvent))
