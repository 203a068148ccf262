"""What the costliest request to each operation makes the shop do: writes `docs/worst-cases.md`.

    python -m tests.house.worst_cases

What a request may ask for is read from the OpenAPI document and the doors. What it then costs is
said here, an operation a row, and held by the tests that are named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from api.wire.problems import (
    BODY_BYTES_MAX,
    IMAGES_BYTES_MAX,
    UPLOAD_BYTES_MAX,
    VIDEO_FORM_BYTES_MAX,
)
from tests.api.operations import DOOR_OF, OPERATIONS, Operation
from tests.house.sources import ROOT

PAGE = ROOT / "docs" / "worst-cases.md"

MEMORY = "no store: from memory"
ROW = "one row by its key"
COMMAND = "one command: its stream folded by the writer, at most 500 events appended"
COMMANDS = "two or three commands, one after another, within one time-out"
PASSWORD = "a password's hash in a thread, at most 16 waiting (503 beyond); then a command"
LIST = "one page by an index, one row more than is shown; no deeper than 10,000 by number"
UNSEALED = f"{LIST}; each row unsealed with its people's keys, one query for all"
PAST = (
    "fewer than 100 events beside what is shown; the first far read of a listing folds all of its "
    "events once, one listing at a time, giving way after every 50 (test_listing_pasts)"
)
SEARCH = (
    "one search of at most 100 hits and 11 counts of at most 50 values, 2 s in the engine; again with "
    "typos when nothing is found, and when still nothing is, one count of at most 34 filters, 2 s "
    "(test_relaxing); at most 100 words of 9 spellings (test_spelling)"
)
FILES = "at most 10 files of 10 MiB, 4 in memory; drawn elsewhere, later"
PICTURE = (
    "one picture of at most 25 million pixels drawn in a thread, at most 8 waiting (503 beyond)"
)
OUTSIDE = "one exchange with the provider, answers of at most 512 KiB, with a time-out"

WORK: dict[str, str] = {
    **dict.fromkeys(("list_signing_keys", "list_enums", "health_live", "read_metrics"), MEMORY),
    **dict.fromkeys(("show_verify_email", "show_reset_password", "start_oauth"), MEMORY),
    "health_startup": "no store: from memory",
    "health_ready": "one cheap question to each store, all at once, each with a time-out",
    **dict.fromkeys(
        ("read_session", "read_account", "read_preferences", "read_wallet", "read_user",
         "read_seller", "read_review", "read_review_vote", "read_image", "read_video", "read_item",
         "read_favorite", "read_listing_quality", "count_unread_notifications",
         "read_notification_preferences", "list_push_subscriptions", "list_wishlist_shares", "list_comparison_shares", "count_comparison"),
        ROW),
    "resize_image": f"{ROW}; one picture of at most 1200 by 900 pixels drawn in a thread, at most 8 waiting (503 "
    "beyond), once for each of 18 signed addresses of it and counted as a search; then kept",
    "read_image_queue": "four counts of all uploads by an index",
    "read_booking": f"{ROW}, its item's by its own; unsealed with its two people's keys",
    "read_item_contact": f"{ROW}, its owner's, and one entry of the wallet by an index",
    "read_seller_stats": "the reviews of one seller, counted by an index",
    "read_listing": f"{ROW}; at most 10,001 who keep it in mind are counted by an index; with `as_of` or `version` as `read_listing_history`",
    "read_listing_prices": f"{ROW}, of at most 3,000 stretches, or one a day and currency "
    "(test_price_history)",
    "read_listing_history": PAST,
    **dict.fromkeys(("read_listing_json_ld", "read_seo_metadata"), f"{ROW}, and its seller's"),
    **dict.fromkeys(
        ("read_json_ld_feed", "read_meta_feed", "read_google_feed"),
        "101 rows by an index, and one seller's"),
    "read_seo_image": f"{ROW}; one picture of 1200 by 630 pixels, the last 200 kept in memory, others drawn "
    "in a thread that draws nothing else, at most 8 waiting (503 beyond)",
    **dict.fromkeys(
        ("read_listing_vin", "list_vin_listings"), "at most 20 listings of one VIN by an index"),
    "list_listing_duplicates": "at most 50 listings that share a sign, by an index",
    "list_duplicates": "at most 50 listings, and of each at most 50 that share a sign, by an index",
    "list_shared_vins": "all VINs on offer, counted in the order of an index of what is on offer; of each at most 20 listings",
    "read_price_insight": "the listings that ever were of one make, model, currency and three years, "
    "by an index; of those that were there on the day an entry a day on which it changed, others are "
    "passed over; what takes 5 s is ended (503); 50 are shown (test_asking_days)",
    "read_user_stats": "counts by an index, one for each of the person's listings, and the last 1,000 conversations",
    "read_favorite_stats": "a page of one's listings, of each at most 366 days; every change of all "
    "favourites is looked at, in ClickHouse within 10 s",
    "read_listing_figures": "at most 366 days of one listing, counted in ClickHouse within 10 s",
    **dict.fromkeys(("read_avatar", "read_variant"), "one file of the object store, in pieces"),
    **dict.fromkeys(
        ("stream_video", "read_video_file"),
        "one file of the object store of at most 128 MiB, 512 KiB of it in memory, as fast as it is taken"),
    "read_video_playlist": f"{ROW} of at most 64 segments",
    "set_listing_spin": "at most 48 files of 2 MiB, one in memory at a time; a command a file and one more; drawn elsewhere, later",
    "read_listing_spin": f"{ROW} of at most 48 frames",
    "list_listing_videos": "the newest 10 videos of one listing by an index",
    "upload_video": "one file of 100 MiB, 10 in memory, hashed in a thread; a command; looked at elsewhere, later, by "
    "a process with bounds: 20 s, 1 GiB, one at a time",
    **dict.fromkeys(
        ("list_listings", "list_my_listings", "list_items", "list_wallet_entries",
         "read_audit"), LIST),
    "list_notifications": f"{LIST}; of each at most three batches by their keys; unsealed with their "
    "senders' keys, one query for all",
    "read_notification": ROW,
    "list_templates": "27 rows by their keys",
    "read_template": ROW,
    "preview_template": f"{ROW}; three fillings in a thread, each of at most 200 rounds of loops and "
    "50,000 characters (test_overriding)",
    **dict.fromkeys(
        ("override_template", "test_template"), f"fillings as of `preview_template`; {COMMAND}"),
    "explain_notification": f"{ROW}; its event by its id",
    "show_unsubscribe_type": MEMORY,
    "list_blocked_users": f"{UNSEALED}; of the at most 500 in one row",
    "list_favorites": f"{LIST} of the at most 1,000 in one row; each looked up by its key",
    "read_shared_wishlist": "one link by an index; then as `list_favorites`",
    **dict.fromkeys(
        ("list_comparison", "read_comparison_table"), f"{ROW}; the at most 4 in it by theirs"),
    "read_shared_comparison": "one link by an index; then as `read_comparison_table`",
    "list_saved_searches": "the at most 50 in one row, of each at most 1,001 matches counted by an "
    "index; unsealed with one key",
    "read_saved_search": "one row by its key, at most 1,001 matches counted by an index; one count "
    "in the engine over the moments of a month, 2 s",
    "list_alerts": "the at most 50 in one row, of each the matches looked through by an index",
    "list_search_matches": f"{LIST}; each looked up by its key",
    "show_unsubscribe": MEMORY,
    "list_identities": "at most 100 rows by an index; the rules allow 10",
    "search_messages": "at most 301 conversations by two indexes and their people's keys; of at most 8 words of 9 "
    "spellings a mark for each conversation and side; one search, 2 s in the engine; a page of messages "
    "unsealed",
    "read_presence": "at most 2,000 conversations by two indexes; of at most 100 people the names and keys, "
    "and one exchange with Redis",
    "list_quick_replies": "the at most 50 in one row, unsealed with one key",
    "list_sessions": "at most 100 rows by an index",
    "list_api_keys": "at most 20 rows by an index",
    "list_item_categories": "a count by an index over one campus' items",
    **dict.fromkeys(
        ("list_conversations", "list_chats", "read_messages", "read_chat_messages",
         "list_bookings",
         "list_seller_reviews", "list_listing_reviews"), UNSEALED),
    "count_unread": "at most 1,000 conversations by an index",
    **dict.fromkeys(("search", "search_listings"), SEARCH),
    "explain_search": "one search of at most 20 hits, 2 s in the engine; again with typos when nothing "
    "is found",
    "suggest": "one search without hits, six counts of at most 10 names, 1 s in the engine; at most "
    "60 characters",
    "export_user": "at most 100,000 events, 500 in memory; one a person and process, all of them "
    "taking turns at pieces of 8 kB (test_export_turns)",
    "view_listing": "one row; one event in a batch of many",
    **dict.fromkeys(
        ("log_out", "log_out_everywhere", "revoke_session", "ban_user", "unban_user", "grant_role",
         "log_out_user", "deactivate_user", "reactivate_user", "update_user",
         "replace_user_fields", "update_seller", "replace_seller_fields", "update_preferences",
         "replace_preferences", "remove_avatar", "delete_media", "issue_api_key",
         "revoke_api_key", "create_listing", "update_listing", "replace_listing_fields",
         "delete_listing", "publish_listing", "renew_listing", "unpublish_listing",
         "mark_listing_sold", "reorder_listing_images", "remove_listing_image", "remove_listing_spin",
         "unlock_item_contact", "request_booking", "accept_booking", "reject_booking", "cancel_booking",
         "complete_booking",
         "update_item", "replace_item_fields", "delete_item", "open_conversation",
         "send_message", "block_user", "unblock_user", "add_quick_reply", "remove_quick_reply", "mark_messages_read", "hide_conversation", "create_review",
         "update_review", "replace_review_fields", "delete_review", "add_favorite",
         "remove_favorite", "clear_favorites", "save_search", "delete_saved_search",
         "create_alert", "update_alert", "delete_alert", "unsubscribe", "unsubscribe_type",
         "restore_template",
         "mark_notification_read", "mark_notifications_read", "subscribe_to_push", "unsubscribe_from_push", "share_wishlist", "unshare_wishlist",
         "respond_to_review",
         "replace_review_response", "withdraw_review_response", "vote_on_review",
         "withdraw_review_vote",
         "add_to_comparison", "remove_from_comparison", "clear_comparison",
         "share_comparison", "unshare_comparison",
         "refresh_session",
         "verify_email", "unlink_identity"), COMMAND),
    **dict.fromkeys(("resend_verification", "delete_user", "update_notification_preferences"), COMMANDS),
    **dict.fromkeys(
        ("register_user", "log_in", "forgot_password", "reset_password", "change_password"),
        PASSWORD),
    "start_linking": f"{ROW}; the provider's addresses from memory",
    "finish_oauth": f"{OUTSIDE}; then two or three commands",
    "upload_avatar": PICTURE,
    **dict.fromkeys(("upload_images", "upload_media_images"), f"{FILES}; a command a file"),
    **dict.fromkeys(
        ("create_item", "add_listing_images", "process_images"), f"{FILES}; a command a file and one more"),
}  # fmt: skip

_INTRODUCTION = """# The worst cases

