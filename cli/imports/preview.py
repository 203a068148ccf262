"""What would become of the first rows, as a table for people and as data for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cli.imports.cells import printable
from cli.imports.outcomes import Outcome
from schemas.values.money import major_units
from schemas.values.vehicles import VehicleFields

COLUMNS = ("row", "line", "title", "make", "model", "year", "price", "mileage")
NUMBERS = frozenset({"row", "line", "year", "price", "mileage"})
WIDTH_MAX = 30
DETAIL_MAX = 200


@dataclass(frozen=True)
class Shown:
    """One row: what would become of it, and the listing that it would be."""

    outcome: Outcome
    fields: VehicleFields | None
    images: tuple[str, ...] = ()  # the addresses of its pictures, in their order

    def as_json(self, accepted: str) -> dict[str, Any]:
        """The row as `--json` prints it, with every field that it states."""
        outcome, refusal = self.outcome, self.outcome.refusal
        told: dict[str, Any] = {
            "row": outcome.row,
            "line": outcome.line,
            "outcome": accepted if refusal is None else "refused",
            "listing_id": outcome.listing_id,
            "fields": self.fields and self.fields.model_dump(mode="json", exclude_none=True),
        }
        if self.images:
            told["images"] = list(self.images)
        if refusal is not None:
            told |= {"refused_by": refusal.by.value, "reason": refusal.reason}
            told |= {"column": refusal.column, "detail": printable(refusal.detail)}
        return told


def table_of(rows: list[Shown]) -> list[str]:
    """A line for each row, under a heading; below it its pictures' addresses, or of a refused row the
    reason.
    """
    if not rows:
        return []
    lines = [dict(zip(COLUMNS, COLUMNS, strict=True)), *(_cells(each) for each in rows)]
    widths = {name: max(len(line[name]) for line in lines) for name in COLUMNS}
    told = [_line(lines[0], widths)]
    for cells, row in zip(lines[1:], rows, strict=True):
        told.append(_line(cells, widths))
        told += [f"    picture: {printable(each)}" for each in row.images]
        if (refusal := row.outcome.refusal) is not None:
            why = printable(f"refused by {refusal.by}: {refusal.reason}: {refusal.detail}")
            told.append(f"    {why if len(why) <= DETAIL_MAX else why[:DETAIL_MAX] + '…'}")
    return told


def _line(cells: dict[str, str], widths: dict[str, int]) -> str:
    padded = (
        cells[name].rjust(widths[name]) if name in NUMBERS else cells[name].ljust(widths[name])
        for name in COLUMNS
    )
    return "  ".join(padded).rstrip()


def _cells(row: Shown) -> dict[str, str]:
    stated = row.fields.stated() if row.fields is not None else {}
    mileage = row.fields.mileage if row.fields is not None else None
    found = {
        **{name: stated.get(name, "") for name in COLUMNS},
        "row": row.outcome.row,
        "line": row.outcome.line,
        "price": _price(stated.get("price_minor"), stated.get("currency")),
        "mileage": f"{mileage.value} {'km' if mileage.unit == 'KMT' else 'mi'}" if mileage else "",
    }
    return {name: _cut(printable(str(value))) for name, value in found.items()}


def _price(minor: int | None, currency: str | None) -> str:
    if minor is None:
        return ""
    if currency is None:
        return f"{minor} minor units"
    return f"{major_units(minor, currency):f} {currency}"


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH_MAX else text[: WIDTH_MAX - 1] + "…"
