"""Links by which others see what somebody compared. Postgres, one row per person who opened some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, assert_never

from projections import sharing
from projections.comparisons.compared_columns import COLUMNS
from projections.projection import PostgresTable, Projection
from projections.reads import Reads
from projections.sharing import Shares
from schemas.comparisons import COMPARED_MAX, ComparisonShared, ComparisonUnshared
from schemas.identity import UserDeleted
from schemas.log.recorded import Recorded

Heard: TypeAlias = ComparisonShared | ComparisonUnshared | UserDeleted


@dataclass(frozen=True, slots=True)
class SharedComparisons(Shares):
    """Somebody's links and what each shows: `listing_ids` in their order, each with its link in
    `shown_by`. Of a deleted person no listing is left.
    """

    shown_by: tuple[str, ...] = ()
    listing_ids: tuple[str, ...] = ()
    deleted: bool = False


def key(recorded: Recorded[Heard]) -> str:
    """The owner's id."""
    return str(recorded.event.user_id)


def fold(row: SharedComparisons | None, recorded: Recorded[Heard]) -> SharedComparisons:
    """The links after the event; of the deleted none shows a listing, whatever comes."""
    event, row = recorded.event, row or SharedComparisons()
    match event:
        case UserDeleted():
            return replace(row, shown_by=(), listing_ids=(), deleted=True)
        case ComparisonShared():
            return _showing(sharing.after(row, event, recorded.version), event)
        case ComparisonUnshared():
            return sharing.after(row, event, recorded.version)
        case _:
            assert_never(event)


def _showing(row: SharedComparisons, event: ComparisonShared) -> SharedComparisons:
    """The row with what the new link shows, and without what forgotten ones did."""
    if row.deleted:
        return row
    new = str(event.share_id)
    before = zip(row.shown_by, row.listing_ids, strict=True)
    shown = [(by, each) for by, each in before if by in row.share_ids and by != new]
    shown += [(new, str(each)) for each in event.listing_ids]
    return replace(
        row,
        shown_by=tuple(by for by, _ in shown),
        listing_ids=tuple(each for _, each in shown),
    )


shared_comparisons = Projection(
    name="shared_comparisons",
    version=1,
    hears=(ComparisonShared, ComparisonUnshared, UserDeleted),
    key=key,
    fold=fold,
    erased_by=(UserDeleted,),
    row=SharedComparisons,
    target=PostgresTable(sharing.table_of("shared_comparisons", SharedComparisons)),
)

_SHOWN = f"""
    SELECT one.listing_id AS key, {COLUMNS}
    FROM reads.shared_comparisons AS own
    CROSS JOIN LATERAL unnest(own.shown_by, own.listing_ids)
        WITH ORDINALITY AS one (share_id, listing_id, place)
    LEFT JOIN reads.listing_page AS page ON page.key = one.listing_id
    WHERE own.key = $1 AND one.share_id = $2 ORDER BY one.place LIMIT {COMPARED_MAX}
"""  # noqa: S608 - our own names


async def shown(reads: Reads, user_id: str, share_id: str) -> Sequence[Mapping[str, Any]]:
    """What one of somebody's links shows, in its order, each listing with what its page says now; of
    a listing that has none the columns are null.
    """
    return await reads.fetch(_SHOWN, user_id, share_id)
