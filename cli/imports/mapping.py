"""The mapping: what a seller's file looks like and how its rows become listings."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from cli.imports.cells import number
from cli.imports.outcomes import RefusedError
from cli.imports.rules import (
    Cells,
    Column,
    Part,
    Rule,
    TemplateRule,
    Texts,
    columns_of,
    names_in,
)
from schemas.messages import Market
from schemas.vehicles import VehicleFields

Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,59}$")]
LINES_PER_ROW_MAX = 1_000


def _one_character(text: str) -> str:
    if len(text) != 1:
        message = "exactly one character"
        raise ValueError(message)
    return text


class FileShape(Part):
    """How the bytes are to be read."""

    encoding: str = "utf-8"
    delimiter: str = ","
    quote: str = '"'
    header: Texts | None = None  # the columns' names, for a file whose first line is a row
    lines_per_row_max: Annotated[int, Field(ge=1, le=LINES_PER_ROW_MAX)] = 20

    _delimiter = field_validator("delimiter", "quote")(_one_character)

    @model_validator(mode="after")
    def _are_apart(self) -> Self:
        if self.delimiter == self.quote or {self.delimiter, self.quote} & set("\r\n"):
            message = "delimiter and quote must differ, and be no ends of line"
            raise ValueError(message)
        return self

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, encoding: str) -> str:
        try:
            "".encode(encoding)
            b"".decode(encoding)
        except (LookupError, TypeError, ValueError):  # unknown, or no encoding of text
            message = f"unknown encoding {encoding!r}"
            raise ValueError(message) from None
        return encoding


class RejectRule(Part):
    """Rows that shall not become listings: one test of one column, and the reason's code."""

    reason: Code
    column: Column
    equals: Annotated[str | None, BeforeValidator(lambda v: v if v is None else str(v))] = None
    one_of: Texts | None = None
    matches: str | None = None  # a regular expression, anywhere in the cell
    outside: tuple[float, float] | None = None  # the smallest and largest number to take
    decimal: Literal[".", ","] = "."

    @field_validator("matches")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            message = f"not a regular expression: {error}"
            raise ValueError(message) from None
        return pattern

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        tests = (self.equals, self.one_of, self.matches, self.outside)
        if sum(test is not None for test in tests) != 1:
            message = "exactly one of equals, one_of, matches and outside"
            raise ValueError(message)
        if self.outside is not None and self.outside[0] > self.outside[1]:
            message = "outside: the smaller number comes first"
            raise ValueError(message)
        return self

    def hits(self, cells: Cells) -> bool:
        """Whether this rule rejects the row. What is no number is outside every range."""
        cell = cells[self.column]
        if self.equals is not None:
            return cell == self.equals
        if self.one_of is not None:
            return cell in self.one_of
        if self.matches is not None:
            return re.search(self.matches, cell) is not None
        smallest, largest = self.outside or (0.0, 0.0)
        try:
            return not smallest <= number(cell, self.decimal) <= largest
        except RefusedError:
            return True


class Mapping(Part):
    """A whole mapping file, format 1. See docs/importing.md."""

    version: Literal[1]
    source: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,59}$")]
    seller: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    market: Market = Market.EXOTICS
    file: FileShape = FileShape()
    key: Literal["row"] | Annotated[tuple[Column, ...], Field(min_length=1)]
    reject: tuple[RejectRule, ...] = ()
    fields: Annotated[dict[str, Rule], Field(min_length=1)]

    @field_validator("fields")
    @classmethod
    def _are_fields(cls, fields: dict[str, Rule]) -> dict[str, Rule]:
        unknown = sorted(set(fields) - set(VehicleFields.model_fields))
        if unknown:
            known = ", ".join(VehicleFields.model_fields)
            message = f"no such field: {', '.join(unknown)}; there are {known}"
            raise ValueError(message)
        for name, rule in fields.items():
            if isinstance(rule, TemplateRule):
                _check_template(name, rule, fields)
        return fields

    @property
    def seller_id(self) -> str:
        """Whose listings these will be, unless the command line says otherwise."""
        return self.seller or f"import:{self.source}"

    def columns_used(self) -> dict[str, str]:
        """Each column that the mapping reads, with the place in the mapping that does."""
        used: dict[str, str] = {}
        if self.key != "row":
            used |= {column: f"key.{place}" for place, column in enumerate(self.key)}
        used |= {rule.column: f"reject.{place}.column" for place, rule in enumerate(self.reject)}
        for name, rule in self.fields.items():
            used |= dict.fromkeys(columns_of(rule), f"fields.{name}")
        return used


def _check_template(name: str, rule: TemplateRule, fields: dict[str, Rule]) -> None:
    for used in names_in(rule.template):
        if used not in fields or isinstance(fields[used], TemplateRule):
            message = f"{name}: {{{used}}} is no field of this mapping, or a template itself"
            raise ValueError(message)
