"""Who may do what: one row an operation. An operation without a row is denied to everyone.

Roles open the door; whether the thing behind it is *yours* is judged where the thing is known,
by deciders (403 `not_yours`) and by queries.
"""

from __future__ import annotations

from typing import Final

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
    "health_ready": ANYONE,
    # Loopback may read it too, without a token: see api.health.
    "read_metrics": ANYONE,
}


def access_of(operation_id: str | None) -> Access | None:
    """The roles that may do this; empty: anyone; None: nobody, for nobody has said."""
    return POLICY.get(operation_id or "")
