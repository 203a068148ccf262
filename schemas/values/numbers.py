"""Numbers, switches and days in JSON: each is what it says, and nothing that can be read as one.

Python takes `true` for 1, and pydantic `"12"` for 12 and 86400 for a day of 1970: whoever sends
such a thing means something else. Queries and forms hold texts only; what they take for numbers
is declared without these.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Final

from pydantic import BeforeValidator

from schemas.values.texts import refusal

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DECIMAL: Final = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        told = "is no number: send one, not true or false"
        raise refusal(told)
    if isinstance(value, str):
        told = "is no number: send it without quotes"
        raise refusal(told)
    return value


def _decimal(value: Any) -> Any:
    """A price may be sent as a text, which keeps its digits."""
    if isinstance(value, bool) or (isinstance(value, str) and not _DECIMAL.fullmatch(value)):
        told = "is no number: write it like 1250.50"
        raise refusal(told)
    return value


def _switch(value: Any) -> Any:
    if not isinstance(value, bool):
        told = "is neither true nor false: send one of them, without quotes"
        raise refusal(told)
    return value


def _day(value: Any) -> Any:
    if not isinstance(value, date) and not (isinstance(value, str) and _DAY.fullmatch(value)):
        told = "is no day: write it like 2026-03-01"
        raise refusal(told)
    return value


# Behind the bounds, as in `Annotated[int, Field(ge=1), NUMBER]`: it is asked first.
NUMBER = BeforeValidator(_number)
DECIMAL = BeforeValidator(_decimal)
Switch = Annotated[bool, BeforeValidator(_switch)]
Day = Annotated[date, BeforeValidator(_day)]
