"""Who may do what, spelled out a second time and otherwise than in api.entry.doors: every operation
has a row in DOORS, and one about a single thing has a row in THINGS, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.api.acting.profiling import photo

NOBODY: Final = "anonymous"
ROLES: Final = ("buyer", "seller", "dealer", "moderator", "admin", "ops")
EVERYONE: Final = frozenset({NOBODY, *ROLES})
SIGNED_IN: Final = frozenset(ROLES)
SELLING: Final = frozenset({"seller", "dealer", "admin"})
STAFF: Final = frozenset({"moderator", "admin"})
ADMINS: Final = frozenset({"admin"})
NO_STAFF: Final[frozenset[str]] = frozenset()
SHOPS: Final = frozenset({"seller", "dealer"})  # who has a business to tell of

# Who gets past the door, whatever comes behind it.
DOORS: Final[Mapping[str, frozenset[str]]] = {
    "register_user": EVERYONE,
    "log_in": EVERYONE,
    "refresh_session": EVERYONE,
    "log_out": SIGNED_IN,
    "read_session": SIGNED_IN,
    "read_account": SIGNED_IN,
    "list_signing_keys": EVERYONE,
    "show_verify_email": EVERYONE,  # pages; what a mailed token opens is asked for below
    "show_reset_password": EVERYONE,
    "verify_email": EVERYONE,
    "resend_verification": SIGNED_IN,
    "forgot_password": EVERYONE,
    "reset_password": EVERYONE,
    "change_password": SIGNED_IN,
    "list_sessions": SIGNED_IN,
    "revoke_session": SIGNED_IN,
    "log_out_everywhere": SIGNED_IN,
    "start_oauth": EVERYONE,
    "finish_oauth": EVERYONE,
    "list_identities": SIGNED_IN,
    "start_linking": SIGNED_IN,
    "unlink_identity": SIGNED_IN,
    "export_user": SIGNED_IN,
    "deactivate_user": SIGNED_IN,
    "reactivate_user": SIGNED_IN,
    "delete_user": SIGNED_IN,
    "ban_user": STAFF,
    "unban_user": STAFF,
    "grant_role": ADMINS,
    "log_out_user": ADMINS,
    "read_user": EVERYONE,
    "replace_user_fields": SIGNED_IN,
    "update_user": SIGNED_IN,
    "upload_avatar": SIGNED_IN,
    "remove_avatar": SIGNED_IN,
    "read_avatar": EVERYONE,
    "read_seller": EVERYONE,
    "replace_seller_fields": SIGNED_IN,
    "update_seller": SIGNED_IN,
    "read_preferences": SIGNED_IN,
    "replace_preferences": SIGNED_IN,
    "update_preferences": SIGNED_IN,
    "read_user_stats": SIGNED_IN,
    "read_wallet": SIGNED_IN,
    "list_wallet_entries": SIGNED_IN,
    "read_item_contact": SIGNED_IN,
    "unlock_item_contact": SIGNED_IN,
    "request_booking": SIGNED_IN,
    "list_bookings": SIGNED_IN,
    "read_booking": SIGNED_IN,
    "accept_booking": SIGNED_IN,
    "reject_booking": SIGNED_IN,
    "cancel_booking": SIGNED_IN,
    "complete_booking": SIGNED_IN,
    "upload_images": SIGNED_IN,
    "upload_media_images": SIGNED_IN,
    "read_image": SIGNED_IN,
    "process_images": SIGNED_IN,
    "resize_image": EVERYONE,
    "read_image_queue": frozenset({"admin", "ops"}),
    "read_variant": EVERYONE,
    "delete_media": SIGNED_IN,
    "upload_video": SIGNED_IN,
    "read_video": EVERYONE,
    "list_listing_videos": EVERYONE,
    "stream_video": EVERYONE,
    "read_video_playlist": EVERYONE,
    "read_video_file": EVERYONE,
    "read_audit": ADMINS,
    "issue_api_key": SIGNED_IN,
    "list_api_keys": SIGNED_IN,
    "revoke_api_key": SIGNED_IN,
    "create_listing": SELLING,
    "replace_listing_fields": SIGNED_IN,
    "update_listing": SIGNED_IN,
    "delete_listing": SIGNED_IN,
    "publish_listing": SIGNED_IN,
    "renew_listing": SIGNED_IN,
    "unpublish_listing": SIGNED_IN,
    "mark_listing_sold": SIGNED_IN,
    "add_listing_images": SIGNED_IN,
    "reorder_listing_images": SIGNED_IN,
    "remove_listing_image": SIGNED_IN,
    "set_listing_spin": SIGNED_IN,
    "read_listing_spin": EVERYONE,
    "remove_listing_spin": SIGNED_IN,
    "list_listings": EVERYONE,
    "list_my_listings": SIGNED_IN,
    "read_listing": EVERYONE,
    "read_listing_history": EVERYONE,
    "read_listing_prices": EVERYONE,
    "read_listing_quality": SIGNED_IN,
    "read_price_insight": EVERYONE,
    "read_listing_json_ld": EVERYONE,
    "read_json_ld_feed": EVERYONE,
    "read_meta_feed": EVERYONE,
    "read_google_feed": EVERYONE,
    "read_seo_metadata": EVERYONE,
    "read_seo_image": EVERYONE,
    "read_listing_vin": SIGNED_IN,
    "list_vin_listings": SIGNED_IN,
    "list_shared_vins": STAFF,
    "list_listing_duplicates": SIGNED_IN,
    "list_duplicates": STAFF,
    "open_conversation": SIGNED_IN,
    "list_conversations": SIGNED_IN,
    "list_chats": SIGNED_IN,
    "read_messages": SIGNED_IN,
    "read_chat_messages": SIGNED_IN,
    "send_message": SIGNED_IN,
    "mark_messages_read": SIGNED_IN,
    "hide_conversation": SIGNED_IN,
    "count_unread": SIGNED_IN,
    "list_quick_replies": SIGNED_IN,
    "add_quick_reply": SIGNED_IN,
    "remove_quick_reply": SIGNED_IN,
    "read_presence": SIGNED_IN,
    "search_messages": SIGNED_IN,
    "block_user": SIGNED_IN,
    "unblock_user": SIGNED_IN,
    "list_blocked_users": SIGNED_IN,
    "create_item": SIGNED_IN,
    "list_items": SIGNED_IN,
    "list_item_categories": SIGNED_IN,
    "read_item": SIGNED_IN,
    "replace_item_fields": SIGNED_IN,
    "update_item": SIGNED_IN,
    "delete_item": SIGNED_IN,
    "create_review": SIGNED_IN,
    "read_review": EVERYONE,
    "replace_review_fields": SIGNED_IN,
    "update_review": SIGNED_IN,
    "delete_review": SIGNED_IN,
    "list_seller_reviews": EVERYONE,
    "read_seller_stats": EVERYONE,
    "list_listing_reviews": EVERYONE,
    "list_notifications": SIGNED_IN,
    "count_unread_notifications": SIGNED_IN,
    "read_notification": SIGNED_IN,
    "explain_notification": SIGNED_IN,
    "mark_notification_read": SIGNED_IN,
    "mark_notifications_read": SIGNED_IN,
    "list_push_subscriptions": SIGNED_IN,
    "subscribe_to_push": SIGNED_IN,
    "unsubscribe_from_push": SIGNED_IN,
    "read_notification_preferences": SIGNED_IN,
    "update_notification_preferences": SIGNED_IN,
    "list_templates": ADMINS,
    "read_template": ADMINS,
    "override_template": ADMINS,
    "restore_template": ADMINS,
    "preview_template": ADMINS,
    "test_template": ADMINS,
    "show_unsubscribe_type": EVERYONE,  # whoever has the link of a mail
    "unsubscribe_type": EVERYONE,
    "list_favorites": SIGNED_IN,
    "clear_favorites": SIGNED_IN,
    "add_favorite": SIGNED_IN,
    "remove_favorite": SIGNED_IN,
    "read_favorite": SIGNED_IN,
    "share_wishlist": SIGNED_IN,
    "list_wishlist_shares": SIGNED_IN,
    "read_favorite_stats": SIGNED_IN,
    "unshare_wishlist": SIGNED_IN,
    "read_shared_wishlist": EVERYONE,
    "save_search": SIGNED_IN,
    "list_saved_searches": SIGNED_IN,
    "read_saved_search": SIGNED_IN,
    "delete_saved_search": SIGNED_IN,
    "list_search_matches": SIGNED_IN,
    "create_alert": SIGNED_IN,
    "list_alerts": SIGNED_IN,
    "update_alert": SIGNED_IN,
    "delete_alert": SIGNED_IN,
    "show_unsubscribe": EVERYONE,  # whoever has the link of a mail
    "unsubscribe": EVERYONE,
    "respond_to_review": SIGNED_IN,
    "replace_review_response": SIGNED_IN,
    "withdraw_review_response": SIGNED_IN,
    "read_review_vote": SIGNED_IN,
    "vote_on_review": SIGNED_IN,
    "withdraw_review_vote": SIGNED_IN,
    "list_comparison": SIGNED_IN,
    "read_comparison_table": SIGNED_IN,
    "count_comparison": SIGNED_IN,
    "clear_comparison": SIGNED_IN,
    "add_to_comparison": SIGNED_IN,
    "remove_from_comparison": SIGNED_IN,
    "share_comparison": SIGNED_IN,
    "list_comparison_shares": SIGNED_IN,
    "unshare_comparison": SIGNED_IN,
    "read_shared_comparison": EVERYONE,
    "search": EVERYONE,
    "search_listings": EVERYONE,
    "suggest": EVERYONE,
    "explain_search": STAFF,
    "view_listing": EVERYONE,
    "read_listing_figures": SIGNED_IN,
    "list_enums": EVERYONE,
    "health_live": EVERYONE,
    "health_startup": EVERYONE,
    "health_ready": EVERYONE,
    "read_metrics": EVERYONE,  # from this machine; see test_http_configuration for others
}

# After these the account that they are about is not what it was, or its tokens are void: each
# is tried on one of its own.
LAST_DEEDS: Final = frozenset(
    {
        "log_out",
        "log_out_everywhere",
        "log_out_user",
        "deactivate_user",
        "delete_user",
        "ban_user",
        "unban_user",
        "grant_role",
    }
)


@dataclass(frozen=True)
class Thing:
    """What an operation with an id is tried on, and what it says to whom; 0 is a success.

    `kind` is made by its owner, who is in one of the roles `owners` and gets `own`. Others get
    the status `others` unless their role is in `staff`. Who asks about what there is not gets
    `none`; staff get 404.
    """

    kind: str
    others: int
    owners: frozenset[str] = SELLING
    staff: frozenset[str] = STAFF
    none: int = 404
    own: int = 0
    ask: Mapping[str, Any] = field(default_factory=dict)


def _person(**more: Any) -> Thing:
    """An account; what is not one's own is not to be told from what there is not."""
    return Thing(**{"kind": "person", "others": 403, "none": 403, "owners": SIGNED_IN, **more})


