"""The audit: every command with who, when and from where, and only for admins."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.acting.selling import Seller, path_of
from tests.api.running import Account, Mesh, new_email, problem
from tests.waiting import eventually


@pytest.fixture(scope="module")
async def admin(mesh: Mesh) -> Account:
    return await mesh.account("admin")


@pytest.fixture(scope="module")
async def seller(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("seller"))


async def audit(mesh: Mesh, admin: Account, count: int, **params: Any) -> Any:
    """The first page, once it holds so many entries: nobody waits for the audit."""

    async def found() -> Any:
        answer = await mesh.client.get("/api/audit", params=params, headers=admin.headers)
        assert answer.status_code == 200, answer.text
        return len(answer.json()["items"]) >= count and answer.json()

    return await eventually(found, 20, f"{count} entries")


@pytest.mark.asvs("V16.2.1")
async def test_an_accepted_command_is_audited(mesh: Mesh, admin: Account, seller: Seller) -> None:
    offered = await seller.offer()
    stream = f"listing/{offered.json()['id']}"
    found = await audit(mesh, admin, 1, stream=stream)
    (entry,) = found["items"]
    assert entry["actor"] == seller.account.user_id
    assert entry["asked"] == "listing.create"
    assert (entry["outcome"], entry["events"], entry["version"]) == ("accepted", 2, 2)


@pytest.mark.asvs("V16.3.2")
async def test_a_refused_command_is_audited_with_its_reason(
    mesh: Mesh, admin: Account, seller: Seller
) -> None:
    offered = await seller.offer()
    stranger = Seller(mesh, await mesh.account("seller"))
    refused = await stranger.ask("POST", f"{path_of(offered)}/publish")
    assert refused.status_code == 403
    (entry,) = (await audit(mesh, admin, 1, actor=stranger.account.user_id, outcome="refused"))[
        "items"
    ]
    assert (entry["asked"], entry["reason"], entry["status"]) == (
        "listing.publish",
        "not_owner",
        403,
    )
    assert entry["stream_id"] == f"listing/{offered.json()['id']}"


@pytest.mark.asvs("V16.2.1")
async def test_an_entry_tells_the_network_and_never_the_address(
    mesh: Mesh, admin: Account, seller: Seller
) -> None:
    offered = await seller.offer()
    stream = f"listing/{offered.json()['id']}"
    (entry,) = (await audit(mesh, admin, 1, stream=stream))["items"]
    assert entry["origin"] == "127.0.0.0/24"


@pytest.mark.asvs("V16.3.1")
async def test_a_failed_log_in_is_audited(mesh: Mesh, admin: Account) -> None:
    answer = await mesh.log_in(new_email(), "wrong horse")
    assert answer.status_code == 401
    found = await audit(mesh, admin, 1, kind="session.record_failed_login")
    assert found["items"][0]["actor"] == "api"


async def test_pages_of_the_audit_miss_and_repeat_nothing(
    mesh: Mesh, admin: Account, seller: Seller
) -> None:
    offered = await seller.offer()
    stream = f"listing/{offered.json()['id']}"
    for word in ("unpublish", "publish", "unpublish", "publish"):
        assert (await seller.ask("POST", f"{path_of(offered)}/{word}")).status_code == 200
    whole = (await audit(mesh, admin, 5, stream=stream))["items"]
    assert len(whole) == 5
    paged: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = await audit(mesh, admin, 0, stream=stream, limit=2, **cursor)
        paged += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert paged == whole
    assert [each["at"] for each in whole] == sorted((each["at"] for each in whole), reverse=True)


async def test_the_audit_is_filtered_by_time(mesh: Mesh, admin: Account, seller: Seller) -> None:
    offered = await seller.offer()
    stream = f"listing/{offered.json()['id']}"
    (entry,) = (await audit(mesh, admin, 1, stream=stream))["items"]
    assert (await audit(mesh, admin, 1, stream=stream, since=entry["at"]))["items"] == [entry]
    assert (await audit(mesh, admin, 0, stream=stream, until=entry["at"]))["items"] == []


@pytest.mark.parametrize("role", ["buyer", "seller", "moderator", "ops"])
async def test_nobody_but_an_admin_reads_the_audit(mesh: Mesh, role: str) -> None:
    other = await mesh.account(role)
    answer = await mesh.client.get("/api/audit", headers=other.headers)
    assert problem(answer) == (403, "role_not_allowed")
