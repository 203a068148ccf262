"""What no text may hold, and what nobody could read, for tests that sweep over all texts."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any

# Each with what keeps it out: a store, an encoding, or a reader who is misled.
NOWHERE = {
    "NUL": "\x00",
    "START OF HEADING": "\x01",
    "BACKSPACE": "\x08",
    "LINE TABULATION": "\x0b",
    "FORM FEED": "\x0c",
    "ESCAPE": "\x1b",
    "UNIT SEPARATOR": "\x1f",
    "DELETE": "\x7f",
    "NEXT LINE": "\x85",
    "APPLICATION PROGRAM COMMAND": "\x9f",
    "a lone high surrogate": "\ud83d",
    "a lone low surrogate": "\udc00",
    "a noncharacter": "\ufffe",
    "an Arabic noncharacter": "\ufdd0",
    "the last code point": "\U0010ffff",
    "RIGHT-TO-LEFT OVERRIDE": "\u202e",
    "RIGHT-TO-LEFT EMBEDDING": "\u202b",
    "FIRST STRONG ISOLATE": "\u2068",
    "INTERLINEAR ANNOTATION ANCHOR": "\ufff9",
}
NOT_IN_A_LINE = {
    "CHARACTER TABULATION": "\t",
    "LINE FEED": "\n",
    "CARRIAGE RETURN": "\r",
    "LINE SEPARATOR": "\u2028",
    "PARAGRAPH SEPARATOR": "\u2029",
}
UNSEEN = (
    " ",
    "\u00a0\u2003",
    "\u00ad",
    "\u034f\u034f",
    "\u061c",
    "\u115f\u1160",
    "\u17b4",
    "\u180e",
    "\u200b\u200c\u200d",
    "\u2060\u2063",
    "\u206a",
    "\u2800\u2800",
    "\u3000",
    "\u3164",
    "\ufe0f",
    "\ufeff",
    "\uffa0",
    "\U000e0041\U000e007f",
    "\U000e0100",
    "\U0001d173",
    "\U00013430\U0001343f",
    "\U00013441",
)


def with_inside(text: str, character: str) -> str:
    """The text with the character in it, where no trimming comes to."""
    middle = len(text) // 2
    return f"{text[:middle]}{character}{text[middle:]}" if len(text) > 1 else f"a{character}b"


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Every text of a JSON value, with the way to it."""
    match value:
        case str():
            yield path, value
        case dict():
            for name, each in value.items():
                yield from leaves(each, (*path, name))
        case list():
            for place, each in enumerate(value):
                yield from leaves(each, (*path, place))


def replaced(value: Any, path: tuple[Any, ...], text: Any) -> Any:
    """The value with another one at the end of the way."""
    if not path:
        return text
    first, *rest = path
    if isinstance(value, dict):
        return {**value, first: replaced(value[first], tuple(rest), text)}
    return [
        replaced(each, tuple(rest), text) if place == first else each
        for place, each in enumerate(value)
    ]


def default_ignorable() -> Iterator[str]:
    """Formats, spaces and separators, as far as this Python's Unicode knows them."""
    for code in range(0x110000):
        if unicodedata.category(chr(code)) in {"Zs", "Cf"}:
            yield chr(code)
