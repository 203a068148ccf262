"""How often who may do what: exact at the edge, for each by themselves, and told every time."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from api.backends import machines, rate_limits
from api.backends.rate_limits import COUNT_TIMEOUT_S, POLICIES
from infra.settings import Settings
from tests.api.limited import (
    CLOSED_PORT,
    from_address,
    limited_api,
    named,
    redis_url,
    settings_on,
)
from tests.api.operations import DOOR_OF, OPERATIONS
from tests.api.running import Mesh, problem
from tests.waiting import eventually

PASSWORD = "correct horse battery"

PATIENT = {"write_timeout_s": 60.0}  # a crowd asked and answered in one process takes its time


@pytest.fixture(scope="module")
async def limited() -> AsyncIterator[Mesh]:
    """Limits as in production."""
    async with limited_api(settings_on(redis_url())) as mesh:
        yield mesh


def address() -> str:
    """One that no other test has."""
    return f"2001:db8:{uuid4().hex[:4]}:{uuid4().hex[:4]}::1"


async def statuses(client: httpx.AsyncClient, count: int, *args: str, **more: object) -> list[int]:
    return [(await client.request(*args, **more)).status_code for _ in range(count)]


def log_in_as(email: str) -> dict[str, object]:
    return {"json": {"email": email, "password": PASSWORD}}


# Each policy, to its last request and one more.


@pytest.mark.asvs("V6.3.1")
async def test_GW_05_the_11th_log_in_is_429_with_retry_after(limited: Mesh) -> None:
    async with from_address(limited, address()) as client:
        ask = ("POST", "/api/auth/login")
        tried = await statuses(client, 10, *ask, **log_in_as("anna@example.org"))
        assert 429 not in tried
        answer = await client.request(*ask, **log_in_as("anna@example.org"))
        assert problem(answer) == (429, "rate_limited")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert 890 <= int(answer.headers["Retry-After"]) <= 900
        assert answer.headers["RateLimit-Policy"].startswith('"auth";q=10;w=900')
        assert answer.headers["RateLimit"].startswith('"auth";r=0;t=')


async def test_GW_05_after_the_window_the_12th_is_let_in() -> None:
    settings = settings_on(redis_url(), limit_auth="2 per second")
    async with limited_api(settings) as mesh:
        sent = log_in_as("anna@example.org")
        assert await statuses(mesh.client, 3, "POST", "/test/auth", **sent) == [200, 200, 429]

        async def let_in() -> bool:
            return (await mesh.client.post("/test/auth", **sent)).status_code == 200

        await eventually(let_in)


@pytest.mark.parametrize(
    "written",
    ["ANNA@EXAMPLE.ORG", "anna@EXAMPLE.org", "anna@\uff45xample.org"],
)
@pytest.mark.asvs("V6.3.1")
async def test_GW_05_an_account_written_otherwise_is_the_same(limited: Mesh, written) -> None:
    async with from_address(limited, address()) as client:
        await statuses(client, 10, "POST", "/test/auth", **log_in_as("anna@example.org"))
        answer = await client.post("/test/auth", **log_in_as(written))
        alone = await client.post("/test/auth", **log_in_as(f"{uuid4().hex}@example.org"))
        assert (answer.status_code, alone.status_code) == (429, 200)


@pytest.mark.parametrize("body", ["", "[]", "{nope", '{"email": 7}', '{"email": "x"}', "\ud83d"])
async def test_GW_05_bodies_without_an_account_are_counted_together(limited: Mesh, body) -> None:
    async with from_address(limited, address()) as client:
        await statuses(client, 10, "POST", "/test/auth", content=b"null")
        content = body.encode("utf-8", "surrogatepass")
        assert (await client.post("/test/auth", content=content)).status_code == 429


@pytest.mark.asvs("V6.3.1")
async def test_GW_05_many_accounts_from_one_address_meet_the_second_net() -> None:
    settings = settings_on(redis_url(), limit_address="15 per 15 minutes")
    async with limited_api(settings) as mesh:
        found = [
            (await mesh.client.post("/test/auth", **log_in_as(f"{n}@example.org"))).status_code
            for n in range(16)
        ]
        assert found == [200] * 15 + [429]


async def test_GW_06_the_31st_request_in_a_minute_is_429(limited: Mesh) -> None:
    who = named(uuid4().hex)
    found = await statuses(limited.client, 31, "GET", "/test/items", headers=who)
    assert found == [200] * 30 + [429]


async def test_GW_06_everybody_has_a_quota_of_their_own(limited: Mesh) -> None:
    await statuses(limited.client, 31, "GET", "/test/items", headers=named(uuid4().hex))
    other = await limited.client.get("/test/items", headers=named(uuid4().hex))
    assert other.headers["RateLimit"] == '"items";r=29;t=60'


async def test_the_policy_chat_takes_100_a_minute(limited: Mesh) -> None:
    who = named(uuid4().hex)
    found = await statuses(limited.client, 101, "GET", "/test/chat", headers=who)
    assert found == [200] * 100 + [429]


async def test_the_policy_images_counts_files_and_not_requests(limited: Mesh) -> None:
    who = named(uuid4().hex)

    async def send(files: int) -> httpx.Response:
        return await limited.client.post(f"/test/images?files={files}", headers=who)

    assert (await send(19)).headers["RateLimit"] == '"images";r=1;t=300'
    assert problem(await send(2)) == (429, "rate_limited")
    assert (await send(1)).status_code == 201
    assert problem(await send(1)) == (429, "rate_limited")


async def test_the_policy_images_refuses_before_it_reads_when_nothing_is_left(limited) -> None:
    who = named(uuid4().hex)
    await limited.client.post("/test/images?files=20", headers=who)
    answer = await limited.client.post("/test/images?files=nonsense", headers=who)
    assert problem(answer) == (429, "rate_limited")


async def test_GW_04_one_setting_changes_one_policy() -> None:
    settings = settings_on(redis_url(), limit_items="2 per minute")
    async with limited_api(settings) as mesh:
        who = named("anna")
        assert await statuses(mesh.client, 3, "GET", "/test/items", headers=who) == [200, 200, 429]
        chat = await mesh.client.get("/test/chat", headers=who)
        assert chat.headers["RateLimit-Policy"] == '"chat";q=100;w=60'


async def test_GW_04_a_policy_that_is_off_tells_nothing() -> None:
    async with limited_api(settings_on(CLOSED_PORT, limit_items="off")) as mesh:
        answer = await mesh.client.get("/test/items", headers=named("anna"))
        assert answer.status_code == 200
        assert "RateLimit" not in answer.headers


# A crowd.


def wait_for_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crowd is asked and answered in one process here, which on a busy machine takes seconds to
    begin with them all: Redis must not seem to be away meanwhile.
    """
    for bounded in (machines, rate_limits):
        monkeypatch.setattr(bounded, "COUNT_TIMEOUT_S", 30.0)


