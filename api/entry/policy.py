"""Who may do what: one row an operation. An operation without a row is denied to everyone.

Roles open the door; whether the thing behind it is *yours* is judged where the thing is known,
by deciders (403 `not_yours`) and by queries. LIMITS says beside it how often.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from api.backends.rate_limits import By, Limit
from infra.settings import Settings
from schemas.messages import Role

Access = frozenset[Role]

ANYONE: Final[Access] = frozenset()  # signed in or not
SIGNED_IN: Final[Access] = frozenset(
    {Role.BUYER, Role.SELLER, Role.DEALER, Role.MODERATOR, Role.ADMIN, Role.OPS}
)
SELLERS: Final[Access] = frozenset({Role.SELLER, Role.DEALER, Role.ADMIN})
MODERATORS: Final[Access] = frozenset({Role.MODERATOR, Role.ADMIN})
ADMINS: Final[Access] = frozenset({Role.ADMIN})
OPERATORS: Final[Access] = frozenset({Role.OPS, Role.ADMIN})

POLICY: Final[dict[str, Access]] = {
    # Identity
    "register_user": ANYONE,
    "log_in": ANYONE,
    "refresh_session": ANYONE,  # the refresh token is the credential
    "log_out": SIGNED_IN,
    "read_session": SIGNED_IN,
    "read_account": SIGNED_IN,
    "list_signing_keys": ANYONE,
    "show_verify_email": ANYONE,
    "show_reset_password": ANYONE,
    "start_oauth": ANYONE,
    "finish_oauth": ANYONE,  # the provider's word and the browser's cookie are the credentials
    "list_identities": SIGNED_IN,
    "start_linking": SIGNED_IN,
    "unlink_identity": SIGNED_IN,
    "export_user": SIGNED_IN,
    "deactivate_user": SIGNED_IN,
    "reactivate_user": SIGNED_IN,
    "delete_user": SIGNED_IN,
    "verify_email": ANYONE,  # the token from the mail is the credential
    "resend_verification": SIGNED_IN,
    "forgot_password": ANYONE,
    "reset_password": ANYONE,  # as with verify_email
    "change_password": SIGNED_IN,
    "list_sessions": SIGNED_IN,
    "revoke_session": SIGNED_IN,  # whose it is, its decider judges
    "log_out_everywhere": SIGNED_IN,
    "ban_user": MODERATORS,
    "unban_user": MODERATORS,
    "grant_role": ADMINS,
    "log_out_user": ADMINS,
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
    # Items: for a campus alone, which api.items.campus sees to; whose an item is, its decider judges.
    "create_item": SIGNED_IN,
    "list_items": SIGNED_IN,
    "list_item_categories": SIGNED_IN,
    "read_item": SIGNED_IN,
    "replace_item_fields": SIGNED_IN,
    "update_item": SIGNED_IN,
    "delete_item": SIGNED_IN,
    # Profiles: what is public of a person; whose a profile is, its routes and deciders judge.
    "read_user": ANYONE,
    "replace_user_fields": SIGNED_IN,
    "update_user": SIGNED_IN,
    "upload_avatar": SIGNED_IN,
    "remove_avatar": SIGNED_IN,
    "read_avatar": ANYONE,
    "read_seller": ANYONE,
    "replace_seller_fields": SIGNED_IN,
    "update_seller": SIGNED_IN,
    "read_preferences": SIGNED_IN,
    "replace_preferences": SIGNED_IN,
    "update_preferences": SIGNED_IN,
    "read_user_stats": SIGNED_IN,
    # The wallet: always the caller's own.
    "read_wallet": SIGNED_IN,
    "list_wallet_entries": SIGNED_IN,
    # Media: whose an upload is, its decider judges.
    "upload_images": SIGNED_IN,
    "upload_media_images": SIGNED_IN,
    "read_image": SIGNED_IN,
    "read_variant": ANYONE,
    "delete_media": SIGNED_IN,
    # Messaging: whose a conversation is, its decider judges and its queries.
    "open_conversation": SIGNED_IN,
    "list_conversations": SIGNED_IN,
    "list_chats": SIGNED_IN,
    "read_messages": SIGNED_IN,
    "read_chat_messages": SIGNED_IN,
    "send_message": SIGNED_IN,
    "mark_messages_read": SIGNED_IN,
    "hide_conversation": SIGNED_IN,
    "count_unread": SIGNED_IN,
    # Reviews: whose one is, its decider judges.
    "create_review": SIGNED_IN,
    "read_review": ANYONE,
    "replace_review_fields": SIGNED_IN,
    "update_review": SIGNED_IN,
    "delete_review": SIGNED_IN,
    "list_seller_reviews": ANYONE,
    "list_listing_reviews": ANYONE,
    # Search and analytics
    "search": ANYONE,
    "search_listings": ANYONE,
    "suggest": ANYONE,
    "view_listing": ANYONE,
    "read_listing_figures": SIGNED_IN,
    # Who asked for what
    "read_audit": ADMINS,
    # The API itself
    "list_enums": ANYONE,
    "health_live": ANYONE,
    "health_startup": ANYONE,
    "health_ready": ANYONE,
    # Loopback may read it too, without a token: see api.ops.health.
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


UNLIMITED: Final[tuple[Limit, ...]] = ()
CHANGES: Final = (Limit("default"),)
SEARCHES: Final = (Limit("search"),)
ITEMS: Final = (Limit("items"),)
VIEWS: Final = (Limit("views"),)
# Not in common with changes: who changes too much is not kept from leaving.
LEAVING: Final = (Limit("leaving"),)
FROM_ONE_ADDRESS: Final = (Limit("address", By.ADDRESS),)

# How often: which policies each operation spends, in this order. What is left unlimited here is
# read from one row or from memory, for which asking Redis would cost as much as answering;
# nginx bounds the rate of everything.
LIMITS: dict[str, tuple[Limit, ...]] = {
    "register_user": (Limit("joining", By.ADDRESS), *FROM_ONE_ADDRESS),
    "log_in": (Limit("auth", By.ACCOUNT), *FROM_ONE_ADDRESS),
    "refresh_session": FROM_ONE_ADDRESS,
    "log_out": LEAVING,
    "log_out_everywhere": LEAVING,
    "read_session": UNLIMITED,
    "read_account": UNLIMITED,
    "list_signing_keys": UNLIMITED,
    "show_verify_email": UNLIMITED,
    "show_reset_password": UNLIMITED,
    "start_oauth": FROM_ONE_ADDRESS,
    "finish_oauth": FROM_ONE_ADDRESS,
    "list_identities": UNLIMITED,
    "start_linking": CHANGES,
    "unlink_identity": CHANGES,
    "verify_email": FROM_ONE_ADDRESS,
    "resend_verification": CHANGES,
    "forgot_password": (Limit("auth", By.ACCOUNT), *FROM_ONE_ADDRESS),
    "reset_password": FROM_ONE_ADDRESS,
    "change_password": (Limit("auth"),),  # it takes guesses at the present one
    "list_sessions": UNLIMITED,
    "revoke_session": CHANGES,
    "ban_user": CHANGES,
    "unban_user": CHANGES,
    "grant_role": CHANGES,
    "log_out_user": CHANGES,
    "export_user": CHANGES,
    "deactivate_user": CHANGES,
    "reactivate_user": CHANGES,
    "delete_user": CHANGES,
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
    "list_my_listings": SEARCHES,
    "read_listing": UNLIMITED,  # its past spends "search": that is more than a row
    "read_listing_history": SEARCHES,
    "read_listing_prices": UNLIMITED,
    "create_item": (*ITEMS, Limit("images", cost=0)),  # files, and not requests
    "list_items": ITEMS,
    "list_item_categories": ITEMS,
    "read_item": ITEMS,
    "replace_item_fields": ITEMS,
    "update_item": ITEMS,
    "delete_item": ITEMS,
    "read_user": UNLIMITED,
    "replace_user_fields": CHANGES,
    "update_user": CHANGES,
    "upload_avatar": (Limit("images"),),
    "remove_avatar": CHANGES,
    "read_avatar": UNLIMITED,
    "read_seller": UNLIMITED,
    "replace_seller_fields": CHANGES,
    "update_seller": CHANGES,
    "read_preferences": UNLIMITED,
    "replace_preferences": CHANGES,
    "update_preferences": CHANGES,
    "read_user_stats": SEARCHES,
    "read_wallet": UNLIMITED,
    "list_wallet_entries": SEARCHES,
    "upload_images": (Limit("images", cost=0),),  # by the file
    "upload_media_images": (Limit("images", cost=0),),
    "read_image": UNLIMITED,
    "read_variant": UNLIMITED,
    "delete_media": CHANGES,
    "open_conversation": CHANGES,
    "list_conversations": SEARCHES,
    "list_chats": SEARCHES,
    "read_messages": SEARCHES,
    "read_chat_messages": SEARCHES,
    "send_message": (Limit("chat"),),
    "mark_messages_read": CHANGES,
    "hide_conversation": CHANGES,
    "count_unread": SEARCHES,
    "create_review": CHANGES,
    "read_review": UNLIMITED,
    "replace_review_fields": CHANGES,
    "update_review": CHANGES,
    "delete_review": CHANGES,
    "list_seller_reviews": SEARCHES,
    "list_listing_reviews": SEARCHES,
    "search": SEARCHES,
    "search_listings": SEARCHES,
    "suggest": SEARCHES,
    "view_listing": VIEWS,
    "read_listing_figures": SEARCHES,
    "read_audit": SEARCHES,
    "list_enums": UNLIMITED,
    "health_live": UNLIMITED,
    "health_startup": UNLIMITED,
    "health_ready": UNLIMITED,
    "read_metrics": UNLIMITED,
}


def limits_of(operation_id: str | None) -> tuple[Limit, ...]:
    """What this operation spends; an operation without a row spends the default."""
    return LIMITS.get(operation_id or "", CHANGES)


# How long whoever asks waits at most, in seconds, where that is longer than a write or a read by
# token may take: for pictures to be drawn and kept, for all that somebody ever did, for a provider
# of log-ins elsewhere, for a column store, for a password's hash, which shall cost much and takes
# a busy machine seconds. The time in which a request arrives is not in it.
PATIENCE_S: Final[dict[str, float]] = {
    "upload_avatar": 15.0,
    "upload_images": 15.0,
    "upload_media_images": 15.0,
    "create_item": 15.0,
    "export_user": 15.0,
    "start_oauth": 5.0,
    "start_linking": 5.0,
    "finish_oauth": 5.0,
    "read_listing_figures": 5.0,
    "register_user": 5.0,
    "log_in": 5.0,
    "change_password": 5.0,
    "reset_password": 5.0,
}


def answer_within_s(operation_id: str | None, settings: Settings) -> float:
    """The bound of all that one request waits for, added up; then it is told 503."""
    usual = max(settings.write_timeout_s, settings.read_wait_s)
    return max(usual, PATIENCE_S.get(operation_id or "", 0.0))


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may ask for something, and what it spends."""

    access: Access
    limits: tuple[Limit, ...]


def _as(operation_id: str) -> Rule:
    return Rule(POLICY[operation_id], LIMITS[operation_id])


# What is asked over the socket, by event. What HTTP offers too has HTTP's own row, so that it is
# counted together.
SOCKET: Final[dict[str, Rule]] = {
    "connect": Rule(SIGNED_IN, CHANGES),
    "join-chat": _as("read_messages"),
    "send-message": _as("send_message"),
    "typing": Rule(SIGNED_IN, CHANGES),
    "stop-typing": Rule(SIGNED_IN, CHANGES),
}
