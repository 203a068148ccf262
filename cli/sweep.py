"""`mesh sweep`: clear away what is past its time now, not at the next full hour."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import typer

from infra.postgres import open_pool
from infra.settings import Settings, settings
from processors.reacting.commands import open_commands
from processors.reactions.sweeping import Swept, sweep


def register(app: typer.Typer) -> None:
    """Add this file's command."""
    app.command(name="sweep")(sweep_command)


def sweep_command() -> None:
    """Clear away sessions past their end and lapsed tokens; harmless to repeat."""
    found = asyncio.run(sweep_now(settings()))
    typer.echo(f"asked to clear away {found.sessions} sessions, tokens of {found.people} people")


async def sweep_now(chosen: Settings) -> Swept:
    """Sweep once."""
    async with (
        await open_pool(chosen, size_max=1) as pool,
        open_commands(chosen, "mesh-sweep") as commands,
    ):
        return await sweep(pool, commands, datetime.now(UTC))
