"""Consistency-Tokens that no write can have answered with."""

from __future__ import annotations

import pytest

from tests.api.running import Mesh, problem


@pytest.mark.parametrize(
    "token",
    [
        "events.listings:0:999999999",
        "events.identity:3:0,events.listings:7:999999999",
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
