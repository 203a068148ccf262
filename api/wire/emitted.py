"""How values leave the API, and how the same come back: moments in UTC, which say so by `Z`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias

import orjson
from pydantic import AfterValidator, AwareDatetime, BeforeValidator

from schemas.texts import refusal

# Who pastes `+05:30` into an address unescaped sends a space: that is what + means there.
_SPACED_OFFSET = re.compile(r"(.*\d\d:\d\d(?::\d\d(?:\.\d+)?)?) (\d\d(?::?\d\d)?)", re.ASCII)


def json_of(body: Any) -> bytes:
    """The body as JSON."""
    return orjson.dumps(body, option=orjson.OPT_UTC_Z)


def moment(at: datetime) -> str:
    """A moment where others make the JSON: `2026-03-01T12:00:00.000000Z`."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _pasted(sent: Any) -> Any:
    found = _SPACED_OFFSET.fullmatch(sent) if isinstance(sent, str) else None
    return sent if found is None else f"{found[1]}+{found[2]}"


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        told = "is before the year 1 or after 9999 in UTC"
        raise refusal(told) from None


MomentParameter: TypeAlias = Annotated[
    AwareDatetime, BeforeValidator(_pasted), AfterValidator(_in_utc)
]
