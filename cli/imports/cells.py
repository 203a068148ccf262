"""Single cells as texts: how they are shown, stripped, put together and spelt. Pure functions."""

from __future__ import annotations

import re

SHOWN_MAX = 60
# Blanks only. Python's own strip and split take control characters for blanks, too, and would
# take away without a word what no listing may hold.
BLANKS = " \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_AROUND = re.compile(rf"^[{BLANKS}\r\n]+|[{BLANKS}\r\n]+$")
_BETWEEN = re.compile(rf"[{BLANKS}\r\n]+")
_IN_LINE = re.compile(rf"[{BLANKS}]+")
_LINE_END = re.compile(rf"[{BLANKS}]*(?:\r\n|\r|\n)[{BLANKS}]*")


class TypedNumber(str):
    """A number that its file holds as a number, in digits and with a decimal point: no column's
    way of writing numbers is asked how to read it.
    """

    __slots__ = ()


class TypedDate(str):
    """A day that its file holds as a day, like 2026-01-31."""

    __slots__ = ()


def shown(cell: str) -> str:
    """A cell as a refusal quotes it: bounded, and with its odd characters visible."""
    return repr(cell if len(cell) <= SHOWN_MAX else cell[:SHOWN_MAX] + "…")


def printable(text: str) -> str:
    """Half surrogates can't be written to any file, and control characters must be seen."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def stripped(cell: str) -> str:
    """The cell without the blanks and line breaks around it."""
    # The common case spares the search: most cells have none.
    if cell and (cell[0] <= " " or cell[-1] <= " " or cell[0] > "~" or cell[-1] > "~"):
        return _AROUND.sub("", cell)
    return cell


def words_of(text: str) -> list[str]:
    """The words of a text, between blanks and line breaks."""
    return [word for word in _BETWEEN.split(text) if word]


def one_line(text: str) -> str:
    """The text on one line, with single spaces."""
    return " ".join(words_of(text))


def lines_kept(text: str) -> str:
    """The text with its line breaks, each of them one line feed, and single spaces."""
    return _IN_LINE.sub(" ", _LINE_END.sub("\n", text)).strip(" \n")


def title_case(text: str) -> str:
    """First letters capital, the rest as written: `alfa romeo` → `Alfa Romeo`, `c4` → `C4`."""
    return re.sub(r"(?<![^\s\-/(])\w", lambda found: found.group().upper(), text)
