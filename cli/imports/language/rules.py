"""The rules by which a mapping fills a listing's fields: what may stand under `fields.<name>`
in a mapping file. `as` says which kind it is. `values` tells what each gives for a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from functools import cached_property
from itertools import chain
from string import Formatter
from typing import Annotated, Literal, Self, TypeAlias, get_args

from pydantic import BeforeValidator, Field, field_validator, model_validator

from cli.imports.language.conditions import Condition
from cli.imports.language.dates import check_apart, check_form, parts_of
from cli.imports.language.parts import (
    MULTIPLIER_MAX,
    Cells,
    Column,
    NumberForm,
    Part,
    Texts,
    Word,
    Words,
    apart,
)
from cli.imports.language.strict_yaml import word_of
from cli.imports.language.units import same_as, unit_of
from cli.imports.outcomes import RefusedError
from schemas.values.vehicles import YEAR_MAX, YEAR_MIN


class _FromColumn(Part):
    column: Column
    absent: Texts = ()  # cells that mean "not stated", besides the empty one
    default: Word = None  # the value where the cell is absent


class _FromNumber(_FromColumn, NumberForm):
    """A rule that reads a number; its default is written as the cell would be."""


class _FromMeasure(_FromNumber):
    """A rule that reads a number of some unit."""

    unit: str

    @model_validator(mode="after")
    def _ignores_no_other_unit(self) -> Self:
        for word in self.ignore:
            other = unit_of(word)
            if other is not None and other not in same_as(self.unit):
                message = (
                    f"{word!r} under ignore is another unit than {self.unit}: write it under "
                    f"multipliers, with how many {self.unit} one of it is"
                )
                raise ValueError(message)
        return self


class TextRule(_FromColumn):
    """The cell as text. `words` are replaced first; others get spaces and case."""

    kind: Literal["text"] = Field("text", alias="as")
    words: Words = Field({})
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
    def _areapart(cls, words: dict[str, Word]) -> dict[str, Word]:
        return apart(words, str.casefold)

    @cached_property
    def by_small_letters(self) -> dict[str, Word]:
        """The vocabulary as cells are looked up in it."""
        return {key.casefold(): value for key, value in self.words.items()}


class IntegerRule(_FromNumber):
    """A whole number. With a factor the product is rounded; without, a fraction is refused unless
    the mapping says how to round it.
    """

    kind: Literal["integer"] = Field("integer", alias="as")
    factor: Annotated[Decimal, Field(gt=0, le=MULTIPLIER_MAX, max_digits=20)] | None = None
    rounding: Literal["half_up", "down", "up"] | None = None


class MoneyRule(_FromNumber):
    """An amount in major units. The field gets minor units, exactly, as many as the row's
    currency has; a currency's sign in the cell must be that of the row.
    """

    kind: Literal["money"] = Field("money", alias="as")


class DistanceRule(_FromMeasure):
    """A mileage in its own unit, which is kept unless another is wanted; then it is rounded."""

    kind: Literal["distance"] = Field("distance", alias="as")
    unit: Literal["km", "mi"]
    to: Literal["km", "mi"] | None = None


class PowerRule(_FromMeasure):
    """Engine power; the field gets kilowatts, rounded."""

    kind: Literal["power"] = Field("power", alias="as")
    unit: Literal["kw", "ps", "hp"]


class DisplacementRule(_FromMeasure):
    """Engine size; the field gets cubic centimetres, rounded."""

    kind: Literal["displacement"] = Field("displacement", alias="as")
    unit: Literal["cc", "l"]


class MonthRule(Part):
    """Year and month from two columns → `2004-03`; not stated where either is absent."""

    kind: Literal["month"] = Field("month", alias="as")
    year: Column
    month: Column
    absent: Texts = ("0",)


class DateRule(_FromColumn):
    """A date in one of the stated forms; the field gets as much of it as it holds: the year, the
    year and the month, or the day.
    """

    kind: Literal["date"] = Field("date", alias="as")
    forms: Annotated[Texts, Field(min_length=1, max_length=20)]
    years_from: Annotated[int, Field(ge=YEAR_MIN, le=YEAR_MAX)] | None = None  # of two digits

    @field_validator("forms")
    @classmethod
    def _can_be_told_apart(cls, forms: tuple[str, ...]) -> tuple[str, ...]:
        for form in forms:
            check_form(form)
        check_apart(forms)
        return forms

    @model_validator(mode="after")
    def _knows_the_century(self) -> Self:
        short = any("short" in parts_of(form) for form in self.forms)
        if short and self.years_from is None:
            message = "YY needs years_from, the first of the hundred years that are meant: 1950"
            raise ValueError(message)
        if self.years_from is not None and not short:
            message = "years_from is for forms with YY: take it out"
            raise ValueError(message)
        return self


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
        if two and self.lat == self.lon:
            message = "lat and lon are one column: column is for one that holds both"
            raise ValueError(message)
        if self.column is not None and self.separator.strip() in {self.decimal, "+", "-"}:
            message = f"separator and decimal can't both be {self.separator!r}"
            raise ValueError(message)
        if any(each.isdecimal() for each in self.separator):
            message = f"separator: {self.separator!r} stands in the numbers, too"
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


class WhenRule(Condition):
    """One rule where a test hits the row, another (or nothing) where it doesn't."""

    kind: Literal["when"] = Field("when", alias="as")
    then: Rule
    otherwise: Rule | None = Field(None, alias="else")


