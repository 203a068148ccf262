"""How often who may do what: named policies, counted in Redis over a moving window.

A window that moves is exact: of any 15 minutes, whenever they begin, 10 log-ins fit in and the
11th does not, however many arrive at once and in however many processes. Counting and deciding
is one script in Redis. What a route spends stands at its door (`api.entry.doors`), how much that is in
the settings. Every answer of a limited route says what is left (RateLimit, RateLimit-Policy:
draft-ietf-httpapi-ratelimit-headers).
"""

from __future__ import annotations

import asyncio
import hmac
import math
import time
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import orjson
import structlog
from fastapi import Request
from limits import RateLimitItem, parse
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio import Redis
from redis.exceptions import TimeoutError as RedisTimeoutError

from api.backends.addresses import Addresses
from api.wire.deadlines import left
from api.wire.problems import Problem, StoreUnavailableError
from infra.clients.redis import REDIS_DOWN
from infra.settings import Settings
from schemas.values.emails import address_of, lookup_form

if TYPE_CHECKING:
    from api.entry.auth import Caller

PREFIX = "rate_limit"
TOLD = "rate_limits"  # where in the scope the answer's headers wait for api.entry.middleware
OFF = "off"

# A crowd must not look like an outage, or it would be let in: few ask Redis at once, the others
# wait their turn, and an answer may take its time. When none comes, nobody asks for a while.
AT_ONCE_MAX = 16
COUNT_TIMEOUT_S = 3.0
AWAY_S = 1.0

log = structlog.get_logger()


class WithoutRedis(StrEnum):
    """What happens while nobody can count."""

    REFUSE = "refuse"  # 503: better no answer than a guess more
    ALLOW = "allow"


# Each has a setting `limit_<name>`.
POLICIES: Final[dict[str, WithoutRedis]] = {
    "auth": WithoutRedis.REFUSE,  # guessing passwords uncounted is what an attacker waits for
    "joining": WithoutRedis.REFUSE,
    "address": WithoutRedis.ALLOW,  # a second net; refreshing must go on
    "items": WithoutRedis.ALLOW,
    "chat": WithoutRedis.ALLOW,
    "images": WithoutRedis.REFUSE,  # each may cost seconds of work and space for ever
    "search": WithoutRedis.ALLOW,
    "views": WithoutRedis.REFUSE,  # anybody writes by them into the log, for ever
    "leaving": WithoutRedis.ALLOW,
    "default": WithoutRedis.ALLOW,
}


class By(StrEnum):
    """Whose requests are counted together."""

    ADDRESS = "address"  # of the client, see api.backends.addresses
    ACCOUNT = "account"  # the address and the e-mail in the body: guessing at one account
    CALLER = "caller"  # whoever is signed in, else the address


@dataclass(frozen=True, slots=True)
class Limit:
    """One operation's share in a policy. With a `cost` of 0 the route counts by itself, once it
    knows how much it is asked for (`spend`).
    """

    policy: str
    by: By = By.CALLER
    cost: int = 1


@dataclass(frozen=True, slots=True)
class Standing:
    """Where somebody stands with a policy: allowed or not, and what is left of the quota."""

    policy: str
    allowed: bool
    quota: int
    window_s: int
    remaining: int
    reset_s: int  # until something of the quota comes back

    @property
    def policy_told(self) -> str:
        """One item of the RateLimit-Policy header."""
        return f'"{self.policy}";q={self.quota};w={self.window_s}'

    @property
    def told(self) -> str:
        """One item of the RateLimit header."""
        return f'"{self.policy}";r={self.remaining};t={self.reset_s}'


