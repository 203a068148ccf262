"""`mesh import`: a seller's file becomes listings, by a mapping and no code of its own."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from cli.imports.job import Job, Summary, run_import
from cli.imports.mapping_file import MappingError, load_mapping
from cli.imports.sending import Limits, NoAnswerError
from cli.imports.table import TableError
from infra.logs import configure_logging
from infra.settings import settings, state_folder
from schemas.messages import Market

SAMPLE = "ads"  # infra/sample/ads.csv and its mapping
SAMPLE_WAIT_S = 30.0
EXIT_UNFINISHED = 75  # EX_TEMPFAIL: the same command again goes on
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(name="import")(import_)


def import_(  # noqa: PLR0913, PLR0917 - a command's options are its parameters
    file: Annotated[Path, typer.Argument(help="The file with one vehicle a row.")],
    mapping: Annotated[Path, typer.Option(help="How its columns become listings (YAML).")],
    market: Annotated[Market | None, typer.Option(help="Instead of the mapping's market.")] = None,
    seller: Annotated[UUID | None, typer.Option(help="Whose listings; else the mapping's.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Where each row's outcome is written (.jsonl or .csv).")
    ] = None,
    wait: Annotated[
        float, typer.Option(help="Wait so many seconds at most until a search finds every row.")
    ] = 0.0,
    retry_for: Annotated[
        float, typer.Option(help="Seconds to go on without an answer before giving up.")
    ] = Limits.retry_for_s,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """List every row of FILE. Running it again adds nothing, so after any trouble: run it again."""
    try:
        found = load_mapping(mapping)
        job = Job(
            file=file,
            mapping=found,
            market=market or found.market,
            seller_id=str(seller) if seller is not None else found.seller_id,
            report=report or state_folder() / "imports" / f"{file.stem}.report.jsonl",
            wait_s=wait,
        )
        summary = _run(job, Limits(retry_for_s=retry_for))
    except (MappingError, TableError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_USAGE) from None
    except NoAnswerError as error:
        typer.echo(f"The mesh takes no writes ({error}). Run the same command again.", err=True)
        raise typer.Exit(EXIT_UNFINISHED) from None
    except KeyboardInterrupt:
        typer.echo("Interrupted. Run the same command again: nothing is listed twice.", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    typer.echo(json.dumps(summary.as_json()) if as_json else _told(summary))


def import_sample() -> Summary:
    """Import the shipped sample into the running mesh, as `mesh up` does the first time."""
    folder = Path(str(files("infra") / "sample"))
    mapping = load_mapping(folder / f"{SAMPLE}.mapping.yaml")
    report = state_folder() / "imports" / f"{SAMPLE}.report.jsonl"
    job = Job(
        folder / f"{SAMPLE}.csv", mapping, mapping.market, mapping.seller_id, report, SAMPLE_WAIT_S
    )
    return _run(job, Limits())


def _run(job: Job, limits: Limits) -> Summary:
    # What can be mended by trying again is tried again; a line for each try would hide the rest.
    configure_logging("import", "error")
    return run_import(settings(), job, limits)


def _told(summary: Summary) -> str:
    tally = summary.tally
    sums = f"{tally.accepted} accepted, {tally.refused.total()} refused"
    lines = [f"{tally.read} rows read: {sums} ({summary.seconds:.1f} s)"]
    lines += [f"  {rows:>7}  {by}: {why}" for (by, why), rows in tally.refused.most_common()]
    if summary.searchable_s is not None:
        lines.append(f"A search finds all of it, {summary.searchable_s:.1f} s after the start.")
    return "\n".join([*lines, f"Each row's outcome: {summary.report}"])
