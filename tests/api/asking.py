"""An API that lets everybody in and has no store behind it: whatever is right is answered 503 at
the latest, so what is refused was refused for its form.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import Request

from api.entry import campus, routing
from api.entry.auth import Caller
from schemas.log.messages import Market, Role
from tests.api.alone import settings_of_nothing
from tests.api.operations import DOCUMENT, Operation
from tests.api.running import Mesh, api

ME = str(uuid4())
CAMPUS = "cs.uni.example"


async def _let_in(request: Request) -> Caller:
    door = request.scope["route"].door
    role = Role.SELLER if door is None or door.lets_in(Role.SELLER) else min(door.access)
    # Only what is of the campus asks for the market.
    return Caller(ME, role, session_id=str(uuid4()), email_verified=True, market=Market.CAMPUS)


async def _row(*_: object) -> dict[str, object]:
    return {"email_verified": True, "email_domain": CAMPUS, "role": Role.SELLER}


@asynccontextmanager
async def open_api() -> AsyncIterator[Mesh]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(routing, "authenticate", _let_in)
        patch.setattr(campus, "awaited_row", _row)
        settings = settings_of_nothing(
            campus_domains=CAMPUS, read_wait_s=0.05, write_timeout_s=0.05
        )
        async with api(settings) as mesh:
            yield mesh


async def ask(mesh: Mesh, operation: Operation, **request: Any) -> httpx.Response:
    headers = {"Authorization": "Bearer somebody", **request.pop("headers", {})}
    if any(each["name"] == "If-Match" and each["required"] for each in parameters_of(operation)):
        headers = {"If-Match": "*", **headers}
    path = request.pop("path", operation.path)
    return await mesh.client.request(operation.method, path, headers=headers, **request)


def parameters_of(operation: Operation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = operation.document.get("parameters", [])
    return found


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def choices_of(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """What a value of this schema may be, null left out."""
    found = resolved(schema)
    options = found.get("anyOf", [found])
    return [each for each in map(resolved, options) if each.get("type") != "null"]


def body_of(operation: Operation) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The schema of its JSON body and an example; None where it takes none."""
    content = operation.document.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None
    (schema,) = choices_of(content["schema"])
    return schema, (schema.get("examples") or content.get("examples") or [{}])[0]


Place = tuple[tuple[str | int, ...], dict[str, Any]]


def places(schema: dict[str, Any], path: tuple[str | int, ...] = ()) -> Iterator[Place]:
    """Every value within a body, however deep, with what may stand there."""
    for choice in choices_of(schema):
        if "properties" in choice:
            for name, each in choice["properties"].items():
                yield from places(each, (*path, name))
        elif choice.get("type") == "array":
            yield from places(choice["items"], (*path, 0))
        else:
            yield path, choice


def placed(example: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """The example with another value there."""
    if not path:
        return value
    first, rest = path[0], path[1:]
    if first == 0:
        return [placed(None, rest, value)]
    known = example if isinstance(example, dict) else {}
    return {**known, first: placed(known.get(first), rest, value)}


def pointer_of(path: tuple[str | int, ...]) -> str:
    return "".join(f"/{each}" for each in path)


def pointers(answer: httpx.Response) -> set[str]:
    """The places that an error names."""
    return {each["pointer"] for each in answer.json()["errors"]}
