"""JSON is read in one way only: a name stands once, a number is a number."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from api.wire.json_bodies import VALUES_MAX
from tests.api.asking import ask, body_of, open_api
from tests.api.operations import OPERATIONS, Operation
from tests.api.running import Mesh, problem

WITH_BODIES = [
    pytest.param(operation, id=operation.id) for operation in OPERATIONS if body_of(operation)
]


@pytest.fixture(scope="module")
async def alone() -> AsyncIterator[Mesh]:
    async with open_api() as mesh:
        yield mesh


async def sent(alone: Mesh, operation: Operation, text: str) -> httpx.Response:
    headers = {"Content-Type": "application/json"}
    return await ask(alone, operation, content=text.encode(), headers=headers)


@pytest.mark.asvs("V1.5.3")
@pytest.mark.parametrize("operation", WITH_BODIES)
async def test_a_name_that_stands_twice_is_refused(alone: Mesh, operation: Operation) -> None:
    found = body_of(operation)
    assert found
    text = json.dumps(found[1])
    name, value = next(iter(found[1].items()), ("note", 1))
    again = f"{json.dumps(name)}: {json.dumps(value)}"
    answer = await sent(alone, operation, f"{{{again}, {again}, {text[1:]}".replace(", }", "}"))
    assert problem(answer) == (400, "json_invalid")
    assert f"'{name}' twice" in answer.json()["detail"]
    once = await sent(alone, operation, text)
    assert once.status_code not in {400, 422}


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "latin-1"])
@pytest.mark.parametrize("operation", WITH_BODIES)
async def test_a_body_in_another_encoding_is_refused(
    alone: Mesh, operation: Operation, coding: str
) -> None:
    content = '{"note": "\u00e9"}'.encode(coding)
    headers = {"Content-Type": "application/json"}
    answer = await ask(alone, operation, content=content, headers=headers)
    assert problem(answer) == (400, "json_invalid")


@pytest.mark.parametrize("operation", WITH_BODIES)
async def test_an_unknown_name_is_told_in_part_when_it_is_long(
    alone: Mesh, operation: Operation
) -> None:
    found = body_of(operation)
    assert found
    answer = await sent(alone, operation, json.dumps({**found[1], "x" * 50_000: 1}))
    assert problem(answer) == (422, "invalid")
    assert len(answer.content) < 2_000


@pytest.mark.parametrize("many", ["names", "values", "nested"])
@pytest.mark.parametrize("operation", WITH_BODIES)
async def test_a_body_of_more_than_anything_takes_is_refused_before_each_is_judged(
    alone: Mesh, operation: Operation, many: str
) -> None:
    """A list's items and unknown names are judged one by one, which took a second for 200,000."""
    text = {
        "names": json.dumps({f"k{number}": 1 for number in range(VALUES_MAX + 1)}),
        "values": json.dumps({name: [1] * VALUES_MAX for name in body_of(operation)[1] or ["x"]}),
        "nested": json.dumps({"x": [[[{}]]] * (VALUES_MAX // 2)}),
    }[many]
    answer = await sent(alone, operation, text)
    assert problem(answer) == (400, "json_invalid")
    assert f"{VALUES_MAX}" in answer.json()["detail"]


async def test_as_much_as_may_be_is_judged(alone: Mesh) -> None:
    (operation,) = (each for each in OPERATIONS if each.id == "log_in")
    text = json.dumps({f"k{number}": 1 for number in range(VALUES_MAX)})
    assert problem(await sent(alone, operation, text)) == (422, "invalid")


async def test_an_unknown_parameter_is_told_in_part_when_it_is_long(alone: Mesh) -> None:
    answer = await alone.client.get("/api/listings", params={"x" * 50_000: 1})
    assert problem(answer) == (422, "invalid")
    assert len(answer.content) < 2_000


@pytest.mark.asvs("V1.5.3")
@pytest.mark.parametrize(
    "text",
    [
        '{"mileage": {"value": 1, "unit": "KMT", "value": 2}}',
        '{"features": [{"a": 1, "\\u0061": 2}]}',
        '{"price_minor": NaN}',
        '{"price_minor": -Infinity}',
    ],
)
async def test_what_readers_understand_differently_is_refused(alone: Mesh, text: str) -> None:
    (operation,) = (each for each in OPERATIONS if each.id == "create_listing")
    answer = await sent(alone, operation, text)
    assert problem(answer) == (400, "json_invalid")
    assert "once" in answer.text or "no JSON" in answer.text


@pytest.mark.parametrize("name", ["n" * 100_000, "\ud800", "\n\x1b[31m", "'"])
async def test_a_name_is_told_in_plain_characters_and_not_without_end(
    alone: Mesh, name: str
) -> None:
    (operation,) = (each for each in OPERATIONS if each.id == "create_listing")
    name = json.dumps(name)
    answer = await sent(alone, operation, f"{{{name}: 1, {name}: 2}}")
    assert problem(answer) == (400, "json_invalid")
    assert len(answer.content) < 1_000
    assert answer.json()["detail"].isprintable()
