"""A person as they see themselves: the read model's row, unsealed by the vault."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from api.backends.machines import Machines
from api.entry.consistency import awaited_row
from infra.vault.vault import PersonKey
from projections.identity import users
from projections.wallet import wallets
from schemas.identity import UserStatus
from schemas.log.messages import Market, Role
from schemas.wallet import tokens_of

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Person:
    """One person, readable."""

    user_id: UUID
    email: str
    name: str
    role: Role
    status: UserStatus
    email_verified: bool
    market: Market
    email_domain: str | None = None
    version: int = 0
    tokens: float | None = None  # in the wallet, on campus


async def unsealed(mesh: Machines, row: Row) -> Person | None:
    """The person of a row of `users`; None when their key is gone: they have been erased."""
    key = await mesh.vault.person(UUID(row["key"]))
    return None if key is None else _person(row, key, await _tokens(mesh, row))


async def _tokens(mesh: Machines, row: Row) -> float | None:
    """What the person's wallet holds, for clients of campus; None elsewhere."""
    if row["market"] != Market.CAMPUS:
        return None
    found = await wallets.by_owner(mesh.postgres, row["key"], row["market"])
    return tokens_of(found.halves)


def _person(row: Row, key: PersonKey, tokens: float | None) -> Person:
    return Person(
        user_id=key.user_id,
        email=key.unseal("email", row["email_sealed"]),
        name=key.unseal("name", row["name_sealed"]),
        role=Role(row["role"]),
        status=UserStatus(row["status"]),
        email_verified=row["email_verified"],
        market=Market(row["market"]),
        email_domain=row["email_domain"],
        version=row["version"],
        tokens=tokens,
    )


async def settled_row(mesh: Machines, row: Row) -> Row:
    """The row of `users`, no older than what last cut off the person's tokens: a row behind
    that would bring an old role or a ban's victim back. Raises StoreUnavailableError.
    """
    wanted = await mesh.denylist.newest_cut(row["key"])
    if row["version"] >= wanted:
        return row

    async def read() -> Row | None:
        found = await users.by_id(mesh.postgres, row["key"])
        return found if found is not None and found["version"] >= wanted else None

    return await awaited_row(mesh, read, "users")
