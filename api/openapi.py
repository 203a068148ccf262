"""The OpenAPI 3.1 document: what FastAPI makes of the routes, with our errors in it."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.problems import ProblemBody

TAGS = [
    {"name": "identity", "description": "Joining, logging in and out, who one is"},
    {"name": "profiles", "description": "What people tell of themselves, and how they want it"},
    {"name": "listings", "description": "Something a seller offers at a price"},
    {"name": "search", "description": "Finding listings"},
    {"name": "analytics", "description": "Figures about what happened"},
    {"name": "audit", "description": "Who asked for what, and what came of it"},
    {"name": "meta", "description": "The vocabulary"},
    {"name": "health", "description": "Whether this process can serve"},
]
REF = "#/components/schemas/{model}"


def install(app: FastAPI) -> None:
    """Let `app` describe itself; the document is made at the first request for it."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's own way of doing this


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        routes=app.routes,
        tags=TAGS,
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    problem = ProblemBody.model_json_schema(ref_template=REF)
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    components.setdefault("securitySchemes", {})
    return document
