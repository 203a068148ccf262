"""One real event that one real store refuses, by commands over HTTP: nobody sees anything old, what
was deleted or banned meanwhile does not come back, and `mesh parked` mends it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

import cli.erase
import cli.parked
from processors.stores.opening import opened_stores, store_name
from processors.stores.port import Generation
from projections.identity.users import users
from projections.projection import Projection
from tests.api.acting.refusing import (
    BEING_REPAIRED,
    COVERED,
    Documents,
    Figures,
    Refusing,
    Rows,
    strict_index,
)
from tests.api.acting.selling import Seller, path_of, reason_of, token_of
from tests.api.identity.test_leaving_at_once import had_their_effects
from tests.api.running import PASSWORD, Account, Mesh, journalled, problem
from tests.cli.harness.commands import Mesh as Command
from tests.cli.harness.commands import commands_on
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("all_readers")
WHERE = {"postgres": Rows, "opensearch": Documents, "clickhouse": Figures}


@pytest.fixture
def command(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> Command:
    return commands_on(mesh.settings, monkeypatch, cli.parked, cli.erase)


@pytest.fixture(scope="module")
async def moderator(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("moderator"))


async def is_parked(mesh: Mesh, projection: Projection[Any], stream: str) -> bool:
    return await mesh.machines.postgres.fetchval(
        "SELECT EXISTS (SELECT FROM mesh.live_parked WHERE projection = $1 AND stream_id = $2)",
        projection.name,
        stream,
    )


@asynccontextmanager
async def mended(mesh: Mesh, store: Any, stream: str, command: Command) -> AsyncIterator[None]:
    """Whatever a test leaves is mended, for the mesh is everybody's."""
    try:
        yield
    finally:
        await store.take_again()
        if await is_parked(mesh, store.projection, stream):
            await command("parked", "retry", "--stream", stream)


@dataclass(frozen=True)
class Refused:
    """A listing that was on offer, and a change of it that its store has refused."""

    mesh: Mesh
    store: Refusing
    seller: Seller
    offered: httpx.Response
    changed: httpx.Response

    @property
    def key(self) -> str:
        return str(self.offered.json()["id"])

    @property
    def stream(self) -> str:
        return f"listing/{self.key}"

    async def told(self, after: httpx.Response, reader: Seller | None = None) -> tuple[int, str]:
        return await self.store.told(token_of(after), reader or self.seller)

    async def row(self) -> Any:
        """As it lies in the store, shown or not."""
        return await row_of(self.mesh, self.store.projection, self.key)


async def row_of(mesh: Mesh, projection: Projection[Any], key: str) -> Any:
    number = await mesh.machines.postgres.fetchval(
        "SELECT number FROM mesh.generations WHERE projection = $1 AND status = 'live'",
        projection.name,
    )
    async with (
        opened_stores(mesh.settings, [projection]) as stores,
        stores[store_name(projection)].session(Generation(projection, number)) as seen,
    ):
        held = (await seen.load([key])).get(key)
    return held and held.row


@asynccontextmanager
async def one_refused(mesh: Mesh, store: Refusing, command: Command) -> AsyncIterator[Refused]:
    seller = Seller(mesh, await mesh.account("seller"))
    offered = await seller.offer()
    stream = f"listing/{offered.json()['id']}"
    assert await store.told(token_of(offered), seller) == COVERED
    assert await store.shows(offered.json()["id"])
    async with mended(mesh, store, stream, command):
        await store.refuse()
        changed = await seller.change(2, path_of(offered), **store.change)
        assert changed.status_code == 200, changed.text
        await eventually(lambda: is_parked(mesh, store.projection, stream))
        yield Refused(mesh, store, seller, offered, changed)


@pytest.fixture(scope="module")
async def strict(mesh: Mesh, all_readers: None) -> AsyncIterator[None]:
    async with strict_index(mesh):
        yield


@pytest.fixture(params=WHERE)
async def refused(
    request: pytest.FixtureRequest, mesh: Mesh, command: Command, strict: None
) -> AsyncIterator[Refused]:
    async with one_refused(mesh, WHERE[request.param](mesh), command) as found:
        yield found


async def test_what_a_store_refused_is_shown_to_nobody_and_its_token_is_no_stale_200(
    refused: Refused,
) -> None:
    assert await refused.told(refused.changed) == BEING_REPAIRED
    assert not await refused.store.shows(refused.key)
    other = await refused.seller.offer()
    assert await refused.told(other) == COVERED
    assert await refused.store.shows(other.json()["id"])


