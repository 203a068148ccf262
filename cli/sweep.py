"""`mesh sweep`: clear away what is past its time now, not at the next full hour."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import typer
from aiokafka.errors import KafkaError

from infra.kafka import aio_producer
from infra.postgres import means_down, open_pool
from infra.settings import Settings, settings
from infra.vault import VaultUnavailableError
from processors.sweeping import Swept, sweep


def register(app: typer.Typer) -> None:
    """Add this file's command."""
    app.command(name="sweep")(sweep_command)


def sweep_command() -> None:
    """Clear away sessions past their end and lapsed tokens; harmless to repeat."""
    try:
        found = asyncio.run(sweep_now(settings()))
    except Exception as error:
        if not (means_down(error) or isinstance(error, (KafkaError, VaultUnavailableError))):
            raise
        typer.echo("A server does not answer: is the mesh up? Try again.", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"asked to clear away {found.sessions} sessions, tokens of {found.people} people")


async def sweep_now(chosen: Settings) -> Swept:
    """Sweep once."""
    producer = aio_producer(chosen, "mesh-sweep")
    async with await open_pool(chosen, size_max=1) as pool:
        try:
            await producer.start()
            return await sweep(pool, producer, datetime.now(UTC))
        finally:
            await producer.stop()
