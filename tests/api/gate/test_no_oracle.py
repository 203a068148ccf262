"""What one may not see answers in every way as what there is not: status, headers and words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from tests.api.acting.selling import CAR, token_of
from tests.api.gate.test_policy_matrix import headers_of, made
from tests.api.matrix import THINGS
from tests.api.operations import NOBODYS, OPERATIONS, Operation
from tests.api.running import Account, Mesh

STRANGERS = ("buyer", "dealer", None)
UNSEEN = [each for each in OPERATIONS if each.has_id and THINGS[each.id].others == 404]
OF_LISTINGS = [each for each in OPERATIONS if "{listing_id}" in each.template]
# Of each request, or of the time at which it came.
OF_THE_MOMENT = {"x-request-id", "date", "ratelimit", "ratelimit-policy"}
CONDITIONS: tuple[Mapping[str, str], ...] = ({}, {"If-Match": "*"}, {"If-Match": '"1"'})


@pytest.fixture(scope="module")
async def owner(mesh: Mesh) -> Account:
    return await mesh.account("seller")


@pytest.fixture(scope="module")
async def strangers(mesh: Mesh) -> list[Account | None]:
    return [None if role is None else await mesh.account(role) for role in STRANGERS]


def told(answer: httpx.Response, thing_id: str) -> tuple[int, Any, str]:
    """All that the answer says, but for the id asked about and what is of the moment."""
    headers = {name: value for name, value in answer.headers.items() if name not in OF_THE_MOMENT}
    text = re.sub(r'"correlation_id":"[^"]*"', "", answer.text)
    return answer.status_code, headers, text.replace(thing_id, "ID")


async def answers(
    mesh: Mesh, operation: Operation, thing_id: str, who: Account | None
) -> list[tuple[int, Any, str]]:
    found = []
    for condition in CONDITIONS:
        ask = dict(THINGS[operation.id].ask)
        headers = {**ask.pop("headers", {}), **condition, **headers_of(who)}
        answer = await mesh.client.request(
            operation.method, operation.path_of(thing_id), headers=headers, **ask
        )
        found.append(told(answer, thing_id))
    return found


async def compare(
    mesh: Mesh, operation: Operation, thing_id: str, strangers: list[Account | None]
) -> None:
    nobodys = "/".join([NOBODYS] * (1 + thing_id.count("/")))
    for who in strangers:
        asked = await answers(mesh, operation, thing_id, who)
        assert asked == await answers(mesh, operation, nobodys, who)
        # Where anybody may ask about what there is not, being answered the same is all there is.
        kept_out = THINGS[operation.id].none != 0
        refused = (401, 403, 404, 405, 422, 428)
        assert not kept_out or all(status in refused for status, _, _ in asked)


@pytest.mark.parametrize("operation", UNSEEN, ids=[each.id for each in UNSEEN])
async def test_what_is_not_for_others_is_not_there_for_them(
    mesh: Mesh, owner: Account, strangers, operation: Operation
) -> None:
    thing_id = await made(mesh, THINGS[operation.id].kind, owner)
    await compare(mesh, operation, thing_id, strangers)


async def gone(mesh: Mesh, owner: Account) -> str:
    """A listing that was deleted before anyone else saw it."""
    listing_id = await made(mesh, "draft", owner)
    path = f"/api/listings/{listing_id}"
    deleted = await mesh.client.delete(path, headers=owner.headers)
    await mesh.client.get(path, headers=owner.headers | token_of(deleted))
    return listing_id


async def taken_back(mesh: Mesh, owner: Account) -> str:
    """A listing that was on offer and is a draft again."""
    listing_id = await made(mesh, "offer", owner)
    path = f"/api/listings/{listing_id}"
    answer = await mesh.client.post(f"{path}/unpublish", headers=owner.headers)
    await mesh.client.get(path, headers=owner.headers | token_of(answer))
    return listing_id


async def draft(mesh: Mesh, owner: Account) -> str:
    return await made(mesh, "draft", owner)


@pytest.mark.parametrize("unseen", [draft, gone, taken_back])
@pytest.mark.parametrize("operation", OF_LISTINGS, ids=[each.id for each in OF_LISTINGS])
async def test_a_listing_that_only_its_seller_sees_is_not_there_for_others(
    mesh: Mesh, owner: Account, strangers, operation: Operation, unseen
) -> None:
    listing_id = await unseen(mesh, owner)
    rest = operation.template.count("{") - 1  # a part of it, which there is not
    await compare(mesh, operation, "/".join([listing_id, *[NOBODYS] * rest]), strangers)


@pytest.mark.parametrize("query", ["as_of=2030-01-01T00:00:00Z", "version=1", "version=9"])
async def test_the_past_of_an_unseen_listing_is_not_there_either(
    mesh: Mesh, owner: Account, strangers, query: str
) -> None:
    thing_id = await draft(mesh, owner)
    for who in strangers:
        unseen, nothing = [
            told(
                await mesh.client.get(f"/api/listings/{each}?{query}", headers=headers_of(who)),
                each,
            )
            for each in (thing_id, NOBODYS)
        ]
        assert unseen == nothing


@pytest.mark.parametrize("unseen", [draft, gone, taken_back])
@pytest.mark.parametrize(
    ("path", "body"),
    [("/api/reviews", {"rating": 4}), ("/api/messages/conversations", {"content": "Still there?"})],
)
async def test_nobody_learns_of_an_unseen_listing_by_writing_about_it(
    mesh: Mesh, owner: Account, strangers, unseen, path: str, body: dict[str, Any]
) -> None:
    thing_id = await unseen(mesh, owner)
    for who in strangers:
        asked = []
        for each in (thing_id, NOBODYS):
            answer = await mesh.client.post(
                path, json={**body, "listing_id": each}, headers=headers_of(who)
            )
            asked.append(told(answer, each))
        assert asked[0] == asked[1]
        assert asked[0][0] in (401, 403, 404, 422)


async def test_what_was_asked_with_credentials_stays_out_of_shared_caches(
    mesh: Mesh, owner: Account
) -> None:
    """Of every address that can be read, whatever its answer."""
    wrong = []
    offered = await mesh.client.post(
        "/api/listings", json={**CAR, "publish": True}, headers=owner.headers
    )
    listing_id = offered.json()["id"]
    reads = [each for each in OPERATIONS if each.method == "GET" and "stream" not in each.id]
    for operation in reads:
        path = operation.path_of(listing_id) if operation in OF_LISTINGS else operation.path
        answer = await mesh.client.get(path, headers=owner.headers)
        control = answer.headers["cache-control"]
        if "no-store" in control:
            continue
        if "private" not in control or "authorization" not in answer.headers["vary"].lower():
            wrong.append((operation.id, control, answer.headers.get("vary")))
    assert wrong == []


async def test_an_anonymous_answer_says_that_it_depends_on_who_asks(
    mesh: Mesh, owner: Account
) -> None:
    offered = await mesh.client.post(
        "/api/listings", json={**CAR, "publish": True}, headers=owner.headers
    )
    path = f"/api/listings/{offered.json()['id']}"
    for url in (path, f"{path}/history", f"{path}/price-history", "/api/listings"):
        answer = await mesh.client.get(url, headers=token_of(offered))
        assert answer.status_code == 200, answer.text
        assert answer.headers["vary"] == "Authorization", url
