"""One import from file to summary: opens what it needs, sends every row, adds up."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import uuid_utils

from api.backends.database import Database
from api.backends.gateway import CommandGateway
from api.entry.commands import fingerprint_of
from api.wire.problems import StoreUnavailableError
from cli.imports.cells import shown
from cli.imports.files.file_kind import explain
from cli.imports.files.rows import Row, Rows, TableError
from cli.imports.files.table import count_lines, open_table
from cli.imports.first_look import suspicions
from cli.imports.language.mapping import Mapping
from cli.imports.outcomes import Outcome, Refusal
from cli.imports.pictures import Over, Pictures, over_of
from cli.imports.sending.progress import Progress, showing_progress
from cli.imports.sending.report import Report, Tally, open_report
from cli.imports.sending.searchable import wait_until_searchable
from cli.imports.sending.sending import Limits, NoAnswerError, Sender, Translate, Translated
from cli.imports.translate import Order, Translator, missing_columns
from cli.imports.updating import Updater, listings_of
from infra.clients.postgres import open_pool
from infra.process import run_command
from infra.settings import Settings
from infra.vault.vault import PersonErasedError, Vault, VaultUnavailableError
from schemas.listings import seller_account
from schemas.log.messages import Market
from schemas.log.positions import format_token

T = TypeVar("T")

_START_RETRY_S = 0.5


@dataclass(frozen=True)
class Job:
    """One import: a file, its mapping, and where its report goes."""

    file: Path
    mapping: Mapping
    market: Market
    seller_id: str
    report: Path | None = None  # None: a check that writes none
    wait_s: float = 0.0  # how long to wait until the search has everything; 0: don't
    limit: int | None = None  # only so many rows
    anyway: bool = False  # though most of the file looks wrong
    update: bool = False  # change what is there, and withdraw what the file lacks


class NoAccountError(Exception):
    """Whose listings they shall be has no account that pictures could belong to."""


class LooksWrongError(Exception):
    """Most of the file looks as if the mapping meant another; nothing has been sent."""


@dataclass(frozen=True)
class Summary:
    """What an import came to; `token` is a Consistency-Token that covers all of it."""

    tally: Tally
    seconds: float  # until every row had its outcome
    report: Path
    token: str
    searchable_s: float | None = None  # until the search had everything; None: not waited for
    changes: Counter[str] | None = None  # of an update: how many rows changed what
    held_back: str | None = None  # why nothing was withdrawn, though the file lacks listings

    def as_json(self) -> dict[str, Any]:
        """The summary as `--json` prints it."""
        return {
            **self.tally.as_json(),
            "seconds": round(self.seconds, 3),
            "searchable_seconds": self.searchable_s and round(self.searchable_s, 3),
            "report": str(self.report),
            "consistency_token": self.token,
            **({"changes": {**self.changes}} if self.changes is not None else {}),
            **({"held_back": self.held_back} if self.held_back else {}),
        }


def run_import(settings: Settings, job: Job, limits: Limits) -> Summary:
    """Do the job; raises TableError, LooksWrongError, ReportError, NoAnswerError,
    KeyboardInterrupt.
    """
    report_path = job.report
    assert report_path is not None
    with open_checked(job) as (table, found):
        if found and not job.anyway:
            raise LooksWrongError("\n".join(found))
        about = count_lines(job.file) if table.about is None else table.about
        rows = min(about, job.limit or sys.maxsize)
        with (
            open_report(report_path, job.file) as report,
            showing_progress(job.file.name, rows) as progress,
        ):
            noted = _Noted(report, progress)
            return run_command(_import(settings, job, table, noted, limits))


@contextmanager
def open_checked(job: Job) -> Iterator[tuple[Rows, list[str]]]:
    """The table, which has the mapping's columns, and what looks wrong about most of it. Raises
    TableError.
    """
    with open_table(job.file, job.mapping.file) as table:
        if missing := missing_columns(job.mapping, table.columns):
            hint = explain(job.file, job.mapping.file, job.mapping.columns_used())
            has = f"the file has: {', '.join(map(shown, table.columns))}"
            raise TableError("\n".join([f"{job.file}: {hint}"] if hint else [*missing, has]))
        yield table, suspicions(job.file, job.mapping)


@dataclass
class _Noted:
    """The sums of an import, its report and its progress: each outcome goes to all three."""

    report: Report
    progress: Progress
    tally: Tally = field(default_factory=Tally)

    def write(self, outcome: Outcome) -> None:
        self.tally.count(outcome)
        self.report.write(outcome)
        self.progress.show(self.tally)


async def _import(
    settings: Settings, job: Job, table: Rows, noted: _Noted, limits: Limits
) -> Summary:
    started = time.monotonic()
    order = Order(
        mapping=job.mapping,
        market=job.market,
        seller_id=job.seller_id,
        asked_at=datetime.now(UTC),
        fingerprint=partial(fingerprint_of, settings, "IMPORT", job.mapping.source),
        correlation_id=str(uuid_utils.uuid7()),
    )
    async with _gateway(settings, limits) as gateway:
        sender = Sender(gateway.send, noted, limits)
        rows, translator = islice(table, job.limit), Translator(order)
        pictures = await _pictures(settings, job, order) if job.mapping.images else None
        updater = await _updater(settings, job, translator, pictures) if job.update else None
        translate = updater.translate if updater is not None else _listing(translator, pictures)
        noted.tally.read = await sender.run(rows, translate)
        held_back = None
        if updater is not None:
            held_back = await _withdraw(job, updater, sender, noted)
    noted.progress.finish(noted.tally)
    seconds, positions = time.monotonic() - started, list(sender.latest.values())
    searchable_s = None
    if job.wait_s and await wait_until_searchable(settings, positions, job.wait_s):
        searchable_s = time.monotonic() - started
    token = format_token(positions)
    changes = updater.counts if updater is not None else None
    report = job.report or Path()
    return Summary(noted.tally, seconds, report, token, searchable_s, changes, held_back)


def _listing(translator: Translator, pictures: Pictures | None) -> Translate:
    """A row's translation where nothing is looked at that is there already."""

    def translate(row: Row) -> Translated:
        found = translator.translate(row)
        if isinstance(found, Refusal) or pictures is None or translator.listing_id is None:
            return found
        return (found, *pictures.of_new(translator.listing_id, translator.addresses))

    return translate


