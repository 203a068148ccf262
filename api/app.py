"""The HTTP application: routers, errors and layers put together. Thin on purpose."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Mount

from api.analytics import routes as analytics
from api.backends.machines import open_machines
from api.bookings import routes as bookings
from api.comparisons import routes as comparisons
from api.comparisons import sharing as shared_comparisons
from api.document import openapi
from api.entry import middleware
from api.favorites import routes as favorites
from api.favorites import sharing as wishlists
from api.favorites import stats as favorite_stats
from api.identity import account, api_keys, erasure, export, mail_links, oauth, standing
from api.identity import routes as identity
from api.items import images as item_images
from api.items import routes as items
from api.listings import duplicates as listing_duplicates
from api.listings import explained as search_explained
from api.listings import feeds as listing_feeds
from api.listings import images as listing_images
from api.listings import insight as listing_insight
from api.listings import past as listing_past
from api.listings import quality as listing_quality
from api.listings import routes as listings
from api.listings import search
from api.listings import seo as listing_seo
from api.listings import spins as listing_spins
from api.listings import vins as listing_vins
from api.media import resizing, streaming, videos
from api.media import routes as images
from api.messaging import blocks, presence, quick_replies
from api.messaging import routes as messaging
from api.messaging import search as message_search
from api.messaging.realtime import PATH, Realtime
from api.notifications import preferences as notification_preferences
from api.notifications import push
from api.notifications import routes as notifications
from api.ops import audit, health, meta
from api.profiles import avatars, preferences
from api.profiles import routes as profiles
from api.reviews import lists as review_lists
from api.reviews import responses, votes
from api.reviews import routes as reviews
from api.searches import alerts
from api.searches import routes as saved_searches
from api.templates import routes as templates
from api.wallet import contact as item_contact
from api.wallet import routes as wallet
from api.wire import problems
from infra.process import announce_ready
from infra.settings import Settings

ROUTERS: tuple[APIRouter, ...] = (
    listings.router,
    identity.router,
    oauth.router,
    mail_links.router,
    account.router,
    standing.router,
    profiles.router,
    avatars.router,
    preferences.router,
    wallet.router,
    item_contact.router,
    images.router,
    videos.router,
    streaming.router,
    resizing.router,
    api_keys.router,
    listing_past.router,
    listing_images.router,
    listing_spins.router,
    listing_quality.router,
    listing_insight.router,
    listing_vins.router,
    listing_feeds.router,
    listing_seo.router,
    listing_duplicates.router,
    messaging.router,
    notifications.router,
    notification_preferences.router,
    push.router,
    blocks.router,
    quick_replies.router,
    presence.router,
    message_search.router,
    templates.router,
    items.router,
    item_images.router,
    bookings.router,
    reviews.router,
    favorites.router,
    wishlists.router,
    favorite_stats.router,
    review_lists.router,
    responses.router,
    votes.router,
    comparisons.router,
    shared_comparisons.router,
    search.router,
    search_explained.router,
    saved_searches.router,
    alerts.router,
    analytics.router,
    audit.router,
    erasure.router,
    export.router,
    meta.router,
    health.router,
)

# Routes are tried one after another, so these come before all others. Their paths match by the
# form of an id, which no other path has.
OFTEN_ASKED = ("read_listing",)


def create_app(settings: Settings) -> FastAPI:
    """The application. It opens its clients when it starts and starts whatever is down."""
    realtime = Realtime(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_machines(settings) as machines:
            app.state.machines = machines
            realtime.start(machines)
            announce_ready()
            try:
                yield
            finally:
                await realtime.close()

    app = FastAPI(
        title="Marketmesh",
        summary="A marketplace whose only source of truth is a log",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.operation_id or route.name,
    )
    app.state.settings = settings
    app.state.realtime = realtime
    _add_routes(app)
    app.router.routes.append(Mount(f"/{PATH}", app=realtime.app))
    problems.install(app)
    middleware.install(app)
    openapi.install(app)
    return app


def _add_routes(app: FastAPI) -> None:
    """Give `app` the routers' own routes. `include_router` would wrap each router in another
    one and try every path twice, a third of the time of a read by id.
    """
    routes = [route for router in ROUTERS for route in router.routes]
    app.router.routes.extend(sorted(routes, key=_is_seldom_asked))


def _is_seldom_asked(route: object) -> bool:
    return not (isinstance(route, APIRoute) and route.operation_id in OFTEN_ASKED)
