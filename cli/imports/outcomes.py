"""What can become of a row: accepted, or refused by somebody for a reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RefusedBy(StrEnum):
    """Who refused a row; the order is the order in which a row meets them."""

    FILE = "file"  # the row isn't a row: cells missing, bytes unreadable, a quote left open
    MAPPING = "mapping"  # a reject rule, or a cell that a rule can't read
    VALIDATION = "validation"  # the value exists but no listing may have it
    WRITER = "writer"  # the rules of listings, judged by the writer


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that will not become a listing. `reason` is a stable code, `detail` is for people."""

    by: RefusedBy
    reason: str
    detail: str = ""


class RefusedError(Exception):
    """Leaves a rule when a row can't be used; carries the refusal."""

    def __init__(self, by: RefusedBy, reason: str, detail: str = "") -> None:
        super().__init__(f"{by}: {reason}: {detail}")
        self.refusal = Refusal(by, reason, detail)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row. `row` counts from 1, `line` is the row's first line in the file."""

    row: int
    line: int
    listing_id: str = ""
    refusal: Refusal | None = None