async def test_lists_leave_it_out_and_its_page_says_why_to_its_owner_and_staff(
    mesh: Mesh, moderator: Seller, command: Command
) -> None:
    """Of the store that pages come from."""
    async with one_refused(mesh, Rows(mesh), command) as refused:
        page = path_of(refused.offered)
        assert problem(await mesh.client.get(page)) == BEING_REPAIRED
        listed = await refused.seller.read("/api/listings/mine", await refused.seller.offer())
        assert refused.key not in {each["id"] for each in listed.json()["items"]}
        for reader in (moderator, refused.seller):
            for headers in ({}, token_of(refused.changed)):
                answer = await reader.ask("GET", page, headers=headers)
                assert reason_of(answer) == BEING_REPAIRED
                (told,) = answer.json()["parked"]
                assert (told["projection"], told["reason"]) == ("listing_page", Rows.reason)


async def test_staff_are_told_why_wherever_a_token_meets_what_waits(
    refused: Refused, moderator: Seller, command: Command
) -> None:
    listed = await command("parked", "list", refused.store.projection.name, "--json")
    (found,) = [each for each in json.loads(listed.stdout) if each["stream_id"] == refused.stream]
    assert (found["reason"], found["kind"]) == (refused.store.reason, "listing.updated")
    for value in refused.store.change.values():
        assert value not in listed.stdout
    if isinstance(refused.store, Documents):
        answer = await moderator.ask("GET", "/api/search", headers=token_of(refused.changed))
        (told,) = answer.json()["parked"]
        assert (told["projection"], told["reason"]) == ("listing_search", refused.store.reason)


async def test_retry_says_that_it_is_still_refused_and_mends_it_once_it_is_taken(
    refused: Refused, command: Command
) -> None:
    again = await command("parked", "retry", "--stream", refused.stream)
    assert again.exit_code == 1
    assert "1 still wait" in again.stdout
    assert not await refused.store.shows(refused.key)
    await refused.store.take_again()
    done = await command("parked", "retry", "--stream", refused.stream)
    assert done.exit_code == 0, done.output
    assert await refused.told(refused.changed) == COVERED
    assert await refused.store.shows(refused.key)
    row = await refused.row()
    assert {name: getattr(row, name) for name in refused.store.change} == refused.store.change


async def test_skip_gives_up_the_refused_event_and_folds_what_follows(
    refused: Refused, command: Command
) -> None:
    dearer = await refused.seller.change(3, path_of(refused.offered), price_minor=777)
    assert dearer.status_code == 200, dearer.text
    await eventually(lambda: follows(refused, 2))
    done = await command("parked", "skip", refused.stream, refused.store.projection.name)
    assert done.exit_code == 0, done.output
    assert await refused.told(dearer) == COVERED
    assert await refused.store.shows(refused.key)
    row = await refused.row()
    assert row.price_minor == 777
    assert not [name for name, value in refused.store.change.items() if getattr(row, name) == value]


async def follows(refused: Refused, events: int) -> bool:
    return events == await refused.mesh.machines.postgres.fetchval(
        "SELECT count(*) FROM mesh.live_parked WHERE projection = $1 AND stream_id = $2",
        refused.store.projection.name,
        refused.stream,
    )


GOES: dict[str, Callable[[Refused, Seller], Awaitable[httpx.Response]]] = {
    "its seller deletes it": lambda refused, _: refused.seller.ask(
        "DELETE", path_of(refused.offered), headers={"If-Match": "*"}
    ),
    "a moderator deletes it": lambda refused, moderator: moderator.ask(
        "DELETE", path_of(refused.offered), headers={"If-Match": "*"}
    ),
    "its seller leaves": lambda refused, _: refused.seller.ask(
        "DELETE", f"/api/users/{refused.seller.account.user_id}"
    ),
}


@pytest.mark.parametrize("how", GOES)
async def test_what_is_deleted_behind_it_is_gone_at_once_and_does_not_come_back(
    refused: Refused, moderator: Seller, command: Command, how: str
) -> None:
    answer = await GOES[how](refused, moderator)
    assert answer.is_success, answer.text
    await journalled(refused.mesh, refused.stream, "listing.deleted")
    await eventually(lambda: is_emptied(refused), what="the row that waits is emptied")
    assert not await refused.store.shows(refused.key)
    await refused.store.take_again()
    done = await command("parked", "retry", "--stream", refused.stream)
    assert done.exit_code == 0, done.output
    assert not await refused.store.shows(refused.key)
    assert await is_emptied(refused)


