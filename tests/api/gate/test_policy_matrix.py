"""Every operation of the document, every role, and things of one's own, of others and of nobody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from tests.api.acting.profiling import path_to
from tests.api.acting.things import made
from tests.api.matrix import DOORS, LAST_DEEDS, NOBODY, ROLES, SIGNED_IN, THINGS, Thing
from tests.api.operations import OPERATIONS, Operation
from tests.api.running import Account, Mesh
from tests.sizes import one_of
from tests.waiting import eventually

SHUT = {"token_missing", "token_invalid", "session_ended", "role_not_allowed", "no_policy"}
ABOUT_A_THING = [each for each in OPERATIONS if each.has_id]
Accounts = Mapping[str, Account]


def named(operations: list[Operation] | tuple[Operation, ...]) -> Any:
    ids = [each.id for each in operations]
    return pytest.mark.parametrize("operation", operations, ids=ids)


@pytest.fixture(scope="module")
async def accounts(mesh: Mesh, all_readers: None) -> Accounts:
    """Somebody in each role."""
    return {role: await shown(mesh, role) for role in ROLES}


@pytest.fixture(scope="module")
async def stranger(mesh: Mesh) -> Account:
    """The owner of what is not one's own."""
    return await shown(mesh, "seller")


async def shown(mesh: Mesh, role: str) -> Account:
    """Somebody new, whom others see already."""
    account = await mesh.account(role)

    async def seen() -> bool:
        return (await mesh.client.get(path_to(account))).status_code == 200

    await eventually(seen, 20, "they are seen")
    return account


def test_ID_24_every_operation_has_a_row() -> None:
    assert {each.id for each in OPERATIONS} == DOORS.keys(), "mend tests/api/matrix.py"


@pytest.mark.asvs("V8.2.2")
def test_ID_24_every_operation_about_a_thing_has_one() -> None:
    assert {each.id for each in ABOUT_A_THING} == THINGS.keys(), "mend tests/api/matrix.py"


def headers_of(account: Account | None) -> dict[str, str]:
    return account.headers if account else {}


def verdict(answer: httpx.Response) -> str:
    """`in`, why the door stayed shut, or what broke behind it."""
    if answer.status_code >= 500:
        return answer.text
    if answer.status_code not in (401, 403):
        return "in"
    reason: str = answer.json()["reason"]
    return reason if reason in SHUT else "in"


def expected_at_the_door(operation: Operation, role: str) -> str:
    if role in DOORS[operation.id]:
        return "in"
    return "token_missing" if role == NOBODY else "role_not_allowed"


@named(OPERATIONS)
@pytest.mark.asvs("V8.2.1", "V8.3.1")
async def test_ID_24_NS_09_each_role_at_each_door(
    mesh: Mesh, accounts, operation: Operation
) -> None:
    found, expected = {}, {}
    for role in (NOBODY, *ROLES):
        account = None if role == NOBODY else accounts[role]
        if account is not None and operation.id in LAST_DEEDS and not operation.has_id:
            account = await mesh.account(role)
        answer = await mesh.client.request(
            operation.method, operation.path, headers=headers_of(account)
        )
        found[role] = verdict(answer)
        expected[role] = expected_at_the_door(operation, role)
    assert found == expected


async def asked(mesh: Mesh, operation: Operation, path: str, who: Account | None) -> int:
    """What the operation says about the thing at this path; 0 for the success it documents."""
    ask = dict(THINGS[operation.id].ask)
    headers = {**ask.pop("headers", {}), **headers_of(who)}
    answer = await mesh.client.request(operation.method, path, headers=headers, **ask)
    return 0 if answer.status_code in operation.successes else answer.status_code


def expected_of(operation: Operation, role: str, otherwise: int) -> int:
    if role not in DOORS[operation.id]:
        return 401 if role == NOBODY else 403
    return otherwise


@named(ABOUT_A_THING)
async def test_ID_24_one_may_with_what_is_ones_own(mesh, accounts, operation: Operation) -> None:
    thing: Thing = THINGS[operation.id]
    found = {}
    # What differs from role to role is the door, which each of them is asked at above.
    owners = one_of(sorted(thing.owners), operation.id)
    for role in owners:
        last = operation.id in LAST_DEEDS
        account = await mesh.account(role) if last else accounts[role]
        mine = operation.path_of(await made(mesh, thing.kind, account))
        found[role] = await asked(mesh, operation, mine, account)
    assert found == dict.fromkeys(owners, thing.own)


@named(ABOUT_A_THING)
@pytest.mark.asvs("V8.2.2")
async def test_ID_24_one_may_not_with_what_is_foreign(
    mesh, accounts, stranger, operation: Operation
) -> None:
    thing: Thing = THINGS[operation.id]
    found, expected = {}, {}
    owner = await mesh.account("seller") if operation.id in LAST_DEEDS else stranger
    theirs = operation.path_of(await made(mesh, thing.kind, owner))
    # Who is refused leaves the thing as it was, so one does for them all. The staff come last,
    # as they may use it up.
    staff = sorted(thing.staff)
    for role in (NOBODY, *(role for role in ROLES if role not in thing.staff), *staff):
        account = None if role == NOBODY else accounts[role]
        if role in staff[1:]:
            theirs = operation.path_of(await made(mesh, thing.kind, owner))
        found[role] = await asked(mesh, operation, theirs, account)
        expected[role] = 0 if role in thing.staff else expected_of(operation, role, thing.others)
    assert found == expected


@named(ABOUT_A_THING)
async def test_ID_24_nobody_may_with_what_there_is_not(mesh, accounts, operation) -> None:
    thing: Thing = THINGS[operation.id]
    found, expected = {}, {}
    for role in (NOBODY, *SIGNED_IN):
        account = None if role == NOBODY else accounts[role]
        found[role] = await asked(mesh, operation, operation.path, account)
        none = 404 if role in thing.staff else thing.none
        expected[role] = expected_of(operation, role, none)
    assert found == expected
