"""`mesh vault`: another master key, a copy in a file, and back from it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any, TypeVar
from uuid import UUID

import typer

from cli.tables import print_table
from infra.clients.postgres import open_pool
from infra.credentials import password_changes
from infra.settings import Settings, settings
from infra.vault.backup import TABLES, Restored, Since, backup, restore
from infra.vault.rotation import Rotation, rotate, rows_by_master_key
from infra.vault.sealed_file import ForeignFileError
from infra.vault.vault import MasterKeyMissingError, Wrapping, create_schema
from processors.feeding.reading import kind_of_record, open_log
from schemas.identity import PasswordChanged, PasswordReset, UserDeleted
from schemas.log.recorded import UndecodableError, decode_event
from schemas.registry import kind_of
from schemas.topics import EVENT_TYPES, topics_of

T = TypeVar("T")

TELL_EVERY_S = 2.0

commands = typer.Typer(no_args_is_help=True, help=__doc__)

BackupFile = Annotated[Path, typer.Argument(help="The backup.", dir_okay=False)]


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.add_typer(commands, name="vault")


@commands.command("rotate")
def rotate_command() -> None:
    """Wrap every row by the present master key, online. May be killed and started again; 1 if
    some rows still need another key.
    """
    rotation, rows, present = _run(_rotated(settings()))
    typer.echo(f"{rotation.rewrapped} rows wrapped anew by master key {present}")
    for owner in rotation.damaged:
        typer.echo(f"{owner} does not open with the key that it names: it is damaged", err=True)
    needed = _needed(rows, present)
    if not needed:
        typer.echo("No row needs another master key: take them out of OTHER_MASTER_KEYS.")
        return
    for key, count in needed.items():
        missing = " (not among OTHER_MASTER_KEYS)" if key in rotation.missing else ""
        typer.echo(f"{count} rows still need master key {key}{missing}", err=True)
    raise typer.Exit(1)


@commands.command("backup")
def backup_command(file: BackupFile) -> None:
    """Write the vault, as it is at this moment, into a new file that only the master key
    opens.
    """
    written = _run(_backed_up(settings(), file))
    typer.echo(", ".join(f"{written[table]} {table}" for table in TABLES))


@commands.command("restore")
def restore_command(file: BackupFile) -> None:
    """Bring back from a backup what is missing. Replaces nothing, and nobody whom the log
    calls deleted comes back.
    """
    done, rows, present = _run(_restored(settings(), file))
    print_table(
        ("table", "added", "there", "differing", "left_out"),
        [
            {
                "table": table,
                "added": done.added[table],
                "there": done.there[table],
                "differing": done.differing[table],
                "left_out": done.left_out[table],
            }
            for table in TABLES
        ],
    )
    if any(done.differing.values()):
        typer.echo("Rows that differ were left as they are: the vault's are the newer ones.")
    for key, count in _needed(rows, present).items():
        typer.echo(f"{count} rows need master key {key}: run `mesh vault rotate`.")


def _needed(rows: Mapping[str, int], present: str) -> dict[str, int]:
    return {key: count for key, count in sorted(rows.items()) if key != present}


async def _rotated(chosen: Settings) -> tuple[Rotation, Mapping[str, int], str]:
    wrapping = Wrapping(chosen)
    async with await open_pool(chosen, size_max=1) as pool:
        rotation = await rotate(pool, wrapping, _teller("rows looked at"))
        return rotation, await rows_by_master_key(pool), wrapping.master_key_id


async def _backed_up(chosen: Settings, file: Path) -> Mapping[str, int]:
    async with await open_pool(chosen, size_max=1) as pool:
        return await backup(pool, Wrapping(chosen), file)


async def _restored(chosen: Settings, file: Path) -> tuple[Restored, Mapping[str, int], str]:
    since = await known_to_the_log(chosen)
    wrapping = Wrapping(chosen)
    async with await open_pool(chosen, size_max=1) as pool:
        await create_schema(pool)
        await password_changes.create_schema(pool)
        done = await restore(pool, wrapping, file, since, _teller("rows read"))
        return done, await rows_by_master_key(pool), wrapping.master_key_id


async def known_to_the_log(chosen: Settings) -> Since:
    """Who has been deleted and whose password was changed last at which version, as the log
    has it.
    """
    kinds = {kind_of(each).encode() for each in (UserDeleted, PasswordChanged, PasswordReset)}
    deleted: set[UUID] = set()
    changed: dict[UUID, int] = {}
    async with open_log(chosen) as log:
        bounds = await log.bounds(topics_of(UserDeleted))
        async with aclosing(log.read(bounds)) as batches:
            async for batch in batches:
                for record in batch.records:
                    if kind_of_record(record) not in kinds:
                        continue
                    recorded = decode_event(record, EVENT_TYPES)
                    if isinstance(recorded.event, UserDeleted):
                        deleted.add(recorded.event.user_id)
                    else:
                        changed[recorded.event.user_id] = recorded.version
    return Since(deleted, changed)


def _teller(what: str) -> Callable[[int], None]:
    """Says on standard error how far a long work has come, now and then."""
    total, said_at = 0, time.monotonic()

    def tell(rows: int) -> None:
        nonlocal total, said_at
        total += rows
        if time.monotonic() - said_at > TELL_EVERY_S:
            said_at = time.monotonic()
            typer.echo(f"{total} {what}", err=True)

    return tell


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Do it; what is foreign or in the way ends the command with code 1 and one line."""
    try:
        return asyncio.run(work)
    except (
        ForeignFileError,
        MasterKeyMissingError,
        UndecodableError,
    ) as error:
        message = str(error)
    except FileExistsError as error:
        message = f"{error.filename or error.args[0]} is there already: name a new file"
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        message = f"{error.filename}: {error.strerror}"
    typer.echo(message, err=True)
    raise typer.Exit(1) from None
