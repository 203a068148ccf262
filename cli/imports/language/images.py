"""The pictures of a row: in which columns their addresses stand, in the order in which they are shown."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from cli.imports.cells import stripped
from cli.imports.language.amounts import refused
from cli.imports.language.parts import Cells, Column, Part, Texts
from cli.imports.outcomes import RefusedError, Unread
from infra.fetching import AddressRefusedError, address_of
from schemas.listings import IMAGES_MAX

_LINE_END = re.compile(r"[\r\n]+")  # no address has one, and lists in JSON and XML come in lines

_TOO_MANY = f"a listing has at most {IMAGES_MAX}: write more: first for the first of them"


def _several(found: object) -> object:
    return (found,) if isinstance(found, str) else found


_IN_EACH = "https://"


class Images(Part):
    """Columns with an address each, or with several and a separator between them."""

    columns: Annotated[
        tuple[Column, ...],
        BeforeValidator(_several),
        Field(min_length=1, max_length=IMAGES_MAX),
    ]
    separator: Annotated[str, Field(min_length=1, max_length=20)] | None = None
    absent: Texts = ()  # cells that mean "none", besides the empty one
    more: Literal["refuse", "first"] = "refuse"  # of a row with more than a listing may have

    @field_validator("columns")
    @classmethod
    def _stand_once(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(columns)) < len(columns):
            message = "names a column twice: take one out"
            raise ValueError(message)
        return columns

    @field_validator("separator")
    @classmethod
    def _stands_in_no_address(cls, separator: str | None) -> str | None:
        if separator is not None and separator.strip() and separator.strip() in _IN_EACH:
            message = f"{separator!r} stands in every address: the addresses would be cut by it"
            raise ValueError(message)
        return separator

    def addresses(self, cells: Cells) -> tuple[str, ...]:
        """What is to be fetched for a row, each once, the first to stand for the listing; raises
        RefusedError.
        """
        found: dict[str, None] = {}
        for column in self.columns:
            try:
                found |= dict.fromkeys(map(_checked, self._parts(cells[column])))
                if len(found) > IMAGES_MAX and self.more == "refuse":
                    raise refused(Unread.TOO_MANY_IMAGES, cells[column], _TOO_MANY)
            except RefusedError as error:
                where = "images"
                raise error.placed(where, column) from None
        return tuple(found)[:IMAGES_MAX]

    def _parts(self, cell: str) -> list[str]:
        lines = _LINE_END.split(cell)
        parts = [each for line in lines for each in (line.split(self.separator or "\n"))]
        return [each for each in map(stripped, parts) if each and each not in self.absent]


def _checked(text: str) -> str:
    try:
        address_of(text)
    except AddressRefusedError as error:
        raise refused(Unread.NOT_AN_ADDRESS, text, str(error)) from None
    return text
