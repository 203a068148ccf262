"""`mesh replay`: build, compare, switch, take back and remove generations of read models."""

from __future__ import annotations

import sys
from collections.abc import Coroutine, Sequence
from dataclasses import asdict
from typing import Annotated, Any, TypeVar

import orjson
import typer

from cli.tables import print_table
from infra.clients.postgres import open_pool
from infra.process import give_way, run_command
from infra.settings import Settings, settings
from processors.feeding.generations import (
    GenerationStatus,
    Registered,
    TransitionError,
    list_generations,
)
from processors.replay import builds, engine, switching
from processors.replay.builds import ReplayError
from processors.replay.comparison import Verdict
from processors.replay.leftovers import named
from processors.replay.limits import Limits, LimitsError
from processors.replay.locks import LockLostError, ReplayRunningError
from processors.replay.processes import ShardFailedError
from processors.replay.progress import Stand, View
from processors.replay.switching import SwitchRefusedError
from processors.replay.verification import verify
from processors.stores.port import Generation
from projections import PROJECTIONS
from projections.projection import Projection

T = TypeVar("T")

INTERRUPTED = 130
_EXPECTED = (
    ReplayError,
    ReplayRunningError,
    LimitsError,
    LockLostError,
    ShardFailedError,
    SwitchRefusedError,
    TransitionError,
)