def _provider() -> Thing:
    """A provider that there is not: to nobody, whoever asks."""
    return Thing("provider", others=404, own=404, owners=SIGNED_IN, staff=NO_STAFF)


def _talk(kind: str = "conversation", **more: Any) -> Thing:
    """Between two people: to others, staff too, there is none."""
    return Thing(kind, others=404, owners=SIGNED_IN, staff=NO_STAFF, **more)


def _item(**more: Any) -> Thing:
    """Something on a campus, where nobody of the matrix is; test_items has those who are."""
    return Thing(
        **{"kind": "item", "others": 403, "own": 403, "none": 403, "owners": SIGNED_IN, **more},
        staff=NO_STAFF,
    )


def _search(kind: str = "saved search", **more: Any) -> Thing:
    """What somebody looks for is to nobody else there."""
    return Thing(kind, others=404, owners=SIGNED_IN, staff=NO_STAFF, **more)


def _notification() -> Thing:
    """What somebody is told of is to nobody else there."""
    return Thing("notification", others=404, owners=SIGNED_IN, staff=NO_STAFF)


def _template(**more: Any) -> Thing:
    """What mails say is for admins to see and to change; for them it is nobody's."""
    return Thing("template", others=403, owners=ADMINS, staff=ADMINS, none=403, **more)


