"""`mesh prepare`: topics, system tables, the vault and first generations, before any process
starts. Everything in it is idempotent: it runs at every `mesh up` and in a container's start.
"""

from __future__ import annotations

import asyncio

import typer

from cli.running.processes import PROCESSES_PANEL
from infra.clients.kafka import ensure_topics
from infra.clients.postgres import open_pool
from infra.credentials import password_changes
from infra.settings import Settings, settings
from infra.vault.vault import create_schema
from processors.feeding.generations import create_system_schema, ensure_generations
from processors.feeding.showing import renew_views
from processors.reacting import positions, scheduler
from processors.reactions.mailing import told
from projections import PROJECTIONS


def register(app: typer.Typer) -> None:
    """Add this file's command."""
    app.command(name="prepare", rich_help_panel=PROCESSES_PANEL)(prepare_command)


def prepare_command() -> None:
    """Make topics, system tables and first generations; harmless when they are there."""
    asyncio.run(prepare(settings()))


async def prepare(chosen: Settings) -> None:
    """Bring empty servers to the state that the processes expect."""
    await ensure_topics(chosen)
    async with await open_pool(chosen, size_max=2) as pool:
        await create_schema(pool)
        await password_changes.create_schema(pool)
        await create_system_schema(pool)
        await positions.create_schema(pool)
        await scheduler.create_schema(pool)
        await told.create_schema(pool)
    await ensure_generations(chosen, PROJECTIONS)
    await renew_views(chosen, PROJECTIONS)
