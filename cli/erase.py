"""`mesh erase`: delete somebody for ever, and prove that nothing readable of them is left.

What to look for is read from the person's own sealed data before their key is destroyed, or
given on standard input: never an argument, which every process of the machine can read.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import orjson
import typer
import uuid_utils

from api.database import Database
from api.gateway import CommandGateway, WriteUnavailableError
from api.person_data import BATCH, sealed_texts
from api.problems import StoreUnavailableError
from cli.erasing.documents import search_opensearch, search_redis
from cli.erasing.files import search_files
from cli.erasing.log_records import search_records
from cli.erasing.needles import Needles
from cli.erasing.pictures import search_objects
from cli.erasing.rows import search_clickhouse, search_postgres
from cli.erasing.searched import Searched
from cli.tables import print_table
from infra.settings import Settings, settings, state_folder
from infra.vault import PersonKey, Vault, VaultUnavailableError
from producers.writer.deciders import DECIDERS
from schemas.identity import DeleteUser
from schemas.messages import Role
from schemas.recorded import CommandEnvelope

ASKED_BY = "cli/erase"
VALUES_MAX = 100
# Of what somebody said in chats the longest is looked for, by its beginning: "yes" is everywhere.
MESSAGES_MAX = 20
MESSAGE_LENGTH_MIN, MESSAGE_LENGTH_MAX = 24, 200  # characters
MEGA = 1_000_000
STORES: Mapping[str, str] = {
    "kafka": "Kafka's files",
    "postgres": "Postgres' files",
    "opensearch": "OpenSearch's files",
    "clickhouse": "ClickHouse's files",
    "valkey": "Redis' files",
}
# Mails that the local sink has taken have been delivered: they are in people's own mailboxes.
MAILBOXES = "mail/box"

_SEALED = """
    SELECT stream_id, version, data FROM reads.journal WHERE stream_id = ANY($1) AND (stream_id, version) > ($2, $3)
    ORDER BY stream_id, version LIMIT $4
"""
_SAID = """
    SELECT data FROM reads.journal
    WHERE kind = 'message.sent' AND actor = $1 AND stream_id IN (
        SELECT stream_id FROM reads.audit
        WHERE actor = $1 AND outcome = 'accepted' AND stream_id LIKE 'conversation/%'
    )
    ORDER BY length(data) DESC LIMIT $2
"""


class ErasureError(Exception):
    """The person can't be erased or looked for; the text says what to do."""


def register(app: typer.Typer) -> None:
    """Add this file's command."""
    app.command(name="erase")(erase_command)


def erase_command(
    user: Annotated[UUID, typer.Argument(help="The person's id.")],
    prove: Annotated[bool, typer.Option("--prove", help="Search every store afterwards.")] = False,
    values_on_stdin: Annotated[
        bool,
        typer.Option("--values-on-stdin", help="What to look for, one text a line."),
    ] = False,
    disks_elsewhere: Annotated[
        bool,
        typer.Option("--disks-elsewhere", help="Leave the stores' files out: search them there."),
    ] = False,
) -> None:
    """Delete somebody for ever. With --prove search every store for what they were known by;
    1 when something was found, or when some place could not be searched.
    """
    given = _given() if values_on_stdin else {}
    try:
        values = asyncio.run(erase(settings(), user))
        typer.echo(f"{user} is erased")
        if not prove:
            return
        if not values | given:
            message = (
                "Nothing is known to look for: the key was destroyed before."
                " Give the texts with --values-on-stdin."
            )
            raise ErasureError(message)  # noqa: TRY301 - one way out for all
    except (ErasureError, StoreUnavailableError, VaultUnavailableError) as error:
        typer.echo(str(error) or "The vault does not answer; try again.", err=True)
        raise typer.Exit(1) from None
    except WriteUnavailableError:
        typer.echo("No writer answered: is it running? Try again.", err=True)
        raise typer.Exit(1) from None
    folder = None if disks_elsewhere else state_folder()
    if not _told(asyncio.run(searched(settings(), Needles(values | given), folder))):
        raise typer.Exit(1)


def _given() -> dict[str, str]:
    lines = [line.strip() for line in sys.stdin.read().splitlines()]
    texts = [line for line in lines if line][:VALUES_MAX]
    return {f"value {number}": text for number, text in enumerate(texts, start=1)}