Written by `python -m tests.house.worst_cases`; do not edit. What the costliest request to each
operation makes the shop do, whoever sends it. Every wait on a store has a time-out, and a body that
is larger than said here is refused with 413. *Limit* is counted for each person, or address
(`api/entry/doors.py`); nginx bounds the rate of everything.

| operation | asks for at most | does at most | limit |
|---|---|---|---|
"""


def page(operations: Iterable[Operation] = OPERATIONS) -> str:
    """The whole document."""
    return _INTRODUCTION + "".join(
        f"| `{each.id}` | {_asks_for(each)} | {WORK[each.id]} | {_limit(each)} |\n"
        for each in sorted(operations, key=lambda one: one.id)
    )


def _asks_for(operation: Operation) -> str:
    parameters = {each["name"]: each["schema"] for each in operation.document.get("parameters", [])}
    parts = list(_page_size(parameters))
    if "requestBody" in operation.document:
        parts.append(f"a body of {_body_bytes(operation):,} bytes")
    return ", ".join(parts) or "one thing"


def _page_size(parameters: dict[str, dict[str, object]]) -> Iterator[str]:
    if "limit" in parameters:
        yield f"{parameters['limit']['maximum']:,} rows"


def _body_bytes(operation: Operation) -> int:
    content = operation.document["requestBody"]["content"]
    if "multipart/form-data" not in content:
        return BODY_BYTES_MAX
    own = {"upload_avatar": UPLOAD_BYTES_MAX, "upload_video": VIDEO_FORM_BYTES_MAX}
    return own.get(operation.id, IMAGES_BYTES_MAX)


def _limit(operation: Operation) -> str:
    names = [re.sub(r"_", " ", each.policy) for each in DOOR_OF[operation.id].limits]
    return ", ".join(names) or "none"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
