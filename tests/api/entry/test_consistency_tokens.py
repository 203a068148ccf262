"""Consistency-Tokens that no write can have answered with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from api.wire.problems import WriteUnavailableError
from schemas.log.positions import TopicPartition
from tests.api.running import Mesh, problem
from tests.waiting import eventually


@pytest.mark.parametrize(
    "token",
    [
        "events.listings:0:999999999",
        "events.identity:1:0,events.listings:1:999999999",
        "events.nothing:0:1",
        "commands.listings:0:1",
        "events.listings:8:1",
        "events.listings:0:-1",
        "events.listings:0",
    ],
)
async def test_a_place_that_the_log_does_not_have_is_400(mesh: Mesh, token: str) -> None:
    answer = await mesh.client.get("/api/listings", headers={"Consistency-Token": token})
    assert problem(answer) == (400, "consistency_token_invalid")


async def test_the_mark_that_ends_the_log_is_no_place(mesh: Mesh) -> None:
    account = await mesh.account()
    places = [
        TopicPartition("events.identity", each) for each in range(mesh.settings.topic_partitions)
    ]

    async def told() -> Mapping[TopicPartition, int]:
        try:
            return await mesh.machines.writes.ends_of(places)
        except WriteUnavailableError:  # the broker was busy
            return {}

    ends = await eventually(told)
    place, end = next((place, end) for place, end in ends.items() if end)
    token = {"Consistency-Token": f"{place.topic}:{place.partition}:{end - 1}"}
    answer = await mesh.client.get(f"/api/users/{account.user_id}", headers=token)
    assert problem(answer) == (400, "consistency_token_invalid")


async def test_a_broker_that_is_late_once_is_asked_again(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends_of, asked = mesh.machines.writes.ends_of, []

    async def late_once(places: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        asked.append(places)
        if len(asked) == 1:
            raise WriteUnavailableError
        return await ends_of(places)

    monkeypatch.setattr(mesh.machines.writes, "ends_of", late_once)
    token = {"Consistency-Token": "events.listings:0:999999999"}
    answer = await mesh.client.get("/api/listings", headers=token)
    assert problem(answer) == (400, "consistency_token_invalid")
    assert len(asked) == 2


@pytest.mark.parametrize(
    "token",
    [
        "events.listings:1:1_0",
        "events.listings:1:+1",
        "events.listings: 0:0",
        "events.listings:0:0 0",
        "events.listings:0:\u0661".encode().decode("latin-1"),
        "events.listings:0:0,,events.listings:1:0",
        "",
    ],
)
async def test_a_token_in_another_form_is_400(mesh: Mesh, token: str) -> None:
    headers = [("Consistency-Token", token.encode("latin-1"))]
    answer = await mesh.client.get("/api/listings", headers=headers)
    assert problem(answer) == (400, "consistency_token_invalid")


async def test_a_token_in_two_lines_is_waited_for_whole(mesh: Mesh) -> None:
    both = [("Consistency-Token", f"events.listings:0:{each}") for each in (0, 999_999_999)]
    for headers in (both, both[::-1]):
        answer = await mesh.client.get("/api/listings", headers=headers)
        assert problem(answer) == (400, "consistency_token_invalid")