@pytest.mark.asvs("V2.4.1")
async def test_GW_06_of_a_thousand_at_once_exactly_30_are_let_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wait_for_redis(monkeypatch)
    # Nor must the time be over by which each of them is answered.
    async with limited_api(settings_on(redis_url()).model_copy(update=PATIENT)) as limited:
        who = named(uuid4().hex)
        found = await asyncio.gather(
            *(limited.client.get("/test/items", headers=who) for _ in range(1_000))
        )
    assert Counter(each.status_code for each in found) == {200: 30, 429: 970}


async def test_GW_06_two_processes_count_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    wait_for_redis(monkeypatch)
    settings = settings_on(redis_url()).model_copy(update=PATIENT)
    async with limited_api(settings) as one, limited_api(settings) as other:
        who = named(uuid4().hex)
        found = await asyncio.gather(
            *(each.client.get("/test/items", headers=who) for each in (one, other) * 40)
        )
        assert Counter(each.status_code for each in found) == {200: 30, 429: 50}


# What answers tell.


async def test_GW_05_every_answer_of_a_limited_route_tells(limited: Mesh) -> None:
    async with from_address(limited, address()) as client:
        answers = {
            200: await client.get("/test/items", headers=named(uuid4().hex)),
            401: await client.get("/test/items", headers=named("wrong")),
            415: await client.post("/api/auth/login", content="x"),
            422: await client.post("/test/images", headers=named(uuid4().hex)),
            503: await client.post("/api/auth/login", **log_in_as("anna@example.org")),
        }
    for status, answer in answers.items():
        assert answer.status_code == status
        assert ";r=" in answer.headers["RateLimit"], status
        assert ";q=" in answer.headers["RateLimit-Policy"], status


async def test_GW_05_two_policies_stand_in_one_header(limited: Mesh) -> None:
    async with from_address(limited, address()) as client:
        headers = (await client.post("/test/auth", **log_in_as("a@example.org"))).headers
    assert headers["RateLimit-Policy"] == '"auth";q=10;w=900, "address";q=300;w=900'
    assert headers["RateLimit"] == '"auth";r=9;t=900, "address";r=299;t=900'


async def test_GW_05_an_unlimited_route_tells_nothing(limited: Mesh) -> None:
    assert "RateLimit" not in (await limited.client.get("/api/meta/enums")).headers


async def test_NS_03_trying_tokens_is_counted_by_address(limited: Mesh) -> None:
    async with from_address(limited, address()) as client:
        found = await statuses(client, 31, "GET", "/test/items", headers=named("wrong"))
    assert found == [401] * 30 + [429]


async def test_RD_06_redis_learns_no_address_and_no_account(limited: Mesh) -> None:
    async with from_address(limited, "192.0.2.77") as client:
        await client.post("/test/auth", **log_in_as("canary@example.org"))
    redis = limited.machines.redis
    keys = [key async for key in redis.scan_iter("rate_limit:*", count=1_000)]
    assert keys
    assert not [key for key in keys if "192.0.2" in key or "canary" in key]