def _review(**more: Any) -> Thing:
    """For all to read; only whoever wrote it changes it."""
    return Thing("review", owners=SIGNED_IN, **{"others": 403, "staff": NO_STAFF, **more})


def _response(kind: str, **more: Any) -> Thing:
    """What the seller whom a review is about says to it."""
    return Thing(kind, **{"others": 403, "staff": NO_STAFF, **more})


_ANY_VERSION = {"headers": {"If-Match": "*"}}
_CHANGE = {"json": {"title": "Another title"}, **_ANY_VERSION}
_TELL = {"json": {"bio": "Old Porsches"}, **_ANY_VERSION}
_NAME = {"json": {"business_name": "Perera Motors"}, **_ANY_VERSION}
_PREFER = {"json": {"theme": "dark"}, **_ANY_VERSION}
_RATE = {"json": {"rating": 2}, **_ANY_VERSION}
_PICTURES = {"files": [("images", ("a.png", photo()))]}
_FRAMES = {"files": [("frames", ("a.png", photo()))] * 12}
_SAY = {"json": {"text": "News\n\nHello.\n\n{{ unsubscribe }}"}}
_RESPOND = {"json": {"content": "Thank you. Drive it well."}}
_VOTE = {"json": {"vote": "helpful"}}
_PICTURE = {"files": {"avatar": ("me.png", photo())}}