class RateLimits:
    """Counts, for routes and for whatever else somebody does too often."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self.redis = redis
        storage = RedisStorage(
            settings.redis_url.get_secret_value(),
            implementation="redispy",
            key_prefix=PREFIX,
            connection_pool=redis.connection_pool,  # type: ignore[arg-type]  # their type forgets it
        )
        self._windows = MovingWindowRateLimiter(storage)
        self._turn = asyncio.Semaphore(AT_ONCE_MAX)
        self._away_until = 0.0
        self._items: dict[str, RateLimitItem | None] = {
            policy: _item(getattr(settings, f"limit_{policy}")) for policy in POLICIES
        }
        self._key = b64decode(settings.lookup_key.get_secret_value())
        self.addresses = Addresses(settings.trusted_proxies)

    async def spend(self, policy: str, whose: str, cost: int = 1) -> Standing | None:
        """Take `cost` from the quota of `whose` if so much is left, all or nothing; a cost of 0
        only looks whether anything is. None: this is not limited, or can't be counted now and
        need not be. Raises StoreUnavailableError when it can't and must.
        """
        item = self._items[policy]
        if item is None:
            return None
        # Who it is need not stand in Redis: addresses and e-mails are personal.
        key = hmac.digest(self._key, f"{PREFIX}\n{policy}\n{whose}".encode(), "sha256").hex()
        try:
            async with self._turn:
                return await self._spent(policy, item, key, cost)
        except REDIS_DOWN as error:
            log.warning("rate_limit_without_redis", policy=policy, error=type(error).__name__)
            if POLICIES[policy] is WithoutRedis.ALLOW:
                return None
            raise StoreUnavailableError("redis") from error

    async def _spent(self, policy: str, item: RateLimitItem, key: str, cost: int) -> Standing:
        if time.monotonic() < self._away_until:
            raise TimeoutError
        try:
            # Half of what is left at most: whoever needs no count is still to be served.
            async with asyncio.timeout(left(2 * COUNT_TIMEOUT_S) / 2):
                allowed = await self._windows.hit(item, policy, key, cost=cost) if cost else True
                reset_at, rest = await self._windows.get_window_stats(item, policy, key)
        except (TimeoutError, RedisTimeoutError):
            self._away_until = time.monotonic() + AWAY_S
            raise
        return Standing(
            policy=policy,
            allowed=allowed and (cost > 0 or rest > 0),
            quota=item.amount,
            window_s=item.get_expiry(),
            remaining=max(rest, 0),
            reset_s=max(math.ceil(reset_at - time.time()), 1),
        )


def _item(text: str) -> RateLimitItem | None:
    return None if text == OFF else parse(text)


async def admit(
    limiter: RateLimits, request: Request, caller: Caller, limits: Sequence[Limit]
) -> None:
    """Spend what the route costs; raises a 429 problem when it is too much. Either way the
    answer will say where its sender stands.
    """
    for limit in limits:
        whose = await _whose(limiter, request, caller, limit.by)
        _judge(request, await limiter.spend(limit.policy, whose, limit.cost))


async def spend(limiter: RateLimits, request: Request, policy: str, cost: int) -> None:
    """The same for a route that knows only now what it costs: files and not requests."""
    caller: Caller = request.scope["caller"]
    whose = await _whose(limiter, request, caller, By.CALLER)
    _judge(request, await limiter.spend(policy, whose, cost))


async def admit_person(limiter: RateLimits, user_id: str, limits: Sequence[Limit]) -> None:
    """The same for somebody whose wish came by no request, but over a socket."""
    for limit in limits:
        standing = await limiter.spend(limit.policy, _person(user_id), limit.cost)
        if standing is not None and not standing.allowed:
            raise too_many(standing)


def _judge(request: Request, standing: Standing | None) -> None:
    if standing is None:
        return
    told: dict[str, Standing] = request.scope.setdefault(TOLD, {})
    told[standing.policy] = standing
    if not standing.allowed:
        raise too_many(standing)


def too_many(standing: Standing) -> Problem:
    """429, and when to come again."""
    return Problem(
        429,
        "rate_limited",
        f"At most {standing.quota} in {standing.window_s} s: wait, then repeat",
        headers={"Retry-After": str(standing.reset_s)},
    )


def headers_of(told: dict[str, Standing]) -> list[tuple[bytes, bytes]]:
    """What an answer says of the limits that its request has spent."""
    policies = ", ".join(each.policy_told for each in told.values())
    left = ", ".join(each.told for each in told.values())
    return [(b"ratelimit-policy", policies.encode()), (b"ratelimit", left.encode())]


async def _whose(limiter: RateLimits, request: Request, caller: Caller, by: By) -> str:
    address = limiter.addresses.of(request.scope)
    match by:
        case By.CALLER:
            return _person(caller.user_id) if caller.signed_in else address
        case By.ACCOUNT:
            return f"{address} {await _account(request)}"
        case By.ADDRESS:
            return address


def _person(user_id: str) -> str:
    return f"user {user_id}"


async def _account(request: Request) -> str:
    """The e-mail in the body, in the one form that the routes know it by. Bodies without a
    readable one are counted together.
    """
    try:
        body = orjson.loads(await request.body())
        email = body["email"]
        return lookup_form(address_of(email)) if isinstance(email, str) else ""
    except (KeyError, TypeError, ValueError):
        return ""
