"""Who may do what, spelled out a second time and otherwise than in api.policy: every operation
has a row in DOORS, and one about a single thing has a row in THINGS, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

NOBODY: Final = "anonymous"
ROLES: Final = ("buyer", "seller", "dealer", "moderator", "admin", "ops")
EVERYONE: Final = frozenset({NOBODY, *ROLES})
SIGNED_IN: Final = frozenset(ROLES)
SELLING: Final = frozenset({"seller", "dealer", "admin"})
STAFF: Final = frozenset({"moderator", "admin"})

# Who gets past the door, whatever comes behind it.
DOORS: Final[Mapping[str, frozenset[str]]] = {
    "register_user": EVERYONE,
    "log_in": EVERYONE,
    "refresh_session": EVERYONE,
    "log_out": SIGNED_IN,
    "read_session": SIGNED_IN,
    "list_signing_keys": EVERYONE,
    "issue_api_key": SIGNED_IN,
    "list_api_keys": SIGNED_IN,
    "revoke_api_key": SIGNED_IN,
    "create_listing": SELLING,
    "replace_listing_fields": SIGNED_IN,
    "update_listing": SIGNED_IN,
    "delete_listing": SIGNED_IN,
    "publish_listing": SIGNED_IN,
    "unpublish_listing": SIGNED_IN,
    "mark_listing_sold": SIGNED_IN,
    "list_listings": EVERYONE,
    "list_my_listings": SIGNED_IN,
    "read_listing": EVERYONE,
    "read_listing_history": EVERYONE,
    "read_listing_prices": EVERYONE,
    "search": EVERYONE,
    "search_listings": EVERYONE,
    "suggest": EVERYONE,
    "view_listing": EVERYONE,
    "read_listing_figures": SIGNED_IN,
    "list_enums": EVERYONE,
    "health_live": EVERYONE,
    "health_ready": EVERYONE,
    "read_metrics": EVERYONE,  # from this machine; see test_http_configuration for others
}

# After these an account is not what it was: each role uses one of its own.
LAST_DEEDS: Final = frozenset({"log_out"})


@dataclass(frozen=True)
class Thing:
    """What an operation with an id is tried on, and what it says to whom.

    `kind` is made by its owner, who is in one of the roles `owners`. Others get the status
    `others` unless their role is in `staff`; who asks about what there is not gets `none`.
    """

    kind: str
    others: int
    owners: frozenset[str] = SELLING
    staff: frozenset[str] = STAFF
    none: int = 404
    ask: Mapping[str, Any] = field(default_factory=dict)


_ANY_VERSION = {"headers": {"If-Match": "*"}}
_CHANGE = {"json": {"title": "Another title"}, **_ANY_VERSION}

THINGS: Final[Mapping[str, Thing]] = {
    "read_listing": Thing("draft", others=404),
    "read_listing_history": Thing("draft", others=404),
    "read_listing_prices": Thing("draft", others=404),
    "view_listing": Thing("draft", others=404, staff=frozenset()),
    "read_listing_figures": Thing("offer", others=403),
    "replace_listing_fields": Thing("draft", others=403, ask=_CHANGE),
    "update_listing": Thing("draft", others=403, ask=_CHANGE),
    "delete_listing": Thing("draft", others=403),
    "publish_listing": Thing("draft", others=403),
    "unpublish_listing": Thing("offer", others=403),
    "mark_listing_sold": Thing("offer", others=403),
    "revoke_api_key": Thing("api key", others=404, owners=SIGNED_IN, staff=frozenset({"admin"})),
}
