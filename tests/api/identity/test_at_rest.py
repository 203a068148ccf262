"""What lies on disk and in Redis: no readable person, and nothing that must not be lost."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from cli.erasing.files import search_files
from cli.erasing.needles import Needles
from tests.api.acting.selling import Seller, path_of
from tests.api.running import Mesh, api, new_email
from tests.stack import session_state

STORES = ("kafka", "postgres")


@pytest.fixture(scope="module")
async def person(mesh: Mesh) -> dict[str, str]:
    """Somebody with a name of their own who joins, logs in and sells."""
    email, name = new_email(), f"Nimal {uuid4().hex[:12]} Perera"
    joined = await mesh.register(email, name=name, role="seller")
    tokens = (await mesh.log_in(email)).json()
    await mesh.until_read(joined)
    row = await mesh.machines.postgres.fetchrow(
        "SELECT email_sealed FROM reads.users WHERE key = $1", joined.json()["user"]["id"]
    )
    assert row is not None
    return {"email": email, "name": name, "sealed": row["email_sealed"], **tokens}


@pytest.mark.parametrize("store", STORES)
def test_NS_10_no_file_of_a_store_holds_an_email_or_a_name(person, store: str) -> None:
    needles = Needles({"email": person["email"], "name": person["name"]})
    found = search_files(store, session_state().folder / store, needles)
    assert (found.found, found.unsearched) == ([], [])  # what it does find: the next test
    assert found.size > 10_000  # what is filled: files of zeros are none


@pytest.mark.parametrize("store", STORES)
def test_NS_10_the_search_looks_where_the_sealed_text_lies(person, store: str) -> None:
    needles = Needles({"sealed": person["sealed"]})
    assert search_files(store, session_state().folder / store, needles).found != []


async def state_of(mesh: Mesh, seller: Seller, listing: str) -> dict[str, Any]:
    """What a person can see of themselves and of what is theirs."""
    reads = ("/api/auth/session", "/api/listings/mine", listing)
    return {path: (await seller.ask("GET", path)).json() for path in reads}


async def test_RD_12_flushing_redis_loses_nothing(mesh: Mesh) -> None:
    seller = Seller(mesh, await mesh.account("seller"))
    offered = await seller.offer()
    await seller.read(path_of(offered), offered)
    before = await state_of(mesh, seller, path_of(offered))
    await mesh.machines.redis.flushdb()
    assert await state_of(mesh, seller, path_of(offered)) == before


async def test_RD_12_a_flushed_redis_lets_no_ended_session_in(mesh: Mesh) -> None:
    account = await mesh.account()
    out = await mesh.client.post("/api/auth/logout", headers=account.headers)
    assert out.status_code == 204
    await mesh.until_read(out)
    await mesh.machines.redis.flushdb()
    again = await mesh.client.get("/api/auth/session", headers=account.headers)
    assert again.status_code == 401


@pytest.mark.asvs("V16.5.3")
async def test_RD_12_without_redis_and_postgres_nobody_gets_in_on_a_guess(mesh: Mesh) -> None:
    account = await mesh.account()
    secret = type(mesh.settings.database_url)
    nowhere = mesh.settings.model_copy(
        update={
            "database_url": secret("postgresql://mesh@127.0.0.1:1/none"),
            "redis_url": secret("redis://127.0.0.1:1/0"),
        }
    )
    async with api(nowhere) as blind:
        blind.machines.tokens._keys = dict(mesh.machines.tokens._keys)
        answer = await blind.client.get("/api/listings/mine", headers=account.headers)
    assert answer.status_code == 503
    assert answer.json()["reason"] == "store_unavailable"