async def erase(chosen: Settings, user_id: UUID) -> dict[str, str]:
    """Delete the person and destroy their key. Returns what they were known by; nothing when
    the key was gone before.
    """
    database = Database(chosen)
    await database.open()
    try:
        vault = Vault(database.pool, chosen)
        key = await vault.person(user_id)
        values = {} if key is None else await known_by(database, key)
        await _delete(chosen, user_id)
        # The effect does the same; here it is certain when the command ends.
        await vault.erase(user_id)
    finally:
        await database.close()
    return values


async def known_by(database: Database, key: PersonKey) -> dict[str, str]:
    """Every text that was ever sealed in the person's own streams, by its field's name, and the
    longest of what they said in chats.
    """
    streams = [f"{category}/{key.user_id}" for category in DECIDERS]
    texts: dict[tuple[str, str], None] = {}
    last = ("", 0)
    while True:
        rows = await database.fetch(_SEALED, streams, *last, BATCH)
        for row in rows:
            last = (row["stream_id"], row["version"])
            texts |= dict.fromkeys(sealed_texts(key, orjson.loads(row["data"])).items())
        if len(rows) < BATCH:
            break
    for row in await database.fetch(_SAID, str(key.user_id), MESSAGES_MAX):
        for name, text in sealed_texts(key, orjson.loads(row["data"])).items():
            if len(text) >= MESSAGE_LENGTH_MIN:
                texts[name, text[:MESSAGE_LENGTH_MAX]] = None
    return {f"{name} {number}" if number else name: text for name, number, text in _numbered(texts)}


def _numbered(texts: Mapping[tuple[str, str], None]) -> list[tuple[str, int, str]]:
    counts: dict[str, int] = {}
    found = []
    for name, text in texts:
        number = counts.get(name, 0)
        counts[name] = number + 1
        found.append((name, number + 1 if number else 0, text))
    return found


async def _delete(chosen: Settings, user_id: UUID) -> None:
    command_id = str(uuid_utils.uuid7())
    command = DeleteUser(
        user_id=user_id,
        asked_at=datetime.now(UTC),
        asked_by=ASKED_BY,
        asked_role=Role.SYSTEM,
    )
    gateway = CommandGateway(chosen)
    await gateway.start()
    try:
        reply = await gateway.send(
            CommandEnvelope(command, command_id, command_id, command_id, fingerprint="")
        )
    finally:
        await gateway.stop()
    if reply.outcome != "accepted":
        message = f"Refused: {reply.reason}"
        raise ErasureError(message)


async def searched(chosen: Settings, needles: Needles, folder: Path | None) -> list[Searched]:
    """Every place, one after another: the servers are at work for others meanwhile. `folder`
    is the local stack's, with the stores' files; None leaves them out.
    """
    searches: Sequence[Callable[[Settings, Needles], Awaitable[Searched]]] = (
        search_records,
        search_postgres,
        search_opensearch,
        search_clickhouse,
        search_redis,
        search_objects,
    )
    found = [await search(chosen, needles) for search in searches]
    if folder is None:
        return found
    for name, place in STORES.items():
        found.append(await asyncio.to_thread(search_files, place, folder / name, needles))
    rest = (*STORES, MAILBOXES)
    found.append(
        await asyncio.to_thread(search_files, "Logs and other files", folder, needles, rest)
    )
    return found


def _told(places: Sequence[Searched]) -> bool:
    """Print what was searched and found; whether all of it is clean."""
    lines = [
        {
            "place": each.place,
            "searched": f"{each.count} {each.of_what}",
            "MB": f"{each.size / MEGA:.1f}",
            "found": len(each.found),
            "not_searched": len(each.unsearched),
        }
        for each in places
    ]
    print_table(("place", "searched", "MB", "found", "not_searched"), lines)
    for each in places:
        for where in each.found:
            typer.echo(f"FOUND in {each.place}: {where}", err=True)
        for what in each.unsearched:
            typer.echo(f"NOT SEARCHED in {each.place}: {what}", err=True)
    if all(each.clean for each in places):
        typer.echo("Nothing readable of this person was found.")
        return True
    return False
