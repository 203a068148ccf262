"""How an operation succeeds: what the OpenAPI document says of it, and answers that are private."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from starlette.responses import Response

from api.wire.emitted import json_of

NO_STORE: Final = {"Cache-Control": "no-store"}  # no cache may keep it

CREATED: Final = ("ETag", "Consistency-Token", "Location")  # what tells of something new


def ok(
    description: str, example: Any, status: int = 200, *, headers: Sequence[str] | None = None
) -> dict[int | str, dict[str, Any]]:
    """The `responses=` entry of an operation's success. `headers` are all that it sends of those
    in api.document.answer_headers; None: what follows from what its route asks for.
    """
    content = {"application/json": {"example": example}}
    told: dict[str, Any] = {"description": description, "content": content}
    return {status: told if headers is None else {**told, "headers": headers_told(headers)}}


def headers_told(names: Iterable[str]) -> dict[str, Any]:
    """The `headers` of an answer that carries these."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def private_json(
    body: Any, status: int = 200, *, headers: Mapping[str, str] | None = None
) -> Response:
    """The body as JSON, for whoever asked and no cache."""
    return Response(json_of(body), status, {**NO_STORE, **(headers or {})}, "application/json")
