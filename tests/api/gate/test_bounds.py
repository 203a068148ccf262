"""Everything that may be sent has bounds, and whatever costs something is counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.operations import DOCUMENT, DOOR_OF, OPERATIONS, Operation

FORMS_WITH_BOUNDS = {"uuid", "date", "date-time", "email", "binary"}
# They hold of every choice that they stand beside.
BESIDE = ("maxLength", "pattern", "minimum", "maximum", "maxItems")
LOWEST, HIGHEST = {"minimum", "exclusiveMinimum"}, {"maximum", "exclusiveMaximum"}
# A price as text is judged as the number beside it: by ItemTerms.price.
JUDGED_ELSEWHERE = {"create_item body/price"}
WRITES = [each for each in OPERATIONS if each.method != "GET"]
named = pytest.mark.parametrize("operation", OPERATIONS, ids=[each.id for each in OPERATIONS])


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def inputs(operation: Operation) -> Iterator[tuple[str, dict[str, Any]]]:
    """The schema of each of its parameters and bodies, by a name for messages."""
    for each in operation.document.get("parameters", []):
        yield f"{operation.id} {each['in']}/{each['name']}", each["schema"]
    for content in operation.document.get("requestBody", {}).get("content", {}).values():
        yield f"{operation.id} body", content["schema"]


def unbounded(schema: dict[str, Any], place: str) -> Iterator[str]:
    """The places in it that take anything, or as much of something as anyone likes."""
    found = resolved(schema)
    shared = {name: found[name] for name in BESIDE if name in found}
    choices = [
        {**shared, **resolved(each)} for each in (*found.get("anyOf", ()), *found.get("allOf", ()))
    ]
    numbers = [each for each in choices if each.get("type") in ("integer", "number")]
    for each in choices:
        # A decimal number may be written as text: its value is bounded all the same.
        if not (each.get("type") == "string" and numbers):
            yield from unbounded(each, place)
    yield from _unbounded_in(found, place)


def _unbounded_in(found: dict[str, Any], place: str) -> Iterator[str]:
    match found:
        case {"enum": _} | {"const": _}:
            return
        case {"type": "string"}:
            if not found.keys() & {"maxLength", "pattern"}:
                yield from () if found.get("format") in FORMS_WITH_BOUNDS else (place,)
        case {"type": "integer" | "number"}:
            if not (found.keys() & LOWEST and found.keys() & HIGHEST):
                yield place
        case {"type": "array"}:
            yield from () if "maxItems" in found else (place,)
            yield from unbounded(found["items"], f"{place}/*")
        case {"type": "object"}:
            yield from () if found.get("additionalProperties") is False else (place,)
            for name, field in found.get("properties", {}).items():
                yield from unbounded(field, f"{place}/{name}")


@named
def test_V2_2_1_V15_3_3_all_that_is_sent_is_held_to_bounds(operation: Operation) -> None:
    """A body takes no field that it does not name, either."""
    found = {place for name, schema in inputs(operation) for place in unbounded(schema, name)}
    assert found <= JUDGED_ELSEWHERE


@pytest.mark.parametrize(
    "schema",
    [{"type": "string"}, {"type": "integer", "minimum": 1}, {"type": "array", "items": {}},
     {"type": "object"}, {"anyOf": [{"type": "null"}, {"type": "string"}]},
     {"type": "object", "additionalProperties": False, "properties": {"a": {"type": "string"}}}],
)  # fmt: skip
def test_what_has_no_bounds_is_found(schema: dict[str, Any]) -> None:
    assert len(list(unbounded(schema, "a"))) == 1


@pytest.mark.parametrize("operation", WRITES, ids=[each.id for each in WRITES])
def test_V2_4_1_whatever_changes_something_is_counted(operation: Operation) -> None:
    assert DOOR_OF[operation.id].limits
