"""`mesh timers`: what is due when, and asking for it now."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, cast

import orjson
import typer

from cli.tables import print_table
from infra.clients.postgres import open_pool
from infra.settings import Settings, settings
from processors.reacting.commands import open_commands
from processors.reacting.scheduler import send_due
from processors.reactions.reactor import JOBS
from projections.reads import Reads
from projections.timers.timers import BY_NAME, all_set

LISTED_MAX = 1_000

commands = typer.Typer(no_args_is_help=True, help=__doc__)


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.add_typer(commands, name="timers")


@commands.command("list")
def list_command(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Calendar jobs with their next run, and the timers that are set, the first due first."""
    found = asyncio.run(_listed(settings()))
    if as_json:
        print(orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode())
        return
    print_table(("job", "cron", "zone", "next_run"), found["jobs"])
    if found["timers"]:
        print()
        print_table(("timer", "stream_id", "due_at"), found["timers"])
    if len(found["timers"]) == LISTED_MAX:
        typer.echo(f"these are the first {LISTED_MAX}")


@commands.command("run")
def run_command(
    name: Annotated[str, typer.Argument(help="A timer or a calendar job.")],
    at: Annotated[
        str, typer.Option(help="As if it were this time: 2026-03-01T12:00:00Z. Default: now.")
    ] = "",
) -> None:
    """Send a timer's commands that are due, or run a calendar job, without waiting for the
    reactor. With --at, what comes of it is recorded with that time: for rehearsals.
    """
    told = asyncio.run(_run(settings(), name, _moment(at)))
    typer.echo(told)


def _moment(text: str) -> datetime:
    if not text:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        message = "--at is a date, a time and an offset, such as 2026-03-01T12:00:00Z"
        raise typer.BadParameter(message)
    return moment.astimezone(UTC)


async def _listed(chosen: Settings) -> dict[str, list[dict[str, Any]]]:
    now = datetime.now(UTC)
    async with await open_pool(chosen, size_max=1) as pool:
        found = await all_set(cast("Reads", pool), LISTED_MAX)
    return {
        "jobs": [
            {
                "job": each.name,
                "cron": each.cron,
                "zone": each.zone,
                "next_run": each.next_after(now),
            }
            for each in JOBS
        ],
        "timers": [
            {"timer": each.name, "stream_id": each.stream_id, "due_at": each.due_at.astimezone(UTC)}
            for each in found
        ],
    }


async def _run(chosen: Settings, name: str, moment: datetime) -> str:
    jobs = {each.name: each for each in JOBS}
    if name not in jobs and name not in BY_NAME:
        known = ", ".join([*jobs, *BY_NAME])
        message = f"no timer or job {name}; there are {known}"
        raise typer.BadParameter(message)
    async with (
        await open_pool(chosen, size_max=2) as pool,
        open_commands(chosen, "mesh-timers") as way,
    ):
        if name in jobs:
            await jobs[name].run(pool, way, moment)
            return f"{name} has run"
        count = await send_due(pool, way, moment, [name], patient=True)
        return f"{count} commands of {name} sent"
