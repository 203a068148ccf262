"""Versions over HTTP: a stream's version is its strong ETag (RFC 9110)."""

from __future__ import annotations

import re

from fastapi import Request
from starlette.responses import Response

from api.problems import Problem

_STRONG = re.compile(r'^"(\d{1,18})"$')
REVALIDATE = "no-cache"  # caches may keep it, but must ask each time: it costs one 304


def etag_of(version: int) -> str:
    """`"7"`: the ETag of a stream's seventh version."""
    return f'"{version}"'


def expected_version(request: Request, *, required: bool = False) -> int | None:
    """The version that If-Match names; None for `*` or, unless `required` (428), for none."""
    sent = request.headers.get("if-match")
    if sent is None:
        if required:
            raise Problem(
                428, "if_match_required", "Send `If-Match` with the ETag that you last read"
            )
        return None
    if sent.strip() == "*":
        return None
    found = _STRONG.match(sent.strip())
    if found is None:
        # A weak or foreign tag never matches strongly: that is a failed condition, not a typo.
        raise Problem(412, "version_mismatch", 'Send `If-Match: "<version>"`, one strong ETag')
    return int(found[1])


def json_response(
    request: Request,
    body: bytes,
    version: int,
    *,
    cache_control: str = REVALIDATE,
) -> Response:
    """The body as JSON with its ETag, or 304 when the client has this version already."""
    tag = f'"{version}"'
    headers = {"ETag": tag, "Cache-Control": cache_control}
    known = request.headers.get("if-none-match")
    if known is not None and _names(known, tag):
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, "application/json")


def _names(known: str, tag: str) -> bool:
    """Weak comparison, as RFC 9110 asks for If-None-Match."""
    return any(each.strip().removeprefix("W/") in (tag, "*") for each in known.split(","))
