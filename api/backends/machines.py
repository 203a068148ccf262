"""What routes work with: the stores and the way to the writer, each absent without harm.

The API starts whatever is down. A store that can't be reached makes its own routes answer
503 with Retry-After; the others go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated

import structlog
from fastapi import Depends, Request
from opensearchpy import AsyncOpenSearch
from redis.asyncio import Redis

from api.backends.database import Database
from api.backends.denylist import Denylist
from api.backends.export_turns import ExportTurns
from api.backends.gateway import CommandGateway
from api.backends.kept import Kept
from api.backends.keyring import Keyring
from api.backends.listing_pasts import Pasts
from api.backends.rate_limits import COUNT_TIMEOUT_S, RateLimits
from api.backends.tokens import RefreshTokens, Tokens
from api.backends.tracking import Tracking
from api.backends.withheld import Withheld
from api.wire.problems import WriteUnavailableError
from infra.clients.clickhouse import ClickHouse
from infra.clients.objects import Objects, open_objects
from infra.clients.opensearch import open_opensearch
from infra.clients.redis import open_redis
from infra.credentials.one_time_tokens import OneTimeTokens
from infra.credentials.password_changes import PasswordChanges
from infra.credentials.passwords import Passwords
from infra.group_members import GroupMembers
from infra.oidc import Provider, open_providers
from infra.pictures import Pictures
from infra.settings import Settings
from infra.vault.vault import Vault
from schemas.log.positions import TopicPartition
from schemas.log.recorded import CommandEnvelope, Reply
from schemas.topics import WRITERS

GATEWAY_RETRY_S = 0.5
STOP_TIMEOUT_S = 12.0  # longer than any of them takes to close its own clients
SEARCH_TIMEOUT_S = 5.0
ANALYTICS_TIMEOUT_S = 10.0

log = structlog.get_logger()


@dataclass
class WriteSide:
    """The way to the writer. Starts in the background, as often as it takes. `session_s`: how long
    a writer that hangs counts as a member of its group.
    """

    gateway: CommandGateway
    writers: GroupMembers
    session_s: float
    started: bool = field(default=False, init=False)
    stopping: bool = field(default=False, init=False)

    async def send(self, envelope: CommandEnvelope) -> Reply:
        """The writer's reply; raises WriteUnavailableError when there is none in time."""
        if not self.started:
            raise WriteUnavailableError
        return await self.gateway.send(envelope)

    async def ends_of(self, places: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Where these partitions of the log end now; raises WriteUnavailableError when nobody can
        tell.
        """
        await self.check()
        return await self.gateway.ends_of(places)

    async def keep_starting(self) -> None:
        """Return once the gateway works; a broker that is down is tried again and again."""
        # `stopping` and not only a cancellation: Kafka's client swallows some of those.
        while not self.started and not self.stopping:
            try:
                await self.gateway.start()
                self.started = True
            except Exception as error:  # noqa: BLE001 - any client error: not up yet
                log.warning("gateway_not_started", error=type(error).__name__)
                await asyncio.sleep(GATEWAY_RETRY_S)

    async def stop(self) -> None:
        """Stop the gateway if it was started."""
        if self.started:
            await self.gateway.stop()

    def give_up(self) -> None:
        """Try to start no more."""
        self.stopping = True

    async def check(self) -> None:
        """Raises WriteUnavailableError while no command can be sent."""
        if not self.started:
            raise WriteUnavailableError

    async def probe(self, timeout_s: float) -> None:
        """Ask the broker whether somebody judges commands; raises WriteUnavailableError if nobody
        does, or nobody has answered the last one, and KafkaError or TimeoutError if the broker
        does not answer.
        """
        await self.check()
        silent_s = self.gateway.unanswered_s
        # Later the group's members tell, and to be asked nothing must not keep a mesh from ready.
        if silent_s is not None and silent_s < self.session_s:
            raise WriteUnavailableError
        if not await self.writers.count(timeout_s):
            raise WriteUnavailableError


@dataclass(frozen=True)
class Machines:
    """Everything outside this process that routes may use."""

    settings: Settings
    postgres: Database
    withheld: Withheld
    redis: Redis
    opensearch: AsyncOpenSearch
    clickhouse: ClickHouse
    writes: WriteSide
    tracking: Tracking
    vault: Vault
    tokens: Tokens
    refresh_tokens: RefreshTokens
    one_time_tokens: OneTimeTokens
    oidc: Mapping[str, Provider]
    denylist: Denylist
    rate_limits: RateLimits
    keyring: Keyring
    passwords: Passwords
    password_changes: PasswordChanges
    objects: Objects
    pictures: Pictures
    searches: Kept
    pasts: Pasts = field(default_factory=Pasts)
    exports: ExportTurns = field(default_factory=ExportTurns)


@asynccontextmanager
async def open_machines(settings: Settings) -> AsyncIterator[Machines]:
    """Clients of every store, closed at the end. Waits for none of them."""
    async with AsyncExitStack() as stack:
        postgres = Database(settings)
        await postgres.open()
        stack.push_async_callback(postgres.close)
        redis = open_redis(settings)
        stack.push_async_callback(redis.aclose)
        counting = open_redis(settings, answer_timeout_s=COUNT_TIMEOUT_S)
        stack.push_async_callback(counting.aclose)
        opensearch = open_opensearch(settings, timeout_s=SEARCH_TIMEOUT_S)
        stack.push_async_callback(opensearch.close)
        clickhouse = ClickHouse(settings, answer_timeout_s=ANALYTICS_TIMEOUT_S)
        stack.push_async_callback(clickhouse.close)
        writes = WriteSide(
            CommandGateway(settings),
            GroupMembers(settings, WRITERS),
            settings.session_timeout_ms / 1_000,
        )
        stack.push_async_callback(writes.stop)
        denylist = Denylist(
            redis,
            postgres,
            lifetime_s=settings.access_token_s,
            row_wait_s=settings.read_wait_s,
        )
        passwords = Passwords(
            settings.password_scheme,
            memory_kib=settings.argon2_memory_kib,
            passes=settings.argon2_passes,
        )
        stack.callback(passwords.close)
        pictures = Pictures()
        stack.callback(pictures.close)
        tracking = Tracking(settings)
        for work in (writes.keep_starting(), tracking.keep(), denylist.keep()):
            task = asyncio.create_task(work)
            stack.push_async_callback(_cancel, task)
        stack.callback(writes.give_up)
        vault = Vault(postgres.pool, settings)
        yield Machines(
            settings=settings,
            postgres=postgres,
            withheld=Withheld(postgres),
            redis=redis,
            opensearch=opensearch,
            clickhouse=clickhouse,
            writes=writes,
            tracking=tracking,
            vault=vault,
            tokens=Tokens(vault, settings),
            refresh_tokens=RefreshTokens(settings),
            one_time_tokens=OneTimeTokens(settings),
            oidc=open_providers(settings),
            denylist=denylist,
            rate_limits=RateLimits(counting, settings),
            keyring=Keyring(postgres, denylist.newest_cut, row_wait_s=settings.read_wait_s),
            passwords=passwords,
            password_changes=PasswordChanges(postgres.pool),
            objects=open_objects(settings),
            pictures=pictures,
            searches=Kept(redis, "search", settings.search_kept_s, settings.store_prefix),
        )


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=STOP_TIMEOUT_S)
    if not done:
        log.warning("task_not_ended", task=task.get_name())


def machines_of(request: Request) -> Machines:
    """The machines of the app that serves this request; cheaper than a dependency."""
    machines: Machines = request.app.state.machines
    return machines


async def _machines(request: Request) -> Machines:
    return machines_of(request)


Mesh = Annotated[Machines, Depends(_machines)]
