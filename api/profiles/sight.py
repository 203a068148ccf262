"""Who may see a person, and by what name others know them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from api.backends.machines import Machines
from api.entry.auth import Caller
from api.entry.doors import MODERATORS
from api.wire.problems import Problem
from infra.vault.vault import PersonKey
from projections.profiles import user_profiles
from schemas.identity import UserStatus

SHOWN = frozenset({UserStatus.PENDING, UserStatus.ACTIVE})  # to others
DELETED_NAME = "deleted user"


def is_own(caller: Caller, user_id: UUID) -> bool:
    """Whether these are the same person."""
    return caller.user_id == str(user_id)


def refuse_others(caller: Caller, user_id: UUID) -> None:
    """Raise a 403 problem unless the caller is this person. Deciders judge it again."""
    if not is_own(caller, user_id):
        raise Problem(403, "not_owner", "This is somebody else's")


def visible(row: Mapping[str, Any] | None, user_id: UUID, caller: Caller) -> Mapping[str, Any]:
    """The row, if this caller may know of the person; raises 404 and 410 problems."""
    if row is None:
        raise Problem(404, "user_unknown", "There is no such person")
    if row["status"] == UserStatus.DELETED:
        raise _gone()
    if row["status"] not in SHOWN and not is_own(caller, user_id) and caller.role not in MODERATORS:
        raise Problem(404, "user_unknown", "There is no such person")
    return row


async def key_of(mesh: Machines, user_id: UUID) -> PersonKey:
    """The person's key; raises a 410 problem for whoever has been erased."""
    key = await mesh.vault.person(user_id)
    if key is None:
        raise _gone()
    return key


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
            names[user_id] = name_in(row, keys[user_id])
    return People(names, keys)


def name_in(row: Mapping[str, Any], key: PersonKey) -> str:
    """Whoever told no other name goes by the one they registered with."""
    if row["full_name_sealed"] is not None:
        return key.unseal("full_name", row["full_name_sealed"])
    return key.unseal("name", row["name_sealed"])


def _gone() -> Problem:
    return Problem(410, "user_deleted", "This person has left")
