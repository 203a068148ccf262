"""What sellers say to reviews, over HTTP."""

from __future__ import annotations

from uuid import UUID, uuid4

import httpx
import orjson
import pytest

from infra.vault.vault import Vault
from tests.api.acting.reviewing import THANKS, items, path, person, respond, shown, written
from tests.api.acting.selling import Seller, pointers_of, reason_of
from tests.api.running import Mesh
from tests.waiting import eventually


@pytest.fixture
async def seller(mesh: Mesh) -> Seller:
    return await person(mesh, "seller")


@pytest.fixture(scope="module")
async def buyer(mesh: Mesh) -> Seller:
    return await person(mesh)


@pytest.fixture(scope="module")
async def moderator(mesh: Mesh) -> Seller:
    return await person(mesh, "moderator")


async def done(asked: httpx.Response, status: int = 200) -> httpx.Response:
    assert asked.status_code == status, asked.text
    return asked


async def test_RV_07_all_read_what_the_reviewed_seller_says(mesh, seller, buyer) -> None:
    offered = await seller.offer()
    first = await written(buyer, offered)
    assert (await shown(mesh, first, first))["response"] is None
    answer = await done(await respond(seller, first, content="  Thank you.\nDrive well. "))
    assert answer.json() == {"id": first.json()["id"], "version": 2}
    found = await shown(mesh, first, answer)
    assert found["response"]["content"] == "Thank you.\nDrive well."
    assert found["response"]["edited_at"] is None
    assert found["response"]["responded_at"] > found["created_at"]
    for where in (f"seller/{seller.account.user_id}", f"listing/{offered.json()['id']}"):
        assert await items(mesh, where, answer) == [found]


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_RV_07_there_is_one_and_what_is_said_again_replaces_it(
    mesh, seller, buyer, method
) -> None:
    first = await written(buyer, await seller.offer())
    before = (await shown(mesh, first, await done(await respond(seller, first))))["response"]
    again = await done(await respond(seller, first, content="No thanks at all.", method=method))
    found = (await shown(mesh, first, again))["response"]
    assert found["content"] == "No thanks at all."
    assert found["responded_at"] == before["responded_at"]
    assert found["edited_at"] > before["responded_at"]
    same = await done(await respond(seller, first, content="No thanks at all.", method=method))
    assert same.json()["version"] == again.json()["version"] == 3


async def test_RV_07_nobody_else_responds_or_takes_it_back(mesh, seller, buyer) -> None:
    first = await written(buyer, await seller.offer())
    answer = await done(await respond(seller, first))
    for other in (buyer, await person(mesh, "seller"), await person(mesh, "admin")):
        assert reason_of(await respond(other, first)) == (403, "not_reviewed")
    for other in (buyer, await person(mesh, "seller")):
        refused = await other.ask("DELETE", f"{path(first)}/response")
        assert reason_of(refused) == (403, "not_reviewed")
    assert (await shown(mesh, first, answer))["response"]["content"] == THANKS["content"]
    anonymous = await mesh.client.post(f"{path(first)}/response", json=THANKS)
    assert reason_of(anonymous) == (401, "token_missing")


async def test_RV_07_it_is_taken_back_and_may_be_said_anew(mesh, seller, buyer) -> None:
    first = await written(buyer, await seller.offer())
    await done(await respond(seller, first))
    gone = await done(await seller.ask("DELETE", f"{path(first)}/response"), 204)
    assert (await shown(mesh, first, gone))["response"] is None
    again = await seller.ask("DELETE", f"{path(first)}/response")
    assert reason_of(again) == (404, "response_unknown")
    anew = await done(await respond(seller, first))
    assert (await shown(mesh, first, anew))["response"]["edited_at"] is None


async def test_RV_07_what_the_staff_took_away_is_not_said_anew(
    mesh, seller, buyer, moderator
) -> None:
    first = await written(buyer, await seller.offer())
    await done(await respond(seller, first))
    gone = await done(await moderator.ask("DELETE", f"{path(first)}/response"), 204)
    assert (await shown(mesh, first, gone))["response"] is None
    assert reason_of(await respond(seller, first)) == (403, "removed_by_staff")
    await mesh.until_read(gone)
    data = await mesh.machines.postgres.fetchval(
        "SELECT data FROM reads.journal WHERE stream_id = $1 AND kind = $2",
        f"review/{first.json()['id']}",
        "review.response_withdrawn",
    )
    assert orjson.loads(data)["by_staff"] is True


