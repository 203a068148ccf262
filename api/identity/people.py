"""People as the API shows them, to themselves and by name to others: the read model's row,
unsealed by the vault.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from api.backends.machines import Machines
from api.wire.deadlines import left
from api.wire.problems import StoreUnavailableError
from infra.vault import PersonKey
from projections.identity import users
from projections.profiles import user_profiles
from projections.wallet import wallets
from schemas.identity import UserStatus
from schemas.messages import Market, Role

Row = Mapping[str, Any]
POLL_S = 0.01
DELETED_NAME = "deleted user"


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
    tokens: int | None = None  # in the wallet, on campus


async def unsealed(mesh: Machines, row: Row) -> Person | None:
    """The person of a row of `users`; None when their key is gone: they have been erased."""
    key = await mesh.vault.person(UUID(row["key"]))
    return None if key is None else _person(row, key, await _tokens(mesh, row))


async def _tokens(mesh: Machines, row: Row) -> int | None:
    """What the person's wallet holds, for clients of campus; None elsewhere."""
    if row["market"] != Market.CAMPUS:
        return None
    return (await wallets.by_owner(mesh.postgres, row["key"], row["market"])).balance


def _person(row: Row, key: PersonKey, tokens: int | None) -> Person:
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


async def awaited_row(mesh: Machines, read: Callable[[], Awaitable[Row | None]], what: str) -> Row:
    """A row that must come, for its event is in the log; raises StoreUnavailableError when the
    read model has not caught up within the bound.
    """
    deadline = time.monotonic() + left(mesh.settings.read_wait_s)
    while (row := await read()) is None:
        if time.monotonic() > deadline:
            raise StoreUnavailableError(what, f"{what} have not caught up; try again soon")
        await asyncio.sleep(POLL_S)
    return row


@dataclass(frozen=True)
class People:
    """Names and keys of those who are still there."""

    names: Mapping[str, str]
    keys: Mapping[str, PersonKey]

    def name(self, user_id: str) -> str:
        """By what name somebody goes; one for all who have left."""
        return self.names.get(user_id, DELETED_NAME)

    def said(self, user_id: str, sealed: str | None, name: str = "content") -> str | None:
        """What somebody said, sealed under that name; None when they said nothing, and once they
        have left, for nobody can read it any more.
        """
        key = self.keys.get(user_id)
        return None if key is None or sealed is None else key.unseal(name, sealed)


async def people_of(mesh: Machines, user_ids: Iterable[str]) -> People:
    """These people, as far as they are still there."""
    wanted = sorted(set(user_ids))
    found = await mesh.vault.people(UUID(each) for each in wanted)
    keys = {str(user_id): key for user_id, key in found.items()}
    names = {}
    for row in await user_profiles.names_of(mesh.postgres, wanted):
        user_id = row["key"]
        if row["status"] == UserStatus.DELETED:
            keys.pop(user_id, None)
        elif user_id in keys:
            names[user_id] = _name(row, keys[user_id])
    return People(names, keys)


def _name(row: Row, key: PersonKey) -> str:
    if row["full_name_sealed"] is not None:
        return key.unseal("full_name", row["full_name_sealed"])
    return key.unseal("name", row["name_sealed"])
