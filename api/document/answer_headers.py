"""What the OpenAPI document says of the headers of answers, and which operations send them.

Most follow from what a route asks for: whatever sends commands answers with the version and the
place in the log of what it wrote, whatever shows pages links to the next. A route for which that
is not so, or that sends more, says its own: `ok("…", EXAMPLE, headers=("ETag",))`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from api.entry.commands import sends_commands
from api.entry.paging import is_paged
from api.wire.successes import headers_told
from schemas.log.positions import TOKEN_LENGTH_MAX

RATE_LIMIT_HEADERS: Final = ("RateLimit-Policy", "RateLimit")
WRITTEN: Final = ("ETag", "Consistency-Token")
HEADERS: Final[Mapping[str, dict[str, Any]]] = {
    "ETag": {
        "description": "The version: a change that must not undo another one's sends it back as"
        " `If-Match`, a repeated read as `If-None-Match`. Absent where nothing has a version, or"
        " the caller may not change it",
        "schema": {"type": "string", "pattern": '^"[0-9]+"$'},
        "example": '"7"',
    },
    "Consistency-Token": {
        "description": "The place in the log of what was written. Send it along with the reads"
        " that must show it; of several writes all tokens, with commas between. Absent where"
        " nothing was written",
        "schema": {"type": "string", "maxLength": TOKEN_LENGTH_MAX},
        "example": "events.listings:3:1042",
    },
    "Location": {
        "description": "The address of what was made, or to go to",
        "schema": {"type": "string", "format": "uri-reference"},
        "example": "/api/listings/01980000-0000-7000-8000-000000000001",
    },
    "Link": {
        "description": "The page that follows; absent from the last",
        "schema": {"type": "string"},
        "example": '</api/listings?limit=20&cursor=WyJhIl0.c2ln>; rel="next"',
    },
    "Accept-Ranges": {
        "description": "That parts of it can be asked for",
        "schema": {"type": "string", "const": "bytes"},
        "example": "bytes",
    },
    "Content-Range": {
        "description": "Which of how many bytes these are",
        "schema": {"type": "string", "pattern": r"^bytes ([0-9]+-[0-9]+|\*)/[0-9]+$"},
        "example": "bytes 0-1048575/5242880",
    },
    "X-Robots-Tag": {
        "description": "That no search engine is to keep what a link shows",
        "schema": {"type": "string"},
        "example": "noindex",
    },
    "Retry-After": {
        "description": "Seconds to wait before the same is asked again",
        "schema": {"type": "integer", "minimum": 0},
        "example": 1,
    },
    "RateLimit-Policy": {
        "description": "How much in how many seconds, by policy",
        "schema": {"type": "string"},
        "example": '"default";q=300;w=60',
    },
    "RateLimit": {
        "description": "What is left, and the seconds until more is, by policy",
        "schema": {"type": "string"},
        "example": '"default";r=299;t=60',
    },
}


def tell_of_headers(route: APIRoute, operation: dict[str, Any]) -> None:
    """Add to the operation's answers the headers that follow from what its route asks for."""
    for status, response in operation["responses"].items():
        if status < "300" and "headers" not in response:
            _add(response, _following_from(route))
        elif status == "412":
            _add(response, ("ETag",))


def add_limits(operation: dict[str, Any]) -> None:
    """Add to every answer what a limited operation says of its limits."""
    for response in operation["responses"].values():
        _add(response, RATE_LIMIT_HEADERS)


def _add(response: dict[str, Any], names: Iterable[str]) -> None:
    told = headers_told(names)
    if told:
        response.setdefault("headers", {}).update(told)


def _following_from(route: APIRoute) -> Iterator[str]:
    asked = list(_asked(route.dependant))
    if any(map(sends_commands, asked)):
        yield from WRITTEN
    if any(map(is_paged, asked)):
        yield "Link"


def _asked(dependant: Dependant) -> Iterator[Any]:
    """What is called for the route, however deep."""
    for each in dependant.dependencies:
        yield each.call
        yield from _asked(each)
