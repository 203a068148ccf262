"""What the OpenAPI document allows in headers, queries and paths, the server takes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import jsonschema_rs
import pytest

from tests.api.asking import ask, open_api, parameters_of, resolved
from tests.api.operations import DOCUMENT, NOBODYS, OPERATIONS, Operation
from tests.api.running import Mesh

TEXTS = (
    *("", " ", "0", "1", "-1", "7", "100", "101", "10000", "10001", "1e3", "nan", "true"),
    *("2026-03-01", "2026-13-01", "2026-03-01T12:00:00Z", "2026-03-01T12:00:00", "12:00"),
    *("abc", "porsche 911", "x" * 40, "x" * 41, "x" * 255, "x" * 256, "x" * 2_000, "x" * 2_001),
    *('"7"', 'W/"7"', "*", '"a", "b"', '"', "7,", "EUR", "ABC", "eur", "DEM"),
    *("events.listings:0:0", "events.listings:7:1,events.items:0:5", "events.nothing:0:1"),
    *("events.listings:1000:1", "events.listings:0:-1", "a:b:c", ",", "google", "GOOGLE", "a b"),
    *(NOBODYS, NOBODYS.replace("-", ""), f"{'0' * 64}.webp", "desk.webp"),
)
# Signed by us, or one of two that go together: no schema can say which are good.
BEYOND_SCHEMAS = {
    "cursor",
    "page",
    "lat",
    "lon",
    "radius_km",
    "sort",
    "version",
    "as_of",
    "first",
    "last",
}
PARAMETERS = [
    pytest.param(operation, parameter, id=f"{operation.id} {parameter['name']}")
    for operation in OPERATIONS
    for parameter in parameters_of(operation)
    if parameter["name"] not in BEYOND_SCHEMAS
]


@pytest.fixture(scope="module")
async def alone() -> AsyncIterator[Mesh]:
    async with open_api() as mesh:
        yield mesh


def allowed(schema: dict[str, Any]) -> Iterator[str]:
    """Those of TEXTS that this schema allows, read as a query is."""
    whole = {**schema, "components": DOCUMENT["components"]}
    judge = jsonschema_rs.validator_for(whole, validate_formats=True)
    for text in TEXTS:
        numbers: list[Any] = []
        with suppress(ValueError):
            numbers = [float(text)] if text.isdecimal() else []
        values = [text, *numbers, *([int(text)] if numbers else []), [text]]
        if any(judge.is_valid(each) for each in values):
            yield text


def test_the_document_tells_of_conditions_where_they_count() -> None:
    told = {
        operation.id: {each["name"].title() for each in parameters_of(operation)}
        for operation in OPERATIONS
    }
    assert {"If-Match", "Idempotency-Key"} <= told["update_listing"]
    assert "Consistency-Token" in told["read_listing"]


@pytest.mark.parametrize(("operation", "parameter"), PARAMETERS)
async def test_what_the_document_allows_is_taken(
    alone: Mesh, operation: Operation, parameter: dict[str, Any]
) -> None:
    name = parameter["name"]
    refused = []
    for text in allowed(parameter["schema"]):
        answer = await ask(alone, operation, **sent(operation, parameter, text))
        named = re.search(rf"\b{re.escape(name)}\b", answer.text, re.IGNORECASE)
        if answer.status_code in (400, 422) and named:
            refused.append((text, answer.json()["errors"] or answer.json()["detail"]))
    assert refused == []


PAGED = [
    pytest.param(operation, id=operation.id)
    for operation in OPERATIONS
    if any(each["name"] == "cursor" for each in parameters_of(operation))
]


def next_field(operation: Operation) -> str:
    """Of the answer's fields the one that the next page is asked for with."""
    answer = operation.document["responses"]["200"]["content"]["application/json"]["schema"]
    (found,) = {"next", "next_cursor"} & resolved(answer)["properties"].keys()
    return found


@pytest.mark.parametrize("operation", PAGED)
def test_a_cursor_is_told_by_the_field_that_its_own_answer_has(operation: Operation) -> None:
    (cursor,) = (each for each in parameters_of(operation) if each["name"] == "cursor")
    assert cursor["description"] == f"`{next_field(operation)}` of the page before"


@pytest.mark.parametrize("operation", PAGED)
@pytest.mark.parametrize("params", [{"cursor": "x"}, {"page": 10_000, "limit": 100}])
async def test_what_is_no_page_is_told_by_the_field_that_its_own_answer_has(
    alone: Mesh, operation: Operation, params: dict[str, str]
) -> None:
    answer = await ask(alone, operation, params=params)
    assert answer.status_code == 422
    assert f"`{next_field(operation)}`" in answer.json()["detail"]


def sent(operation: Operation, parameter: dict[str, Any], text: str) -> dict[str, Any]:
    name = parameter["name"]
    if parameter["in"] == "query":
        return {"params": {name: text}}
    if parameter["in"] == "header":
        return {"headers": {name: text}}
    path = operation.template.replace(f"{{{name}}}", quote(text, safe=""))
    for other in parameters_of(operation):
        path = path.replace(f"{{{other['name']}}}", NOBODYS)
    return {"path": path}