async def is_emptied(refused: Refused) -> bool:
    row = await refused.row()
    return row is None or row.status == "deleted"


@pytest.mark.parametrize("refused", ["postgres"], indirect=True)
async def test_what_its_sellers_ban_hides_stays_hidden_when_it_is_mended(
    refused: Refused, moderator: Seller, command: Command
) -> None:
    whose = refused.seller.account.user_id
    await had_their_effects(refused.mesh, [refused.offered])
    banned = await moderator.ask("POST", f"/api/users/{whose}/ban", json={"reason": "fraud"})
    assert banned.is_success, banned.text
    await journalled(refused.mesh, refused.stream, "listing.hidden")
    await refused.store.take_again()
    assert (await command("parked", "retry", "--stream", refused.stream)).exit_code == 0
    assert problem(await refused.mesh.client.get(path_of(refused.offered))) == (
        404,
        "listing_unknown",
    )


@asynccontextmanager
async def ban_refused(mesh: Mesh, moderator: Seller, command: Command) -> AsyncIterator[Account]:
    """Somebody on offer whose ban the read model of people has refused."""
    account, store = await mesh.account("seller"), Rows(mesh, users)
    stream = f"user/{account.user_id}"
    async with mended(mesh, store, stream, command):
        await store.take_only(f"key <> '{account.user_id}' OR status <> 'banned'")
        path = f"/api/users/{account.user_id}/ban"
        banned = await moderator.ask("POST", path, json={"reason": "fraud"})
        assert banned.is_success, banned.text
        await eventually(lambda: is_parked(mesh, users, stream))
        yield account


async def test_somebody_whose_row_waits_is_told_so_only_with_their_password(
    mesh: Mesh, moderator: Seller, command: Command
) -> None:
    async with ban_refused(mesh, moderator, command) as account:
        right = await mesh.log_in(account.email, PASSWORD)
        wrong = await mesh.log_in(account.email, "no such password")
        nobody = await mesh.log_in(f"{uuid4().hex}@example.org", "no such password")
        refreshed = await mesh.client.post(
            "/api/auth/refresh", json={"refresh_token": account.refresh_token}
        )
        other = await mesh.account()
        assert (await mesh.log_in(other.email)).status_code == 200
    assert problem(right) == BEING_REPAIRED
    assert right.json()["parked"][0]["projection"] == "users"
    assert problem(refreshed) == BEING_REPAIRED
    assert problem(wrong) == problem(nobody) == (401, "credentials_invalid")
    same = ("correlation_id",)
    told = [{k: v for k, v in each.json().items() if k not in same} for each in (wrong, nobody)]
    assert told[0] == told[1]


async def test_a_ban_that_waits_hides_what_they_sell_all_the_same(
    mesh: Mesh, moderator: Seller, command: Command
) -> None:
    account = await mesh.account("seller")
    offered = await Seller(mesh, account).offer()
    await had_their_effects(mesh, [offered])
    store, stream = Rows(mesh, users), f"user/{account.user_id}"
    async with mended(mesh, store, stream, command):
        await store.take_only(f"key <> '{account.user_id}' OR status <> 'banned'")
        path = f"/api/users/{account.user_id}/ban"
        assert (await moderator.ask("POST", path, json={"reason": "fraud"})).is_success
        await eventually(lambda: is_parked(mesh, users, stream))
        await journalled(mesh, f"listing/{offered.json()['id']}", "listing.hidden")

        async def is_hidden() -> bool:
            return (await mesh.client.get(path_of(offered))).status_code == 404

        await eventually(is_hidden)


async def test_of_somebody_erased_nothing_is_left_in_a_row_that_waits(
    mesh: Mesh, moderator: Seller, command: Command
) -> None:
    async with ban_refused(mesh, moderator, command) as account:
        before = await row_of(mesh, users, account.user_id)
        assert before.email_hash
        done = await command("erase", "--yes", account.user_id)
        assert done.exit_code == 0, done.output

        async def erased() -> bool:
            row = await row_of(mesh, users, account.user_id)
            return row.status == "deleted"

        await eventually(erased, what="the row that waits is emptied")
        row = await row_of(mesh, users, account.user_id)
        assert (row.email_sealed, row.email_hash, row.email_domain, row.name_sealed) == (
            "",
            "",
            None,
            "",
        )
        assert await mesh.machines.vault.person(UUID(account.user_id)) is None
    # Mended, it is what it would have been.
    row = await row_of(mesh, users, account.user_id)
    assert (row.status, row.email_hash, row.email_domain) == ("deleted", "", None)