async def test_RD_06_what_is_counted_is_forgotten_with_its_window(limited: Mesh) -> None:
    redis = limited.machines.redis
    before = {key async for key in redis.scan_iter("rate_limit:*", count=1_000)}
    await limited.client.get("/test/items", headers=named(uuid4().hex))
    (key,) = {key async for key in redis.scan_iter("rate_limit:*", count=1_000)} - before
    assert 0 < await redis.ttl(key) <= 2 * 60  # of a policy that counts by the minute


# Whose address it is.


@pytest.mark.asvs("V15.3.4")
async def test_GW_05_a_forged_forwarded_for_gains_nothing(limited: Mesh) -> None:
    async with from_address(limited, address()) as client:
        found = [
            (
                await client.post(
                    "/test/auth",
                    **log_in_as("anna@example.org"),
                    headers={"X-Forwarded-For": f"192.0.2.{n}", "Forwarded": f"for=192.0.2.{n}"},
                )
            ).status_code
            for n in range(11)
        ]
    assert found == [200] * 10 + [429]


@pytest.mark.asvs("V15.3.4")
async def test_GW_05_behind_a_trusted_proxy_each_client_counts_alone() -> None:
    settings = settings_on(redis_url(), trusted_proxies="10.0.0.0/8", limit_address="1 per minute")

    async def ask(client: httpx.AsyncClient, forwarded: str) -> int:
        headers = {"X-Forwarded-For": forwarded}
        return (await client.get("/test/address", headers=headers)).status_code

    async with limited_api(settings) as mesh, from_address(mesh, "10.1.2.3") as client:
        assert [await ask(client, "192.0.2.1") for _ in range(2)] == [200, 429]
        assert await ask(client, "192.0.2.2") == 200
        # The client writes the first, the proxy the last.
        assert await ask(client, "203.0.113.9, 192.0.2.1") == 429


# Without Redis.


@pytest.mark.asvs("V6.3.1", "V16.5.3")
async def test_RD_06_without_redis_a_closed_policy_is_503() -> None:
    async with limited_api(settings_on(CLOSED_PORT)) as mesh:
        answer = await mesh.client.post("/test/auth", **log_in_as("anna@example.org"))
        assert problem(answer) == (503, "store_unavailable")
        assert "Retry-After" in answer.headers


async def test_RD_06_without_redis_an_open_policy_lets_in() -> None:
    async with limited_api(settings_on(CLOSED_PORT)) as mesh:
        found = await statuses(mesh.client, 40, "GET", "/test/items", headers=named("anna"))
        assert set(found) == {200}


async def test_RD_06_a_redis_that_says_nothing_holds_up_a_crowd_once() -> None:
    async def listen(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await closing.wait()
        writer.close()

    closing = asyncio.Event()
    silent = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with limited_api(settings_on(f"redis://127.0.0.1:{port}/0")) as mesh:
        began = time.monotonic()
        found = await asyncio.gather(
            *(mesh.client.post("/test/auth", **log_in_as(f"{n}@example.org")) for n in range(100))
        )
        assert {each.status_code for each in found} == {503}
        assert time.monotonic() - began < 3 * COUNT_TIMEOUT_S
    closing.set()
    silent.close()


async def test_RD_06_redis_coming_back_counts_again() -> None:
    settings = settings_on(redis_url(), limit_items="2 per minute")
    async with limited_api(settings) as mesh:
        pool = mesh.machines.rate_limits.redis.connection_pool
        port, pool.connection_kwargs["port"] = pool.connection_kwargs["port"], 1
        who = named("anna")
        assert await statuses(mesh.client, 3, "GET", "/test/items", headers=who) == [200] * 3
        pool.connection_kwargs["port"] = port
        await pool.disconnect()
        pool.reset()
        assert await statuses(mesh.client, 3, "GET", "/test/items", headers=who) == [200, 200, 429]


# The table.


@pytest.mark.asvs("V2.4.1")
def test_GW_04_every_operation_says_how_often() -> None:
    assert DOOR_OF.keys() == {each.id for each in OPERATIONS}, "put a Door above its function"


def test_GW_04_every_policy_has_a_setting_and_every_setting_a_policy() -> None:
    known = {name for name in Settings.model_fields if name.startswith("limit_")}
    assert {f"limit_{policy}" for policy in POLICIES} == known


def test_GW_04_every_operation_spends_policies_that_there_are() -> None:
    used = {limit.policy for door in DOOR_OF.values() for limit in door.limits}
    assert used <= POLICIES.keys()


@pytest.mark.parametrize(
    ("policy", "limit"),
    [("auth", "10 per 15 minutes"), ("items", "30 per minute"), ("chat", "100 per minute"),
     ("images", "20 per 5 minutes")],
)  # fmt: skip
def test_GW_04_the_defaults_are_those_asked_for(policy: str, limit: str) -> None:
    assert Settings.model_fields[f"limit_{policy}"].default == limit
