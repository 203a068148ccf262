"""Reading numbers. A number is read only if all of its cell is understood: each mark between
its digits and each word beside it is one that the mapping knows, else the cell is refused with
the cure. Pure functions.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Context, Decimal, InvalidOperation
from functools import lru_cache

from cli.imports.cells import TypedNumber, shown, stripped, words_of
from cli.imports.outcomes import Refusal, RefusedBy, RefusedError, Unread

NUMBER_LENGTH_MAX = 60
DIGITS_MAX = 18  # Decimal computes with 28, so that no amount is ever rounded
EXACT = Context(prec=60)  # for a number of 18 digits and a factor of 20
ROUNDINGS = {"half_up": ROUND_HALF_UP, "down": ROUND_DOWN, "up": ROUND_UP}
THOUSANDTHS = 3  # as many digits as a group of thousands has

# A mark as mappings name it → the characters that people write for it.
_MARKS = {".": ".", ",": ",", " ": "\u0020\u00a0\u2009\u202f", "'": "'\u2019"}
_MINUS = "-\u2212"
_SIGNS = "+" + _MINUS
_CORE = re.compile(r"([^0-9]*)([0-9](?:.*[0-9])?)([^0-9]*)", re.DOTALL)
# What stands for "no cents" behind an amount: `500,-` and `8,500/-`.
_NO_CENTS = re.compile(r"^(?:[.,](?:--?|[\u2013\u2014])|/[-=])")


@dataclass(frozen=True)
class Notation:
    """How a column writes its numbers."""

    decimal: str = "."
    thousands: tuple[str, ...] | None = None  # None: the comma or point that `decimal` isn't
    decimals: int | None = None  # so many digits behind the decimal mark, and no more
    multipliers: Mapping[str, Decimal] = field(default_factory=dict)  # words in small letters
    ignore: frozenset[str] = frozenset()  # so are these

    @property
    def marks(self) -> tuple[str, ...]:
        """The marks between thousands."""
        if self.thousands is not None:
            return self.thousands
        return ("," if self.decimal == "." else ".",)

    @property
    def trusts_thousandths(self) -> bool:
        """Whether `9.400` is nine and a bit because the mapping says so."""
        return self.decimals is not None and self.decimals >= THOUSANDTHS


@dataclass(frozen=True)
class Amount:
    """A number, what stood beside it, and whether it may be a thousand times as much."""

    value: Decimal
    beside: tuple[str, ...] = ()  # in small letters, without what the notation knows
    ambiguous: bool = False  # 9.400: one to three digits, a decimal mark, three digits


def read_amount(cell: str, notation: Notation, *, of_money: bool = False) -> Amount:
    """The one number of a cell; raises RefusedError with the cure."""
    if cell.isascii() and cell.isdecimal() and len(cell) <= DIGITS_MAX:
        return Amount(Decimal(cell))  # most cells are nothing but digits
    if isinstance(cell, TypedNumber):
        return _typed(cell)
    found = _CORE.fullmatch(cell) if len(cell) <= NUMBER_LENGTH_MAX else None
    if found is None:
        raise refused(Unread.NOT_A_NUMBER, cell, "if it means not stated, list it under absent")
    before, core, after = found.groups()
    if of_money:
        after = _NO_CENTS.sub("", after)
    digits = _digits(core, notation)
    if digits is None:
        raise refused(Unread.NOT_A_NUMBER, cell, _cure(core, notation))
    sign, before = _sign(before)
    value = Decimal(f"{sign}{digits}")
    beside: tuple[str, ...] = ()
    if before or after:
        words = words_of(before.casefold()), words_of(after.casefold())
        factor, beside = _beside(*words, notation)
        value *= factor
    if len(value.as_tuple().digits) > DIGITS_MAX:
        raise refused(Unread.NOT_A_NUMBER, cell, "nothing has so many digits")
    return Amount(value, beside, _is_ambiguous(core, notation))


def _typed(cell: TypedNumber) -> Amount:
    try:
        value = Decimal(cell)
    except InvalidOperation:
        raise refused(Unread.NOT_A_NUMBER, cell, "is no number") from None
    if not value.is_finite() or abs(value.adjusted()) > DIGITS_MAX:
        raise refused(Unread.NOT_A_NUMBER, cell, "nothing has so many digits")
    if len(value.as_tuple().digits) > DIGITS_MAX:
        raise refused(Unread.NOT_A_NUMBER, cell, "nothing has so many digits")
    return Amount(value)


def check_beside(amount: Amount, known: Collection[str], cell: str) -> None:
    """Raises RefusedError when something beside the number is none of the known words."""
    for word in amount.beside:
        if word not in known:
            cure = (
                f"nothing says what {shown(word)} means beside the number: declare it under "
                "multipliers if it multiplies, under ignore if it changes nothing"
            )
            raise refused(Unread.UNKNOWN_UNIT, cell, cure)


def check_plain(amount: Amount, notation: Notation, cell: str) -> None:
    """Raises RefusedError for `9.400`, which half of the world reads as 9400."""
    if amount.ambiguous and not notation.trusts_thousandths:
        other = "," if notation.decimal == "." else "."
        cure = (
            f'is it a thousand times as much? If so write decimal: "{other}"; if these are three '
            "decimals write decimals: 3"
        )
        raise refused(Unread.AMBIGUOUS, cell, cure)


def whole(value: Decimal, cell: str) -> int:
    """A number that must have no fraction."""
    if value != value.to_integral_value():
        raise refused(Unread.NOT_WHOLE, cell, "a whole number is needed here")
    return int(value)


def rounded(value: Decimal, how: str = ROUND_HALF_UP) -> int:
    """The nearest whole number, a half away from zero unless another way is wanted."""
    return int(value.to_integral_value(how))


def refused(reason: Unread, cell: str, cure: str) -> RefusedError:
    """The refusal of a cell; its rule adds where it stands."""
    return RefusedError(Refusal(RefusedBy.MAPPING, reason.value, f"{shown(cell)}: {cure}"))


def other_convention(cell: str, notation: Notation) -> Notation | None:
    """The notation with the other decimal mark, if that reads a cell that this one doesn't."""
    swapped = Notation("," if notation.decimal == "." else ".")
    found = _CORE.fullmatch(cell) if len(cell) <= NUMBER_LENGTH_MAX else None
    if found is None:
        return None
    core = found[2]
    unread = _digits(core, notation) is None or _is_ambiguous(core, notation)
    return swapped if unread and _digits(core, swapped) is not None else None


