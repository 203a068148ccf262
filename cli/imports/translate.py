"""A row → the command that lists it, or a refusal. Pure: the same row gives the same ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import blake2b, sha256
from typing import Any
from uuid import UUID, uuid5

from pydantic import ValidationError

from cli.imports.mapping import Mapping
from cli.imports.outcomes import Refusal, RefusedBy, RefusedError
from cli.imports.rules import MoneyRule, TemplateRule, compose, in_minor_units, value_of
from cli.imports.table import Row, TableError
from schemas.listings import CreateListing
from schemas.messages import Market, Role
from schemas.recorded import CommandEnvelope
from schemas.recorded import value_of as json_of
from schemas.vehicles import VehicleFields

_NAMESPACE = UUID("6f0f4d0b-3f5f-5c1c-9a7e-2f7c1d9d8a11")  # of imported listings, for ever
_SEPARATOR = "\u001f"  # keeps ("ab", "c") and ("a", "bc") apart
_KEY_BYTES = 16
# However late it takes effect, the next run finds it; a refusal for lateness would stand for ever.
_NO_DEADLINE = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True)
class Order:
    """What is the same for every row of one import."""

    mapping: Mapping
    market: Market
    seller_id: str
    asked_at: datetime
    fingerprint: Callable[[bytes], str]  # of what a command asks for, see api.commands
    correlation_id: str


@dataclass
class Translator:
    """Translates rows in the order of the file. It counts equal keys: the second row of the
    same key is another listing, whose id says that it is the second.
    """

    order: Order
    _seen: Counter[bytes] = field(default_factory=Counter)

    def translate(self, row: Row) -> CommandEnvelope | Refusal:
        """The command for a row, or why there is none."""
        if row.refusal is not None:
            return row.refusal
        listing_id = self._listing_id(row.cells)
        try:
            _reject(self.order.mapping, row.cells)
            fields = fields_of(self.order.mapping, row.cells)
        except RefusedError as error:
            return error.refusal
        return self._envelope(listing_id, fields)

    def _listing_id(self, cells: MappingOf[str, str]) -> UUID:
        mapping = self.order.mapping
        columns = sorted(cells) if mapping.key == "row" else mapping.key
        key = _SEPARATOR.join(cells[column] for column in columns)
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
        command_id = str(uuid5(listing_id, sha256(content).hexdigest()))
        return CommandEnvelope(
            command=command,
            command_id=command_id,
            correlation_id=order.correlation_id,
            causation_id=command_id,
            fingerprint=order.fingerprint(content),
            deadline=_NO_DEADLINE,
        )


def listing_id_of(source: str, key: str, occurrence: int) -> UUID:
    """The id of the `occurrence`-th (from 1) row of a source that has this key."""
    return uuid5(_NAMESPACE, _SEPARATOR.join((source, key, str(occurrence))))


def fields_of(mapping: Mapping, cells: MappingOf[str, str]) -> VehicleFields:
    """What the row states of the vehicle; raises RefusedError."""
    try:
        return VehicleFields.model_validate(_values(mapping, cells))
    except ValidationError as error:
        faults = error.errors(include_url=False)
        detail = "; ".join(f"{_place(fault['loc'])}: {fault['msg']}" for fault in faults)
        raise RefusedError(RefusedBy.VALIDATION, "invalid_field", detail) from error


def _values(mapping: Mapping, cells: MappingOf[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    name = ""
    try:
        for name, rule in mapping.fields.items():
            values[name] = value_of(rule, cells)
        # What hangs on other fields comes once they are known.
        for name, rule in mapping.fields.items():
            if isinstance(rule, TemplateRule):
                values[name] = compose(rule.template, values)
            elif isinstance(rule, MoneyRule) and values[name] is not None:
                values[name] = in_minor_units(Decimal(values[name]), values.get("currency"))
    except RefusedError as error:
        found = error.refusal
        raise RefusedError(found.by, found.reason, f"{name}: {found.detail}") from error
    return values


def check_columns(mapping: Mapping, columns: tuple[str, ...]) -> None:
    """Raises TableError when the mapping reads columns that the file doesn't have."""
    missing = [
        f"{place}: no column {column!r} in the file"
        for column, place in mapping.columns_used().items()
        if column not in columns
    ]
    if missing:
        message = "\n".join([*missing, f"the file has: {', '.join(columns)}"])
        raise TableError(message)


def _reject(mapping: Mapping, cells: MappingOf[str, str]) -> None:
    for rule in mapping.reject:
        if rule.hits(cells):
            raise RefusedError(
                RefusedBy.MAPPING, rule.reason, f"{rule.column}: {cells[rule.column]}"
            )


def _place(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc)
