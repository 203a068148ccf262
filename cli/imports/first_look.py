"""A first look at a file, before anything is sent: at a bounded part of it, for what would make
most rows wrong or useless. Refusing rows one by one would tell the same too late.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from cli.imports.files.file_kind import explain
from cli.imports.files.rows import Row
from cli.imports.files.table import open_table
from cli.imports.language.amounts import other_convention
from cli.imports.language.made import with_made
from cli.imports.language.mapping import Mapping
from cli.imports.language.parts import Cells
from cli.imports.language.rules import (
    AnyRule,
    DisplacementRule,
    DistanceRule,
    IntegerRule,
    MoneyRule,
    NumberRule,
    PowerRule,
    chosen,
    leaves_of,
)
from cli.imports.language.values import value_of
from cli.imports.outcomes import RefusedError
from cli.imports.translate import currency_of
from producers.listings.listings import MANDATORY

ROWS_MAX = 1_000
CHARACTERS_MAX = 4_000_000
BYTES_MAX = 8 << 20
_ONE_BYTE = ("cp125", "iso8859", "latin", "mac-", "charmap")


@dataclass
class _Seen:
    """What was seen in a column of numbers."""

    cells: int = 0
    refused: int = 0
    in_other_convention: int = 0
    example: str = ""

    def note(self, cell: str, rule: NumberRule, why: str) -> None:
        self.refused += 1
        self.example = self.example or why
        self.in_other_convention += other_convention(cell, rule.notation) is not None


def suspicions(path: Path, mapping: Mapping) -> list[str]:
    """What looks wrong about most of the file; raises TableError."""
    found = [*_unfilled(mapping), *_in_disguise(path, mapping.file.encoding)]
    with open_table(path, mapping.file) as table:
        rows = list(_first(iter(table)))
    return [
        *found,
        *_unreadable(rows, path, mapping),
        *_columns(rows, mapping),
        *_addresses(rows, mapping),
    ]


def _unfilled(mapping: Mapping) -> Iterator[str]:
    missing = [name for name in MANDATORY if name not in mapping.fields]
    if missing:
        yield f"the mapping fills no {', '.join(missing)}: no listing may be without"


def _in_disguise(path: Path, encoding: str) -> Iterator[str]:
    """UTF-8 read as an encoding of single bytes gives `Ã«` for `ë`, and never an error."""
    if not codecs.lookup(encoding).name.startswith(_ONE_BYTE):
        return
    with path.open("rb") as file:
        head = file.read(BYTES_MAX)
    first = next((place for place, byte in enumerate(head) if byte > 0x7F), None)  # noqa: PLR2004
    if first is None or not _is_utf_8(head):
        return
    line = head.count(b"\n", 0, first) + 1
    yield (
        f"the file is UTF-8, not {encoding} (line {line}, byte 0x{head[first]:02X}): write "
        "encoding: utf-8 under file in the mapping"
    )


def _is_utf_8(head: bytes) -> bool:
    try:
        # The end may have cut a character in two.
        codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < BYTES_MAX)
    except UnicodeDecodeError:
        return False
    return True


def _first(rows: Iterator[Row]) -> Iterator[Row]:
    characters = 0
    for row in islice(rows, ROWS_MAX):
        yield row
        characters += sum(map(len, row.cells.values()))
        if characters > CHARACTERS_MAX:
            return


def _unreadable(rows: list[Row], path: Path, mapping: Mapping) -> Iterator[str]:
    bad = [row.refusal for row in rows if row.refusal is not None]
    if len(bad) * 2 <= len(rows):
        return
    hint = explain(path, mapping.file, ()) or ""
    yield f"{len(bad)} of the first {len(rows)} rows can't be read: {bad[0].detail}. {hint}".strip()


def _readable(rows: list[Row], mapping: Mapping) -> list[Cells]:
    made = [with_made(mapping.columns, row.cells) for row in rows if row.refusal is None]
    return [cells for cells, refusal in made if refusal is None]


def _addresses(rows: list[Row], mapping: Mapping) -> Iterator[str]:
    """What looks wrong about the columns of pictures: most rows that have some would be refused."""
    if (images := mapping.images) is None:
        return
    with_some, why = 0, list[str]()
    for cells in _readable(rows, mapping):
        try:
            with_some += bool(images.addresses(cells))
        except RefusedError as error:
            why.append(error.refusal.detail)
    if len(why) > with_some:
        counted = f"{len(why)} of the first {len(why) + with_some} rows with pictures"
        yield f"{counted} would be refused for them, as {why[0]}"


def _columns(rows: list[Row], mapping: Mapping) -> Iterator[str]:
    readable = _readable(rows, mapping)
    numbers = (
        (name, leaf)
        for name, rule in mapping.fields.items()
        for _, leaf in leaves_of(rule)
        if isinstance(leaf, IntegerRule | MoneyRule | DistanceRule | PowerRule | DisplacementRule)
    )
    for name, rule in numbers:
        seen = _Seen()
        for cells in readable:
            _look(seen, name, rule, cells, mapping)
        if seen.refused * 2 > seen.cells:
            yield _told(name, rule, seen)


def _look(seen: _Seen, name: str, rule: NumberRule, cells: Cells, mapping: Mapping) -> None:
    cell = cells[rule.column]
    if not cell or cell in rule.absent or _is_rejected(mapping, cells):
        return
    if not _is_read_by(rule, mapping.fields[name], cells):
        return
    seen.cells += 1
    try:
        value_of(name, rule, cells, currency_of(mapping, cells))
    except RefusedError as error:
        if error.refusal.column in {rule.column, ""}:
            seen.note(cell, rule, error.refusal.detail)


def _is_read_by(leaf: NumberRule, rule: AnyRule, cells: Cells) -> bool:
    try:
        return chosen(rule, cells) is leaf
    except RefusedError:
        return False


def _is_rejected(mapping: Mapping, cells: Cells) -> bool:
    try:
        return any(rule.hits(cells) for rule in mapping.reject)
    except RefusedError:
        return False


def _told(name: str, rule: NumberRule, seen: _Seen) -> str:
    counted = f"{seen.refused} of the first {seen.cells} cells"
    if seen.in_other_convention * 2 > seen.cells:
        other = "," if rule.decimal == "." else "."
        return (
            f"column {rule.column!r} looks as if it had the decimal mark {other!r}: {counted} can't "
            f"be read with {rule.decimal!r}, as {seen.example}"
        )
    return f"column {rule.column!r} can't be read by fields.{name}: {counted}, as {seen.example}"
