"""How many tokens somebody has. Postgres, one row per wallet that something was entered into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never, get_args

from sqlalchemy import MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads
from schemas.log.recorded import Recorded
from schemas.wallet import (
    HALVES,
    SIGNUP_TOKENS,
    WalletCredited,
    WalletDebited,
    WalletEvent,
    WalletRefunded,
)


@dataclass(frozen=True, slots=True)
class Wallet:
    """A wallet in half tokens; `version` is its stream's. It names nobody but by an id, so that of
    whoever has left it stays, and the books remain whole.
    """

    halves: int = 0
    version: int = 0


def key(recorded: Recorded[WalletEvent]) -> str:
    """The person's id."""
    return str(recorded.event.user_id)


def fold(row: Wallet | None, recorded: Recorded[WalletEvent]) -> Wallet:
    """The wallet after the event."""
    before = 0 if row is None else row.halves
    return Wallet(before + change_of(recorded.event), recorded.version)


def change_of(event: WalletEvent) -> int:
    """By how many half tokens an entry changes the balance."""
    match event:
        case WalletCredited(halves=halves) | WalletRefunded(halves=halves):
            return halves
        case WalletDebited(halves=halves):
            return -halves
        case _:
            assert_never(event)


wallets = Projection(
    name="wallets",
    version=2,
    hears=get_args(WalletEvent),
    key=key,
    fold=fold,
    row=Wallet,
    target=PostgresTable(Table("wallets", MetaData(), *columns_of(Wallet))),
)


async def by_owner(reads: Reads, user_id: str, market: str) -> Wallet:
    """One person's wallet. Before its first entry can be read, the rule tells what is in it: a
    reaction to every registration grants what SIGNUP_TOKENS says, and nothing can be spent before.
    """
    row = await reads.fetchrow("SELECT halves, version FROM reads.wallets WHERE key = $1", user_id)
    return Wallet(HALVES * SIGNUP_TOKENS.get(market, 0)) if row is None else Wallet(**row)
