"""Who may ask for what, how often, and how long it may take: said by the door above each route's
function. A route without a door is closed to everyone.

Roles open the door; whether the thing behind it is *yours* is judged where the thing is known,
by deciders (403 `not_yours`) and by queries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from api.backends.rate_limits import By, Limit
from infra.settings import Settings
from schemas.log.messages import Role

Access = frozenset[Role]

ANYONE: Final[Access] = frozenset()  # signed in or not
SIGNED_IN: Final[Access] = frozenset(
    {Role.BUYER, Role.SELLER, Role.DEALER, Role.MODERATOR, Role.ADMIN, Role.OPS}
)
ADMINS: Final[Access] = frozenset({Role.ADMIN})
TRADERS: Final[Access] = frozenset({Role.SELLER, Role.DEALER})  # who has a business to tell of
SELLERS: Final[Access] = TRADERS | ADMINS  # who may offer something
MODERATORS: Final[Access] = ADMINS | {Role.MODERATOR}
OPERATORS: Final[Access] = ADMINS | {Role.OPS}
STAFF: Final[Access] = MODERATORS | OPERATORS

# What is read from one row or from memory is unlimited: asking Redis would cost as much as
# answering, and nginx bounds the rate of everything.
UNLIMITED: Final[tuple[Limit, ...]] = ()
CHANGES: Final = (Limit("default"),)
SEARCHES: Final = (Limit("search"),)
ITEMS: Final = (Limit("items"),)
VIEWS: Final = (Limit("views"),)
# Not in common with changes: who changes too much is not kept from leaving.
LEAVING: Final = (Limit("leaving"),)
FROM_ONE_ADDRESS: Final = (Limit("address", By.ADDRESS),)

E = TypeVar("E", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Door:
    """Stands above a route's function, as in `@Door(SELLERS, CHANGES, keys=True)`.

    `limits` are spent in their order. `keys`: whether an API key may open it, if its owner may; what
    needs a person, their session and whatever would let a key make itself more than it is, no key
    may. `within_s` is how long whoever asks waits at most, in seconds, where that is longer than a
    write or a read by token may take: for pictures to be drawn, for all that somebody ever did, for
    somebody else's server, for a password's hash. The time in which a request arrives is not in it.
    `any_query`: its address is one that somebody else writes or passes on, and adds to whatever
    they like.
    """

    access: Access
    limits: tuple[Limit, ...]
    keys: bool = False
    within_s: float = 0.0
    any_query: bool = False

    def __call__(self, endpoint: E) -> E:
        """Put the door above a route's function."""
        setattr(endpoint, _DOOR, self)
        return endpoint

    def lets_in(self, role: Role | None) -> bool:
        """Whether somebody of this role may ask; None: somebody unknown."""
        return self.access == ANYONE or role in self.access

    def answer_within_s(self, settings: Settings) -> float:
        """The bound of all that one request waits for, added up; then it is told 503."""
        return max(settings.write_timeout_s, settings.read_wait_s, self.within_s)


_DOOR: Final = "door"


def door_of(endpoint: Callable[..., Any]) -> Door | None:
    """The door above a route's function, if there is one."""
    return getattr(endpoint, _DOOR, None)
