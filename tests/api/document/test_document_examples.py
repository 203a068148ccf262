"""Every example of the OpenAPI document is one: it fits the schema beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from tests.api.operations import DOCUMENT


def examples(node: Any, way: str = "") -> Iterator[Any]:
    """Each schema of the document that has examples in or beside it, and one of them."""
    if isinstance(node, list):
        for place, each in enumerate(node):
            yield from examples(each, f"{way}/{place}")
    elif isinstance(node, dict):
        for place, (schema, example) in enumerate(_of(node)):
            yield pytest.param(schema, example, id=f"{way}#{place}".removeprefix("/paths"))
        for name, each in node.items():
            if name not in ("example", "examples", "default", "enum", "const"):
                yield from examples(each, f"{way}/{name}")


def _of(node: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    schema = node.get("schema", node)
    if "example" in node:
        yield schema, node["example"]
    found = node.get("examples", ())
    if isinstance(found, dict):  # beside a schema each has a name, and is in `value`
        found = [each["value"] for each in found.values()]
    for each in found:
        yield schema, each


ALL = [*examples(DOCUMENT)]


def faults(schema: dict[str, Any], example: Any) -> list[str]:
    whole = {**schema, "components": DOCUMENT["components"]}
    judge = jsonschema_rs.validator_for(whole, validate_formats=True)
    return [f"{each.instance_path}: {each.message}" for each in judge.iter_errors(example)]


def test_examples_are_found_in_bodies_answers_parameters_and_schemas() -> None:
    ids = " ".join(str(each.id) for each in ALL)
    for place in ("requestBody", "responses/200", "parameters/", "components/schemas"):
        assert place in ids
    assert len(ALL) > 400


def test_an_example_that_does_not_fit_is_found() -> None:
    schema = {"$ref": "#/components/schemas/NewReview"}
    assert faults(schema, {"listing_id": "no id", "rating": 4}) != []
    assert faults(schema, {"rating": 4}) != []


@pytest.mark.parametrize(("schema", "example"), ALL)
def test_every_example_fits_its_schema(schema: dict[str, Any], example: Any) -> None:
    assert faults(schema, example) == []
