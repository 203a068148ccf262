"""`mesh import`: a seller's file becomes listings, by a mapping and no code of its own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import Annotated, NoReturn
from uuid import UUID

import typer

from cli.ids import an_id
from cli.imports.checking import ACCEPTED, Checked, check_import
from cli.imports.files.rows import TableError
from cli.imports.job import Job, LooksWrongError, NoAccountError, Summary, run_import
from cli.imports.language.mapping_file import MappingError, load_mapping
from cli.imports.preview import table_of
from cli.imports.sending.report_place import (
    ReportError,
    ReportPlaceError,
    check_report_place,
    default_report,
)
from cli.imports.sending.sending import Limits, NoAnswerError
from infra.logs import configure_logging
from infra.settings import settings, state_folder
from schemas.log.messages import Market

SAMPLE = "ads"  # infra/sample/ads.csv and its mapping
SAMPLE_WAIT_S = 30.0
SHOWN_MAX = 1_000  # rows of a check
SECONDS_MAX = 86_400  # what anybody waits for
# Those of sysexits.h, as far as it has one.
EXIT_USAGE = 2
EXIT_DATA = 65  # EX_DATAERR: rows that would be refused, or a file that looks wrong
EXIT_OUTPUT = 74  # EX_IOERR: the report could not be written to its end
EXIT_UNFINISHED = 75  # EX_TEMPFAIL: the same command again goes on
EXIT_INTERRUPTED = 130


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(name="import")(import_)


def _seconds(value: float) -> float:
    if not 0 <= value <= SECONDS_MAX:  # nor is it what is no number
        message = f"is a number of seconds, from 0 to {SECONDS_MAX:,}"
        raise typer.BadParameter(message)
    return value


def import_(  # noqa: PLR0913, PLR0917 - a command's options are its parameters
    file: Annotated[Path, typer.Argument(help="The file with one vehicle a row.")],
    mapping: Annotated[Path, typer.Option(help="How its columns become listings (YAML).")],
    market: Annotated[Market | None, typer.Option(help="Instead of the mapping's market.")] = None,
    seller: Annotated[
        UUID | None,
        typer.Option(parser=an_id, metavar="USER_ID", help="Whose listings; else the mapping's."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Where each row's outcome is written (.jsonl or .csv).")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only say what would be accepted; send nothing.")
    ] = False,
    show: Annotated[
        int, typer.Option(min=0, max=SHOWN_MAX, help="With --check: show the first so many rows.")
    ] = 10,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many rows.")] = None,
    update: Annotated[
        bool,
        typer.Option("--update", help="Change what is listed, and withdraw what the file lacks."),
    ] = False,
    anyway: Annotated[
        bool,
        typer.Option(
            "--anyway", help="Though the file looks wrong, or lacks most of what is there."
        ),
    ] = False,
    wait: Annotated[
        float,
        typer.Option(
            callback=_seconds, help="Wait so many seconds at most until a search finds every row."
        ),
    ] = 0.0,
    retry_for: Annotated[
        float,
        typer.Option(
            callback=_seconds, help="Seconds to go on without an answer before giving up."
        ),
    ] = Limits.retry_for_s,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """List every row of FILE. Running it again adds nothing, so after any trouble: run it again."""
    with _telling_what_ends_it():
        found = load_mapping(mapping)
        job = Job(
            file=file,
            mapping=found,
            market=market or found.market,
            seller_id=str(seller) if seller is not None else found.seller_id,
            report=report if check else report or default_report(_reports(), file),
            wait_s=wait,
            limit=limit,
            anyway=anyway,
            update=update,
        )
        if job.report is not None:
            check_report_place(job.report, file, mapping)
        if check:
            _end_check(check_import(job, show), as_json=as_json)
            return
        summary = _run(job, Limits(retry_for_s=retry_for))
    _say(json.dumps(summary.as_json()) if as_json else _told(summary))
    if summary.held_back is not None:
        _end(
            f"{summary.held_back}. Nothing was withdrawn: say --anyway if they are gone.", EXIT_DATA
        )


@contextmanager
def _telling_what_ends_it() -> Iterator[None]:
    """Whatever ends an import early is told without a traceback, and by the exit code."""
    try:
        yield
    except (MappingError, TableError, NoAccountError) as error:
        _end(str(error), EXIT_USAGE)
    except LooksWrongError as error:
        cure = "Nothing was sent. Mend the mapping, or say --anyway."
        _end(f"{error}\n{cure}", EXIT_DATA)
    except ReportError as error:
        _end(str(error), EXIT_USAGE if isinstance(error, ReportPlaceError) else EXIT_OUTPUT)
    except NoAnswerError as error:
        _end(f"The mesh takes no writes ({error}). Run the same command again.", EXIT_UNFINISHED)
    except OSError as error:
        _end(f"{error.filename or 'the file'}: {error.strerror or error}", EXIT_USAGE)
    except KeyboardInterrupt:
        cure = "Interrupted. Run the same command again: nothing is listed twice."
        _end(cure, EXIT_INTERRUPTED)


def _end(told: str, code: int) -> NoReturn:
    with suppress(BrokenPipeError):
        typer.echo(told, err=True)
    raise typer.Exit(code) from None


def _end_check(checked: Checked, *, as_json: bool) -> None:
    tally = checked.tally
    if as_json:
        rows = [each.as_json(ACCEPTED) for each in checked.shown]
        _say(json.dumps({**tally.as_json(), "suspicions": checked.suspicions, "rows": rows}))
    else:
        sums = f"{tally.accepted} would be accepted, {tally.refused.total()} refused"
        table = table_of(checked.shown)
        _say(
            "\n".join(
                [*table, *checked.suspicions, f"{tally.read} rows read: {sums}", *tally.told()]
            )
        )
    if not checked.is_clean:
        raise typer.Exit(EXIT_DATA)


def _say(told: str) -> None:
    """Print it, or not, when nobody reads on: what was done is done all the same."""
    try:
        sys.stdout.write(f"{told}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _reports() -> Path:
    settings()  # where no mesh is, that is told before a folder is made
    return state_folder() / "imports"


def import_sample() -> Summary:
    """Import the shipped sample into the running mesh, as `mesh up` does the first time."""
    folder = Path(str(files("infra") / "sample"))
    mapping = load_mapping(folder / f"{SAMPLE}.mapping.yaml")
    file = folder / f"{SAMPLE}.csv"
    report = default_report(_reports(), file)
    job = Job(file, mapping, mapping.market, mapping.seller_id, report, SAMPLE_WAIT_S)
    return _run(job, Limits())


def _run(job: Job, limits: Limits) -> Summary:
    # What can be mended by trying again is tried again; a line for each try would hide the rest.
    configure_logging("import", "critical")
    return run_import(settings(), job, limits)


def _told(summary: Summary) -> str:
    tally = summary.tally
    sums = f"{tally.accepted} accepted, {tally.refused.total()} refused"
    lines = [f"{tally.read} rows read: {sums} ({summary.seconds:.1f} s)"]
    lines += tally.told()
    if summary.changes is not None:
        counted = (f"{rows} {what.replace('_', ' ')}" for what, rows in summary.changes.items())
        lines.append(f"Of what was listed: {', '.join(counted) or 'nothing changed'}")
    if summary.searchable_s is not None:
        lines.append(f"A search finds all of it, {summary.searchable_s:.1f} s after the start.")
    return "\n".join([*lines, f"Each row's outcome: {summary.report}"])
