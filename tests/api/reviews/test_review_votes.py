"""Votes on reviews, over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from infra.vault.vault import UnsealError, Vault
from schemas.reviews import vote_id_of
from tests.api.acting.reviewing import path, person, shown, vote, written
from tests.api.acting.selling import Seller, pointers_of, reason_of, token_of
from tests.api.running import Mesh, journalled
from tests.waiting import eventually


@pytest.fixture(scope="module")
async def seller(mesh: Mesh) -> Seller:
    return await person(mesh, "seller")


@pytest.fixture(scope="module")
async def buyer(mesh: Mesh) -> Seller:
    return await person(mesh)


@pytest.fixture(scope="module")
async def reader(mesh: Mesh) -> Seller:
    return await person(mesh)


@pytest.fixture
async def first(seller: Seller, buyer: Seller) -> httpx.Response:
    """A review on which nobody has voted."""
    return await written(buyer, await seller.offer())


def counts(found: dict[str, Any]) -> tuple[int, int]:
    return found["helpful"], found["unhelpful"]


def vote_id(first: httpx.Response, who: Seller) -> UUID:
    return vote_id_of(UUID(first.json()["id"]), UUID(who.account.user_id))


async def own(who: Seller, first: httpx.Response, after: httpx.Response) -> Any:
    answer = await who.read(f"{path(first)}/vote", after)
    assert answer.status_code == 200, answer.text
    return answer.json()["vote"]


async def test_RV_09_a_vote_toggles_and_counts_once(mesh, first, reader) -> None:
    assert counts(await shown(mesh, first, first)) == (0, 0)
    assert await own(reader, first, first) is None
    course = [("helpful", (1, 0)), ("helpful", (1, 0)), ("unhelpful", (0, 1)), ("helpful", (1, 0))]
    last = first
    for what, expected in course:
        answer = await vote(reader, first, what)
        assert (answer.status_code, answer.json()) == (200, {"vote": what})
        last = answer if "Consistency-Token" in answer.headers else last
        assert counts(await shown(mesh, first, last)) == expected
        assert await own(reader, first, last) == what
    gone = await reader.ask("DELETE", f"{path(first)}/vote", headers=token_of(first))
    assert gone.status_code == 204
    assert counts(await shown(mesh, first, gone)) == (0, 0)
    assert await own(reader, first, gone) is None
    again = await reader.ask("DELETE", f"{path(first)}/vote")
    assert again.status_code == 204


async def test_RV_09_everybody_has_one_vote_and_sees_their_own(mesh, first, reader) -> None:
    other = await person(mesh, "dealer")
    answers = [await vote(reader, first, "helpful"), await vote(other, first, "unhelpful")]
    token = {"Consistency-Token": ",".join(token_of(each)["Consistency-Token"] for each in answers)}
    found = (await mesh.client.get(path(first), headers=token)).json()
    assert counts(found) == (1, 1)
    assert await own(reader, first, answers[0]) == "helpful"
    assert await own(other, first, answers[1]) == "unhelpful"
    third = await person(mesh)
    assert await own(third, first, answers[1]) is None


async def test_RV_09_nobody_votes_on_their_own_review_or_on_what_is_said_of_them(
    mesh, first, seller, buyer
) -> None:
    for what in ("helpful", "unhelpful"):
        assert reason_of(await vote(buyer, first, what)) == (403, "own_review")
        assert reason_of(await vote(seller, first, what)) == (403, "about_oneself")
    assert counts(await shown(mesh, first, first)) == (0, 0)
    anonymous = await mesh.client.post(f"{path(first)}/vote", json={"vote": "helpful"})
    assert reason_of(anonymous) == (401, "token_missing")


async def test_RV_09_votes_leave_the_reviews_version_as_it_is(mesh, first, buyer, reader) -> None:
    answer = await vote(reader, first, "helpful")
    read = await buyer.read(path(first), answer)
    assert (read.headers["ETag"], read.json()["version"], read.json()["helpful"]) == ('"1"', 1, 1)
    changed = await buyer.ask("PATCH", path(first), json={"rating": 1}, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert counts(await shown(mesh, first, changed)) == (1, 0)
    await mesh.until_read(answer)
    kinds = await journalled(mesh, f"review_vote/{vote_id(first, reader)}", "review.voted")
    assert kinds == ["review.voted"]


async def test_RV_09_two_votes_at_once_of_one_person_count_once(mesh, first, reader) -> None:
    asked = [
        vote(reader, first, "helpful", **{"Idempotency-Key": uuid4().hex}) for _ in range(6)
    ] + [vote(reader, first, "unhelpful", **{"Idempotency-Key": uuid4().hex}) for _ in range(6)]
    answers = await asyncio.gather(*asked)
    assert [each.status_code for each in answers] == [200] * 12
    after = await reader.ask("DELETE", f"{path(first)}/vote", headers=token_of(first))
    assert counts(await shown(mesh, first, after)) == (0, 0)
    last = await vote(reader, first, "unhelpful")
    assert counts(await shown(mesh, first, last)) == (0, 1)


async def test_RV_09_many_at_once_are_all_counted(mesh, first) -> None:
    readers = [await person(mesh) for _ in range(5)]
    whats = ["helpful", "unhelpful", "helpful", "helpful", "unhelpful"]
    asked = (vote(who, first, what) for who, what in zip(readers, whats, strict=True))
    answers = await asyncio.gather(*asked)

    async def counted() -> bool:
        found = [counts(await shown(mesh, first, each)) for each in answers]
        return found[-1] == (3, 2)

    assert await eventually(counted, what="every vote is counted")


async def test_RV_09_a_repeat_gets_its_first_answer_and_counts_once(mesh, first, reader) -> None:
    same = {"Idempotency-Key": uuid4().hex}
    answers = [await vote(reader, first, "helpful", **same) for _ in range(2)]
    assert [each.json() for each in answers] == [{"vote": "helpful"}] * 2
    assert counts(await shown(mesh, first, answers[0])) == (1, 0)
    later = await vote(reader, first, "unhelpful")
    repeated = await vote(reader, first, "helpful", **same)
    assert repeated.json() == {"vote": "helpful"}
    assert counts(await shown(mesh, first, later)) == (0, 1)
    assert reason_of(await vote(reader, first, "unhelpful", **same)) == (
        422,
        "idempotency_key_reused",
    )


async def test_RV_09_on_what_is_not_there_nobody_votes(first, buyer, reader) -> None:
    nowhere = f"/api/reviews/{uuid4()}/vote"
    for method, ask in (("POST", {"json": {"vote": "helpful"}}), ("DELETE", {}), ("GET", {})):
        assert reason_of(await reader.ask(method, nowhere, **ask)) == (404, "review_unknown")
    await vote(reader, first, "helpful")
    gone = await buyer.ask("DELETE", path(first))
    for method, ask in (("POST", {"json": {"vote": "helpful"}}), ("DELETE", {}), ("GET", {})):
        answer = await reader.ask(method, f"{path(first)}/vote", headers=token_of(gone), **ask)
        assert reason_of(answer) == (410, "review_deleted")


@pytest.mark.parametrize("what", ["", "yes", 1, None, ["helpful"]])
async def test_RV_09_a_vote_is_for_or_against(reader, what) -> None:
    answer = await reader.ask("POST", f"/api/reviews/{uuid4()}/vote", json={"vote": what})
    assert reason_of(answer) == (422, "invalid")
    assert pointers_of(answer) == ["/vote"]


async def test_RV_14_there_is_one_row_of_a_review_and_a_reader(mesh, first, reader) -> None:
    for what in ("helpful", "unhelpful", "helpful"):
        last = await vote(reader, first, what)
    await own(reader, first, last)
    rows = await mesh.machines.postgres.fetch(
        "SELECT * FROM reads.review_votes WHERE review_id = $1", first.json()["id"]
    )
    assert [(row["key"], row["vote_type"]) for row in rows] == [
        (str(vote_id(first, reader)), "helpful")
    ]


async def test_RV_09_RV_14_PR_10_the_vote_of_somebody_erased_counts_and_is_nobodys(
    mesh, first
) -> None:
    leaver = await person(mesh)
    answer = await vote(leaver, first, "helpful")
    await own(leaver, first, answer)
    vault: Vault = mesh.machines.vault
    voter_id = UUID(leaver.account.user_id)
    key = await vault.person(voter_id)
    query = "SELECT * FROM reads.review_votes WHERE review_id = $1"
    (row,) = await mesh.machines.postgres.fetch(query, first.json()["id"])
    assert key is not None
    assert key.unseal("user_id", row["user_id_sealed"]) == str(voter_id)
    left = await leaver.ask("DELETE", f"/api/users/{voter_id}")
    assert left.status_code == 204

    async def erased() -> bool:
        return await vault.person(voter_id) is None

    await eventually(erased, what="the key is destroyed")
    (after,) = await mesh.machines.postgres.fetch(query, first.json()["id"])
    assert str(voter_id) not in str(dict(after))
    others = await vault.person(UUID((await person(mesh)).account.user_id))
    assert others is not None
    with pytest.raises(UnsealError):
        others.unseal("user_id", after["user_id_sealed"])
    assert counts(await shown(mesh, first, answer)) == (1, 0)


async def test_RV_09_PR_10_an_export_holds_ones_votes(mesh, first, reader) -> None:
    answer = await vote(reader, first, "helpful")
    stream = f"review_vote/{vote_id(first, reader)}"

    async def exported() -> list[Any]:
        where = f"/api/users/{reader.account.user_id}/export"
        events = (await reader.read(where, answer)).json()["events"]
        return [each for each in events if each["stream"] == stream]

    (told,) = await eventually(exported, what="the vote is exported")
    assert (told["kind"], told["by_oneself"]) == ("review.voted", True)
    assert told["data"]["user_id"] == reader.account.user_id
    assert (told["data"]["review_id"], told["data"]["vote"]) == (first.json()["id"], "helpful")
