"""The rules by which a mapping fills a listing's fields: what may stand under `fields.<name>`
in a mapping file. `as` says which kind it is. `values` tells what each gives for a row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cached_property
from string import Formatter
from typing import Annotated, Any, Literal, Self, TypeAlias, TypeVar, get_args
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


class _FromColumn(Part):
    column: Column
    absent: Texts = ()  # cells that mean "not stated", besides the empty one
    default: Word = None  # the value where the cell is absent


def _apart(words: dict[str, T], form: Callable[[str], str]) -> dict[str, T]:
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
        return _apart(found, _folded)

    @field_validator("ignore")
    @classmethod
    def _ignored_are_words(cls, found: tuple[str, ...]) -> tuple[str, ...]:
        for word in found:
            _check_beside(word)
        return found

    @model_validator(mode="after")
    def _are_apart(self) -> Self:
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


class _FromNumber(_FromColumn, NumberForm):
    """A rule that reads a number; its default is written as the cell would be."""


class TextRule(_FromColumn):
    """The cell as text. `words` are replaced first; others get spaces and case."""

    kind: Literal["text"] = Field("text", alias="as")
    words: Words = {}
    spaces_for: Annotated[str, Field(max_length=50)] = ""  # each of these becomes a space
    case: Literal["keep", "title", "lower", "upper"] = "keep"


class WordRule(_FromColumn):
    """The cell by a vocabulary, upper and lower case alike. A word that isn't in it refuses the
    row, or counts as not stated.
    """

    kind: Literal["word"] = Field("word", alias="as")
    words: Words
    unknown: Literal["refuse", "absent"] = "refuse"

    @field_validator("words")
    @classmethod
    def _are_apart(cls, words: dict[str, Word]) -> dict[str, Word]:
        return _apart(words, str.casefold)

    @cached_property
    def by_small_letters(self) -> dict[str, Word]:
        """The vocabulary as cells are looked up in it."""
        return {key.casefold(): value for key, value in self.words.items()}


class IntegerRule(_FromNumber):
    """A whole number."""

    kind: Literal["integer"] = Field("integer", alias="as")


class MoneyRule(_FromNumber):
    """An amount in major units. The field gets minor units, exactly, as many as the row's
    currency has; a currency's sign in the cell must be that of the row.
    """

    kind: Literal["money"] = Field("money", alias="as")


class DistanceRule(_FromNumber):
    """A mileage in its own unit, which is kept."""

    kind: Literal["distance"] = Field("distance", alias="as")
    unit: Literal["km", "mi"]


class PowerRule(_FromNumber):
    """Engine power; the field gets kilowatts, rounded."""

    kind: Literal["power"] = Field("power", alias="as")
    unit: Literal["kw", "ps", "hp"]


class DisplacementRule(_FromNumber):
    """Engine size; the field gets cubic centimetres, rounded."""

    kind: Literal["displacement"] = Field("displacement", alias="as")
    unit: Literal["cc", "l"]


class MonthRule(Part):
    """Year and month from two columns → `2004-03`; not stated where either is absent."""

    kind: Literal["month"] = Field("month", alias="as")
    year: Column
    month: Column
    absent: Texts = ("0",)


class GeoRule(Part):
    """A place: latitude and longitude in degrees, from two columns or from a single one."""

    kind: Literal["geo"] = Field("geo", alias="as")
    lat: Column | None = None
    lon: Column | None = None
    column: Column | None = None
    separator: Annotated[str, Field(min_length=1, max_length=5)] = ","
    order: Literal["lat_lon", "lon_lat"] = "lat_lon"
    decimal: Literal[".", ","] = "."
    absent: Texts = ()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        two = self.lat is not None and self.lon is not None
        if (self.column is not None) == two or (self.lat is None) != (self.lon is None):
            message = "either lat and lon, two columns, or column, one that holds both"
            raise ValueError(message)
        if self.column is not None and self.separator.strip() in {self.decimal, "+", "-"}:
            message = f"separator and decimal can't both be {self.separator!r}"
            raise ValueError(message)
        return self


class ListRule(_FromColumn):
    """Several texts in one cell."""

    kind: Literal["list"] = Field("list", alias="as")
    separator: Annotated[str, Field(min_length=1, max_length=20)]
    default: Texts | None = None  # type: ignore[assignment] # a list's default is a list


class TemplateRule(Part):
    """Text composed of other fields: `{make} {model} {year}`; what is absent leaves no gap."""

    kind: Literal["template"] = Field("template", alias="as")
    template: Annotated[str, Field(min_length=1, max_length=1_000)]

    @field_validator("template")
    @classmethod
    def _parses(cls, template: str) -> str:
        names_in(template)
        return template


class ConstantRule(Part):
    """The same value for every row."""

    kind: Literal["constant"] = Field("constant", alias="as")
    value: Annotated[str | bool | int, BeforeValidator(word_of)]


NumberRule: TypeAlias = IntegerRule | MoneyRule | DistanceRule | PowerRule | DisplacementRule
AnyRule: TypeAlias = (
    TextRule
    | WordRule
    | IntegerRule
    | MoneyRule
    | DistanceRule
    | PowerRule
    | DisplacementRule
    | MonthRule
    | GeoRule
    | ListRule
    | TemplateRule
    | ConstantRule
)
Rule: TypeAlias = Annotated[AnyRule, Field(discriminator="kind")]

RULES: dict[str, type[Part]] = {
    str(each.model_fields["kind"].default): each for each in get_args(AnyRule)
}


def columns_of(rule: AnyRule) -> tuple[str, ...]:
    """The columns that a rule reads."""
    match rule:
        case TemplateRule() | ConstantRule():
            return ()
        case MonthRule(year=year, month=month):
            return (year, month)
        case GeoRule():
            return tuple(each for each in (rule.lat, rule.lon, rule.column) if each is not None)
        case _:
            return (rule.column,)


def names_in(template: str) -> tuple[str, ...]:
    """The names in braces; ValueError when the template is broken or asks for more than names."""
    names = []
    for _, name, form, conversion in Formatter().parse(template):
        if name is None:
            continue
        if not name.isidentifier() or form or conversion:
            message = "only plain {names} of fields can stand in braces"
            raise ValueError(message)
        names.append(name)
    return tuple(names)


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