THINGS: Final[Mapping[str, Thing]] = {
    "read_listing": Thing("draft", others=404),
    "read_listing_history": Thing("draft", others=404),
    "read_listing_prices": Thing("draft", others=404),
    "read_listing_quality": Thing("offer", others=403),
    "read_price_insight": Thing("draft", others=404),
    # A draft is not there for its own seller either: what caches keep is for all.
    "read_listing_json_ld": Thing("draft", others=404, own=404, staff=NO_STAFF),
    "read_listing_vin": Thing("offer", others=403),
    "list_listing_duplicates": Thing("offer", others=403),
    "view_listing": Thing("draft", others=404, staff=NO_STAFF),
    "read_listing_figures": Thing("offer", others=403),
    "replace_listing_fields": Thing("draft", others=404, ask=_CHANGE),
    "update_listing": Thing("draft", others=404, ask=_CHANGE),
    "delete_listing": Thing("draft", others=404),
    "publish_listing": Thing("draft", others=404),
    "renew_listing": Thing("offer", others=403),
    "unpublish_listing": Thing("offer", others=403),
    "mark_listing_sold": Thing("offer", others=403),
    "add_listing_images": Thing("draft", others=404, staff=NO_STAFF, ask=_PICTURES),
    "reorder_listing_images": Thing("draft", others=404, ask={"json": {"order": []}}),
    "remove_listing_image": Thing("listing image", others=404),
    "set_listing_spin": Thing("draft", others=404, staff=NO_STAFF, ask=_FRAMES),
    "read_listing_spin": Thing("spin", others=404),
    "remove_listing_spin": Thing("draft", others=404),
    "read_item": _item(),
    "replace_item_fields": _item(ask=_CHANGE),
    "update_item": _item(ask=_CHANGE),
    "delete_item": _item(),
    "read_item_contact": _item(),
    "unlock_item_contact": _item(),
    "request_booking": _item(),
    "read_booking": _talk("booking"),
    "accept_booking": _talk("booking"),
    "reject_booking": _talk("booking"),
    "cancel_booking": _talk("own booking"),
    "complete_booking": _talk("accepted booking"),
    "revoke_api_key": Thing("api key", others=404, owners=SIGNED_IN, staff=ADMINS),
    "revoke_session": Thing("session", others=404, owners=SIGNED_IN, staff=ADMINS),
    "start_oauth": _provider(),
    "finish_oauth": _provider(),
    "start_linking": _provider(),
    "unlink_identity": _provider(),
    "read_review": _review(others=0),
    "replace_review_fields": _review(ask=_RATE),
    "update_review": _review(ask=_RATE),
    "delete_review": _review(staff=STAFF),
    "list_seller_reviews": _person(others=0, none=404),
    "read_seller_stats": _person(others=0, none=404),
    "list_listing_reviews": Thing("draft", others=404),
    "add_favorite": Thing("draft", others=404, staff=NO_STAFF),
    # One's own list says of no listing whether it is there.
    "remove_favorite": Thing("draft", others=0, staff=NO_STAFF, none=0),
    "read_favorite": Thing("draft", others=0, staff=NO_STAFF, none=0),
    "unshare_wishlist": Thing("share", others=404, owners=SIGNED_IN, staff=NO_STAFF),
    "read_shared_wishlist": Thing("shared", others=0, owners=SIGNED_IN),
    "read_notification": _notification(),
    "explain_notification": _notification(),
    "mark_notification_read": _notification(),
    # Of what there is not, and of others', nothing is to be taken away: it is so already.
    "unsubscribe_from_push": Thing(
        "subscription", others=0, owners=SIGNED_IN, staff=NO_STAFF, none=0
    ),
    "read_template": _template(),
    "override_template": _template(ask=_SAY),
    "restore_template": _template(),
    "preview_template": _template(ask=_SAY),
    "test_template": _template(ask=_SAY),
    "show_unsubscribe_type": Thing("link of a type", others=0, owners=SIGNED_IN),
    "unsubscribe_type": Thing("link of a type", others=0, owners=SIGNED_IN),
    "read_saved_search": _search(),
    "delete_saved_search": _search(),
    "list_search_matches": _search(),
    "update_alert": _search("alert", ask={"json": {"frequency": "off"}}),
    "delete_alert": _search("alert"),
    "show_unsubscribe": Thing("unsubscribe link", others=0, owners=SIGNED_IN),
    "unsubscribe": Thing("unsubscribe link", others=0, owners=SIGNED_IN),
    "respond_to_review": _response("review of one", ask=_RESPOND),
    "replace_review_response": _response("review of one", ask=_RESPOND),
    "withdraw_review_response": _response("response", staff=STAFF),
    # Whoever wrote it has no vote; all others have one each.
    "read_review_vote": _review(others=0),
    "vote_on_review": _review(own=403, others=0, ask=_VOTE),
    "withdraw_review_vote": _review(others=0),
    "add_to_comparison": Thing("draft", others=404, staff=NO_STAFF),
    "remove_from_comparison": Thing("draft", others=0, staff=NO_STAFF, none=0),
    "unshare_comparison": Thing("comparison share", others=404, owners=SIGNED_IN, staff=NO_STAFF),
    "read_shared_comparison": Thing("shared comparison", others=0, owners=SIGNED_IN),
    # What people tell of themselves: for all to read, theirs to change, no staff's either.
    "read_user": _person(others=0, none=404),
    "replace_user_fields": _person(staff=NO_STAFF, ask=_TELL),
    "update_user": _person(staff=NO_STAFF, ask=_TELL),
    "upload_avatar": _person(staff=NO_STAFF, ask=_PICTURE),
    "remove_avatar": _person(staff=NO_STAFF),
    "read_avatar": Thing("avatar", others=0, owners=SIGNED_IN),
    "read_seller": _person(others=0, none=404, owners=SHOPS),
    "replace_seller_fields": _person(staff=NO_STAFF, owners=SHOPS, ask=_NAME),
    "update_seller": _person(staff=NO_STAFF, owners=SHOPS, ask=_NAME),
    "read_preferences": _person(staff=NO_STAFF),
    "replace_preferences": _person(staff=NO_STAFF, ask=_PREFER),
    "update_preferences": _person(staff=NO_STAFF, ask=_PREFER),
    "read_user_stats": _person(),
    "read_image": Thing("image", others=404, owners=SIGNED_IN),
    "read_variant": Thing("variant", others=0, owners=SIGNED_IN),
    "delete_media": Thing("image", others=404, owners=SIGNED_IN, staff=NO_STAFF),
    "read_video": Thing("video", others=404),
    "list_listing_videos": Thing("draft", others=404),
    "stream_video": Thing("video", others=404),
    "read_video_playlist": Thing("video", others=404),
    "read_video_file": Thing("video file", others=0),
    "read_messages": _talk(),
    "read_chat_messages": _talk(),
    "send_message": _talk(ask={"json": {"content": "Is it still there?"}}),
    "mark_messages_read": _talk("message"),
    "hide_conversation": _talk(),
    "remove_quick_reply": Thing("quick reply", others=404, owners=SIGNED_IN, staff=NO_STAFF),
    "block_user": _person(own=403, others=0, none=404),
    # One's own list says of nobody whether they are there.
    "unblock_user": _person(others=0, none=0, staff=NO_STAFF),
    # The account itself. Nobody, no admin either, gets all that we hold of somebody else.
    "export_user": _person(staff=NO_STAFF),
    "deactivate_user": _person(staff=ADMINS),
    "reactivate_user": _person(staff=ADMINS),
    "delete_user": _person(staff=ADMINS),
    # Nobody is judge of themselves.
    "ban_user": _person(owners=STAFF, own=403, ask={"json": {"reason": "fraud"}}),
    "unban_user": _person(owners=STAFF, own=403),
    "grant_role": _person(owners=ADMINS, own=403, staff=ADMINS, ask={"json": {"role": "dealer"}}),
    "log_out_user": _person(owners=ADMINS, staff=ADMINS),
}