@lru_cache
def _core_pattern(decimal: str, marks: tuple[str, ...]) -> re.Pattern[str]:
    """Digits alone, or in groups of three (behind commas in those of lakhs and crores, too) that
    one mark keeps apart; then a fraction. `1,23` is no 123 but somebody else's decimal comma.
    """
    mark = re.escape("".join(_MARKS[each] for each in marks))
    groups = rf"[1-9]\d{{0,2}}(?P<three>[{mark}])\d{{3}}(?:(?P=three)\d{{3}})*|" if mark else ""
    lakhs = r"[1-9]\d?(?:,\d{2})+,\d{3}|" if "," in marks else ""
    return re.compile(rf"(?P<whole>{groups}{lakhs}\d+)(?:{re.escape(decimal)}(?P<part>\d+))?")


def _digits(core: str, notation: Notation) -> str | None:
    found = _core_pattern(notation.decimal, notation.marks).fullmatch(core)
    if found is None:
        return None
    part = found["part"] or ""
    if notation.decimals is not None and len(part) > notation.decimals:
        return None
    integer = re.sub("[^0-9]", "", found["whole"])
    return f"{integer}.{part}" if part else integer


@lru_cache
def _ambiguous_pattern(decimal: str) -> re.Pattern[str]:
    return re.compile(rf"[1-9]\d{{0,2}}{re.escape(decimal)}\d{{3}}")


def _is_ambiguous(core: str, notation: Notation) -> bool:
    return _ambiguous_pattern(notation.decimal).fullmatch(core) is not None


def _sign(before: str) -> tuple[str, str]:
    """The number's sign, which stands before it or before what stands before it."""
    text = stripped(before)
    for place, rest in ((0, text[1:]), (-1, text[:-1])):
        if text and text[place] in _SIGNS:
            return ("-" if text[place] in _MINUS else ""), rest
    return "", before


def _beside(
    before: list[str], after: list[str], notation: Notation
) -> tuple[Decimal, tuple[str, ...]]:
    """What to multiply with, and the words that the notation doesn't know."""
    factor = Decimal(1)
    phrase = next(
        (n for n in range(len(after), 0, -1) if " ".join(after[:n]) in notation.multipliers), 0
    )
    if phrase:
        factor = notation.multipliers[" ".join(after[:phrase])]
    unknown = [*_unknown(before, notation.ignore), *_unknown(after[phrase:], notation.ignore)]
    return factor, tuple(unknown)


def _unknown(words: list[str], known: frozenset[str]) -> list[str]:
    """The words that are left when the longest known phrases are taken away."""
    left, at = [], 0
    while at < len(words):
        phrase = next(
            (end for end in range(len(words), at, -1) if " ".join(words[at:end]) in known), 0
        )
        if not phrase:
            left.append(words[at])
        at = phrase or at + 1
    return left


def _cure(core: str, notation: Notation) -> str:
    """What would make the digits readable, as far as that can be seen."""
    for decimal in (notation.decimal, "," if notation.decimal == "." else "."):
        for mark in _MARKS:
            other = Notation(decimal, (mark,))
            if mark != decimal and _digits(core, other) is not None:
                return f"if that is one number write {_declared(other, notation)}"
    return "no single number can be read out of all of it"


def _declared(other: Notation, notation: Notation) -> str:
    parts = [f'decimal: "{other.decimal}"'] if other.decimal != notation.decimal else []
    if other.marks != Notation(other.decimal).marks:
        parts.append(f'thousands: "{other.marks[0]}"')
    return " and ".join(parts) or "decimals: 3 or more"
