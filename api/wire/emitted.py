"""How values leave the API, and how the same come back: moments in UTC, which say so by `Z`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias

import orjson
from pydantic import AfterValidator, AwareDatetime, BeforeValidator

from schemas.values.texts import refusal

_DATE_FIRST = re.compile(r"\d{4}-\d\d-\d\d[Tt ]", re.ASCII)
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


def _dated(sent: Any) -> Any:
    if isinstance(sent, str) and _DATE_FIRST.match(sent):
        return sent
    told = "is no moment: write date, time and offset, such as 2026-03-01T12:00:00Z"
    raise refusal(told)


MomentParameter: TypeAlias = Annotated[
    AwareDatetime, BeforeValidator(_pasted), AfterValidator(_in_utc)
]
# In a body: never a number, of which nobody knows whether it counts seconds.
Moment: TypeAlias = Annotated[AwareDatetime, BeforeValidator(_dated), AfterValidator(_in_utc)]
