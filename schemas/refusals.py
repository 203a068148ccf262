"""What people are told when the rules forbid a command: for each reason what stands against it and,
where there is one, the way out. Programs go by the reason.
"""

from __future__ import annotations

from typing import Final

from schemas.bookings import PENDING_MAX
from schemas.comparisons import COMPARED_MAX
from schemas.favorites import FAVORITES_MAX
from schemas.identity.api_keys import KEYS_MAX
from schemas.messaging.blocks import BLOCKED_MAX
from schemas.messaging.quick_replies import QUICK_REPLIES_MAX
from schemas.searches import SEARCHES_MAX
from schemas.sharing import LINK_HOURS_MAX, SHARES_MAX

REFUSALS: Final = {
    # Whoever asks.
    "about_oneself": "This is about you: only others can do it",
    "not_oneself": "Nobody does this to their own account: ask somebody else of the staff",
    "not_owner": "This is somebody else's, and only its owner can change it",
    "not_yours": "This is somebody else's, and only its owner has a say in it",
    "role_not_allowed": "Your role may not do this",
    "role_not_open": "Nobody can be given this role",
    "user_banned": "This account has been banned",
    "user_deleted": "This account has been deleted",
    "user_unknown": "There is no account with this id",
    # Any command.
    "deadline_passed": "It took too long to be decided, and nothing was done: send it again",
    "fields_missing": "More must be stated before this can be done: see errors",
    "idempotency_key_reused": (
        "This Idempotency-Key was sent with something else before: send a new one"
    ),
    "invalid_field": "Something is not as it should be: see errors",
    "too_large": "There is more in it than one record holds: send less",
    "version_mismatch": "It has changed since you read it: read it again, then repeat",
    # What never should be: a fault of ours, which operators see.
    "command_failed": "This could not be decided for a fault of ours: nothing was done",
    "stream_unreadable": "What it is about waits to be mended: nothing was done",
    "undecodable_command": "This could not be read by the writer: nothing was done",
    # Registration, sessions and keys.
    "already_registered": "This person is registered already: log in",
    "api_key_exists": "There is a key with this id already",
    "api_key_expired": "A key must end at a time to come",
    "api_key_unknown": "You have no key with this id",
    "email_already_verified": "Your e-mail is verified: there is nothing left to prove",
    "email_domain_misplaced": "The domain of an e-mail is kept for the campus market and no other",
    "email_not_reserved": "This e-mail is reserved for nobody, or for somebody else",
    "email_reservation_lapsed": "This took so long that the e-mail became free: register again",
    "email_taken": "There is an account with this e-mail: log in, or reset its password",
    "identity_taken": "This account of the provider belongs to somebody else here",
    "last_way_in": "This is your only way to log in: set a password first",
    "refresh_reused": "This refresh token was used before, so its session has ended: log in again",
    "refresh_superseded": "There is a newer refresh token: use that one",
    "refresh_unknown": "This refresh token is none of its session's: log in again",
    "registration_abandoned": "This registration was given up: register again",
    "session_exists": "There is a session with this id already",
    "session_expired": "This session has expired: log in again",
    "session_over": "This session has ended: log in again",
    "session_unknown": "You have no session with this id",
    "session_worn_out": "This session was renewed as often as one can be: log in again",
    "token_expired": "This link has expired: ask for another",
    "token_spent": "This link was used, or a newer one was sent: ask for another",
    "too_many_api_keys": f"You have {KEYS_MAX} keys, and nobody has more at a time: revoke one first",
    "too_many_identities": (
        "You have linked as many accounts of providers as one person can: unlink one first"
    ),
    "until_past": "It must end at a time to come",
    # Listings, items and their pictures.
    "frame_missing": "A frame can't be shown, so there is no view all around: send all of them again",
    "frame_twice": "A view all around shows each frame once, and none of the listing's images",
    "image_unknown": "This listing has no picture with this id",
    "item_deleted": "This item has been deleted",
    "item_exists": "There is an item with this id already",
    "item_unknown": "There is no such item",
    "listing_deleted": "This listing has been deleted",
    "listing_exists": "There is a listing with this id already",
    "listing_hidden": "This listing is hidden for now, for its seller is away or barred",
    "listing_not_active": "Only a published listing takes this: publish it first",
    "listing_sold": "This listing is sold: nothing of it can be changed",
    "listing_unknown": "There is no such listing",
    "media_deleted": "This picture has been deleted",
    "media_exists": "There is a picture with this id already",
    "media_unknown": "There is no such picture",
    "not_its_images": "The order must name each picture of the listing once, and no other",
    "own_listing": "This is your own listing: only others can do it",
    "too_many_images": "It has as many pictures as one can have: remove some first",
    # Reviews and conversations.
    "blocked_full": f"You have blocked {BLOCKED_MAX} people, and nobody has more: unblock one first",
    "conversation_unknown": "There is no such conversation",
    "not_reviewed": "Only the seller whom this review is about can answer it",
    "own_review": "This is your own review: only others can vote on it",
    "quick_replies_full": (
        f"You have {QUICK_REPLIES_MAX} quick replies, and nobody has more: remove one first"
    ),
    "quick_reply_exists": "There is a quick reply with this id already",
    "quick_reply_unknown": "You have no such quick reply",
    "removed_by_staff": "The staff removed this: it can't be written again",
    "response_unknown": "This review has no answer",
    "review_deleted": "This review has been deleted",
    "review_exists": "You have reviewed this listing already: change that review",
    "review_unknown": "There is no such review",
    "vote_unknown": "You have no vote on this review",
    # Favourites, comparisons and searches.
    "alert_exists": "This search has an alert already: change that one",
    "alert_unknown": "You have no such alert",
    "comparison_empty": "You are comparing nothing: add a listing first",
    "comparison_full": f"You compare {COMPARED_MAX} listings, and more can't be: remove one first",
    "favorites_full": f"You have {FAVORITES_MAX} favourites, and nobody has more: remove one first",
    "match_unknown": "There is no such match of an alert",
    "no_digest": "An alert of this frequency has no digest",
    "search_unknown": "You have no such search",
    "searches_full": f"You have saved {SEARCHES_MAX} searches, and nobody has more: delete one first",
    "share_exists": "There is a link with this id already",
    "share_time_invalid": f"A link lasts from one hour to {LINK_HOURS_MAX} hours",
    "share_unknown": "You have no such link",
    "shares_full": f"You have {SHARES_MAX} open links, and nobody has more: revoke one first",
    # Notifications.
    "notification_unknown": "You have no such notification",
    "read_apart_full": "Too many of yours are read behind unread ones: mark these as read first",
    # Bookings.
    "booking_accepted": "You have accepted this booking: cancel it instead",
    "booking_exists": "You have asked for this item already: wait for the answer, or cancel that",
    "booking_over": "This booking is over: read it to see what has become of it",
    "booking_pending": "This booking was not accepted yet: accept it first",
    "booking_unknown": "There is no such booking",
    "bookings_full": (
        f"There are {PENDING_MAX} who wait for an answer about this item already: try again later"
    ),
    "item_reserved": "This item is kept for somebody else: it may be free again later",
    "item_sold": "This item is sold: look for another one",
    # Tokens.
    "balance_too_low": "There are not enough tokens in this wallet",
    "credit_exists": "Something else was credited under this reference: use another",
    "debit_exists": "Something else was debited under this reference: use another",
    "debit_refunded": "Another amount was refunded of this debit already",
    "debit_unknown": "There is no such debit",
    "own_item": "This item is yours: there is nobody else to reach about it",
    "tokens_missing": (
        "A contact costs one token, and your wallet holds less. To ask for the item itself costs"
        " nothing: book it, and its owner answers you"
    ),
    "refund_too_high": "Of a debit no more can be refunded than it took",
}


def told_of(reason: str) -> str:
    """What people are told of a refusal for this reason."""
    return REFUSALS.get(reason, f"Refused: {reason.replace('_', ' ')}")
