"""More processes, started by hand, share the load with no configuration."""

from __future__ import annotations

import signal
import subprocess

import httpx
from confluent_kafka.admin import AdminClient

from schemas.topics import WRITERS
from tests.journeys.shop import Shop, second_api
from tests.journeys.test_rebuild import FIELDS
from tests.waiting import eventually_blocking

PAGES = "mesh.pages"


def shares(shop: Shop, group: str) -> list[int]:
    """How many places of the log each member of a group has."""
    admin = AdminClient({"bootstrap.servers": shop.settings.kafka_bootstrap})
    found = admin.describe_consumer_groups([group], request_timeout=10)[group].result(10)
    return sorted(len(each.assignment.topic_partitions) for each in found.members)


def ended(*processes: subprocess.Popen[bytes]) -> list[int]:
    for each in processes:
        each.terminate()
    return [each.wait(30) for each in processes]


def test_a_second_writer_and_worker_take_half_and_give_it_back(shop: Shop) -> None:
    whole = {group: shares(shop, group) for group in (WRITERS, PAGES)}
    assert [len(each) for each in whole.values()] == [1, 1]

    second = [shop.start("writer"), shop.start("worker", "pages")]
    for group, (total,) in whole.items():
        eventually_blocking(
            lambda group=group, total=total: shares(shop, group) == [total // 2, total // 2],
            60,
            f"two members of {group} with half each",
        )
    headers = shop.account()
    with httpx.Client(base_url=shop.url, timeout=10, headers=headers) as client:
        created = [client.post("/api/listings", json=FIELDS) for _ in range(40)]
        assert {each.status_code for each in created} == {201}
        for each in created:
            token = {"Consistency-Token": each.headers["Consistency-Token"]}
            assert client.get(each.headers["Location"], headers=token).status_code == 200

    assert ended(*second) == [0, 0]
    eventually_blocking(
        lambda: all(shares(shop, group) == each for group, each in whole.items()), 60
    )


def test_a_second_api_finds_a_port_and_serves_the_same_shop(shop: Shop) -> None:
    second, url = second_api(shop)
    assert url != shop.url
    headers = shop.account()
    with httpx.Client(timeout=10, headers=headers) as client:
        created = client.post(f"{url}/api/listings", json=FIELDS)
        assert created.status_code == 201
        token = {"Consistency-Token": created.headers["Consistency-Token"]}
        assert client.get(shop.url + created.headers["Location"], headers=token).is_success

    # The HTTP server ends its work and then, as is its way, by the signal that asked for it.
    assert ended(second) == [-signal.SIGTERM]
