"""Values of every body and query, found in the OpenAPI document: what is none is refused by name."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.api.asking import (
    ask,
    body_of,
    open_api,
    parameters_of,
    placed,
    places,
    pointer_of,
    pointers,
)
from tests.api.operations import DOOR_OF, OPERATIONS, Operation
from tests.api.running import Mesh
from tests.texts import NOWHERE, with_inside

# Of those that come in one piece from somebody else, as texts that nobody reads.
BODIES = [
    pytest.param(operation, path, schema, id=f"{operation.id}{pointer_of(path)}")
    for operation in OPERATIONS
    if (found := body_of(operation)) is not None
    for path, schema in places(found[0])
]
TEXTS = [each for each in BODIES if each.values[2].get("type") == "string"]
NUMBERS = [each for each in BODIES if each.values[2].get("type") in ("integer", "number")]
SWITCHES = [each for each in BODIES if each.values[2].get("type") == "boolean"]
QUERIES = [
    pytest.param(operation, parameter, id=f"{operation.id}?{parameter['name']}")
    for operation in OPERATIONS
    for parameter in parameters_of(operation)
    if parameter["in"] == "query"
]
# Which characters there are of each kind is tested where texts are judged.
SOME_NOWHERE = ("NUL", "ESCAPE", "NEXT LINE", "a lone high surrogate", "RIGHT-TO-LEFT OVERRIDE")
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
async def alone() -> AsyncIterator[Mesh]:
    async with open_api() as mesh:
        yield mesh


async def refused_by_name(mesh: Mesh, operation: Operation, path: Any, value: Any) -> None:
    found = body_of(operation)
    assert found is not None
    body = json.dumps(placed(found[1], path, value))
    answer = await ask(mesh, operation, content=body, headers=JSON)
    assert answer.status_code == 422, f"{value!r}: {answer.status_code} {answer.text}"
    assert any(each.startswith(pointer_of(path)) for each in pointers(answer)), answer.text


def test_the_sweep_reaches_bodies_of_every_depth() -> None:
    ids = {each.id for each in BODIES}
    assert {"create_listing/features/0", "create_listing/geo/lat", "log_in/password"} <= ids


@pytest.mark.parametrize(("operation", "path", "schema"), TEXTS)
async def test_no_text_of_a_body_holds_what_no_store_can_hold(
    alone: Mesh, operation: Operation, path: Any, schema: dict[str, Any]
) -> None:
    example = str(schema.get("default") or "some text")
    for name in SOME_NOWHERE:
        character = NOWHERE[name]
        if "password" in str(path[-1]) and ("RIGHT" in name or "ISOLATE" in name):
            continue  # nobody reads a password
        await refused_by_name(alone, operation, path, with_inside(example, character))


@pytest.mark.parametrize(("operation", "path", "schema"), NUMBERS)
@pytest.mark.asvs("V15.3.5")
async def test_nothing_else_in_a_body_is_taken_for_a_number(
    alone: Mesh, operation: Operation, path: Any, schema: dict[str, Any]
) -> None:
    found = body_of(operation)
    texts = [each for each, other in places(found[0]) if each == path and other["type"] == "string"]
    for value in (True, False, "ten", [1], {}, *([] if texts else ["12"])):
        await refused_by_name(alone, operation, path, value)


@pytest.mark.parametrize(("operation", "path", "schema"), SWITCHES)
@pytest.mark.asvs("V15.3.5")
async def test_nothing_else_in_a_body_is_taken_for_true_or_false(
    alone: Mesh, operation: Operation, path: Any, schema: dict[str, Any]
) -> None:
    for value in (1, 0, "true", "yes", "", 1.0):
        await refused_by_name(alone, operation, path, value)


@pytest.mark.parametrize(("operation", "parameter"), QUERIES)
async def test_no_query_holds_what_no_store_can_hold(
    alone: Mesh, operation: Operation, parameter: dict[str, Any]
) -> None:
    for character in map(NOWHERE.get, SOME_NOWHERE):
        if "\ud800" <= character <= "\udfff":
            continue  # no address can hold one
        query = {parameter["name"]: with_inside("some text", character)}
        answer = await ask(alone, operation, params=query)
        assert answer.status_code == 422, f"{character!r}: {answer.text}"
        assert f"?{parameter['name']}" in pointers(answer) | {
            each.rpartition(".")[0] for each in pointers(answer)
        }, answer.text


@pytest.mark.parametrize("operation", OPERATIONS, ids=[each.id for each in OPERATIONS])
async def test_an_unknown_parameter_is_refused_and_the_known_ones_are_named(
    alone: Mesh, operation: Operation
) -> None:
    answer = await ask(alone, operation, params={"colour": "x"})
    if DOOR_OF[operation.id].any_query:
        assert "?colour" not in answer.text
        return
    assert answer.status_code == 422, answer.text
    (fault,) = answer.json()["errors"]
    assert fault["pointer"] == "?colour"
    known = [each["name"] for each in parameters_of(operation) if each["in"] == "query"]
    assert [name for name in known if f"`{name}`" not in fault["detail"]] == []


READS = [each for each in OPERATIONS if each.method == "GET"]


@pytest.mark.parametrize("operation", READS, ids=[each.id for each in READS])
async def test_head_answers_as_get_without_a_body(alone: Mesh, operation: Operation) -> None:
    headers = {"Authorization": "Bearer somebody"}
    before = await alone.client.get(operation.path, headers=headers)
    got = await alone.client.get(operation.path, headers=headers)
    asked = await alone.client.head(operation.path, headers=headers)
    assert asked.status_code == got.status_code
    assert asked.content == b""
    assert asked.headers.keys() == got.headers.keys()
    after = await alone.client.get(operation.path, headers=headers)
    kept = before.headers.items() & got.headers.items() & after.headers.items()
    same = {name for name, _ in kept}
    if got.status_code == 503:  # which store was found away first is chance
        same.discard("content-length")
    assert {name: asked.headers[name] for name in same} == {n: got.headers[n] for n in same}


async def test_head_of_what_nobody_gets_is_405(alone: Mesh) -> None:
    answer = await alone.client.head("/api/auth/login")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"


OF_MACHINES = ("input should", "pattern", "valid ", "pydantic", "^", "\\", "unable to", "string_")


@pytest.mark.parametrize(("operation", "path", "schema"), BODIES)
async def test_a_refused_value_is_told_in_plain_words(
    alone: Mesh, operation: Operation, path: Any, schema: dict[str, Any]
) -> None:
    example = body_of(operation)[1]
    for value in (-1, 10**30, 0.5, "", "?", "x" * 20_000, [], {}, None):
        body = json.dumps(placed(example, path, value))
        answer = await ask(alone, operation, content=body, headers=JSON)
        assert answer.status_code != 500
        assert plain(answer), f"{value!r:.40}: {answer.text}"


@pytest.mark.parametrize(("operation", "parameter"), QUERIES)
async def test_a_refused_parameter_is_told_in_plain_words(
    alone: Mesh, operation: Operation, parameter: dict[str, Any]
) -> None:
    for value in ("", "-1", "x" * 3_000, "nan", "9" * 40):
        answer = await ask(alone, operation, params={parameter["name"]: value})
        assert answer.status_code != 500
        assert plain(answer), f"{value:.40}: {answer.text}"


def plain(answer: Any) -> bool:
    """Whether what is told of each fault is for people."""
    if answer.status_code != 422:
        return True
    told = [each["detail"].lower() for each in answer.json()["errors"]]
    return bool(told) and not any(word in each for each in told for word in OF_MACHINES)


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (b"{nope", 400, "character 1"),
        (b'{"email": "\xff"}', 400, "UTF-8"),
        (b"[" * 100_000, 400, "nested"),
        (b'{"days": ' + b"9" * 5_000 + b"}", 400, "number"),
        (b"[]", 422, "object"),
        (b'"text"', 422, "object"),
    ],
    ids=["no JSON", "no UTF-8", "too deep", "too many digits", "a list", "a text"],
)
async def test_a_body_that_can_not_be_read_is_told_why(
    alone: Mesh, body: bytes, status: int, told: str
) -> None:
    answer = await alone.client.post("/api/auth/login", content=body, headers=JSON)
    assert answer.status_code == status
    found = answer.json()
    assert told in found["detail"] or any(told in each["detail"] for each in found["errors"])


async def test_a_name_that_no_encoding_has_is_told(alone: Mesh) -> None:
    body = b'{"email": "a@example.org", "password": "x", "\\ud800": 1}'
    answer = await alone.client.post("/api/auth/login", content=body, headers=JSON)
    assert answer.status_code == 422


async def test_a_header_sent_twice_is_named(alone: Mesh) -> None:
    twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    answer = await alone.client.get("/api/listings", headers=twice)
    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {"pointer": "header:Idempotency-Key", "detail": "is sent twice: send it once"}
    ]
