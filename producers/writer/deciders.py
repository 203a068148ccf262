"""Which decider judges which streams: one row a stream category, looked up, never guessed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from producers.blocks import blocks
from producers.bookings import item_bookings
from producers.comparisons import comparisons
from producers.decider import Decider
from producers.favorites import favorites
from producers.identity.api_keys import api_keys
from producers.identity.claims import claims
from producers.identity.identity_claims import identity_claims
from producers.identity.keyrings import keyrings
from producers.identity.sessions import sessions
from producers.identity.users import users
from producers.items import items
from producers.listings.listings import listings
from producers.media import media
from producers.messaging import conversations
from producers.notifications.notifications import notifications
from producers.notifications.push import push
from producers.ops import handlers
from producers.profiles import preferences, profiles, sellers
from producers.quick_replies import quick_replies
from producers.reviews.reviews import reviews
from producers.reviews.votes import votes
from producers.searches.matches import matches
from producers.searches.searches import searches
from producers.templates import templates
from producers.wallet import wallets
from schemas.log.contexts import Context
from schemas.log.messages import Command
from schemas.log.recorded import EventTypes
from schemas.registry import kind_of
from schemas.topics import CONTEXTS, EVENT_TYPES

DECIDERS: Mapping[str, Decider[Any, Any, Any]] = {
    "listing": listings,
    "user": users,
    "session": sessions,
    "claim": claims,
    "identity_claim": identity_claims,
    "profile": profiles,
    "seller": sellers,
    "preferences": preferences,
    "api_key": api_keys,
    "keyring": keyrings,
    "wallet": wallets,
    "media": media,
    "conversation": conversations,
    "blocks": blocks,
    "quick_replies": quick_replies,
    "item": items,
    "review": reviews,
    "favorites": favorites,
    "review_vote": votes,
    "comparison": comparisons,
    "searches": searches,
    "alert_match": matches,
    "notifications": notifications,
    "push": push,
    "bookings": item_bookings,
    "template": templates,
    "handler": handlers,
}


@dataclass(frozen=True)
class Rulebook:
    """Everything that a writer must know of one context to judge its commands.

    `deciders` is by stream category; every category of the context's streams is in it.
    """

    context: Context
    deciders: Mapping[str, Decider[Any, Any, Any]]
    events: EventTypes

    @property
    def commands(self) -> Mapping[str, type[Command]]:
        """The context's command classes by kind."""
        return {kind_of(each): each for each in self.context.commands}


RULEBOOKS: tuple[Rulebook, ...] = tuple(
    Rulebook(context, DECIDERS, EVENT_TYPES) for context in CONTEXTS if context.commands
)
