"""The OpenAPI 3.1 document: what FastAPI makes of the routes, with our errors in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from fastapi import FastAPI
from fastapi.encoders import jsonable_encoder
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel

from api.document.answer_headers import HEADERS, add_limits, tell_of_headers
from api.document.introduction import introduction
from api.entry.paging import next_field_of
from api.entry.routing import doors_of
from api.wire.etags import IF_MATCH
from api.wire.problems import ProblemBody, problem_responses

TAGS = [
    {"name": "identity", "description": "Joining, logging in and out, who one is"},
    {"name": "profiles", "description": "What people tell of themselves, and how they want it"},
    {"name": "wallet", "description": "Tokens, of which campus gives everybody some"},
    {"name": "media", "description": "Pictures that people upload, drawn in several sizes"},
    {"name": "api keys", "description": "Keys with which machines act for people"},
    {"name": "listings", "description": "Something a seller offers at a price"},
    {"name": "messaging", "description": "What buyers and sellers write to each other"},
    {"name": "reviews", "description": "What people say of sellers, and how many stars"},
    {"name": "notifications", "description": "What people are told of, by which channels and why"},
    {"name": "templates", "description": "What mails say, and what is said in its stead"},
    {"name": "favorites", "description": "Listings that people keep in mind, and show to others"},
    {"name": "comparisons", "description": "A few listings side by side, for others to see, too"},
    {"name": "items", "description": "Something offered on a campus, for that campus alone"},
    {"name": "bookings", "description": "Who asks for an item, and what comes of it"},
    {"name": "search", "description": "Finding listings"},
    {"name": "searches", "description": "Searches that people keep, and are told what they find"},
    {"name": "analytics", "description": "Figures about what happened"},
    {"name": "audit", "description": "Who asked for what, and what came of it"},
    {"name": "meta", "description": "The vocabulary"},
    {"name": "health", "description": "Whether this process can serve"},
]
REF = "#/components/schemas/{model}"
# What comes before any route: a repeated header, a bad token or key, a key for something else.
EVERYWHERE = (400, 401, 403)


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
        description=introduction(),
        routes=app.routes,
        tags=TAGS,
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    problem = ProblemBody.model_json_schema(ref_template=REF)
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    components.setdefault("securitySchemes", {})
    components["headers"] = dict(HEADERS)
    _put_nulls_back(app, document)
    for route, operation in _described(app, document):
        tell_of_headers(route, operation)
        _tell_of_cursor(route, operation)
    doors = doors_of(app)
    for path, methods in document["paths"].items():
        # What is no id, where an id must stand, is the address of nothing.
        everywhere = (*EVERYWHERE, 404) if "{" in path else EVERYWHERE
        for operation in methods.values():
            # Not from the function's name: one may serve several paths.
            operation["summary"] = operation["operationId"].replace("_", " ").capitalize()
            for status in everywhere:
                operation["responses"].setdefault(str(status), problem_responses(status)[status])
            _tell_of_if_match(operation)
            if (door := doors.get(operation["operationId"])) and door.limits:
                _tell_of_limits(operation)
    return document


def _put_nulls_back(app: FastAPI, document: dict[str, Any]) -> None:
    """FastAPI leaves out whatever is null, from examples too: then an answer lacks what it must
    have, and a change that empties a field does nothing.
    """
    for route, operation in _described(app, document):
        for status, response in route.responses.items():
            _replace_examples(operation["responses"][str(status)], response)
        for model in _models_of(route):
            extra = model.model_config.get("json_schema_extra")
            schema = document["components"]["schemas"].get(model.__name__)
            if isinstance(extra, dict) and "examples" in extra and schema is not None:
                schema["examples"] = jsonable_encoder(extra["examples"])


def _described(
    app: FastAPI, document: Mapping[str, Any]
) -> Iterator[tuple[APIRoute, dict[str, Any]]]:
    """Each route with the operation that the document has of it."""
    for route in app.routes:
        if isinstance(route, APIRoute):
            for method in route.methods or ():
                yield route, document["paths"][route.path_format][method.lower()]


def _replace_examples(told: dict[str, Any], response: Mapping[str, Any]) -> None:
    for media_type, content in response.get("content", {}).items():
        for name in ("example", "examples"):
            if name in content:
                told["content"][media_type][name] = jsonable_encoder(content[name])


def _models_of(route: APIRoute) -> Iterator[type[BaseModel]]:
    """What the route takes for a body."""
    if route.body_field is not None:
        body = route.body_field.field_info.annotation
        for each in get_args(body) or (body,):
            if isinstance(each, type) and issubclass(each, BaseModel):
                yield each


def _tell_of_if_match(operation: dict[str, Any]) -> None:
    """Who can be told that it has changed names the version that they know; some must."""
    if "412" in operation["responses"]:
        parameter = {
            "name": "If-Match",
            "in": "header",
            "required": "428" in operation["responses"],
            "schema": {"type": "string", "pattern": IF_MATCH},
            "description": "The ETag that was last read, several with commas between, or `*`",
            "example": '"7"',
        }
        operation.setdefault("parameters", []).append(parameter)


def _tell_of_cursor(route: APIRoute, operation: dict[str, Any]) -> None:
    """Where the cursor comes from: the field that the answers of this operation have."""
    for parameter in operation.get("parameters", ()):
        if parameter["name"] == "cursor":
            parameter["description"] = f"`{next_field_of(route)}` of the page before"


def _tell_of_limits(operation: dict[str, Any]) -> None:
    """Add 429 to a limited operation, and to each answer the headers that any may carry."""
    responses = operation["responses"]
    responses.setdefault("429", problem_responses(429)[429])
    add_limits(operation)
