"""Lines of text out of bytes of any quality, each of bounded length.

Bytes that the encoding doesn't know become marks that no text has, so that only the row they
stand in is lost; the marks say which bytes they were.
"""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Iterator
from typing import TextIO

LINE_LENGTH_MAX = 100_000  # characters; csv itself stops at 131,072 a cell
ROW_LENGTH_MAX = 1_000_000
# Noncharacters, which Unicode promises never to give a meaning: two halves of a byte.
_MARKS = "".join(chr(0xFDD0 + half) for half in range(16))
MARK_ERRORS = "marketmesh.mark"
TOO_LONG = "\ufdef"  # behind the beginning of a line that is too long


class UnreadableError(Exception):
    """The bytes can't be read on; the text says why."""


class RowTooLongError(Exception):
    """Lines that belong together are more than any row."""


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start : error.end]
    return "".join(_MARKS[byte >> 4] + _MARKS[byte & 15] for byte in bad), error.end


codecs.register_error(MARK_ERRORS, _mark)


def undecoded(text: str) -> tuple[int, int] | None:
    """Where the first mark stands in a text, and the byte it stands for."""
    for place, character in enumerate(text):
        if character in _MARKS:
            low = text[place + 1 : place + 2]
            return place, _MARKS.index(character) << 4 | max(_MARKS.find(low), 0)
    return None


def has_marks(text: str) -> bool:
    """Whether some of the text could not be read."""
    return any("\ufdd0" <= character <= TOO_LONG for character in text)


class Lines:
    """Lines of bounded length; what a record took can be given back."""

    def __init__(self, text: TextIO) -> None:
        self._fresh = _bounded(text)
        self._waiting: deque[str] = deque()
        self._taken: list[str] = []
        self._taken_length = 0
        self.number = 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._waiting.popleft() if self._waiting else next(self._fresh)
        self._taken.append(line)
        self._taken_length += len(line)
        self.number += 1
        if self._taken_length > ROW_LENGTH_MAX:
            raise RowTooLongError
        return line

    def peek(self) -> str | None:
        """The next line, without taking it."""
        if not self._waiting:
            line = next(self._fresh, None)
            if line is None:
                return None
            self._waiting.append(line)
        return self._waiting[0]

    def start_record(self) -> None:
        """What is taken from here on can be given back."""
        self._taken.clear()
        self._taken_length = 0

    def give_back_but_first(self) -> None:
        """All lines of this record but its first are to be read again."""
        again = self._taken[1:]
        self._waiting.extendleft(reversed(again))
        self.number -= len(again)


def _bounded(text: TextIO) -> Iterator[str]:
    """Lines; of one that is too long the beginning, marked so that its row is refused."""
    first = True
    try:
        while line := text.readline(LINE_LENGTH_MAX):
            whole = len(line) < LINE_LENGTH_MAX or line.endswith(("\n", "\r"))
            if not whole:
                _skip_rest(text)
            if first:  # a byte order mark, also behind encodings that leave it in
                line = line.removeprefix("\ufeff")
                first = False
            yield line if whole else f"{line}{TOO_LONG}\n"
    except (OSError, UnicodeError) as error:  # an encoding that gives up instead of marking
        raise UnreadableError(str(error)) from error


def _skip_rest(text: TextIO) -> None:
    while (part := text.readline(LINE_LENGTH_MAX)) and not part.endswith(("\n", "\r")):
        pass
