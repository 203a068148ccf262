"""A query says each thing once and as the document writes it; whatever else is refused, by every
operation, and the parameter named.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import httpx
import pytest

from tests.api.asking import ask, open_api
from tests.api.operations import DOOR_OF, OPERATIONS, Operation
from tests.api.running import Mesh, problem

# What libraries take for the same, and clients never mean.
NONE = {
    "integer": ("1_0", "+1", " 1", "1 ", "1.0", "1e1", "\u0661", "\uff11", "0x1", "true", ""),
    "number": ("1_0", "+1", " 1", "\u0661", ".5", "5.", "0x1", "1e", "nan", "inf", ""),
    "date-time": ("1795946931", "-1", "0.5", "2026-03-01", "now", "2026-03-01T12:00:00", ""),
    "date": ("1795946931", "-1", "0", "2026-3-1", "20260301", "2026-03-01T12:00:00", ""),
}
GOOD = {
    "integer": "2000",
    "number": "2000.5",
    "date-time": "2026-03-01T12:00:00Z",
    "date": "2026-03-01",
}
# Moments that are written well, and of which UTC knows none.
NOWHERE = ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59")


def kinds_of(schema: Mapping[str, Any]) -> Iterator[str]:
    yield from (schema[name] for name in ("format", "type") if name in schema)
    for each in (*schema.get("anyOf", ()), *filter(None, [schema.get("items")])):
        yield from kinds_of(each)


def told(operation: Operation) -> dict[str, list[str]]:
    """The kinds of its query's parameters, as the document has them."""
    parameters = operation.document.get("parameters", ())
    return {
        each["name"]: list(kinds_of(each["schema"])) for each in parameters if each["in"] == "query"
    }


QUERIES = [
    (operation, name, kinds)
    for operation in OPERATIONS
    if not DOOR_OF[operation.id].any_query
    for name, kinds in told(operation).items()
]
WRONG = [
    pytest.param(operation, name, value, id=f"{operation.id}?{name}={value!a}")
    for operation, name, kinds in QUERIES
    for kind, values in NONE.items()
    if kind in kinds
    for value in (*values, *(NOWHERE if kind == "date-time" else ()))
]
ONCE = [
    pytest.param(operation, name, id=f"{operation.id}?{name}")
    for operation, name, kinds in QUERIES
    if "array" not in kinds
]


@pytest.fixture(scope="module")
async def alone() -> AsyncIterator[Mesh]:
    async with open_api() as mesh:
        yield mesh


async def asked(alone: Mesh, operation: Operation, *sent: tuple[str, str]) -> httpx.Response:
    return await ask(alone, operation, params=httpx.QueryParams(list(sent)))


def pointers(answer: httpx.Response) -> set[str]:
    return {each["pointer"] for each in answer.json()["errors"]}


@pytest.mark.parametrize(("operation", "name", "value"), WRONG)
async def test_a_value_in_another_form_is_refused(
    alone: Mesh, operation: Operation, name: str, value: str
) -> None:
    answer = await asked(alone, operation, (name, value))
    assert problem(answer) == (422, "invalid")
    assert pointers(answer) == {f"?{name}"}


@pytest.mark.parametrize(("operation", "name"), ONCE)
async def test_what_there_is_one_of_is_said_once(
    alone: Mesh, operation: Operation, name: str
) -> None:
    kinds = told(operation)[name]
    value = next((good for kind, good in GOOD.items() if kind in kinds), "1")
    answer = await asked(alone, operation, (name, value), (name, value))
    assert problem(answer) == (422, "invalid")
    assert answer.json()["errors"] == [
        {"pointer": f"?{name}", "detail": "is there more than once: send it once"}
    ]


@pytest.mark.parametrize("query", [b"q=%ED%A0%80", b"q=%FF", b"make=%C3%28", b"%FF=1"])
async def test_a_query_that_is_not_utf_8_is_refused(alone: Mesh, query: bytes) -> None:
    answer = await alone.client.get(httpx.URL("http://mesh.test/api/search", query=query))
    assert problem(answer) == (400, "query_not_utf8")


async def test_a_list_may_be_said_in_parts(alone: Mesh) -> None:
    (search,) = (each for each in OPERATIONS if each.id == "search")
    answer = await asked(alone, search, ("make", "Audi"), ("make", "BMW"), ("year_min", "1990"))
    assert answer.status_code == 503  # it has come to the store, which is away
