"""The mapping: what a seller's file looks like and how its rows become listings."""

from __future__ import annotations

import codecs
import csv
import re
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from cli.imports.language.conditions import Condition
from cli.imports.language.images import Images
from cli.imports.language.made import Made
from cli.imports.language.parts import NAME_LENGTH_MAX, Column, Part, Texts
from cli.imports.language.rules import Rule, columns_of
from schemas.log.messages import Market
from schemas.values.texts import Form, Line, refusal, shows

Code = Annotated[
    str,
    Form(r"^[a-z][a-z0-9_]{1,59}$", "takes 2 to 60 small letters, digits and _, a letter first"),
]
LINES_PER_ROW_MAX = 1_000
SKIPPED_LINES_MAX = 100
REJECTS_MAX = 200
MADE_MAX = 100


# They encode names and program text, not files.
_NO_TEXTS = frozenset({"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape"})


def _columns(found: object) -> object:
    """`row`, or the columns of a key: some, and each once."""
    if found == "row":
        return found
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        told = "is neither `row` nor a list of columns: write it like [stock_no]"
    elif not found:
        told = "names no column: write it like [stock_no], or row"
    elif len(set(found)) < len(found):
        told = "names a column twice: take one out"
    else:
        return tuple(found)
    raise refusal(told)


def _one_character(text: str) -> str:
    if len(text) != 1 or text.isalnum() or not (shows(text) or text in " \t"):
        message = "exactly one character that can be seen, a space or a tab; no letter or digit"
        raise ValueError(message)
    return text


Format: TypeAlias = Literal["csv", "tsv", "xlsx", "jsonl", "xml"]
# What says something of files of these formats only.
_OF_FORMAT: dict[str, tuple[str, ...]] = {
    "encoding": ("csv", "tsv", "jsonl"),
    "delimiter": ("csv", "tsv"),
    "quote": ("csv", "tsv"),
    "lines_per_row_max": ("csv", "tsv"),
    "skip_lines": ("csv", "tsv", "xlsx"),
    "sheet": ("xlsx",),
    "row": ("xml",),
}


class FileShape(Part):
    """How the bytes are to be read."""

    format: Format = "csv"
    sheet: Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX)] | None = None
    row: Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX)] | None = None
    encoding: str = "utf-8"
    delimiter: str = ","
    quote: str = '"'
    skip_lines: Annotated[int, Field(ge=0, le=SKIPPED_LINES_MAX)] = 0  # before the header
    header: Annotated[Texts, Field(min_length=1)] | None = None  # the columns' names, without one
    lines_per_row_max: Annotated[int, Field(ge=1, le=LINES_PER_ROW_MAX)] = 20

    @model_validator(mode="before")
    @classmethod
    def _tabs_of_tsv(cls, found: object) -> object:
        if isinstance(found, dict) and found.get("format") == "tsv":
            return {"delimiter": "\t", **found}
        return found

    @model_validator(mode="after")
    def _suits_the_format(self) -> Self:
        for name in sorted(self.model_fields_set & _OF_FORMAT.keys()):
            if self.format not in _OF_FORMAT[name]:
                message = f"{name} says nothing of a file of format {self.format}: take it out"
                raise ValueError(message)
        if self.format == "tsv" and self.delimiter != "\t":
            message = (
                "a tab stands between the cells of format tsv: write format: csv, or no delimiter"
            )
            raise ValueError(message)
        if self.format == "xml" and self.row is None:
            message = "format xml needs row, the name of the element that is one vehicle"
            raise ValueError(message)
        return self

    _delimiter = field_validator("delimiter", "quote")(_one_character)

    @model_validator(mode="after")
    def _are_apart(self) -> Self:
        if self.delimiter == self.quote or {self.delimiter, self.quote} & set("\r\n"):
            message = "delimiter and quote must differ, and be no ends of line"
            raise ValueError(message)
        try:
            csv.reader([], delimiter=self.delimiter, quotechar=self.quote, strict=True)
        except (TypeError, ValueError) as error:
            message = f"delimiter and quote can't be used together: {error}"
            raise ValueError(message) from None
        return self

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, encoding: str) -> str:
        try:
            "".encode(encoding)
            b"".decode(encoding)
            if codecs.lookup(encoding).name in _NO_TEXTS:
                raise LookupError(encoding)  # noqa: TRY301 - told as the others are
        except (LookupError, TypeError, ValueError):  # unknown, or no encoding of text
            message = f"unknown encoding {encoding!r}"
            raise ValueError(message) from None
        return encoding

    @field_validator("header")
    @classmethod
    def _names_stand_once(cls, header: tuple[str, ...] | None) -> tuple[str, ...] | None:
        twice = sorted({name for name in header or () if (header or ()).count(name) > 1})
        if twice:
            message = f"columns that stand twice: {', '.join(twice)}"
            raise ValueError(message)
        return header


class RejectRule(Condition):
    """Rows that shall not become listings: one test of one column, and the reason's code."""

    reason: Code


_SOURCE = r"[a-z0-9][a-z0-9._-]{0,59}"
_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def _a_seller(text: str) -> str:
    if re.fullmatch(rf"import:{_SOURCE}|{_UUID}", text) is None:
        message = (
            "names nobody: write import: and a source, as in import:my-dealer, or a person's id"
        )
        raise ValueError(message)
    return text


class Mapping(Part):
    """A whole mapping file, format 1. See docs/importing.md."""

    version: Annotated[Literal[1], BeforeValidator(lambda v: 1 if v == "1" else v)]
    source: Annotated[
        str,
        Form(
            f"^{_SOURCE}$",
            "takes small letters, digits and . _ -, at most 60, and begins with a letter or digit",
        ),
    ]
    seller: Annotated[str, Line(100), AfterValidator(_a_seller)] | None = None
    market: Market = Market.EXOTICS
    file: FileShape = FileShape()
    key: Annotated[
        Literal["row"] | Annotated[tuple[Column, ...], Field(max_length=100)],
        BeforeValidator(_columns),
    ]
    columns: Annotated[tuple[Made, ...], Field(max_length=MADE_MAX)] = ()
    reject: Annotated[tuple[RejectRule, ...], Field(max_length=REJECTS_MAX)] = ()
    fields: Annotated[dict[str, Rule], Field(min_length=1)]
    images: Images | None = None

    @property
    def seller_id(self) -> str:
        """Whose listings these will be, unless the command line says otherwise."""
        return self.seller or f"import:{self.source}"

    def columns_used(self) -> dict[str, str]:
        """Each column of the file that is read, with the place in the mapping that does."""
        used: dict[str, str] = {}
        if self.key != "row":
            used |= {column: f"key.{place}" for place, column in enumerate(self.key)}
        for place, made in enumerate(self.columns):
            used |= dict.fromkeys(made.reads, f"columns.{place}")
        used |= {rule.column: f"reject.{place}.column" for place, rule in enumerate(self.reject)}
        for name, rule in self.fields.items():
            used |= dict.fromkeys(columns_of(rule), f"fields.{name}")
        if self.images is not None:
            used |= dict.fromkeys(self.images.columns, "images.columns")
        own = self.columns_made()
        return {column: place for column, place in used.items() if column not in own}

    def columns_made(self) -> dict[str, str]:
        """Each column that is made of others, with the place in the mapping that does."""
        return {
            name: f"columns.{place}"
            for place, made in enumerate(self.columns)
            for name in made.makes
        }
