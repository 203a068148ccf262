"""Comparisons for tests: what somebody asks of theirs and what happens to it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from producers.comparisons import comparisons
from producers.decider import Rejected
from schemas.comparisons import (
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
from schemas.log.messages import Role

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID = UUID(int=1)
DAY = timedelta(days=1)


def car(number: int) -> UUID:
    return UUID(int=1_000 + number)


def _asked(**more: Any) -> dict[str, Any]:
    return {"user_id": ID, "asked_at": NOW, "asked_by": str(ID), "asked_role": Role.BUYER, **more}


def add(number: int = 1, **more: Any) -> AddToComparison:
    return AddToComparison(listing_id=car(number), **_asked(**more))


def remove(number: int = 1, **more: Any) -> RemoveFromComparison:
    return RemoveFromComparison(listing_id=car(number), **_asked(**more))


def clear(**more: Any) -> ClearComparison:
    return ClearComparison(**_asked(**more))


def _link(number: int) -> dict[str, Any]:
    return {"share_id": UUID(int=number), "token_hash": f"{number:064x}"}


def share(number: int = 1, lasts: timedelta = DAY, **more: Any) -> ShareComparison:
    asked = _asked(**more)
    return ShareComparison(**_link(number), expires_at=asked["asked_at"] + lasts, **asked)


def unshare(number: int = 1, **more: Any) -> UnshareComparison:
    return UnshareComparison(share_id=UUID(int=number), **_asked(**more))


def added(number: int = 1, at: datetime = NOW) -> ComparisonItemAdded:
    return ComparisonItemAdded(user_id=ID, listing_id=car(number), added_at=at)


def removed(number: int = 1) -> ComparisonItemRemoved:
    return ComparisonItemRemoved(user_id=ID, listing_id=car(number), removed_at=NOW)


def cleared() -> ComparisonCleared:
    return ComparisonCleared(user_id=ID, cleared_at=NOW)


def shared(
    number: int = 1, *cars: int, at: datetime = NOW, lasts: timedelta = DAY
) -> ComparisonShared:
    listing_ids = tuple(car(each) for each in cars or (1,))
    return ComparisonShared(
        user_id=ID, **_link(number), listing_ids=listing_ids, shared_at=at, expires_at=at + lasts
    )


def unshared(number: int = 1) -> ComparisonUnshared:
    return ComparisonUnshared(user_id=ID, share_id=UUID(int=number), unshared_at=NOW)


_cars = st.integers(1, 6)
commands = st.lists(
    st.one_of(
        st.builds(add, _cars),
        st.builds(add, _cars),
        st.builds(remove, _cars),
        st.builds(clear),
        st.builds(share, st.integers(1, 1_000)),
    ),
    max_size=40,
)


def accepted(asked: Iterable[ComparisonCommand]) -> list[ComparisonEvent]:
    """Everything that happens when these are asked for one after another."""
    history: list[ComparisonEvent] = []
    for command in asked:
        try:
            history += comparisons.decide(command, comparisons.fold(history))
        except Rejected:
            continue
    return history
