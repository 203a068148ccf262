"""The OpenAPI document: valid, complete and in step with the doors. Asks no server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from openapi_spec_validator import OpenAPIV31SpecValidator

from api.app import ROUTERS, create_app
from api.entry.doors import ANYONE
from tests.api.alone import settings_of_nothing
from tests.api.operations import DOOR_OF

METHODS = {"get", "put", "post", "patch", "delete"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = create_app(settings_of_nothing()).openapi()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method in METHODS:
                yield f"{method.upper()} {path}", operation


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


def test_every_operation_has_an_id_of_its_own(document: dict[str, Any]) -> None:
    ids = [operation.get("operationId") for _, operation in operations(document)]
    assert None not in ids
    assert len(ids) == len(set(ids))


def test_every_operation_has_one_known_tag(document: dict[str, Any]) -> None:
    known = {tag["name"] for tag in document["tags"]}
    for name, operation in operations(document):
        assert len(operation.get("tags", [])) == 1, name
        assert set(operation["tags"]) <= known, name


def test_every_operation_says_what_it_does(document: dict[str, Any]) -> None:
    silent = [name for name, each in operations(document) if not each.get("description")]
    assert silent == []


def test_every_success_with_a_body_has_an_example(document: dict[str, Any]) -> None:
    without = [
        f"{name} {status}"
        for name, operation in operations(document)
        for status, answer in operation["responses"].items()
        if status.startswith("2") and status != "204"
        for content in answer["content"].values()
        if "example" not in content and "examples" not in content
    ]
    assert without == []


def test_every_body_asked_for_has_an_example(document: dict[str, Any]) -> None:
    without = []
    for name, operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            schema = resolved(document, content["schema"])
            if not ({"example", "examples"} & (content.keys() | schema.keys())):
                without.append(name)
    assert without == []


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return found


def test_every_operation_lists_the_errors_that_any_can_have(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        assert {"413", "422", "503"} <= operation["responses"].keys(), name


def test_every_operation_for_some_lists_401_and_403(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        if DOOR_OF[operation["operationId"]].access != ANYONE:
            assert {"401", "403"} <= operation["responses"].keys(), name
            assert operation.get("security"), name


def test_every_operation_with_a_body_lists_400_and_415(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        if "requestBody" in operation:
            assert {"400", "415"} <= operation["responses"].keys(), name


def test_every_error_is_a_problem_with_an_example(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            if status[0] in "45":
                content = answer["content"]["application/problem+json"]
                assert content["schema"] == {"$ref": "#/components/schemas/Problem"}, name
                assert content["example"]["status"] == int(status), name


def test_ID_24_every_operation_has_a_door(document: dict[str, Any]) -> None:
    ids = {operation["operationId"] for _, operation in operations(document)}
    assert ids == DOOR_OF.keys(), "put a Door above its function"


@pytest.mark.asvs("V15.3.1")
def test_ID_16_NS_12_no_answer_has_a_key_like_password_or_hash(document: dict[str, Any]) -> None:
    """V8.3.4, V15.3.1: over every field of every answer of every operation, at any depth."""
    found = [
        f"{name} {status}: {key}"
        for name, operation in operations(document)
        for status, response in operation["responses"].items()
        for content in response.get("content", {}).values()
        for key in keys_of(document, content.get("schema", {}))
        if any(word in key.lower() for word in ("password", "hash"))
    ]
    assert found == []


def test_ID_16_the_search_for_such_keys_finds_them(document: dict[str, Any]) -> None:
    body = {"$ref": "#/components/schemas/PasswordChange"}
    deep = {"type": "array", "items": {"anyOf": [{"type": "null"}, {"properties": {"a": body}}]}}
    assert {"a", "current_password", "new_password"} <= set(keys_of(document, deep))


def keys_of(document: dict[str, Any], schema: Any, seen: tuple[str, ...] = ()) -> Iterator[str]:
    """Every property that a value of this schema may have, however deep."""
    if isinstance(schema, list):
        for each in schema:
            yield from keys_of(document, each, seen)
    elif isinstance(schema, dict):
        name = schema.get("$ref")
        if name is not None and name not in seen:
            yield from keys_of(document, resolved(document, schema), (*seen, name))
        yield from schema.get("properties", {})
        for key, each in schema.items():
            if key not in ("example", "examples", "$ref"):
                yield from keys_of(document, each, seen)


def test_GW_01_the_document_lists_every_route(document: dict[str, Any]) -> None:
    served = {
        (re.sub(r":\w+}", "}", route.path), method)
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }
    listed = {(path, method.upper()) for path, each in document["paths"].items() for method in each}
    assert listed == served


def test_GW_05_every_limited_operation_tells_of_its_limits(document: dict[str, Any]) -> None:
    limited = [each for _, each in operations(document) if DOOR_OF[each["operationId"]].limits]
    assert limited
    for operation in limited:
        assert "429" in operation["responses"], operation["operationId"]
        assert "Retry-After" in operation["responses"]["429"]["headers"]
        for answer in operation["responses"].values():
            assert {"RateLimit", "RateLimit-Policy"} <= answer["headers"].keys()


def test_NS_07_nothing_is_authenticated_by_a_cookie(document: dict[str, Any]) -> None:
    """So there is nothing that another site's form could borrow, and no CSRF token is due."""
    schemes = document["components"]["securitySchemes"].values()
    assert [scheme["scheme"] for scheme in schemes] == ["bearer"]
    assert '"in":"cookie"' not in json.dumps(document, separators=(",", ":"))


SECRETS = ("password", "token", "secret", "api_key", "authorization", "email")
NO_SECRETS = {"Consistency-Token"}  # a place in the log
# What opens a link is told to whoever shall see what it shows, and no log has the address.
LINKS = {
    ("read_shared_wishlist", "token"),
    ("read_shared_comparison", "token"),
    ("show_unsubscribe", "token"),
    ("unsubscribe", "token"),
    ("show_unsubscribe_type", "token"),
    ("unsubscribe_type", "token"),
}


def test_V14_2_1_no_secret_is_asked_for_in_an_address(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for parameter in operation.get("parameters", []):
            if (operation["operationId"], parameter["name"]) in LINKS:
                continue
            if parameter["in"] != "header" and parameter["name"] not in NO_SECRETS:
                assert not any(word in parameter["name"].lower() for word in SECRETS), name
