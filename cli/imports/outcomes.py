"""What can become of a row: accepted, or refused by somebody for a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from schemas.log.messages import Fault
from schemas.refusals import told_of


class RefusedBy(StrEnum):
    """Who refused a row; the order is the order in which a row meets them."""

    FILE = "file"  # the row isn't a row: cells missing, bytes unreadable, a quote left open
    MAPPING = "mapping"  # a reject rule, or a cell that a rule can't read
    VALIDATION = "validation"  # the value exists but no listing may have it
    WRITER = "writer"  # the rules of listings, judged by the writer


class Unread(StrEnum):
    """Why a rule can't read a cell: the stable codes that reports show."""

    NOT_A_NUMBER = "not_a_number"
    AMBIGUOUS = "ambiguous_number"
    UNKNOWN_UNIT = "unknown_unit"
    OTHER_CURRENCY = "other_currency"
    NOT_WHOLE = "not_a_whole_number"
    UNKNOWN_WORD = "unknown_word"
    NOT_A_PLACE = "not_a_place"
    NOT_A_DATE = "not_a_date"
    NO_MATCH = "no_match"
    NOT_AN_ADDRESS = "not_an_address"
    TOO_MANY_IMAGES = "too_many_images"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that will not become a listing. `reason` is a stable code, `detail` is for people;
    `field` and `column` say where, as far as there is one such place.
    """

    by: RefusedBy
    reason: str
    detail: str = ""
    field: str = ""
    column: str = ""


def of_writer(reason: str, faults: Sequence[Fault], meant: str = "") -> Refusal:
    """What the writer refused; `meant` is what its reason means here where it names no field."""
    named = "; ".join(f"{fault.pointer}: {fault.detail}" for fault in faults)
    return Refusal(RefusedBy.WRITER, reason, named or meant or told_of(reason))


class RefusedError(Exception):
    """Leaves a rule when a row can't be used; carries the refusal."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.by}: {refusal.reason}: {refusal.detail}")
        self.refusal = refusal

    def placed(self, place: str, column: str) -> RefusedError:
        """The same, with the place in the mapping and the column that it is about."""
        detail = f"{place}: column {column!r}: {self.refusal.detail}"
        return RefusedError(replace(self.refusal, detail=detail, column=column))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row. `row` counts from 1, `line` is the row's first line in the file."""

    row: int
    line: int
    listing_id: str = ""
    refusal: Refusal | None = None
