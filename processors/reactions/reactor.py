"""The process that turns events into what follows from them: commands, and effects outside.

One reader hands each event to every reaction and effect that hears it (processors.reacting.reader),
each of which goes its own way and keeps its own positions (processors.reacting.lanes). A crash
repeats some of what was done last: commands have ids derived from the event, so the writer
answers a repeat with its first reply, and effects hand theirs to the outside. What is past its
time is swept every hour. A replay never comes here: it reads the log by itself and knows none of
them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog

from infra.channels.opened import open_channels
from infra.clients.opensearch import open_opensearch
from infra.clients.postgres import means_down, open_pool
from infra.clients.redis import open_redis
from infra.heartbeats import Heartbeats
from infra.pictures import Pictures
from infra.process import announce_ready, stopped_within
from infra.settings import Settings
from infra.sockets import Publisher
from infra.vault.vault import Vault
from infra.videos import Videos
from processors.reacting.beginnings import begin
from processors.reacting.calendar import CalendarJob
from processors.reacting.commands import Commands, open_commands
from processors.reacting.effects import Effect, Tools
from processors.reacting.hearing import Cursors
from processors.reacting.lanes import Means
from processors.reacting.parked import Parked
from processors.reacting.positions import UNBUILT, Positions
from processors.reacting.reactions import Reaction
from processors.reacting.reader import Handlers, Reader
from processors.reacting.scheduler import keep_scheduling
from processors.reactions import (
    identity,
    item_images,
    leaving,
    listing_images,
    notifications,
    wallet,
)
from processors.reactions.bookings import following as booking_reactions
from processors.reactions.bookings.ending import END_BOOKINGS
from processors.reactions.decisions import MARK_PARKED
from processors.reactions.erasure import DESTROY_KEY
from processors.reactions.fetching import FETCH_MEDIA
from processors.reactions.items import WITHDRAW_ITEMS
from processors.reactions.mailing.alerts import ALERT_MAILS
from processors.reactions.mailing.mails import MAILING
from processors.reactions.mailing.notifications import SEND_NOTIFICATIONS
from processors.reactions.mailing.trying import TRY_TEMPLATE
from processors.reactions.media import PROCESS_MEDIA
from processors.reactions.pictures import DROP_PICTURES
from processors.reactions.searches.alerts import MATCH_ALERTS, MATCH_NEW_ALERT
from processors.reactions.searches.digests import DIGESTS
from processors.reactions.searches.ended_alerts import DELETE_MATCHES
from processors.reactions.standing import SETTLE_LISTING, SETTLE_SELLER
from processors.reactions.sweeping import OLD_MEDIA, SWEEP
from processors.reactions.videos import PROCESS_VIDEOS

RETRY_S = 0.5
PICTURES_AT_ONCE = 3
CONNECTIONS_MAX = 4  # to Postgres, of all handlers together
# Every reaction. A new one is listed in its context.
REACTIONS: tuple[Reaction, ...] = (
    *identity.REACTIONS,
    *wallet.REACTIONS,
    *item_images.REACTIONS,
    *listing_images.REACTIONS,
    *notifications.REACTIONS,
    *booking_reactions.REACTIONS,
    *leaving.REACTIONS,
)
# Every effect. A new one is listed here and nowhere else.
EFFECTS: tuple[Effect, ...] = (
    *MAILING,
    DROP_PICTURES,
    DESTROY_KEY,
    SETTLE_SELLER,
    SETTLE_LISTING,
    PROCESS_MEDIA,
    FETCH_MEDIA,
    PROCESS_VIDEOS,
    WITHDRAW_ITEMS,
    MATCH_ALERTS,
    MATCH_NEW_ALERT,
    DELETE_MATCHES,
    *ALERT_MAILS,
    notifications.TELL_OF_RESPONSE,
    notifications.TELL_SOCKETS,
    SEND_NOTIFICATIONS,
    TRY_TEMPLATE,
    MARK_PARKED,
    END_BOOKINGS,
)
# Every calendar job.
JOBS: tuple[CalendarJob, ...] = (SWEEP, OLD_MEDIA, *DIGESTS)

log = structlog.get_logger()


async def run_reactor(
    settings: Settings,
    stop: asyncio.Event,
    reactions: Sequence[Reaction] = REACTIONS,
    effects: Sequence[Effect] = EFFECTS,
) -> None:
    """Run every reaction and effect until `stop` is set. Raises KafkaError when the broker can't
    be reached at first: a new start goes on where each handler was.
    """
    handlers: Handlers = (*reactions, *effects)
    async with (
        open_commands(settings, "mesh-reactor") as commands,
        open_tools(settings, commands) as tools,
        asyncio.TaskGroup() as group,
    ):
        positions = Positions(tools.postgres)
        if not await _begun(settings, positions, handlers, stop):
            return
        means = Means(tools, positions, Parked(tools.postgres), Cursors(settings))
        reader = Reader(settings, handlers, means)
        await reader.start()
        group.create_task(reader.run(stop))
        group.create_task(keep_scheduling(settings, commands, JOBS, stop))
        announce_ready()


@asynccontextmanager
async def open_tools(settings: Settings, commands: Commands) -> AsyncIterator[Tools]:
    """What handlers may use; connects nowhere before its first use."""
    pictures = Pictures(PICTURES_AT_ONCE)
    opensearch, sockets = open_opensearch(settings), Publisher(settings)
    redis = open_redis(settings)
    try:
        async with (
            open_channels(settings) as channels,
            await open_pool(settings, size_min=0, size_max=CONNECTIONS_MAX) as pool,
        ):
            yield Tools(
                settings=settings,
                postgres=pool,
                vault=Vault(pool, settings),
                mailer=channels.mailer,
                sms=channels.sms,
                push=channels.push,
                commands=commands,
                pictures=pictures,
                videos=Videos(),
                opensearch=opensearch,
                sockets=sockets,
                heartbeats=Heartbeats(redis, settings.store_prefix),
            )
    finally:
        await sockets.close()
        await redis.aclose()
        pictures.close()
        await opensearch.close()


async def _begun(
    settings: Settings,
    positions: Positions,
    handlers: Sequence[Effect | Reaction],
    stop: asyncio.Event,
) -> bool:
    """Return when every handler has a position; False when told to stop before."""
    while True:
        try:
            await begin(settings, positions, handlers)
        except Exception as error:
            if not (means_down(error) or isinstance(error, UNBUILT)):
                raise
            log.warning("positions_waited_for", error=type(error).__name__)
        else:
            return True
        if await stopped_within(stop, RETRY_S):
            return False