NumberRule: TypeAlias = IntegerRule | MoneyRule | DistanceRule | PowerRule | DisplacementRule
# Those that stand for themselves, and need no row to be known.
PlainRule: TypeAlias = (
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
    | DateRule
)
AnyRule: TypeAlias = PlainRule | WhenRule
Rule: TypeAlias = Annotated[AnyRule, Field(discriminator="kind")]

WhenRule.model_rebuild()

RULES: dict[str, type[Part]] = {
    str(each.model_fields["kind"].default): each for each in (*get_args(PlainRule), WhenRule)
}


def chosen(rule: AnyRule | None, cells: Cells) -> PlainRule | None:
    """The rule that this row is read by, None where there is none; raises RefusedError when a
    test can't read its cell.
    """
    while isinstance(rule, WhenRule):
        try:
            hit = rule.hits(cells)
        except RefusedError as error:
            raise RefusedError(replace(error.refusal, column=rule.column)) from None
        rule = rule.then if hit else rule.otherwise
    return rule


def leaves_of(rule: AnyRule) -> Iterator[tuple[tuple[str, ...], PlainRule]]:
    """Each rule that a row may be read by, with its place within this one."""
    if not isinstance(rule, WhenRule):
        yield (), rule
        return
    for name, inner in (("then", rule.then), ("else", rule.otherwise)):
        if inner is not None:
            yield from (((name, *place), leaf) for place, leaf in leaves_of(inner))


def columns_of(rule: AnyRule) -> tuple[str, ...]:
    """The columns that a rule reads."""
    match rule:
        case WhenRule():
            inner = (columns_of(leaf) for _, leaf in leaves_of(rule))
            return tuple(dict.fromkeys((*conditions_of(rule), *chain.from_iterable(inner))))
        case TemplateRule() | ConstantRule():
            return ()
        case MonthRule(year=year, month=month):
            return (year, month)
        case GeoRule():
            return tuple(each for each in (rule.lat, rule.lon, rule.column) if each is not None)
        case _:
            return (rule.column,)


def conditions_of(rule: AnyRule | None) -> tuple[str, ...]:
    """The columns that decide which rule a row is read by."""
    if not isinstance(rule, WhenRule):
        return ()
    return (rule.column, *conditions_of(rule.then), *conditions_of(rule.otherwise))


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
