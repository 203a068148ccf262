"""What the parts of a mapping are made of: columns, texts, words, and how numbers are written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, Literal, Self, TypeAlias, TypeVar
from unicodedata import category

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from cli.imports.language.amounts import Notation
from cli.imports.language.strict_yaml import is_nothing, word_of

T = TypeVar("T")
Cells: TypeAlias = Mapping[str, str]  # column name → the cell, stripped

NAME_LENGTH_MAX = 200
TEXTS_MAX = 5_000
BESIDE_LENGTH_MAX = 30
DECIMALS_MAX = 9
MULTIPLIER_MAX = Decimal(10**12)


def _marks(found: Any) -> Any:
    """`none`, one mark, or several."""
    if isinstance(found, str):
        return () if found == "none" else (str(found),)
    return found


def _texts(found: object) -> object:
    return (found,) if isinstance(found, str) else found


Column = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts), Field(max_length=TEXTS_MAX)]
Word = Annotated[str | bool | int | None, BeforeValidator(word_of)]
Words = Annotated[dict[str, Word], Field(max_length=TEXTS_MAX)]


class Part(BaseModel):
    """Base of every part of a mapping: unknown names are faults, a typo must not pass."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_not_stated(cls, found: object) -> object:
        if not isinstance(found, dict):
            return found
        return {name: value for name, value in found.items() if not is_nothing(value)}


def apart(words: dict[str, T], form: Callable[[str], str]) -> dict[str, T]:
    """The words, of which no two are one in the form that cells are looked up in."""
    folded = [form(each) for each in words]
    twice = sorted({each for each in folded if folded.count(each) > 1})
    if twice:
        message = f"the same word in other letters: {', '.join(twice)}"
        raise ValueError(message)
    return words


class NumberForm(Part):
    """How a column writes its numbers. What isn't declared here refuses the cell."""

    decimal: Literal[".", ","] = "."
    thousands: Annotated[
        tuple[Literal[",", ".", " ", "'"], ...] | None, BeforeValidator(_marks)
    ] = None
    decimals: Annotated[int, Field(ge=0, le=DECIMALS_MAX)] | None = None
    multipliers: dict[str, Annotated[Decimal, Field(gt=0, le=MULTIPLIER_MAX, decimal_places=9)]] = (
        Field({}, max_length=50)
    )
    ignore: Annotated[Texts, Field(max_length=50)] = ()

    @field_validator("multipliers")
    @classmethod
    def _multipliers_are_words(cls, found: dict[str, Decimal]) -> dict[str, Decimal]:
        for word in found:
            _check_beside(word)
        return apart(found, _folded)

    @field_validator("ignore")
    @classmethod
    def _ignored_are_words(cls, found: tuple[str, ...]) -> tuple[str, ...]:
        for word in found:
            _check_beside(word)
        return found

    @model_validator(mode="after")
    def _areapart(self) -> Self:
        if self.thousands is not None and self.decimal in self.thousands:
            message = f"thousands and decimal can't both be {self.decimal!r}"
            raise ValueError(message)
        both = {_folded(each) for each in self.multipliers} & {
            _folded(each) for each in self.ignore
        }
        if both:
            message = f"multipliers and ignore both have {', '.join(sorted(both))}"
            raise ValueError(message)
        return self

    @cached_property
    def notation(self) -> Notation:
        """The same, as `amounts` reads by it."""
        return Notation(
            self.decimal,
            self.thousands,
            self.decimals,
            {_folded(word): factor for word, factor in self.multipliers.items()},
            frozenset(_folded(word) for word in self.ignore),
        )


def _folded(word: str) -> str:
    return " ".join(word.casefold().split())


def _check_beside(word: str) -> None:
    """Raises ValueError for a word that would make a number mean something else."""
    if not 0 < len(word.strip()) <= BESIDE_LENGTH_MAX:
        message = f"a word beside a number has 1 to {BESIDE_LENGTH_MAX} characters"
        raise ValueError(message)
    says_something = any(category(each)[0] == "L" or _is_sign(each) for each in word)
    if not says_something or re.search(r"[\d+\u2212\x00-\x1f\x7f]|^[-\u2013\u2014.,]|-$", word):
        message = (
            f"{word!r} would change the number: digits, signs and bare marks can't be declared"
        )
        raise ValueError(message)
    if word[-1] in ".," and category(word[-2])[0] != "L":
        message = f"{word!r} ends with what may belong to the number"
        raise ValueError(message)


def _is_sign(character: str) -> bool:
    return category(character) == "Sc" or character in "%#*~≈°"
