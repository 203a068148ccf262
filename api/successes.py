"""How an operation's success is described in the OpenAPI document."""

from __future__ import annotations

from typing import Any


def ok(description: str, example: Any, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """The `responses=` entry of an operation's success."""
    content = {"application/json": {"example": example}}
    return {status: {"description": description, "content": content}}
