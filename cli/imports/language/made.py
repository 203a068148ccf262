"""Columns made of others, before any rule reads: a cell split by a vocabulary or a pattern, and
the first of several cells that holds something. Rules read them as they read a file's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import BeforeValidator, Field, field_validator

from cli.imports.cells import stripped, words_of
from cli.imports.language.amounts import refused
from cli.imports.language.parts import (
    TEXTS_MAX,
    Cells,
    Column,
    Part,
    Texts,
    apart,
)
from cli.imports.language.patterns import check_pattern, groups_in, named_groups
from cli.imports.language.strict_yaml import word_of
from cli.imports.outcomes import Refusal, RefusedError, Unread

OF_MAX = 20


def _vocabulary(found: object) -> object:
    """The words of a list stand for themselves."""
    if isinstance(found, list) and all(isinstance(each, str) for each in found):
        return {str(each): str(each) for each in found}
    return found


class WordsColumns(Part):
    """A cell that begins with a word of a vocabulary: that word, and what follows it. Case and
    blanks aside, whole words only, the longest entry first.
    """

    kind: Literal["words"] = Field("words", alias="as")
    column: Column
    words: Annotated[
        dict[str, str],
        BeforeValidator(_vocabulary),
        Field(min_length=1, max_length=TEXTS_MAX),
    ]
    into: Column
    rest: Column | None = None
    spaces_for: Annotated[str, Field(max_length=50)] = ""  # each of these counts as a space
    anywhere: Annotated[bool, BeforeValidator(word_of)] = False  # else at the beginning alone
    absent: Texts = ()
    unknown: Literal["refuse", "absent"] = "refuse"

    @field_validator("words")
    @classmethod
    def _are_apart(cls, words: dict[str, str]) -> dict[str, str]:
        if not all(words_of(each) for each in words):
            message = "an entry of the vocabulary has at least one word"
            raise ValueError(message)
        return apart(words, lambda word: " ".join(_folded(words_of(word))))

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns that it is made of."""
        return (self.column,)

    @property
    def makes(self) -> tuple[str, ...]:
        """The columns that it makes."""
        return (self.into, self.rest) if self.rest is not None else (self.into,)

    def cells_of(self, cells: Cells) -> dict[str, str]:
        """The cells it makes of a row; raises RefusedError."""
        cell = cells[self.column]
        absent = cell in self.absent  # as it stands in the file, like everywhere
        for character in self.spaces_for:
            cell = cell.replace(character, " ")
        words = words_of(cell)
        if absent or not words:
            return dict.fromkeys(self.makes, "")
        found = self._found(words)
        if found is None and self.unknown == "refuse":
            cure = (
                "begins with no word of the vocabulary: add it under words, or write "
                "unknown: absent"
            )
            raise refused(Unread.UNKNOWN_WORD, cells[self.column], cure)
        target, end = found or ("", 0)
        rest = " ".join(words[end:])
        return dict(zip(self.makes, (target, rest), strict=False))

    @cached_property
    def _entries(self) -> dict[tuple[str, ...], str]:
        return {tuple(_folded(words_of(word))): target for word, target in self.words.items()}

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self._entries))

    def _found(self, words: list[str]) -> tuple[str, int] | None:
        """The entry's target, and where it ends."""
        folded = _folded(words)
        spans = (
            (start, end)
            for start in range(len(words) if self.anywhere else 1)
            for end in range(min(start + self._longest, len(words)), start, -1)
        )
        found = ((self._entries.get(tuple(folded[start:end])), end) for start, end in spans)
        return next(((target, end) for target, end in found if target is not None), None)


class PatternColumns(Part):
    """A cell taken apart by a regular expression: each named group makes a column."""

    kind: Literal["pattern"] = Field("pattern", alias="as")
    column: Column
    matches: str
    absent: Texts = ()
    unknown: Literal["refuse", "absent"] = "refuse"

    @field_validator("matches")
    @classmethod
    def _names_groups(cls, pattern: str) -> str:
        check_pattern(pattern)
        if not named_groups(pattern):
            message = "no named group, and each makes a column: write it like (?P<make>[A-Z]+)"
            raise ValueError(message)
        return pattern

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns that it is made of."""
        return (self.column,)

    @property
    def makes(self) -> tuple[str, ...]:
        """The columns that it makes."""
        return named_groups(self.matches)

    def cells_of(self, cells: Cells) -> dict[str, str]:
        """The cells it makes of a row; raises RefusedError."""
        cell = cells[self.column]
        if not cell or cell in self.absent:
            return dict.fromkeys(self.makes, "")
        found = groups_in(self.matches, cell)
        if found is None and self.unknown == "refuse":
            cure = "does not match: widen matches, or write unknown: absent"
            raise refused(Unread.NO_MATCH, cell, cure)
        return {name: stripped((found or {}).get(name) or "") for name in self.makes}


class FirstColumn(Part):
    """The first of several cells that holds something."""

    kind: Literal["first"] = Field("first", alias="as")
    of: Annotated[tuple[Column, ...], Field(min_length=2, max_length=OF_MAX)]
    into: Column
    absent: Texts = ()

    @field_validator("of")
    @classmethod
    def _stand_once(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(columns)) < len(columns):
            message = "names a column twice: take one out"
            raise ValueError(message)
        return columns

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns that it is made of."""
        return self.of

    @property
    def makes(self) -> tuple[str, ...]:
        """The columns that it makes."""
        return (self.into,)

    def cells_of(self, cells: Cells) -> dict[str, str]:
        """The cell it makes of a row."""
        found = (cells[each] for each in self.of)
        return {self.into: next((each for each in found if each and each not in self.absent), "")}


AnyMade: TypeAlias = WordsColumns | PatternColumns | FirstColumn
Made: TypeAlias = Annotated[AnyMade, Field(discriminator="kind")]

MADE: dict[str, type[Part]] = {
    str(each.model_fields["kind"].default): each for each in get_args(AnyMade)
}


def disorder(columns: Sequence[AnyMade | None]) -> Iterator[tuple[int, str]]:
    """(place, what is wrong) for each column that is made twice, or read before it is made. None
    stands for what can't be read.
    """
    made: set[str] = set()
    every = {name for each in columns if each is not None for name in each.makes}
    for place, each in enumerate(columns):
        if each is None:
            continue
        for name in sorted({*each.makes}):
            if name in made or each.makes.count(name) > 1:
                yield place, f"{name!r} is made a second time: give it another name"
        for name in sorted((every - made) & {*each.reads}):
            yield place, f"{name!r} is made here or further down: make it before this reads it"
        made |= {*each.makes}


def with_made(columns: Sequence[AnyMade], cells: Cells) -> tuple[Cells, Refusal | None]:
    """The row's cells and those made of them; with the first refusal where some can't be made."""
    if not columns:
        return cells, None
    found, refusal = dict(cells), None
    for place, each in enumerate(columns):
        if any(name not in found for name in each.reads):
            continue  # of what has been refused already
        try:
            found |= each.cells_of(found)
        except RefusedError as error:
            refusal = refusal or error.placed(f"columns.{place}", each.reads[0]).refusal
    return found, refusal


def _folded(words: list[str]) -> list[str]:
    return [word.casefold() for word in words]
