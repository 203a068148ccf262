"""How an operation succeeds: what the OpenAPI document says of it, and answers that are private."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from api.emitted import json_of

NO_STORE: Final = {"Cache-Control": "no-store"}  # no cache may keep it


def ok(description: str, example: Any, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """The `responses=` entry of an operation's success."""
    content = {"application/json": {"example": example}}
    return {status: {"description": description, "content": content}}


def private_json(
    body: Any, status: int = 200, *, headers: Mapping[str, str] | None = None
) -> Response:
    """The body as JSON, for whoever asked and no cache."""
    return Response(json_of(body), status, {**NO_STORE, **(headers or {})}, "application/json")
