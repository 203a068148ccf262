"""Versions over HTTP: a stream's version is its strong ETag (RFC 9110)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import Request
from starlette.responses import Response

from api.wire.problems import Problem
from api.wire.successes import headers_told, private_json
from schemas.log.messages import Fault

# RFC 9110: opaque tags, weak ones among them, with commas between, and nothing between two commas.
_TAG = r'(W/)?"[\x21\x23-\x7e\x80-\xff]*"'
IF_MATCH = rf"^(\*|[ \t,]*{_TAG}([ \t]*,[ \t,]*{_TAG})*[ \t,]*)$"
_STRONG = re.compile(r'(?<!W/)"(0|[1-9][0-9]{0,17})"')
UNCHANGED: Final[dict[int | str, dict[str, Any]]] = {
    304: {
        "description": "Unchanged since the ETag sent as If-None-Match",
        "headers": headers_told(["ETag"]),
    }
}
REVALIDATE = "no-cache"  # caches may keep it, but must ask each time: it costs one 304


def etag_of(version: int) -> str:
    """`"7"`: the ETag of a stream's seventh version."""
    return f'"{version}"'


def expected_versions(sent: Sequence[str], *, required: bool = False) -> frozenset[int] | None:
    """The versions that If-Match, as sent, names, of which one must be the stream's; None for `*`
    or, unless `required` (428), for none. Raises a 400 problem for what is no list of tags.

    Weak tags and such as we never gave are in no such set: they never match (RFC 9110, 13.1.1).
    """
    if not sent:
        if required:
            raise Problem(
                428, "if_match_required", "Send `If-Match` with the ETag that you last read"
            )
        return None
    tags = ",".join(sent).strip()
    if re.fullmatch(IF_MATCH, tags) is None:
        fault = Fault(pointer="header:If-Match", detail='is no list of ETags: write it like "7"')
        detail = "Send `If-Match` with the ETag that you last read, in its quotes, or `*`"
        raise Problem(400, "if_match_invalid", detail, faults=[fault])
    return None if tags == "*" else frozenset(int(each) for each in _STRONG.findall(tags))


def json_response(
    request: Request,
    body: bytes,
    version: int,
    *,
    cache_control: str = REVALIDATE,
) -> Response:
    """The body as JSON with its ETag, or 304 when the client has this version already."""
    tag = f'"{version}"'
    known = request.headers.get("if-none-match")
    if known is not None and names(known, tag):
        return Response(status_code=304, headers={"ETag": tag, "Cache-Control": cache_control})
    return whole_response(body, version, cache_control=cache_control)


def whole_response(body: bytes, version: int, *, cache_control: str) -> Response:
    """The same, never a 304: of what says more than its version does, a copy may be wrong."""
    headers = {"ETag": f'"{version}"', "Cache-Control": cache_control}
    return Response(body, 200, headers, "application/json")


def versioned(body: Mapping[str, Any], version: int | None) -> Response:
    """The body; with an ETag for whoever may change it. The same address shows more to the person
    than to others, so no cache may keep it.
    """
    return private_json(body, headers={} if version is None else {"ETag": etag_of(version)})


def names(known: str, tag: str) -> bool:
    """Whether an If-None-Match is for this tag, compared weakly, as RFC 9110 asks."""
    return any(each.strip().removeprefix("W/") in (tag, "*") for each in known.split(","))