Names = Annotated[list[str] | None, typer.Argument(help="Projections; see `mesh replay status`.")]
All = Annotated[bool, typer.Option("--all", help="Every projection.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Wait = Annotated[float, typer.Option(help="Seconds to wait for workers to catch up.")]
Processes = Annotated[
    int | None, typer.Option(min=1, max=engine.PROCESSES_MAX, help="Default: by the log's length.")
]

BatchRecords = Annotated[
    int, typer.Option("--batch", min=1, help="Records a round; fewer of them need less memory.")
]

commands = typer.Typer(no_args_is_help=True, help=__doc__)


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.add_typer(commands, name="replay")


@commands.command()
def start(
    names: Names = None,
    every: All = False,
    until: Annotated[str, typer.Option(help="A moment, or topic:partition:offset,…")] = "",
    only_stream: Annotated[str, typer.Option(help="A stream's id, listing/0b7c…")] = "",
    processes: Processes = None,
    batch: BatchRecords = engine.PACE.batch_records,
) -> None:
    """Build the next generation from the log, beside the live one.

    With --until or --only-stream it is for looking at: never fed, never switched to.
    """
    give_way()
    chosen = _chosen(names, every)
    limits = Limits(until, only_stream)
    view = View()
    made = _run(
        engine.start(settings(), chosen, limits, view=view, pace=engine.Pace(processes, batch)),
        interrupted=f"stopped; `mesh replay resume {_words(chosen)}` goes on",
    )
    _tell_built(view, made, limits)


@commands.command()
def resume(
    names: Names = None,
    every: All = False,
    processes: Processes = None,
    batch: BatchRecords = engine.PACE.batch_records,
) -> None:
    """Go on with a build that was interrupted."""
    give_way()
    chosen, view = _chosen(names, every), View()
    made = _run(
        engine.resume(settings(), chosen, view=view, pace=engine.Pace(processes, batch)),
        interrupted=f"stopped; `mesh replay resume {_words(chosen)}` goes on",
    )
    _tell_built(view, made, Limits())


def _tell_built(view: View, made: Sequence[Generation], limits: Limits) -> None:
    for generation in made:
        what = f"generation {generation.number} of {generation.projection.name}"
        if limits.whole:
            view.say(f"{what} is built: `mesh replay verify`, then `mesh replay switch`")
        else:
            view.say(f"{what} is built from {limits}, to look at under the name {generation.name}")


@commands.command()
def status(names: Names = None, every: All = False, as_json: AsJson = False) -> None:
    """Which generations there are and what they are for."""
    del every  # without names it is every one anyway
    found = _run(_status(settings(), _chosen(names, every=not names)))
    if as_json:
        print(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
        return
    print_table(("projection", "generation", "status", "version", "store", "since", "note"), found)


async def _status(
    chosen_settings: Settings, chosen: Sequence[Projection[Any]]
) -> list[dict[str, Any]]:
    async with await open_pool(chosen_settings, size_max=1) as pool:
        known = await list_generations(pool, projections=[each.name for each in chosen])
    versions = {each.name: each.version for each in chosen}
    return [
        {
            "projection": each.projection,
            "generation": each.number,
            "status": each.status.value,
            "version": each.version,
            "store": each.store,
            "since": each.changed_at.isoformat(timespec="seconds"),
            "note": _note(each, versions[each.projection]),
        }
        for each in known
        if each.status is not GenerationStatus.DROPPED
    ]


def _note(each: Registered, version: int) -> str:
    limits = Limits.of(each.detail)
    notes = [] if limits.whole else [f"{limits}: for inspection, can't be switched to"]
    if each.version != version:
        due = ": a replay is due" if each.status is GenerationStatus.LIVE else ""
        notes.append(f"the code has version {version}{due}")
    return "; ".join(notes)


@commands.command("verify")
def verify_command(
    names: Names = None,
    every: All = False,
    generation: Annotated[
        int | None,
        typer.Option(
            help="A generation's number. Default: the newest that waits to be switched to,"
            " else the live one."
        ),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="The live one, whatever waits to be switched to.")
    ] = False,
    passes: Annotated[int, typer.Option(min=0, help="More of them need less memory.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Compare a generation, row by row, with an independent fold of the log; 1 if it differs, or
    leaves out parked or skipped events otherwise than the live one does.
    """
    give_way()
    chosen, view = _chosen(names, every), View()

    def report(what: str, done: int, of: int) -> None:
        view.show({what: Stand(done, max(done, of))})

    async def work() -> list[Verdict]:
        targets = await _targets(settings(), chosen, generation, live=live)
        with view.showing():
            return await verify(settings(), targets, report, passes)

    verdicts = _run(work())
    if as_json:
        told = [{"ok": each.ok, "rows_equal": each.rows_equal, **asdict(each)} for each in verdicts]
        print(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
    else:
        for each in verdicts:
            _tell_verdict(each)
    if not all(each.ok for each in verdicts):
        raise typer.Exit(1)


async def _targets(
    chosen_settings: Settings,
    chosen: Sequence[Projection[Any]],
    number: int | None,
    *,
    live: bool,
) -> list[tuple[Generation, Limits]]:
    async with await open_pool(chosen_settings, size_max=1) as pool:
        known = await list_generations(pool, projections=[each.name for each in chosen])
    targets = []
    for projection in chosen:
        own = [each for each in known if each.projection == projection.name]
        target = (
            next((each for each in own if each.number == number), None)
            if number
            else _to_verify(own, live=live)
        )
        if target is None or target.status in {GenerationStatus.DROPPED, GenerationStatus.BUILDING}:
            what = f"generation {number}" if number else "live generation"
            message = f"{projection.name} has no complete {what}"
            raise ReplayError(message)
        if target.version != projection.version:
            message = (
                f"generation {target.number} of {projection.name} was made by version"
                f" {target.version} of its fold, and this code has version {projection.version}"
            )
            raise ReplayError(message)
        targets.append((target.of(projection), Limits.of(target.detail)))
    return targets


def _to_verify(own: Sequence[Registered], *, live: bool) -> Registered | None:
    """What a switch would show, as it is to be looked at before; else what is shown."""
    following = None if live else switching.shown_next(own)
    return following or switching.live_of(own)


def _tell_verdict(each: Verdict) -> None:
    what = f"{each.projection} generation {each.generation} ({each.store})"
    rows = f"{each.rows_found:,} rows of {each.events:,} events"
    moved = f", {each.rechecked:,} of them while they changed" if each.rechecked else ""
    if each.rows_equal:
        equal = "equal" if each.whole else "rows equal, but not all of the log"
        print(f"{what}: {equal}, {rows}{moved}")
    else:
        expected = f"{each.rows_expected:,} expected"
        print(f"{what}: {each.differing:,} DIFFERENCES, {rows}, {expected}{moved}")
    _tell_leftovers(each)
    for difference in each.differences:
        print(f"  {difference.what} {difference.key}")
        print(f"    expected {_one_line(difference.expected)}")
        print(f"    found    {_one_line(difference.found)}")
    if each.differing > len(each.differences):
        print(f"  … and {each.differing - len(each.differences):,} more")


def _tell_leftovers(each: Verdict) -> None:
    """What of the log is not in the rows, and whether the live generation leaves out the same."""
    if each.parked:
        print(f"  {len(each.parked):,} streams PARKED: {named(each.parked)}")
    if each.skipped:
        print(f"  {each.skipped:,} events SKIPPED")
    if each.unlike_live:
        print(
            f"  {len(each.unlike_live):,} streams are parked or skipped otherwise in the live"
            f" generation: {named(each.unlike_live)}"
        )
    elif not each.whole and each.unlike_live is not None:
        print("  parked and skipped alike in the live generation")


def _one_line(fields: Any) -> str:
    return "no row" if fields is None else orjson.dumps(fields).decode()[:2_000]


@commands.command()
def switch(
    names: Names = None,
    every: All = False,
    wait: Wait = switching.WAIT_S,
    despite_parked: Annotated[
        bool,
        typer.Option(
            "--despite-parked", help="Also where other events are parked or skipped than now."
        ),
    ] = False,
) -> None:
    """Show readers the new generations, all at once, as soon as they are not behind."""
    chosen = _chosen(names, every)
    moved = _run(
        switching.switch(settings(), chosen, wait, partly=every, despite_parked=despite_parked)
    )
    _tell_moved(moved, "no generation was ready; what is live is published again")


@commands.command()
def rollback(names: Names = None, every: All = False, wait: Wait = switching.WAIT_S) -> None:
    """Show readers the generations that were live before."""
    chosen = _chosen(names, every)
    moved = _run(switching.rollback(settings(), chosen, wait, partly=every))
    _tell_moved(moved, "there was no previous generation; what is live is published again")


def _tell_moved(moved: Sequence[Generation], nothing: str) -> None:
    for generation in moved:
        typer.echo(f"{generation.projection.name}: generation {generation.number} is live")
    if not moved:
        typer.echo(nothing)


@commands.command()
def drop(
    names: Names = None,
    every: All = False,
    generation: Annotated[
        int | None, typer.Option(help="A number. Default: previous ones and inspections.")
    ] = None,
) -> None:
    """Remove generations that are not live."""
    chosen = _chosen(names, every)
    _tell_removed(_run(builds.drop(settings(), chosen, generation)))


@commands.command()
def cancel(names: Names = None, every: All = False) -> None:
    """Take away what is half built, and end the replay that is at it."""
    _tell_removed(_run(builds.cancel(settings(), _chosen(names, every))))


def _tell_removed(removed: Sequence[Generation]) -> None:
    for generation in removed:
        typer.echo(f"{generation.projection.name}: generation {generation.number} is removed")
    if not removed:
        typer.echo("there was nothing to remove")


def _chosen(names: Sequence[str] | None, every: bool) -> list[Projection[Any]]:
    """The projections that a command is about; a mistyped name ends it with code 2."""
    if every:
        return list(PROJECTIONS)
    known = {each.name: each for each in PROJECTIONS}
    if not names:
        message = f"name projections, or --all; there are {', '.join(known)}"
        raise typer.BadParameter(message)
    if unknown := sorted(set(names) - set(known)):
        message = f"no projection {', '.join(unknown)}; there are {', '.join(known)}"
        raise typer.BadParameter(message)
    return [known[name] for name in dict.fromkeys(names)]


def _words(chosen: Sequence[Projection[Any]]) -> str:
    return " ".join(each.name for each in chosen)


def _run(work: Coroutine[Any, Any, T], interrupted: str = "stopped") -> T:
    """Do it; what was to be expected ends the command with code 1 and one line."""
    try:
        return run_command(work)
    except _EXPECTED as error:
        typer.echo(f"{type(error).__name__}: {error}", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        typer.echo(interrupted, err=True)
        sys.exit(INTERRUPTED)