async def test_RV_07_to_what_is_not_there_nobody_responds(seller, buyer) -> None:
    nowhere = f"/api/reviews/{uuid4()}/response"
    for method, ask in (("POST", {"json": THANKS}), ("PUT", {"json": THANKS}), ("DELETE", {})):
        assert reason_of(await seller.ask(method, nowhere, **ask)) == (404, "review_unknown")
    first = await written(buyer, await seller.offer())
    await done(await respond(seller, first))
    await done(await buyer.ask("DELETE", path(first)), 204)
    assert reason_of(await respond(seller, first)) == (410, "review_deleted")
    gone = await seller.ask("DELETE", f"{path(first)}/response")
    assert reason_of(gone) == (410, "review_deleted")


@pytest.mark.parametrize("content", ["Too short", "x" * 1_001, "\u200b" * 20, 5, None])
async def test_RV_07_a_response_has_ten_to_a_thousand_characters(seller, content) -> None:
    answer = await seller.ask("POST", f"/api/reviews/{uuid4()}/response", json={"content": content})
    assert reason_of(answer) == (422, "invalid")
    assert pointers_of(answer) == ["/content"]


async def test_RV_07_a_repeat_is_one_response(mesh, seller, buyer) -> None:
    first = await written(buyer, await seller.offer())
    same = {"Idempotency-Key": uuid4().hex}
    answers = [await respond(seller, first, headers=same) for _ in range(2)]
    assert [each.json() for each in answers] == [{"id": first.json()["id"], "version": 2}] * 2
    other = await respond(seller, first, headers=same, content="Something else.")
    assert reason_of(other) == (422, "idempotency_key_reused")


async def test_RV_07_whoever_names_a_version_responds_to_that_one(seller, buyer) -> None:
    first = await written(buyer, await seller.offer())
    changed = await buyer.ask("PATCH", path(first), json={"rating": 1}, headers={"If-Match": '"1"'})
    assert changed.status_code == 200
    stale = {"If-Match": '"1"'}
    assert reason_of(await respond(seller, first, headers=stale)) == (412, "version_mismatch")
    answer = await done(await respond(seller, first, headers={"If-Match": '"2"'}))
    assert answer.headers["ETag"] == '"3"'
    refused = await seller.ask("DELETE", f"{path(first)}/response", headers={"If-Match": '"2"'})
    assert reason_of(refused) == (412, "version_mismatch")


async def test_RV_07_PR_10_of_a_seller_who_is_erased_no_word_is_left(mesh, seller, buyer) -> None:
    first = await written(buyer, await seller.offer(), content="It broke.")
    answer = await done(await respond(seller, first))
    vault: Vault = mesh.machines.vault
    await vault.erase(UUID(seller.account.user_id))
    found = await shown(mesh, first, answer)
    assert found["response"]["content"] is None
    assert found["response"]["responded_at"] is not None
    assert found["content"] == "It broke."


async def test_RV_07_NS_10_it_is_sealed_in_the_log_and_in_the_read_model(
    mesh, seller, buyer
) -> None:
    first = await written(buyer, await seller.offer())
    answer = await done(await respond(seller, first, content="A most telling sentence."))
    await shown(mesh, first, answer)
    await mesh.until_read(answer)
    review_id = first.json()["id"]
    fetchval = mesh.machines.postgres.fetchval
    logged = await fetchval(
        "SELECT data FROM reads.journal WHERE stream_id = $1 AND kind = 'review.responded'",
        f"review/{review_id}",
    )
    kept = await fetchval(
        "SELECT content_sealed FROM reads.review_responses WHERE review_id = $1", review_id
    )
    assert "telling" not in logged + kept
    assert orjson.loads(logged)["content"]["text"] == kept


async def test_RV_07_PR_10_an_export_holds_the_sellers_responses(mesh, seller, buyer) -> None:
    first = await written(buyer, await seller.offer(), content="It broke.")
    answer = await done(await respond(seller, first))

    async def exported() -> list[httpx.Response]:
        where = f"/api/users/{seller.account.user_id}/export"
        events = (await seller.read(where, answer)).json()["events"]
        return [each for each in events if each["stream"].startswith("review/")]

    (told,) = await eventually(exported, what="what the seller said is exported")
    assert (told["kind"], told["by_oneself"]) == ("review.responded", True)
    assert told["data"]["content"]["text"] == THANKS["content"]
