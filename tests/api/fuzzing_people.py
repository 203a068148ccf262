"""Whom schemathesis asks as, on which operations, and what there is for each of them."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import Any, Final

from PIL import Image

from api.entry.doors import ANYONE, SIGNED_IN, Access
from schemas.identity import TokenPurpose
from schemas.log.messages import Role
from tests.api.acting.offering import Student, campus, student
from tests.api.acting.things import made
from tests.api.mailbox import NEW_PASSWORD, RESET, VERIFY, forget, mailed
from tests.api.matrix import NOBODY, THINGS, Thing
from tests.api.operations import DOOR_OF, OPERATIONS
from tests.api.running import PASSWORD, Account, Mesh

# What each is called at the doors. Whoever is on a campus is a buyer there.
ROLES: Final[Mapping[str, Role | None]] = {
    "seller": Role.SELLER,
    "campus": Role.BUYER,
    "moderator": Role.MODERATOR,
    "admin": Role.ADMIN,
    "nobody": None,
}
LEAVING: Final = "leaving"
# After these whoever asked is signed in no more: each is asked by somebody new.
LAST_DEEDS: Final = frozenset(
    {
        "log_out",
        "log_out_everywhere",
        "revoke_session",
        "deactivate_user",
        "delete_user",
        "change_password",
    }
)
# What the doors open to all, and the campus to its own: tests/api/items/test_items.py has the refusals.
OF_THE_CAMPUS: Final = frozenset(
    {"create_item", "list_items", "list_item_categories", "process_images"}
)
# What is never as it was afterwards has things of its own, for the others to find theirs whole.
USED_UP: Final = frozenset(
    {
        *(each.id for each in OPERATIONS if each.method == "DELETE"),
        *("publish_listing", "unpublish_listing", "mark_listing_sold"),
        *("ban_user", "unban_user", "grant_role"),
    }
)
AT_ONCE: Final = 8


@dataclass(frozen=True)
class Run:
    """What one run of schemathesis asks, and as whom: what tests.api.fuzzing_hooks is told."""

    role: str
    operations: Sequence[str]
    login: Mapping[str, str] | None
    guest: Mapping[str, str]  # whose sessions nobody else's requests hang on
    paths: Mapping[str, Sequence[str]] = field(default_factory=dict)
    always: Sequence[str] = ()  # not only often about what there is
    bodies: Mapping[str, Mapping[str, Sequence[Any]]] = field(default_factory=dict)
    fresh: bool = False  # each request by somebody new
    picture: str = ""


def operations_of(role: str) -> list[str]:
    """What this role is let in to; the admin only where nobody else is."""
    ids = [each.id for each in OPERATIONS if each.id not in LAST_DEEDS]
    if role == "admin":
        return [each for each in ids if _admins_alone(DOOR_OF[each].access)]
    return [each for each in ids if _let_in(each, role)]


def _admins_alone(access: Access) -> bool:
    others = {role for name, role in ROLES.items() if role and name != "admin"}
    return access is not ANYONE and Role.ADMIN in access and not others & set(access)


def _let_in(operation_id: str, role: str) -> bool:
    access, thing = DOOR_OF[operation_id].access, THINGS.get(operation_id)
    if access is not ANYONE and ROLES[role] not in access:
        return False
    if operation_id in OF_THE_CAMPUS:
        return role == "campus"
    # Behind the door rules ask again: who can have no such thing is refused whatever they ask.
    return access is ANYONE or thing is None or _has_some(thing, role)


@dataclass
class Shop:
    """Everybody there is to be, and a pool of things for each operation."""

    mesh: Mesh
    people: Mapping[str, Account]
    size: int
    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    pools: dict[tuple[str, str, str], asyncio.Task[list[str]]] = field(default_factory=dict)

    async def ids(self, role: str, operation_id: str) -> list[str]:
        """What this operation may be about, for this role; empty: nothing that there is."""
        thing = THINGS.get(operation_id)
        owner = None if thing is None else owner_of(thing, role, DOOR_OF[operation_id].access)
        if thing is None or owner is None:
            return []
        kind = thing.kind
        if owner == OTHERS and kind == "draft" and role not in ("moderator", "admin"):
            kind = "offer"
        use = operation_id if operation_id in USED_UP else ""
        key = (kind, owner, use)
        if key not in self.pools:
            self.pools[key] = asyncio.create_task(self._pool(*key))
        return await self.pools[key]

    async def _pool(self, kind: str, owner: str, use: str) -> list[str]:
        size = 1 if kind == "person" and owner != OTHERS else self.size
        return list(await asyncio.gather(*(self._made(kind, owner, use) for _ in range(size))))

    async def _made(self, kind: str, owner: str, use: str) -> str:
        async with self.turn:
            if kind == "item":
                return await Student(self.mesh, self.people[owner]).have()
            if kind == "person" and owner == OTHERS and use:
                return (await self.mesh.account()).user_id
            return await made(self.mesh, kind, self.people[owner])

    async def run(self, role: str) -> Run:
        """What to ask as this role, except for the last deeds."""
        operations = operations_of(role)
        found = await asyncio.gather(*(self.ids(role, each) for each in operations))
        paths = {name: ids for name, ids in zip(operations, found, strict=True) if ids}
        login = None if role == "nobody" else login_of(self.people[role])
        always = [each for each in paths if is_for_owners(each)]
        bodies = await self._bodies()
        return Run(role, operations, login, self.guest, paths, always, bodies, picture=picture())

    @property
    def guest(self) -> Mapping[str, str]:
        return login_of(self.people["guest"])

    async def _bodies(self) -> dict[str, dict[str, list[Any]]]:
        about = {"listing_id": await self.ids("nobody", "read_listing")}
        tokens = [await self._tokens(each) for each in (VERIFY, RESET)]
        return {
            "create_review": about,
            "open_conversation": about,
            "verify_email": {"token": tokens[0]},
            "reset_password": {"token": tokens[1], "password": [NEW_PASSWORD]},
            "register_user": {"password": [NEW_PASSWORD]},
            # Closed vocabularies that the document does not list.
            "issue_api_key": {"operations": [["search"], ["search", "suggest"]]},
            "create_item": {"price": ["45.50", "0", "1000000"], "currency": ["LKR"]},
        }

    async def _tokens(self, purpose: TokenPurpose) -> list[str]:
        """As they are mailed."""
        return list(await asyncio.gather(*(self._mailed(purpose) for _ in range(self.size))))

    async def _mailed(self, purpose: TokenPurpose) -> str:
        async with self.turn:
            account = await self.mesh.account()
            if purpose is RESET:
                assert (await forget(self.mesh, account.email)).status_code == 202
            return await mailed(self.mesh, account.user_id, purpose)

    def leaving(self) -> Run:
        """The last deeds, each by somebody new."""
        login = login_of(self.people["seller"])
        bodies = {"change_password": {"new_password": [NEW_PASSWORD]}}
        return Run(LEAVING, sorted(LAST_DEEDS), login, self.guest, bodies=bodies, fresh=True)


def shared_out(runs: Sequence[Run]) -> list[Run]:
    """Each operation asked as one role alone: of those for whom there is something that it may be
    about, the one that has the least to ask.
    """
    shares: dict[str, list[str]] = {each.role: [] for each in runs}
    for operation_id in sorted({name for each in runs for name in each.operations}):
        able = [each for each in runs if operation_id in each.operations]
        having = [each for each in able if operation_id in each.paths]
        least = min(having or able, key=lambda each: len(shares[each.role]))
        shares[least.role].append(operation_id)
    return [replace(each, operations=shares[each.role]) for each in runs]


OTHERS: Final = "others"


def _known_as(role: str) -> str:
    """What tests.api.matrix calls them."""
    return str(ROLES[role] or NOBODY)


def _has_some(thing: Thing, role: str) -> bool:
    """Whether there may be such things for this role; it has an account with no provider."""
    if owner_of(thing, role, SIGNED_IN) is not None:
        return True
    return thing.others != 403 and _known_as(role) in thing.owners


def owner_of(thing: Thing, role: str, access: Access) -> str | None:
    """Whose things this role can do something with; None: nobody's."""
    known = _known_as(role)
    if thing.kind == "item":
        return role if role == "campus" else None
    if known in thing.staff:
        return OTHERS
    if known in thing.owners and thing.own == 0:
        return role
    for_all = thing.others == 0 or (thing.kind == "draft" and access is ANYONE)
    return OTHERS if for_all else None


