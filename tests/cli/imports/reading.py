"""Translating whole files in tests, without a mesh."""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from cli.imports.files.rows import Row
from cli.imports.files.table import Table, open_table
from cli.imports.language.mapping import FileShape, Mapping
from cli.imports.language.mapping_file import parse_mapping
from cli.imports.outcomes import Refusal
from cli.imports.translate import Order, Translator
from schemas.listings import CreateListing
from schemas.log.messages import Market
from schemas.log.recorded import CommandEnvelope

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)

SMALL = """
version: 1
source: small
key: [id]
fields:
  title: {as: text, column: id}
"""


def small(**parts: str) -> Mapping:
    """A mapping with one text column `id`, plus YAML parts by name."""
    return parse_mapping(SMALL + "".join(f"{name}: {text}\n" for name, text in parts.items()))


def rule(text: str) -> Mapping:
    """A mapping whose fields are this YAML flow mapping."""
    return parse_mapping(f"version: 1\nsource: small\nkey: row\nfields: {text}\n")


def order(mapping: Mapping, asked_at: datetime = NOON, seller: str | None = None) -> Order:
    return Order(
        mapping=mapping,
        market=Market.EXOTICS,
        seller_id=seller or mapping.seller_id,
        asked_at=asked_at,
        fingerprint=lambda content: content.hex()[:64],
        correlation_id="test",
    )


def table_of(text: str, **shape: object) -> Table:
    return Table(io.StringIO(text, newline=""), FileShape.model_validate(shape))


def rows_of(text: str, **shape: object) -> list[Row]:
    return list(table_of(text, **shape))


def translated(rows: Iterable[Row], mapping: Mapping) -> list[CommandEnvelope | Refusal]:
    translator = Translator(order(mapping))
    return [translator.translate(row) for row in rows]


def one(mapping: Mapping, **cells: str) -> CommandEnvelope | Refusal:
    """What one row with these cells becomes."""
    return Translator(order(mapping)).translate(Row(1, 2, cells))


def fields(found: CommandEnvelope | Refusal) -> dict[str, object]:
    assert isinstance(found, CommandEnvelope), found
    assert isinstance(found.command, CreateListing)
    return found.command.fields.model_dump(exclude_none=True, mode="json")


def file_translated(path: Path, mapping: Mapping) -> list[CommandEnvelope | Refusal]:
    with open_table(path, mapping.file) as table:
        return translated(table, mapping)
