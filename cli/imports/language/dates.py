"""Reading dates that are written in a stated form. Nothing is guessed: a cell has one of the
forms, digit by digit, or is refused. Pure functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import combinations, groupby, pairwise

from cli.imports.cells import TypedDate
from cli.imports.language.amounts import refused
from cli.imports.outcomes import Unread

FORM_LENGTH_MAX = 40
CENTURY = 100
# A sign of a form → the digits that it stands for. The longest come first.
_SIGNS = {
    "YYYY": "[0-9]{4}",
    "YY": "[0-9]{2}",
    "MM": "[0-9]{2}",
    "M": "[0-9]{1,2}",
    "DD": "[0-9]{2}",
    "D": "[0-9]{1,2}",
    "hh": "[0-9]{2}",
    "mm": "[0-9]{2}",
    "ss": "[0-9]{2}",
}
_OPEN = frozenset(("M", "D"))  # those of one digit or two
_PARTS = {"YYYY": "year", "YY": "short", "MM": "month", "M": "month", "DD": "day", "D": "day"}
_TOKEN = re.compile(r"YYYY|YY|MM|M|DD|D|hh|mm|ss|[TZ]|[^A-Za-z0-9]")
_TYPED = "YYYY-MM-DD"  # a time may follow
_KNOWN = "YYYY, YY, MM, M, DD, D, and hh, mm, ss for a time that is left out"


@dataclass(frozen=True)
class Stated:
    """A date as far as a cell states it."""

    year: int
    month: int | None = None
    day: int | None = None


def parts_of(form: str) -> frozenset[str]:
    """What a form states: year (or short, its two last digits), month, day."""
    return frozenset(_PARTS[token] for token in _tokens(form) if token in _PARTS)


def check_form(form: str) -> None:
    """Raises ValueError with the cure for a form that is none."""
    tokens = _tokens(form)
    if not tokens or "".join(tokens) != form or len(form) > FORM_LENGTH_MAX:
        message = f"{form!r} is no form of a date: it is written with {_KNOWN}, like DD.MM.YYYY"
        raise ValueError(message)
    named = [_PARTS[token] for token in tokens if token in _PARTS]
    parts = {"year" if each == "short" else each for each in named}
    if len(parts) < len(named):
        message = f"{form!r} states a part of the date twice"
        raise ValueError(message)
    for one, other in pairwise(tokens):
        if one in _SIGNS and other in _SIGNS and {one, other} & _OPEN:
            short = one if one in _OPEN else other
            message = (
                f"{form!r}: {one}{other} can be read in several ways, for {short} is one digit or "
                f"two: write {short * 2}, or a mark between"
            )
            raise ValueError(message)
    if "year" not in parts or ("day" in parts and "month" not in parts):
        message = f"{form!r} states no date: a year, a year and a month, or all three are needed"
        raise ValueError(message)


def check_apart(forms: Iterable[str]) -> None:
    """Raises ValueError when one cell could be read by two forms as two dates."""
    for one, other in combinations(forms, 2):
        if one == other:
            message = f"{one!r} stands twice"
            raise ValueError(message)
        if _overlap(one, other) and _meaning(one) != _meaning(other):
            message = (
                f"{one!r} and {other!r} would read the same cell as two dates: keep one, or take "
                "one of them in a rule under `as: when`"
            )
            raise ValueError(message)


def read_date(cell: str, forms: tuple[str, ...], years_from: int | None) -> Stated:
    """The date of a cell; raises RefusedError with the cure."""
    typed = isinstance(cell, TypedDate)
    for form in (_TYPED,) if typed else forms:
        found = _pattern(form).fullmatch(cell[: len(_TYPED)] if typed else cell)
        if found is not None:
            return _stated(found.groupdict(), cell, years_from)
    cure = f"is not written like {' or '.join(forms)}: add its form under forms"
    if cell.isdecimal():
        cure += (
            ", or, where it is a spreadsheet's number of a day, give its cells the form of dates"
        )
    raise refused(Unread.NOT_A_DATE, cell, cure)


def _stated(found: dict[str, str], cell: str, years_from: int | None) -> Stated:
    year = int(found.get("year") or _year_of(int(found["short"]), years_from or 0))
    month, day = found.get("month"), found.get("day")
    try:
        date(max(year, 1), int(month or 1), int(day or 1))
    except ValueError:
        raise refused(Unread.NOT_A_DATE, cell, "there is no such day") from None
    return Stated(year, int(month) if month else None, int(day) if day else None)


def _year_of(short: int, years_from: int) -> int:
    """The year with these last digits among the hundred from `years_from` on."""
    return years_from + (short - years_from) % CENTURY


def _tokens(form: str) -> list[str]:
    return _TOKEN.findall(form)


@lru_cache(maxsize=256)
def _pattern(form: str) -> re.Pattern[str]:
    written = (
        f"(?P<{_PARTS[token]}>{_SIGNS[token]})"
        if token in _PARTS
        else _SIGNS.get(token, re.escape(token))
        for token in _tokens(form)
    )
    return re.compile("".join(written))


def _runs(form: str) -> Iterator[list[str]]:
    """The form in runs of signs, which stand for digits, and the marks between them. No mark is a
    digit, so cells have the same runs.
    """
    return (list(run) for _, run in groupby(_tokens(form), key=lambda token: token in _SIGNS))


def _overlap(one: str, other: str) -> bool:
    """Whether some cell has both forms."""
    runs, others = [[*_runs(form)] for form in (one, other)]
    return len(runs) == len(others) and all(map(_alike, runs, others))


def _alike(run: list[str], other: list[str]) -> bool:
    if run[0] not in _SIGNS or other[0] not in _SIGNS:
        return run == other
    return not _lengths(run).isdisjoint(_lengths(other))


def _lengths(run: list[str]) -> frozenset[int]:
    """How many digits a run has. `check_form` wants M and D alone in theirs."""
    return frozenset((1, 2)) if run[0] in _OPEN else frozenset((sum(map(len, run)),))


def _meaning(form: str) -> dict[str, tuple[int, int]]:
    """Each part of the date → in which run, and how far in it, it stands."""
    return {
        _PARTS[token]: (at, sum(map(len, run[:place])))
        for at, run in enumerate(_runs(form))
        for place, token in enumerate(run)
        if token in _PARTS
    }
