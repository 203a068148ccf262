"""`mesh parked`: events that a projection could not fold, and what to do with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Annotated, NoReturn

import orjson
import typer

from cli.tables import print_waiting
from infra.clients.postgres import open_pool
from infra.settings import Settings, settings
from processors.feeding.parking import ParkedStream, Parking, list_parked
from processors.feeding.runner import Runner
from processors.stores.opening import opened_stores, store_name
from processors.stores.port import ConflictError, Generation, StoreUnavailableError
from projections import PROJECTIONS

TRIES = 20  # a worker may be writing the same row

commands = typer.Typer(no_args_is_help=True, help=__doc__)

Names = Annotated[list[str] | None, typer.Argument(help="Projections. Default: every one.")]
Stream = Annotated[str, typer.Option(help="Only this stream.")]


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.add_typer(commands, name="parked")


@commands.command("list")
def list_command(
    names: Names = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Streams that wait, oldest first, and why."""
    found = asyncio.run(_listed(settings(), names))
    if as_json:
        told = [asdict(each) for each in found]
        print(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
        return
    if not found:
        typer.echo("nothing is parked")
        return
    print_waiting(
        ("projection", "generation", "stream_id", "events", "first", "kind", "since", "reason"),
        found,
    )


@commands.command()
def retry(names: Names = None, stream: Stream = "") -> None:
    """Fold parked events again, as far as that is possible now; 1 if some still wait."""
    folded, waiting = asyncio.run(_retried(settings(), names, stream))
    if stream and not (folded or waiting):
        _end_without(stream)
    typer.echo(f"{folded} events folded, {waiting} still wait")
    if waiting:
        raise typer.Exit(1)


@commands.command()
def skip(
    stream: Annotated[str, typer.Argument(help="The stream whose first parked event to give up.")],
    names: Annotated[list[str], typer.Argument(help="Projections.")],
) -> None:
    """Give up the first parked event of a stream for ever, and fold what follows it; 1 if some
    still wait. What was skipped is told by `mesh replay verify`.
    """
    skipped = asyncio.run(_skipped(settings(), names, stream))
    folded, waiting = asyncio.run(_retried(settings(), names, stream))
    if not (skipped or folded or waiting):
        _end_without(stream)
    typer.echo(f"{skipped} events skipped, {folded} folded, {waiting} still wait")
    if waiting:
        raise typer.Exit(1)


def _end_without(stream: str) -> NoReturn:
    typer.echo(f"nothing of {stream} is parked there: `mesh parked list` shows what is", err=True)
    raise typer.Exit(1)


async def _listed(chosen: Settings, names: list[str] | None) -> list[ParkedStream]:
    async with await open_pool(chosen, size_max=1) as pool:
        return await list_parked(pool, _known(names))


async def _retried(chosen: Settings, names: list[str] | None, stream: str) -> tuple[int, int]:
    folded = events = 0
    async with _runners(chosen, names, stream) as runners:
        for each, runner in runners:
            events += each.events
            folded += await _tried(runner, each.stream_id)
    return folded, events - folded


async def _tried(runner: Runner, stream: str) -> int:
    for _ in range(TRIES):
        try:
            return await runner.retry(stream)
        except ConflictError:
            continue
    message = f"the rows of {stream} change all the time: try again"
    raise StoreUnavailableError(message)


async def _skipped(chosen: Settings, names: list[str], stream: str) -> int:
    async with _runners(chosen, names, stream) as runners:
        return sum([await runner.give_up(each.stream_id) for each, runner in runners])


@asynccontextmanager
async def _runners(
    chosen: Settings, names: list[str] | None, stream: str
) -> AsyncIterator[list[tuple[ParkedStream, Runner]]]:
    """What is parked, of one stream or of all, each with a runner of its generation."""
    by_name = {each.name: each for each in PROJECTIONS}
    async with (
        await open_pool(chosen, size_max=2) as pool,
        opened_stores(chosen, [by_name[name] for name in _known(names)]) as stores,
    ):
        parking = Parking(pool)
        found = []
        for each in await list_parked(pool, _known(names)):
            if stream in ("", each.stream_id):
                generation = Generation(by_name[each.projection], each.generation)
                store = stores[store_name(generation.projection)]
                found.append((each, Runner(generation, store, parking)))
        yield found


def _known(names: list[str] | None) -> list[str]:
    known = [each.name for each in PROJECTIONS]
    if unknown := sorted(set(names or ()) - set(known)):
        message = f"no projection {', '.join(unknown)}; there are {', '.join(known)}"
        raise typer.BadParameter(message)
    return names or known
