"""A row → the command that lists it, or a refusal. Pure: the same row gives the same ids."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from hashlib import blake2b, sha256
from typing import Any, TypeAlias
from uuid import UUID, uuid5

from pydantic import ValidationError

from cli.imports.cells import shown
from cli.imports.files.rows import Row
from cli.imports.language.fitting import FIELDS, Kind, as_held, fault_of
from cli.imports.language.made import with_made
from cli.imports.language.mapping import Mapping
from cli.imports.language.rules import TemplateRule, chosen, columns_of
from cli.imports.language.values import compose, value_of
from cli.imports.language.wording import told_of
from cli.imports.outcomes import Refusal, RefusedBy, RefusedError
from schemas.listings import (
    CreateListing,
    PublishListing,
    SetListingImages,
    UnpublishListing,
    UpdateListing,
)
from schemas.log.messages import Market, Role
from schemas.log.recorded import CommandEnvelope
from schemas.log.recorded import value_of as json_of
from schemas.media import FetchMedia
from schemas.values.vehicles import VehicleFields

_NAMESPACE = UUID("6f0f4d0b-3f5f-5c1c-9a7e-2f7c1d9d8a11")  # of imported listings, for ever
_SEPARATOR = "\u001f"  # keeps ("ab", "c") and ("a", "bc") apart
_KEY_BYTES = 16
_NAMING = frozenset(("jsonl", "xml"))  # formats whose rows name their cells themselves
# However late it takes effect, the next run finds it; a refusal for lateness would stand for ever.
_NO_DEADLINE = datetime(9999, 12, 31, tzinfo=UTC)


ImportCommand: TypeAlias = (
    CreateListing
    | UpdateListing
    | PublishListing
    | UnpublishListing
    | SetListingImages
    | FetchMedia
)


@dataclass(frozen=True)
class Order:
    """What is the same for every row of one import."""

    mapping: Mapping
    market: Market
    seller_id: str
    asked_at: datetime
    fingerprint: Callable[[bytes], str]  # of what a command asks for, see api.entry.commands
    correlation_id: str


@dataclass
class Translator:
    """Translates rows in the order of the file. It counts equal keys: the second row of the
    same key is another listing, whose id says that it is the second.
    """

    order: Order
    listing_id: UUID | None = None  # of the row that came last; None where it couldn't be read
    addresses: tuple[str, ...] = ()  # of its pictures
    _seen: Counter[bytes] = field(default_factory=Counter)

    def translate(self, row: Row) -> CommandEnvelope | Refusal:
        """The command for a row, or why there is none."""
        self.listing_id, self.addresses = None, ()
        if row.refusal is not None:
            return row.refusal
        self.listing_id = listing_id = self._listing_id(row.cells)
        mapping = self.order.mapping
        cells, unmade = with_made(mapping.columns, row.cells)
        try:
            _reject(mapping, cells, unmade)
            fields = fields_of(mapping, cells)
            if mapping.images is not None:
                self.addresses = mapping.images.addresses(cells)
        except RefusedError as error:
            return error.refusal
        return self._envelope(listing_id, fields)

    def _listing_id(self, cells: MappingOf[str, str]) -> UUID:
        mapping = self.order.mapping
        key = _key_of(mapping, cells)
        # Of rows that are refused later, too: an id must not hang on another row's fate.
        digest = blake2b(key.encode(errors="surrogatepass"), digest_size=_KEY_BYTES).digest()
        self._seen[digest] += 1
        return listing_id_of(mapping.source, key, self._seen[digest])

    def _envelope(self, listing_id: UUID, fields: VehicleFields) -> CommandEnvelope:
        order = self.order
        command = CreateListing(
            listing_id=listing_id,
            market=order.market,
            fields=fields,
            publish=True,
            asked_at=order.asked_at,
            asked_by=order.seller_id,
            asked_role=Role.SELLER,
        )
        # Not the time: the same row asked for tomorrow is the same request.
        content = f"{order.seller_id}{_SEPARATOR}{order.market}".encode() + json_of(fields)
        if self.addresses:
            content += _SEPARATOR.join(("", *self.addresses)).encode()
        return enveloped(order, command, content)


def enveloped(order: Order, command: ImportCommand, content: bytes) -> CommandEnvelope:
    """The command on its way; its id follows from what it is about and from what is asked."""
    about = UUID(command.stream_id.partition("/")[2])
    command_id = str(uuid5(about, sha256(content).hexdigest()))
    return CommandEnvelope(
        command=command,
        command_id=command_id,
        correlation_id=order.correlation_id,
        causation_id=command_id,
        fingerprint=order.fingerprint(content),
        deadline=_NO_DEADLINE,
    )


def _key_of(mapping: Mapping, cells: MappingOf[str, str]) -> str:
    if mapping.key != "row":
        return _SEPARATOR.join(cells[column] for column in mapping.key)
    if mapping.file.format in _NAMING:
        # What the row itself says: its columns are those of all rows, and another row that gets
        # a new member would change the ids of all of them.
        return json.dumps(sorted((name, cell) for name, cell in cells.items() if cell))
    return _SEPARATOR.join(cells[column] for column in sorted(cells))


def listing_id_of(source: str, key: str, occurrence: int) -> UUID:
    """The id of the `occurrence`-th (from 1) row of a source that has this key."""
    return uuid5(_NAMESPACE, _SEPARATOR.join((source, key, str(occurrence))))


def fields_of(mapping: Mapping, cells: MappingOf[str, str]) -> VehicleFields:
    """What the row states of the vehicle; raises RefusedError."""
    values = _values(mapping, cells)
    try:
        return VehicleFields.model_validate(values)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        detail = "; ".join(_told(mapping, fault, cells) for fault in faults)
        name = str(faults[0]["loc"][0]) if faults[0]["loc"] else ""
        refusal = Refusal(RefusedBy.VALIDATION, "invalid_field", detail, name)
        raise RefusedError(replace(refusal, column=column_of(mapping, name))) from error


def column_of(mapping: Mapping, name: str) -> str:
    """The column that a field is filled from, or no name when there is none or there are two."""
    rule = mapping.fields.get(name)
    columns = columns_of(rule) if rule is not None else ()
    return columns[0] if len(columns) == 1 else ""


def currency_of(mapping: Mapping, cells: MappingOf[str, str]) -> object:
    """The currency that the row states; raises RefusedError."""
    rule = mapping.fields.get("currency")
    return None if rule is None else value_of("currency", rule, cells)


def _values(mapping: Mapping, cells: MappingOf[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    currency = currency_of(mapping, cells)
    for name, rule in mapping.fields.items():
        found = value_of(name, rule, cells, currency)
        values[name] = as_held(name, found)
        if found is not None and FIELDS[name] is Kind.DATE and (fault := fault_of(name, found)):
            raise _invalid(mapping, name, f"{name}: {shown(str(found))}: {fault}")
    # What hangs on other fields comes once they are known.
    for name, rule in mapping.fields.items():
        if isinstance(plain := chosen(rule, cells), TemplateRule):
            values[name] = compose(plain.template, values)
    return values


def _invalid(mapping: Mapping, name: str, detail: str) -> RefusedError:
    column = column_of(mapping, name)
    return RefusedError(Refusal(RefusedBy.VALIDATION, "invalid_field", detail, name, column))


def _told(mapping: Mapping, fault: Any, cells: MappingOf[str, str]) -> str:
    """`year: '1800': is too small: at least 1886`, with the cell that the field is filled from."""
    place = ".".join(str(part) for part in fault["loc"])
    cell = cells.get(column_of(mapping, str(fault["loc"][0]))) if fault["loc"] else None
    quoted = f"{shown(cell)}: " if cell is not None else ""
    return f"{place}: {quoted}{told_of(fault)}"


def missing_columns(mapping: Mapping, columns: tuple[str, ...]) -> list[str]:
    """What the mapping reads and the file doesn't have, with the place in the mapping that does
    and the name that may be meant; and what it makes and the file has already.
    """
    return [
        f"{place}: no column {column!r} in the file{_meant(column, columns)}"
        for column, place in mapping.columns_used().items()
        if column not in columns
    ] + [
        f"{place}: the file has a column {column!r} of its own: give the made one another name"
        for column, place in mapping.columns_made().items()
        if column in columns
    ]


def _meant(column: str, columns: tuple[str, ...]) -> str:
    folded = {each.casefold(): each for each in columns}
    near = get_close_matches(column.casefold(), list(folded), n=1)
    return f" (is {folded[near[0]]!r} meant?)" if near else ""


def _reject(mapping: Mapping, cells: MappingOf[str, str], unmade: Refusal | None) -> None:
    """Raises RefusedError for the first rule that hits, and after all of them where a column
    could not be made: `wanted ad` says more of a row than that its make is unknown.
    """
    for place, rule in enumerate(mapping.reject):
        if unmade is not None and rule.column not in cells:
            break
        try:
            hit = rule.hits(cells)
        except RefusedError as error:
            where = f"reject.{place}"
            raise error.placed(where, rule.column) from None
        if hit:
            detail = f"{rule.column}: {shown(cells[rule.column])}"
            raise RefusedError(Refusal(RefusedBy.MAPPING, rule.reason, detail, column=rule.column))
    if unmade is not None:
        raise RefusedError(unmade)
