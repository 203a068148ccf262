"""What is remembered for reading: one file per answer, grouped by context."""

from __future__ import annotations

from typing import Any

from projections.analytics.favorite_changes import favorite_changes
from projections.analytics.listing_facts import listing_facts
from projections.analytics.listing_views_log import listing_views_log
from projections.bookings.bookings import bookings
from projections.comparisons.comparisons import comparisons
from projections.comparisons.shared_comparisons import shared_comparisons
from projections.favorites.favorites import favorites
from projections.favorites.shared_wishlists import shared_wishlists
from projections.identity.api_keys import api_keys
from projections.identity.identities import identities
from projections.identity.sessions import sessions
from projections.identity.users import users
from projections.identity.verification_tokens import verification_tokens
from projections.items.items import items
from projections.journal.audit import audit
from projections.journal.journal import journal
from projections.journal.outcomes import outcomes
from projections.listings.asking_days import asking_days
from projections.listings.listing_page import listing_page
from projections.listings.listing_signs import listing_signs
from projections.listings.listing_spins import listing_spins
from projections.listings.listing_views import listing_views
from projections.listings.price_history import price_history
from projections.media.media_files import media_files
from projections.messaging.blocks import blocks
from projections.messaging.conversations import conversations
from projections.messaging.message_reads import message_reads
from projections.messaging.message_search import message_search
from projections.messaging.messages import messages
from projections.messaging.quick_replies import quick_replies
from projections.notifications.inboxes import inboxes
from projections.notifications.notification_batches import notification_batches
from projections.notifications.notifications import notifications
from projections.notifications.push_subscriptions import push_subscriptions
from projections.profiles.seller_profiles import seller_profiles
from projections.profiles.user_preferences import user_preferences
from projections.profiles.user_profiles import user_profiles
from projections.projection import Projection
from projections.reviews.review_votes import review_votes
from projections.reviews.reviews import reviews
from projections.search.listing_search import listing_search
from projections.searches.alert_matches import alert_matches
from projections.searches.filter_sets import filter_sets
from projections.searches.listing_moments import listing_moments
from projections.searches.saved_searches import saved_searches
from projections.templates.template_overrides import template_overrides
from projections.timers.timers import timers
from projections.wallet.wallet_entries import wallet_entries
from projections.wallet.wallets import wallets

# Every projection there is; the worker groups, replays and generic tests read this.
PROJECTIONS: tuple[Projection[Any], ...] = (
    journal,
    outcomes,
    audit,
    listing_page,
    listing_spins,
    listing_views,
    price_history,
    asking_days,
    listing_signs,
    listing_search,
    listing_facts,
    listing_views_log,
    users,
    sessions,
    user_profiles,
    seller_profiles,
    user_preferences,
    api_keys,
    verification_tokens,
    identities,
    wallets,
    wallet_entries,
    media_files,
    conversations,
    messages,
    message_reads,
    notifications,
    notification_batches,
    inboxes,
    push_subscriptions,
    message_search,
    blocks,
    quick_replies,
    template_overrides,
    items,
    reviews,
    favorites,
    favorite_changes,
    shared_wishlists,
    review_votes,
    comparisons,
    shared_comparisons,
    saved_searches,
    filter_sets,
    listing_moments,
    alert_matches,
    bookings,
    timers,
)
