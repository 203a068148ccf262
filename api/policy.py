"""Who may do what: one row an operation. An operation without a row is denied to everyone.

Roles open the door; whether the thing behind it is *yours* is judged where the thing is known,
by deciders (403 `not_yours`) and by queries. LIMITS says beside it how often.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from schemas.messages import Role

Access = frozenset[Role]

ANYONE: Final[Access] = frozenset()  # signed in or not
SIGNED_IN: Final[Access] = frozenset(
    {Role.BUYER, Role.SELLER, Role.DEALER, Role.MODERATOR, Role.ADMIN, Role.OPS}
)
SELLERS: Final[Access] = frozenset({Role.SELLER, Role.DEALER, Role.ADMIN})
OPERATORS: Final[Access] = frozenset({Role.OPS, Role.ADMIN})

POLICY: Final[dict[str, Access]] = {
    # Identity
    "register_user": ANYONE,
    "log_in": ANYONE,
    "refresh_session": ANYONE,  # the refresh token is the credential
    "log_out": SIGNED_IN,
    "read_session": SIGNED_IN,
    "list_signing_keys": ANYONE,
    "issue_api_key": SIGNED_IN,
    "list_api_keys": SIGNED_IN,
    "revoke_api_key": SIGNED_IN,
    # Listings: anyone may browse vehicles; whose a listing is, its decider judges.
    "create_listing": SELLERS,
    "replace_listing_fields": SIGNED_IN,
    "update_listing": SIGNED_IN,
    "delete_listing": SIGNED_IN,
    "publish_listing": SIGNED_IN,
    "unpublish_listing": SIGNED_IN,
    "mark_listing_sold": SIGNED_IN,
    "list_listings": ANYONE,
    "list_my_listings": SIGNED_IN,
    "read_listing": ANYONE,
    "read_listing_history": ANYONE,
    "read_listing_prices": ANYONE,
    # Search and analytics
    "search": ANYONE,
    "search_listings": ANYONE,
    "suggest": ANYONE,
    "view_listing": ANYONE,
    "read_listing_figures": SIGNED_IN,
    # The API itself
    "list_enums": ANYONE,
    "health_live": ANYONE,
    "health_ready": ANYONE,
    # Loopback may read it too, without a token: see api.health.
    "read_metrics": ANYONE,
}


def access_of(operation_id: str | None) -> Access | None:
    """The roles that may do this; empty: anyone; None: nobody, for nobody has said."""
    return POLICY.get(operation_id or "")


# What an API key may open, if its owner may do it. What needs a person, their session and
# whatever would let a key make itself more than it is, is not in it.
FOR_KEYS: Final[frozenset[str]] = frozenset(
    {
        "create_listing",
        "replace_listing_fields",
        "update_listing",
        "delete_listing",
        "publish_listing",
        "unpublish_listing",
        "mark_listing_sold",
        "list_listings",
        "list_my_listings",
        "read_listing",
        "read_listing_history",
        "read_listing_prices",
        "search",
        "search_listings",
        "suggest",
        "read_listing_figures",
        "read_metrics",
    }
)


class By(StrEnum):
    """Whose requests are counted together."""

    ADDRESS = "address"  # of the client, see api.addresses
    ACCOUNT = "account"  # the address and the e-mail in the body: guessing at one account
    CALLER = "caller"  # whoever is signed in, else the address


@dataclass(frozen=True, slots=True)
class Limit:
    """One operation's share in a policy of api.rate_limits. With a `cost` of 0 the route counts
    by itself, once it knows how much it is asked for (`api.rate_limits.spend`).
    """

    policy: str
    by: By = By.CALLER
    cost: int = 1


UNLIMITED: Final[tuple[Limit, ...]] = ()
CHANGES: Final = (Limit("default"),)
SEARCHES: Final = (Limit("search"),)

# How often: which policies each operation spends, in this order. What is left unlimited here is
# read from one row or from memory, for which asking Redis would cost as much as answering;
# nginx bounds the rate of everything.
LIMITS: dict[str, tuple[Limit, ...]] = {
    "register_user": (Limit("joining", By.ADDRESS), Limit("address", By.ADDRESS)),
    "log_in": (Limit("auth", By.ACCOUNT), Limit("address", By.ADDRESS)),
    "refresh_session": (Limit("address", By.ADDRESS),),
    "log_out": UNLIMITED,  # nobody is kept from leaving
    "read_session": UNLIMITED,
    "list_signing_keys": UNLIMITED,
    "issue_api_key": CHANGES,
    "list_api_keys": UNLIMITED,
    "revoke_api_key": CHANGES,
    "create_listing": CHANGES,
    "replace_listing_fields": CHANGES,
    "update_listing": CHANGES,
    "delete_listing": CHANGES,
    "publish_listing": CHANGES,
    "unpublish_listing": CHANGES,
    "mark_listing_sold": CHANGES,
    "list_listings": SEARCHES,
    "list_my_listings": UNLIMITED,
    "read_listing": UNLIMITED,
    "read_listing_history": UNLIMITED,
    "read_listing_prices": UNLIMITED,
    "search": SEARCHES,
    "search_listings": SEARCHES,
    "suggest": SEARCHES,
    "view_listing": UNLIMITED,  # a fact in a batch; bots are told apart when it is counted
    "read_listing_figures": SEARCHES,
    "list_enums": UNLIMITED,
    "health_live": UNLIMITED,
    "health_ready": UNLIMITED,
    "read_metrics": UNLIMITED,
}


def limits_of(operation_id: str | None) -> tuple[Limit, ...]:
    """What this operation spends; an operation without a row spends the default."""
    return LIMITS.get(operation_id or "", CHANGES)
