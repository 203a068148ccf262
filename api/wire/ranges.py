"""Parts of files (RFC 9110, 14): one range a request, as players ask. Of several the whole is sent,
as the standard allows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Header

from api.wire.problems import Problem
from api.wire.successes import headers_told

_ONE = re.compile(r"bytes[ \t]*=[ \t]*(?:([0-9]{1,18})-([0-9]{1,18})?|-([0-9]{1,18}))[ \t]*")
RANGE: Final = "bytes=0-1048575"

_Range = Annotated[
    str | None,
    Header(
        json_schema_extra={"maxLength": 200},
        description="The bytes wanted; anything but one range is answered with the whole file",
        examples=[RANGE],
    ),
]
_IfRange = Annotated[
    str | None,
    Header(
        json_schema_extra={"maxLength": 200},
        description="An ETag: of a file that has another one all of it is sent",
        examples=[f'"{"0" * 64}"'],
    ),
]


@dataclass(frozen=True)
class Asked:
    """What a request says of the part of a file that it wants."""

    range: str | None
    if_range: str | None


def _asked(range: _Range = None, if_range: _IfRange = None) -> Asked:  # noqa: A002 - its name
    return Asked(range, if_range)


WantedPart = Annotated[Asked, Depends(_asked)]
_ETAG: Final[Mapping[str, Any]] = {
    "ETag": {
        "description": "The hash of the file's bytes",
        "schema": {"type": "string", "pattern": '^"[0-9a-f]{64}"$'},
        "example": f'"{"0" * 64}"',
    }
}


@dataclass(frozen=True)
class Part:
    """The bytes of a file of `size` from one place to before another."""

    begins: int
    ends: int
    size: int

    @property
    def content_range(self) -> str:
        """As it is told in the header."""
        return f"bytes {self.begins}-{self.ends - 1}/{self.size}"


def part_of(asked: Asked, size: int, tag: str) -> Part | None:
    """Which bytes of a file of so many are asked for; None: no part of it but the whole. Raises a 416
    problem for what begins behind its end.
    """
    if asked.if_range is not None and asked.if_range.strip() != tag:
        return None
    found = _ONE.fullmatch((asked.range or "").strip())
    if found is None:
        return None
    first, last, of_the_end = (None if each is None else int(each) for each in found.groups())
    if of_the_end is not None:
        begins, ends = max(size - of_the_end, 0), size
    elif last is not None and first is not None and last < first:
        return None  # no range, RFC 9110, 14.1.1
    else:
        begins, ends = first or 0, size if last is None else min(last + 1, size)
    if begins >= size:
        headers = {"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"}
        detail = f"There are {size} bytes: ask for some of these"
        raise Problem(416, "range_not_satisfiable", detail, headers=headers)
    return Part(begins, ends, size)


def told_of(media_type: str) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of an operation that answers with a file of this type, or a part of it."""
    content = {media_type: {"example": "(bytes)"}}
    headers = {**_ETAG, **headers_told(["Accept-Ranges"])}
    return {
        200: {"description": "The whole file", "content": content, "headers": headers},
        206: {
            "description": "The part that was asked for",
            "content": content,
            "headers": {**headers, **headers_told(["Content-Range"])},
        },
        304: {"description": "Unchanged since the ETag sent as If-None-Match", "headers": _ETAG},
    }
