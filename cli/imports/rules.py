"""The rules by which a mapping fills a listing's fields, and how each gets its value.

A rule is what stands under `fields.<name>` in a mapping file; `as` says which kind it is. A
value is plain data (text, number, list, mapping); VehicleFields judges it afterwards. None
means "not stated".
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from string import Formatter
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from cli.imports.cells import (
    KW_PER,
    number,
    rounded,
    shown,
    title_case,
    whole,
)
from cli.imports.outcomes import RefusedBy, RefusedError
from schemas.money import minor_units

Cells: TypeAlias = Mapping[str, str]  # column name → the cell, stripped


def _text_keys(found: object) -> object:
    """YAML reads `3:` as a number; a cell is always text."""
    return {str(key): value for key, value in found.items()} if isinstance(found, dict) else found


def _texts(found: object) -> object:
    return [str(each) for each in found] if isinstance(found, list) else found


Column = Annotated[str, Field(min_length=1)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Word = str | bool | int | None
Words = Annotated[dict[str, Word], BeforeValidator(_text_keys)]


class Part(BaseModel):
    """Base of every part of a mapping: unknown names are faults, a typo must not pass."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class _FromColumn(Part):
    column: Column
    absent: Texts = ()  # cells that mean "not stated", besides the empty one
    default: str | bool | int | None = None  # the value where the cell is absent


class _FromNumber(_FromColumn):
    decimal: Literal[".", ","] = "."


class TextRule(_FromColumn):
    """The cell as text. `words` are replaced first; others get spaces and case."""

    kind: Literal["text"] = Field("text", alias="as")
    words: Words = {}
    spaces_for: str = ""  # each of these characters becomes a space
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
    def _fold_case(cls, words: dict[str, Word]) -> dict[str, Word]:
        return {key.casefold(): value for key, value in words.items()}


class IntegerRule(_FromNumber):
    """A whole number, whatever symbols stand around it."""

    kind: Literal["integer"] = Field("integer", alias="as")


class MoneyRule(_FromNumber):
    """An amount in major units. The field gets minor units, exactly, as many as the row's
    currency has: that is `in_minor_units`, once both are known.
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


class ListRule(_FromColumn):
    """Several texts in one cell."""

    kind: Literal["list"] = Field("list", alias="as")
    separator: Annotated[str, Field(min_length=1)]


class TemplateRule(Part):
    """Text composed of other fields: `{make} {model} {year}`; what is absent leaves no gap."""

    kind: Literal["template"] = Field("template", alias="as")
    template: Annotated[str, Field(min_length=1)]

    @field_validator("template")
    @classmethod
    def _parses(cls, template: str) -> str:
        names_in(template)
        return template


class ConstantRule(Part):
    """The same value for every row."""

    kind: Literal["constant"] = Field("constant", alias="as")
    value: str | bool | int


Rule: TypeAlias = Annotated[
    TextRule
    | WordRule
    | IntegerRule
    | MoneyRule
    | DistanceRule
    | PowerRule
    | DisplacementRule
    | MonthRule
    | ListRule
    | TemplateRule
    | ConstantRule,
    Field(discriminator="kind"),
]

KINDS = frozenset(str(each.model_fields["kind"].default) for each in get_args(get_args(Rule)[0]))


def columns_of(rule: Rule) -> tuple[str, ...]:
    """The columns that a rule reads."""
    match rule:
        case TemplateRule() | ConstantRule():
            return ()
        case MonthRule(year=year, month=month):
            return (year, month)
        case _:
            return (rule.column,)


def value_of(rule: Rule, cells: Cells) -> Any:
    """The value of a field; raises RefusedError. Templates are filled later, by `compose`."""
    match rule:
        case ConstantRule(value=value):
            return value
        case TemplateRule():
            return None
        case MonthRule():
            return _month(rule, cells)
        case _:
            cell = cells[rule.column]
            return rule.default if _is_absent(cell, rule.absent) else _of_cell(rule, cell)


def compose(template: str, values: Mapping[str, object]) -> str | None:
    """A template filled with the values there are; None when there are none."""
    texts = {name: _plain(values.get(name)) for name in names_in(template)}
    filled = " ".join(template.format_map(texts).split())
    return filled or None


def in_minor_units(amount: Decimal, currency: object) -> int:
    """What a money rule read, as a field holds it; two digits where no currency is stated."""
    try:
        return minor_units(amount, str(currency or ""))
    except ValueError:
        raise RefusedError(RefusedBy.MAPPING, "not_a_whole_number", shown(str(amount))) from None


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


def _is_absent(cell: str, absent: tuple[str, ...]) -> bool:
    return not cell or cell in absent


_NumberRule: TypeAlias = IntegerRule | MoneyRule | DistanceRule | PowerRule | DisplacementRule


def _of_cell(rule: TextRule | WordRule | ListRule | _NumberRule, cell: str) -> Any:
    match rule:
        case TextRule():
            return _text(rule, cell)
        case WordRule():
            return _word(rule, cell)
        case ListRule(separator=separator):
            return [part.strip() for part in cell.split(separator) if part.strip()]
        case _:
            return _of_number(rule, number(cell, rule.decimal), cell)


def _of_number(rule: _NumberRule, amount: Decimal, cell: str) -> Any:
    match rule:
        case IntegerRule():
            return whole(amount, cell)
        case MoneyRule():
            return amount
        case DistanceRule():
            return {"value": rounded(amount), "unit": "KMT" if rule.unit == "km" else "SMI"}
        case PowerRule():
            return rounded(amount * KW_PER[rule.unit])
        case DisplacementRule():
            return rounded(amount * (1000 if rule.unit == "l" else 1))


def _text(rule: TextRule, cell: str) -> Word:
    if cell in rule.words:
        return rule.words[cell]
    text = cell
    for character in rule.spaces_for:
        text = text.replace(character, " ")
    text = " ".join(text.split())
    match rule.case:
        case "title":
            return title_case(text)
        case "lower":
            return text.lower()
        case "upper":
            return text.upper()
        case "keep":
            return text


def _word(rule: WordRule, cell: str) -> Word:
    word = cell.casefold()
    if word in rule.words:
        return rule.words[word]
    if rule.unknown == "absent":
        return None
    raise RefusedError(RefusedBy.MAPPING, "unknown_word", f"{rule.column}: {shown(cell)}")


def _month(rule: MonthRule, cells: Cells) -> str | None:
    year, month = cells[rule.year], cells[rule.month]
    if _is_absent(year, rule.absent) or _is_absent(month, rule.absent):
        return None
    return f"{whole(number(year), year):04d}-{whole(number(month), month):02d}"


def _plain(value: object) -> str:
    return "" if value is None else str(value)
