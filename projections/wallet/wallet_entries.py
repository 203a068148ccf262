"""What was entered into wallets, when and why. Postgres, one row per entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never, get_args

from sqlalchemy import Index, MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads, Slice, fetch_slice
from projections.wallet.wallets import change_of
from schemas.log.recorded import Recorded
from schemas.wallet import WalletCredited, WalletDebited, WalletEvent, WalletRefunded


@dataclass(frozen=True, slots=True)
class WalletEntry:
    """An entry. `kind` is `credit`, `debit` or `refund`; `halves` is how many half tokens it added
    to the balance, below 0 when it took from it; `version` is its place in the wallet, from 1.
    """

    user_id: str
    version: int
    kind: str
    halves: int
    reason: str
    reference: str
    at: datetime


def key(recorded: Recorded[WalletEvent]) -> str:
    """The event's own id: every entry has a row."""
    return recorded.event_id


def fold(_row: WalletEntry | None, recorded: Recorded[WalletEvent]) -> WalletEntry:
    """The entry that an event states."""
    event = recorded.event
    kind, at = _kind_and_moment(event)
    return WalletEntry(
        user_id=str(event.user_id),
        version=recorded.version,
        kind=kind,
        halves=change_of(event),
        reason=event.reason.value,
        reference=event.reference,
        at=at,
    )


def _kind_and_moment(event: WalletEvent) -> tuple[str, datetime]:
    match event:
        case WalletCredited(credited_at=at):
            return "credit", at
        case WalletDebited(debited_at=at):
            return "debit", at
        case WalletRefunded(refunded_at=at):
            return "refund", at
        case _:
            assert_never(event)


table = Table("wallet_entries", MetaData(), *columns_of(WalletEntry))
Index("of_wallet", table.c.user_id, table.c.version, unique=True)
Index("by_reference", table.c.user_id, table.c.reference)

wallet_entries = Projection(
    name="wallet_entries",
    version=2,
    hears=get_args(WalletEvent),
    key=key,
    fold=fold,
    row=WalletEntry,
    target=PostgresTable(table),
    insert_only=True,
)

_OF_OWNER = """
    SELECT key AS id, version, kind, halves, reason, reference, at FROM reads.wallet_entries
    WHERE user_id = $1 {after} ORDER BY version DESC {limit}
"""

_IS_DEBITED = """
    SELECT FROM reads.wallet_entries
    WHERE user_id = $1 AND reference = $2 AND kind = 'debit' LIMIT 1
"""


async def is_debited(reads: Reads, user_id: str, reference: str) -> bool:
    """Whether somebody was debited under this reference."""
    return await reads.fetchrow(_IS_DEBITED, user_id, reference) is not None


async def of_owner(reads: Reads, user_id: str, part: Slice) -> Sequence[Mapping[str, Any]]:
    """One person's entries, the last first."""
    return await fetch_slice(reads, _OF_OWNER, "version", part, user_id)