def is_for_owners(operation_id: str) -> bool:
    """Whether all that one gets of what is not one's own is a 403."""
    foreign = DOOR_OF[operation_id].access != ANYONE
    return foreign and THINGS[operation_id].kind in ("person", "draft", "offer", "item")


def login_of(account: Account) -> dict[str, str]:
    return {"email": account.email, "password": PASSWORD}


def picture() -> str:
    """A small one, in base64."""
    out = BytesIO()
    Image.new("RGB", (64, 48), (200, 30, 30)).save(out, "PNG")
    return b64encode(out.getvalue()).decode()


async def shop(mesh: Mesh, size: int) -> Shop:
    """Somebody in every role, who has things."""
    make: Mapping[str, Callable[[], Awaitable[Account]]] = {
        "seller": lambda: mesh.account("seller"),
        "campus": lambda: _on_campus(mesh),
        "moderator": lambda: mesh.account("moderator"),
        "admin": lambda: mesh.account("admin"),
        OTHERS: lambda: mesh.account("seller"),
        "guest": lambda: mesh.account("buyer"),
    }
    people = await asyncio.gather(*(each() for each in make.values()))
    return Shop(mesh, dict(zip(make, people, strict=True)), size)


async def _on_campus(mesh: Mesh) -> Account:
    return (await student(mesh, campus())).account
