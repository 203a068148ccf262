"""`mesh effects`: events that a reaction or effect could not handle, and what to do with them.

A decision is a command like any other, so that the audit tells of it. The reactor that has the
event does what was decided.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, NoReturn

import asyncpg
import orjson
import typer

from cli.sending import asked, replies_to
from cli.tables import print_waiting
from infra.clients.postgres import open_pool
from infra.settings import Settings, settings
from processors.reacting.parked import LISTED_MAX, ParkedStream, list_parked
from processors.reactions.reactor import EFFECTS, REACTIONS
from schemas.ops import WHY_LENGTH_MAX, RetryParked, SkipParked
from schemas.refusals import told_of
from schemas.values.texts import Line

POLL_S = 0.1
WAIT_S = 30.0  # for the reactor
SETTLED_MAX = 100 * LISTED_MAX  # of the same streams, for every handler

commands = typer.Typer(no_args_is_help=True, help=__doc__)

Names = Annotated[list[str] | None, typer.Argument(help="Reactions and effects. Default: all.")]
Why = Annotated[str, typer.Option(help="The reason, for the audit. Nothing personal: it stays.")]


@dataclass(frozen=True)
class Outcome:
    """What became of decisions: the streams that wait no more, that still do, and that no
    reactor has come to.
    """

    settled: int
    waiting: Sequence[ParkedStream]
    untouched: int


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.add_typer(commands, name="effects")


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
    elif found:
        _print(found)
        if len(found) == LISTED_MAX:
            typer.echo(f"these are the first {LISTED_MAX}: there may be more")
    else:
        typer.echo("nothing waits for a decision")


@commands.command()
def retry(
    names: Names = None,
    stream: Annotated[str, typer.Option(help="Only this stream.")] = "",
    why: Why = "",
) -> None:
    """Handle again what waits, in order, as far as that is possible now; 1 if some still wait."""
    streams = [stream] if stream else None
    _tell(asyncio.run(_decided(settings(), RetryParked, names, streams, _reason(why))), stream)


@commands.command()
def skip(
    stream: Annotated[str, typer.Argument(help="The stream whose first waiting event to give up.")],
    names: Annotated[list[str], typer.Argument(help="Reactions and effects.")],
    why: Why,
) -> None:
    """Give up the first waiting event of a stream for ever, and handle what follows it; 1 if some
    still wait.
    """
    if not why.strip():
        message = "say why: it stands in the audit"
        raise typer.BadParameter(message)
    _tell(asyncio.run(_decided(settings(), SkipParked, names, [stream], _reason(why))), stream)


def _reason(why: str) -> str:
    try:
        return Line(WHY_LENGTH_MAX, 0).judged(why)
    except ValueError as error:
        message = f"--why {error}"
        raise typer.BadParameter(message) from None


def _tell(outcome: Outcome, stream: str) -> None:
    if stream and not (outcome.settled or outcome.waiting or outcome.untouched):
        _end_without(stream)
    typer.echo(f"{outcome.settled} streams go on, {len(outcome.waiting)} still wait")
    if outcome.waiting:
        _print(outcome.waiting)
    if outcome.untouched:
        typer.echo(
            f"{outcome.untouched} decisions stand in the log, but no reactor has come to them"
            f" within {WAIT_S:.0f} s: is it running? (`mesh status`)",
            err=True,
        )
    if outcome.waiting or outcome.untouched:
        raise typer.Exit(1)


def _end_without(stream: str) -> NoReturn:
    typer.echo(f"nothing of {stream} waits there: `mesh effects list` shows what does", err=True)
    raise typer.Exit(1)


def _print(found: Iterable[ParkedStream]) -> None:
    print_waiting(
        ("handler", "stream_id", "events", "first", "kind", "tries", "since", "reason"), found
    )


async def _listed(chosen: Settings, names: list[str] | None) -> list[ParkedStream]:
    async with await open_pool(chosen, size_max=1) as pool:
        return await list_parked(pool, _known(names))


async def _decided(
    chosen: Settings,
    kind: type[RetryParked | SkipParked],
    names: list[str] | None,
    streams: Collection[str] | None,
    why: str,
) -> Outcome:
    """What comes of the same decision about each stream's first event."""
    async with await open_pool(chosen, size_max=1) as pool:
        found = await list_parked(pool, _known(names), streams)
        if not found:
            return Outcome(0, (), 0)
        *_, last = await replies_to(chosen, *(_decision(kind, each, why) for each in found))
        if last.outcome != "accepted":
            typer.echo(told_of(last.reason), err=True)
            raise typer.Exit(1)
        return await _settled(pool, found)


def _decision(
    kind: type[RetryParked | SkipParked], about: ParkedStream, why: str
) -> RetryParked | SkipParked:
    return kind(
        handler=about.handler,
        topic=about.topic,
        partition=about.partition,
        offset=about.position_offset,
        why=why,
        **asked("effects"),
    )


async def _settled(pool: asyncpg.Pool, decided: Sequence[ParkedStream]) -> Outcome:
    """What became of the decisions, as soon as that is known."""
    deadline = time.monotonic() + WAIT_S
    while True:
        now = {
            (each.handler, each.stream_id): each
            for each in await list_parked(
                pool,
                {each.handler for each in decided},
                {each.stream_id for each in decided},
                SETTLED_MAX,
            )
        }
        waiting, untouched = [], 0
        for before in decided:
            after = now.get((before.handler, before.stream_id))
            if after is None:
                continue
            if _under_way(before, after):
                untouched += 1
            else:
                waiting.append(after)
        if not untouched or time.monotonic() > deadline:
            settled = len(decided) - len(waiting) - untouched
            return Outcome(settled, waiting, untouched)
        await asyncio.sleep(POLL_S)


def _under_way(before: ParkedStream, after: ParkedStream) -> bool:
    same = (after.position_offset, after.tries) == (before.position_offset, before.tries)
    # What has come to the front and was not tried yet has no reason to be there.
    return bool(after.decided) or same or not after.reason


def _known(names: list[str] | None) -> list[str]:
    known = [each.name for each in (*REACTIONS, *EFFECTS)]
    if unknown := sorted(set(names or ()) - set(known)):
        message = f"no reaction or effect {', '.join(unknown)}; there are {', '.join(known)}"
        raise typer.BadParameter(message)
    return names or known
