"""When a part is down, the rest of the shop stays open."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from uuid import uuid4

import httpx
import psutil
import pytest

from infra.stack.processes import PROCESSES
from tests.journeys.shop import Shop
from tests.journeys.test_rebuild import FIELDS
from tests.waiting import eventually_blocking

ANSWER_S = 2.5  # the promise is two seconds; half a second for a busy machine


@pytest.fixture
def client(shop: Shop) -> Iterator[httpx.Client]:
    # Repairs are made by `mesh up` here, so that an outage lasts as long as the test wants.
    shop.kill("supervise")
    with httpx.Client(base_url=shop.url, timeout=10) as opened:
        yield opened
    shop.up()


def create(
    client: httpx.Client, headers: dict[str, str], key: str, title: str = FIELDS["title"]
) -> httpx.Response:
    body = {**FIELDS, "title": title, "publish": True}
    return client.post("/api/listings", json=body, headers={**headers, "Idempotency-Key": key})


def test_SE_16_with_search_down_only_search_answers_503(shop: Shop, client: httpx.Client) -> None:
    seller = shop.account()
    shop.kill("opensearch")
    down = client.get("/api/search")
    assert (down.status_code, "retry-after" in down.headers) == (503, True)
    assert down.headers["content-type"] == "application/problem+json"
    # The shop is shared: a word of its own finds this car among hundreds of the same make.
    word = f"porsche{uuid4().hex[:12]}"
    created = create(client, seller, uuid4().hex, title=f"A {word}")
    assert created.status_code == 201
    token = created.headers["Consistency-Token"]
    page = client.get(created.headers["Location"], headers={"Consistency-Token": token})
    assert page.status_code == 200
    shop.up()
    shop.wait_until_read()
    hits = client.get("/api/search", params={"q": word}).json()["hits"]
    assert [hit["id"] for hit in hits] == [created.json()["id"]]


def test_with_the_broker_down_writes_answer_503_within_two_seconds_and_reads_go_on(
    shop: Shop, client: httpx.Client
) -> None:
    seller = shop.account()
    created = create(client, seller, uuid4().hex)
    token = {"Consistency-Token": created.headers["Consistency-Token"]}
    assert client.get(created.headers["Location"], headers=token).status_code == 200
    shop.kill("kafka")
    began = time.monotonic()
    refused = create(client, seller, uuid4().hex)
    assert time.monotonic() - began < ANSWER_S
    assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
    assert client.get(created.headers["Location"]).status_code == 200


def test_a_write_that_met_a_dead_broker_is_done_once_when_it_is_sent_again(
    shop: Shop, client: httpx.Client
) -> None:
    seller, key = shop.account(), uuid4().hex
    shop.kill("kafka")
    assert create(client, seller, key).status_code == 503
    shop.up()
    first = eventually_blocking(
        lambda: (answer := create(client, seller, key)).status_code == 201 and answer, 60
    )
    again = create(client, seller, key)
    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
    shop.wait_until_read()
    mine = client.get("/api/listings/mine", headers=seller).json()["items"]
    assert [each["id"] for each in mine] == [first.json()["id"]]


def test_with_clickhouse_down_only_analytics_answers_503(shop: Shop, client: httpx.Client) -> None:
    seller = shop.account()
    created = create(client, seller, uuid4().hex)
    listing_id = created.json()["id"]
    shop.wait_until_read()
    shop.kill("clickhouse")
    down = client.get(f"/api/analytics/listings/{listing_id}", headers=seller)
    assert (down.status_code, "retry-after" in down.headers) == (503, True)
    assert client.get("/api/search").status_code == 200
    assert create(client, seller, uuid4().hex).status_code == 201


# More than once: a question that was given up must not harm the API when its answer comes.
@pytest.mark.parametrize(("name", "times"), [("kafka", 6), ("writer", 1)])
def test_NB_04_who_hangs_so_that_nothing_can_be_written_is_found(
    shop: Shop, client: httpx.Client, name: str, times: int
) -> None:
    api = shop.pid("api")
    for _ in range(times):
        shop.kill(name, signal.SIGSTOP)
        try:
            # A writer counts until its session in the writers' group lapses.
            ready = eventually_blocking(
                lambda: (answer := client.get("/health/ready")).status_code == 503 and answer, 30
            )
            started = client.get("/health/startup")
        finally:
            shop.kill(name, signal.SIGCONT)
        found = ready.json()["dependencies"]
        assert [each for each, state in found.items() if not state["up"]] == ["writes"]
        assert started.status_code == 200
        eventually_blocking(lambda: client.get("/health/ready").status_code == 200, 30)
    assert shop.pid("api") == api


def test_NB_04_a_writer_that_has_not_answered_is_found_at_once(
    shop: Shop, client: httpx.Client
) -> None:
    """And not only when its session in the writers' group lapses."""
    seller = shop.account()
    shop.kill("writer", signal.SIGSTOP)
    try:
        assert create(client, seller, uuid4().hex).status_code == 503
        ready = client.get("/health/ready")
    finally:
        shop.kill("writer", signal.SIGCONT)
    assert ready.status_code == 503
    assert not ready.json()["dependencies"]["writes"]["up"]
    eventually_blocking(lambda: client.get("/health/ready").status_code == 200, 30)


def test_after_kill_of_every_process_up_repairs(shop: Shop, client: httpx.Client) -> None:
    for name in [
        each["name"] for each in shop.status()["processes"] if each["name"] != "supervise"
    ]:
        shop.kill(name)
    shop.up()
    assert client.get("/health/ready").status_code == 200
    assert create(client, shop.account(), uuid4().hex).status_code == 201


def test_writes_flow_again_once_a_killed_broker_is_back(shop: Shop) -> None:
    """Its start takes less than a session, so that the writer learns of it by its commands."""
    seller = shop.account()
    with httpx.Client(base_url=shop.url, timeout=10) as client:

        def until_taken() -> None:
            key = uuid4().hex
            eventually_blocking(
                lambda: create(client, seller, key).status_code == 201, 60, "a listing is taken"
            )

        until_taken()
        for _ in range(2):
            shop.kill("kafka")
            until_taken()


def test_the_supervisor_has_loaded_what_it_may_have_to_start(shop: Shop) -> None:
    children = psutil.Process(shop.pid("supervise")).children

    def ahead() -> bool:
        return "mesh fork server" in [" ".join(each.cmdline()).strip() for each in children()]

    eventually_blocking(ahead, 60, "a fork server waits")


def test_a_writer_that_hangs_is_ended_and_started_again(shop: Shop) -> None:
    seller, key, hung = shop.account(), uuid4().hex, shop.pid("writer")
    others = {each.name: shop.pid(each.name) for each in PROCESSES if each.name != "writer"}
    shop.kill("writer", signal.SIGSTOP)
    with httpx.Client(base_url=shop.url, timeout=10) as client:
        eventually_blocking(
            lambda: create(client, seller, key).status_code == 201, 90, "a listing is taken"
        )
    assert shop.pid("writer") != hung
    assert {each: shop.pid(each) for each in others} == others
