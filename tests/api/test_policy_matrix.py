"""Every operation of the document, every role, and things of one's own, of others and of nobody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from tests.api.matrix import DOORS, LAST_DEEDS, NOBODY, ROLES, SIGNED_IN, THINGS, Thing
from tests.api.operations import NOBODYS, OPERATIONS, Operation
from tests.api.running import Account, Mesh
from tests.api.selling import CAR, token_of

SHUT = {"token_missing", "token_invalid", "session_ended", "role_not_allowed", "no_policy"}
ABOUT_A_THING = [each for each in OPERATIONS if each.has_id]
Accounts = Mapping[str, Account]


def named(operations: list[Operation] | tuple[Operation, ...]) -> Any:
    ids = [each.id for each in operations]
    return pytest.mark.parametrize("operation", operations, ids=ids)


@pytest.fixture(scope="module")
async def accounts(mesh: Mesh) -> Accounts:
    """Somebody in each role."""
    return {role: await mesh.account(role) for role in ROLES}


@pytest.fixture(scope="module")
async def stranger(mesh: Mesh) -> Account:
    """The owner of what is not one's own."""
    return await mesh.account("seller")


def test_ID_24_every_operation_has_a_row() -> None:
    assert {each.id for each in OPERATIONS} == DOORS.keys(), "mend tests/api/matrix.py"


def test_ID_24_every_operation_about_a_thing_has_one() -> None:
    assert {each.id for each in ABOUT_A_THING} == THINGS.keys(), "mend tests/api/matrix.py"


def headers_of(account: Account | None) -> dict[str, str]:
    return account.headers if account else {}


def verdict(answer: httpx.Response) -> str:
    """`in`, or why the door stayed shut."""
    if answer.status_code not in (401, 403):
        return "in"
    reason: str = answer.json()["reason"]
    return reason if reason in SHUT else "in"


def expected_at_the_door(operation: Operation, role: str) -> str:
    if role in DOORS[operation.id]:
        return "in"
    return "token_missing" if role == NOBODY else "role_not_allowed"


@named(OPERATIONS)
async def test_ID_24_NS_09_each_role_at_each_door(
    mesh: Mesh, accounts, operation: Operation
) -> None:
    found, expected = {}, {}
    for role in (NOBODY, *ROLES):
        account = None if role == NOBODY else accounts[role]
        if account is not None and operation.id in LAST_DEEDS:
            account = await mesh.account(role)
        answer = await mesh.client.request(
            operation.method, operation.path, headers=headers_of(account)
        )
        found[role] = verdict(answer)
        expected[role] = expected_at_the_door(operation, role)
    assert found == expected


async def made(mesh: Mesh, kind: str, owner: Account) -> str:
    """A thing of that kind, readable by all; its id."""
    if kind == "api key":
        body = {"label": "matrix", "operations": ["search"], "days": 1}
        answer = await mesh.client.post("/api/auth/keys", json=body, headers=owner.headers)
    else:
        body = {**CAR, "publish": kind == "offer"}
        answer = await mesh.client.post("/api/listings", json=body, headers=owner.headers)
        path = f"/api/listings/{answer.json()['id']}"
        await mesh.client.get(path, headers=owner.headers | token_of(answer))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def asked(mesh: Mesh, operation: Operation, thing_id: str, who: Account | None) -> int:
    """What the operation says about that thing; 0 for whatever is a success or an outage."""
    ask = dict(THINGS[operation.id].ask)
    headers = {**ask.pop("headers", {}), **headers_of(who)}
    answer = await mesh.client.request(
        operation.method, operation.path_of(thing_id), headers=headers, **ask
    )
    return 0 if answer.status_code < 400 or answer.status_code == 503 else answer.status_code


def expected_of(operation: Operation, role: str, otherwise: int) -> int:
    if role not in DOORS[operation.id]:
        return 401 if role == NOBODY else 403
    return otherwise


@named(ABOUT_A_THING)
async def test_ID_24_one_may_with_what_is_ones_own(mesh, accounts, operation: Operation) -> None:
    thing: Thing = THINGS[operation.id]
    found = {}
    for role in thing.owners:
        mine = await made(mesh, thing.kind, accounts[role])
        found[role] = await asked(mesh, operation, mine, accounts[role])
    assert found == dict.fromkeys(thing.owners, 0)


@named(ABOUT_A_THING)
async def test_ID_24_one_may_not_with_what_is_foreign(
    mesh, accounts, stranger, operation: Operation
) -> None:
    thing: Thing = THINGS[operation.id]
    found, expected = {}, {}
    for role in (NOBODY, *ROLES):
        theirs = await made(mesh, thing.kind, stranger)
        account = None if role == NOBODY else accounts[role]
        found[role] = await asked(mesh, operation, theirs, account)
        expected[role] = 0 if role in thing.staff else expected_of(operation, role, thing.others)
        if thing.kind == "api key":  # nobody may have many
            await asked(mesh, operation, theirs, stranger)
    assert found == expected


@named(ABOUT_A_THING)
async def test_ID_24_nobody_may_with_what_there_is_not(mesh, accounts, operation) -> None:
    thing: Thing = THINGS[operation.id]
    found, expected = {}, {}
    for role in (NOBODY, *SIGNED_IN):
        account = None if role == NOBODY else accounts[role]
        found[role] = await asked(mesh, operation, NOBODYS, account)
        expected[role] = expected_of(operation, role, thing.none)
    assert found == expected
