"""Reading single cells: numbers with symbols and units, words, cases. Pure functions."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from cli.imports.outcomes import RefusedBy, RefusedError

SHOWN_MAX = 60
NUMBER_LENGTH_MAX = 60
DIGITS_MAX = 18  # Decimal computes with 28, so that no amount is ever rounded
KW_PER = {
    "kw": Decimal(1),
    "ps": Decimal("0.73549875"),  # metric horse-power, by definition
    "hp": Decimal("0.74569987"),  # mechanical horse-power
}

_SPACES = "\u0020\u00a0\u2009\u202f'\u2019"  # put between thousands, with no meaning


def shown(cell: str) -> str:
    """A cell as a refusal quotes it: bounded, and with its odd characters visible."""
    return repr(cell if len(cell) <= SHOWN_MAX else cell[:SHOWN_MAX] + "…")


@lru_cache
def _number_pattern(decimal_mark: str) -> re.Pattern[str]:
    """One number among other characters. Groups must be groups of three (or two, in lakhs): in
    a file of decimal points `1,23` is no 123 but somebody else's decimal comma.
    """
    group = re.escape(_SPACES + ("," if decimal_mark == "." else "."))
    mark = re.escape(decimal_mark)
    whole = rf"\d{{1,3}}(?:[{group}]\d{{2,3}})*[{group}]\d{{3}}|\d+"
    before = r"(?:[^\d+\-.,]|[.,](?=\D))*"  # `Rs. 8,500` too
    return re.compile(rf"{before}([+-]?)({whole})(?:{mark}(\d+|--?))?\D*", re.ASCII)


def number(cell: str, decimal_mark: str = ".") -> Decimal:
    """The one number in a cell: `$8,500` → 8500, `150,000km` → 150000. Raises RefusedError
    when there is none, more than one, or its marks don't fit `decimal_mark`.
    """
    found = None
    if len(cell) <= NUMBER_LENGTH_MAX:
        found = _number_pattern(decimal_mark).fullmatch(cell)
    if found is not None:
        sign, integer, fraction = found.groups()
        digits = re.sub(r"\D", "", integer, flags=re.ASCII)
        decimals = (fraction or "").replace("-", "")
        if len(digits) + len(decimals) <= DIGITS_MAX:
            return Decimal(f"{sign}{digits}.{decimals or '0'}")
    raise RefusedError(RefusedBy.MAPPING, "not_a_number", shown(cell))


def whole(value: Decimal, cell: str) -> int:
    """A number that must have no fraction."""
    if value != value.to_integral_value():
        raise RefusedError(RefusedBy.MAPPING, "not_a_whole_number", shown(cell))
    return int(value)


def rounded(value: Decimal) -> int:
    """The nearest whole number, a half away from zero."""
    return int(value.to_integral_value(ROUND_HALF_UP))


def title_case(text: str) -> str:
    """First letters capital, the rest as written: `alfa romeo` → `Alfa Romeo`, `c4` → `C4`."""
    return re.sub(r"(?<![^\s\-/(])\w", lambda found: found.group().upper(), text)
