"""Browsers and devices on which people are shown notifications, over HTTP, with what is carried
nowhere kept to look at.
"""

from __future__ import annotations

from uuid import UUID, uuid4

from infra.channels.outbox import Kept, outbox
from infra.channels.subscriptions import opened
from tests.api.acting.notified import PUSH, Reader, answered
from tests.api.acting.selling import Seller, review
from tests.api.notifications.test_notifications import delivery, until_settled
from tests.api.running import Mesh, problem
from tests.api.sockets import Devices, Replicas
from tests.stack import session_state
from tests.waiting import eventually


def shown_on(endpoint: str) -> list[Kept]:
    return [each for each in outbox(session_state().folder).newest(200) if each.to == endpoint]


async def reviewed(mesh: Mesh, of: Reader) -> str:
    answer = await review(Seller(mesh, await mesh.account("buyer")), await of.offer())
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_NO_03_what_somebody_is_told_of_is_shown_on_all_that_they_have(mesh: Mesh) -> None:
    who = Reader(mesh, await mesh.account("seller"))
    endpoints = [f"https://fcm.googleapis.com/wp/{uuid4().hex}" for _ in range(2)]
    for each in endpoints:
        subscribed = await who.subscribe(each)
        assert subscribed.status_code == 201, subscribed.text
    listed = (await who.read(PUSH, subscribed)).json()
    assert [each["device"] for each in listed["items"]] == ["web", "web"]
    assert endpoints[0] not in str(listed)
    review_id = await reviewed(mesh, who)
    told = await until_settled(who, review_id, "push")
    assert delivery(told, "push")["status"] == "sent"
    for each in endpoints:
        (message,) = shown_on(each)
        assert message.text.startswith("Something new in reviews")
        assert message.url.endswith(f"/reviews/{review_id}")


async def test_NO_07_of_a_message_is_shown_who_wrote_and_about_what(mesh: Mesh) -> None:
    who = Reader(mesh, await mesh.account("buyer"))
    endpoint = f"https://fcm.googleapis.com/wp/{uuid4().hex}"
    assert (await who.subscribe(endpoint)).status_code == 201
    talk, told = await answered(mesh, who.account)
    (message,) = await eventually(lambda: shown_on(endpoint), 60)
    assert message.text.startswith("A new message")
    assert "Test Person · Porsche 911 Carrera" in message.text
    assert message.url.endswith(f"/messages/{talk.id}")
    assert told["about"]["conversation_id"] == talk.id


async def test_NO_03_whoever_has_nothing_to_be_shown_on_is_not(mesh: Mesh) -> None:
    who = Reader(mesh, await mesh.account("seller"))
    told = await until_settled(who, await reviewed(mesh, who), "push")
    assert delivery(told, "push")["reason"] == "no_address"


async def test_NO_03_the_same_browser_again_is_the_same_and_is_taken_away_once(mesh: Mesh) -> None:
    who = Reader(mesh, await mesh.account("buyer"))
    endpoint = f"https://fcm.googleapis.com/wp/{uuid4().hex}"
    first, again = await who.subscribe(endpoint), await who.subscribe(endpoint)
    assert first.json()["id"] == again.json()["id"]
    other = Reader(mesh, await mesh.account("buyer"))
    theirs = await other.subscribe(endpoint)
    assert theirs.json()["id"] != first.json()["id"]
    path = f"{PUSH}/{first.json()['id']}"
    assert (await other.ask("DELETE", path)).status_code == 204
    assert len((await who.read(PUSH, again)).json()["items"]) == 1
    gone = await who.ask("DELETE", path)
    assert gone.status_code == 204
    assert (await who.read(PUSH, gone)).json()["items"] == []
    assert (await who.ask("DELETE", path)).status_code == 204


async def test_NO_03_what_is_no_push_service_is_not_written_to(mesh: Mesh) -> None:
    who = Reader(mesh, await mesh.account("buyer"))
    for endpoint in (
        "https://169.254.169.254/latest/meta-data",
        "http://fcm.googleapis.com/wp/x",
        "https://fcm.googleapis.com.example.org/wp/x",
        "https://localhost/wp/x",
    ):
        answer = await who.subscribe(endpoint)
        assert problem(answer) == (422, "subscription_invalid")
        assert [each["pointer"] for each in answer.json()["errors"]] == ["/endpoint"]
    assert problem(await who.subscribe(keys={"p256dh": "x", "auth": "y"}))[0] == 422
    assert problem(await who.ask("POST", PUSH, json={"token": "a token"}))[0] == 422
    assert problem(await who.ask("POST", PUSH, json={}))[0] == 422


async def test_NO_03_what_a_subscription_says_is_sealed(mesh: Mesh) -> None:
    who = Reader(mesh, await mesh.account("buyer"))
    endpoint = f"https://fcm.googleapis.com/wp/{uuid4().hex}"
    subscribed = await who.subscribe(endpoint)
    await who.read(PUSH, subscribed)
    row = await mesh.machines.postgres.fetchrow(
        "SELECT devices, sealed FROM reads.push_subscriptions WHERE key = $1", who.id
    )
    assert row is not None
    assert endpoint not in str(dict(row))
    event = await mesh.machines.postgres.fetchval(
        "SELECT data FROM reads.journal WHERE stream_id = $1", f"push/{who.id}"
    )
    assert endpoint not in str(event)
    key = await mesh.machines.vault.person(UUID(who.id))
    assert key is not None
    found = opened(key, row["sealed"][0])
    assert found is not None
    assert getattr(found, "endpoint", "") == endpoint


async def test_every_device_that_is_connected_hears_of_it_on_every_replica(
    mesh: Mesh, replicas: Replicas, some: Devices
) -> None:
    who = Reader(mesh, await mesh.account("seller"))
    other = await mesh.account("seller")
    connected = [
        await some.connect(each, who.account.access_token)
        for each in (replicas.first, replicas.second)
    ]
    stranger = await some.connect(replicas.first, other.access_token)
    review_id = await reviewed(mesh, who)
    for each in connected:
        heard = await each.hears("notification")
        assert heard["type"] == "reviews"
        assert heard["about"]["reviewId"] == review_id
        assert heard["number"] == 1
    token = {"Consistency-Token": heard["consistencyToken"]}
    listed = await who.ask("GET", f"/api/notifications/{heard['id']}", headers=token)
    assert listed.json()["number"] == 1
    assert stranger.all("notification") == []