async def _pictures(settings: Settings, job: Job, order: Order) -> Pictures:
    """In the name of whose account they are fetched; raises NoAccountError, NoAnswerError."""
    account = seller_account(job.seller_id)
    is_person = str(account) == job.seller_id
    try:
        async with await open_pool(settings, size_min=0, size_max=1) as pool:
            vault = Vault(pool, settings)
            # A source has an account's id whether or not anybody has registered it.
            key = await (vault.person(account) if is_person else vault.new_person(account, ""))
        over = (
            await _read(settings, lambda reads: over_of(reads, account)) if job.update else Over()
        )
    except PersonErasedError:
        key = None
    except VaultUnavailableError as error:
        message = "the vault can't be reached"
        raise NoAnswerError(message) from error
    if key is None:
        message = f"{job.seller_id} has no account, and pictures belong to one"
        raise NoAccountError(message)
    return Pictures(order, key, over)


async def _updater(
    settings: Settings, job: Job, translator: Translator, pictures: Pictures | None
) -> Updater:
    """With what is there of this seller; raises NoAnswerError."""
    known = await _read(settings, lambda reads: listings_of(reads, job.seller_id))
    return Updater(translator, known, pictures)


async def _read(settings: Settings, ask: Callable[[Database], Awaitable[T]]) -> T:
    """What a read model tells; raises NoAnswerError."""
    database = Database(settings)
    await database.open()
    try:
        return await ask(database)
    except StoreUnavailableError as error:
        message = "what is listed can't be read"
        raise NoAnswerError(message) from error
    finally:
        await database.close()


async def _withdraw(job: Job, updater: Updater, sender: Sender, noted: _Noted) -> str | None:
    """Take back what the file lacks, or say why not. A part of a file lacks most of it, and a
    person's listings need not come from it.
    """
    if job.limit is not None or job.seller_id != f"import:{job.mapping.source}":
        return None
    doubt = updater.doubt()
    if doubt is not None and not job.anyway:
        return doubt
    missing = enumerate(updater.missing(), start=1)
    rows = [Row(number, 0, {"listing_id": each}) for number, each in missing]
    sender.report = _Withdrawn(noted.report, updater.counts)
    await sender.run(rows, updater.withdraw)
    return None


@dataclass
class _Withdrawn:
    """The outcomes of listings that no row stands for: row 0 of the report."""

    report: Report
    counts: Counter[str]

    def write(self, outcome: Outcome) -> None:
        taken = "withdrawn" if outcome.refusal is None else "not_withdrawn"
        self.counts[taken] += 1
        self.report.write(replace(outcome, row=0))


def _end_if_cancelled() -> None:
    """Raise the cancellation that Kafka's client turned into an error of its own: Ctrl-C must
    end an import that finds no broker.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


@asynccontextmanager
async def _gateway(settings: Settings, limits: Limits) -> AsyncIterator[CommandGateway]:
    gateway = CommandGateway(settings)
    give_up_at = time.monotonic() + limits.retry_for_s
    while True:
        try:
            await gateway.start()
            break
        except Exception as error:
            _end_if_cancelled()
            if time.monotonic() >= give_up_at:
                message = f"the brokers can't be reached: {type(error).__name__}"
                raise NoAnswerError(message) from error
        await asyncio.sleep(_START_RETRY_S)
    try:
        yield gateway
    finally:
        await gateway.stop()
