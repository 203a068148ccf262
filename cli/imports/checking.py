"""What an import would do, without doing it: `mesh import --check`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from cli.imports.job import Job, open_checked
from cli.imports.outcomes import Outcome, Refusal, of_writer
from cli.imports.preview import Shown
from cli.imports.sending.report import Tally, open_report
from cli.imports.translate import Order, Translator
from producers.decider import Rejected
from producers.listings.listings import listings
from schemas.listings import CreateListing
from schemas.log.recorded import CommandEnvelope
from schemas.values.vehicles import VehicleFields

ACCEPTED = "acceptable"  # the report's word: nothing has been accepted yet


@dataclass(frozen=True)
class Checked:
    """What a file would come to, and what looks wrong about most of it."""

    tally: Tally
    suspicions: list[str]
    shown: list[Shown]  # the first rows, as many as were asked for

    @property
    def is_clean(self) -> bool:
        """Whether every row would be accepted."""
        return not self.suspicions and not self.tally.refused


def check_import(job: Job, show: int = 0) -> Checked:
    """Read the whole file and judge each row as an import would, but for what only a mesh knows:
    whether a listing is there already. Raises TableError, ReportError.
    """
    tally, shown = Tally(), list[Shown]()
    translator = Translator(_order(job))
    with ExitStack() as stack:
        table, suspicions = stack.enter_context(open_checked(job))
        note: Callable[[Outcome], None] = tally.count
        if job.report is not None:
            report = stack.enter_context(open_report(job.report, job.file, ACCEPTED))
            note = _both(tally.count, report.write)
        for row in islice(table, job.limit):
            tally.read += 1
            found = translator.translate(row)
            outcome = _outcome(row.number, row.line, found)
            note(outcome)
            if tally.read <= show:
                shown.append(Shown(outcome, _fields(found), translator.addresses))
    return Checked(tally, suspicions, shown)


def _both(
    first: Callable[[Outcome], None], second: Callable[[Outcome], None]
) -> Callable[[Outcome], None]:
    def note(outcome: Outcome) -> None:
        first(outcome)
        second(outcome)

    return note


def _order(job: Job) -> Order:
    return Order(
        mapping=job.mapping,
        market=job.market,
        seller_id=job.seller_id,
        asked_at=datetime.now(UTC),
        fingerprint=lambda _: "",
        correlation_id="",
    )


def _outcome(row: int, line: int, found: CommandEnvelope | Refusal) -> Outcome:
    if isinstance(found, Refusal):
        return Outcome(row, line, refusal=found)
    listing_id = found.command.stream_id.partition("/")[2]
    return Outcome(row, line, listing_id, _judged(found))


def _fields(found: CommandEnvelope | Refusal) -> VehicleFields | None:
    if isinstance(found, Refusal):
        return None
    assert isinstance(found.command, CreateListing)
    return found.command.fields


def _judged(envelope: CommandEnvelope) -> Refusal | None:
    """What the writer's own rules say of it, as the first command of a new listing."""
    assert isinstance(envelope.command, CreateListing)
    try:
        listings.decide(envelope.command, listings.initial)
    except Rejected as error:
        return of_writer(error.reason, error.faults)
    return None
