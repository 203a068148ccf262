"""`mesh erase`: delete somebody for ever, and prove that nothing readable of them is left.

What to look for is read from the person's own sealed data before their key is destroyed, or
given on standard input: never an argument, which every process of the machine can read.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from api.backends.database import Database
from api.wire.problems import StoreUnavailableError
from cli.confirming import Yes, confirm
from cli.erasing.documents import search_opensearch, search_redis
from cli.erasing.files import search_files
from cli.erasing.known import BehindError, known_by, until_folded
from cli.erasing.log_records import search_records
from cli.erasing.needles import Needles
from cli.erasing.pictures import search_objects
from cli.erasing.rows import search_clickhouse, search_postgres
from cli.erasing.searched import Searched
from cli.ids import an_id
from cli.sending import asked, replies_to
from cli.tables import print_table
from infra.channels.outbox import FOLDER as OUTBOX
from infra.settings import Settings, settings, state_folder
from infra.vault.vault import Vault
from processors.feeding.reading import LogUnavailableError
from schemas.identity import DeleteUser
from schemas.refusals import told_of

VALUES_MAX = 100
MEGA = 1_000_000
READ_WAIT_S = 60.0  # for the workers, to have read what stands in the log
STORES: Mapping[str, str] = {
    "kafka": "Kafka's files",
    "postgres": "Postgres' files",
    "opensearch": "OpenSearch's files",
    "clickhouse": "ClickHouse's files",
    "valkey": "Redis' files",
}
GIVE_TEXTS = "Give the texts to look for with --values-on-stdin."
# What the local sinks have taken has been delivered: it is in people's own mailboxes and phones.
DELIVERED = ("mail/box", OUTBOX)


class ErasureError(Exception):
    """The person can't be erased or looked for; the text says what to do."""


def register(app: typer.Typer) -> None:
    """Add this file's command."""
    app.command(name="erase")(erase_command)


def erase_command(
    user: Annotated[UUID, typer.Argument(parser=an_id, metavar="USER_ID", help="The person's id.")],
    prove: Annotated[bool, typer.Option("--prove", help="Search every store afterwards.")] = False,
    values_on_stdin: Annotated[
        bool,
        typer.Option("--values-on-stdin", help="What to look for, one text a line."),
    ] = False,
    disks_elsewhere: Annotated[
        bool,
        typer.Option("--disks-elsewhere", help="Leave the stores' files out: search them there."),
    ] = False,
    yes: Yes = False,
) -> None:
    """Delete somebody for ever. With --prove search every store for what they were known by;
    1 when something was found, or when some place could not be searched.
    """
    chosen = settings()
    confirm(f"This erases {user} for ever: nobody can bring them back", yes=yes)
    given = _given() if values_on_stdin else {}
    if prove:
        _say("looking up what they are known by")
    try:
        values = asyncio.run(erase(chosen, user, remember=prove)) | given
    except (ErasureError, BehindError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{user} is erased")
    if not prove:
        return
    if not values:
        typer.echo(
            f"Nothing is known to look for: the key was destroyed before. {GIVE_TEXTS}", err=True
        )
        raise typer.Exit(1)
    folder = None if disks_elsewhere else state_folder()
    if not _told(asyncio.run(searched(chosen, Needles(values), folder))):
        raise typer.Exit(1)


def _given() -> dict[str, str]:
    lines = [line.strip() for line in sys.stdin.read().splitlines()]
    texts = [line for line in lines if line][:VALUES_MAX]
    return {f"value {number}": text for number, text in enumerate(texts, start=1)}


async def erase(chosen: Settings, user_id: UUID, *, remember: bool) -> dict[str, str]:
    """Delete the person and destroy their key. Returns what they were known by, if that is to be
    remembered; nothing when the key was gone before.
    """
    database = Database(chosen)
    await database.open()
    try:
        vault = Vault(database.pool, chosen)
        key = await vault.person(user_id)
        if key is None or not remember:
            await _delete(chosen, user_id, vault)
            return {}
        # Before anything is done, for without readers nothing would be known afterwards; and
        # again when nothing more of theirs can come. The key in hand still opens what was sealed.
        await until_folded(chosen, database, READ_WAIT_S)
        await _delete(chosen, user_id, vault)
        try:
            await until_folded(chosen, database, READ_WAIT_S)
            return await known_by(database, key)
        except (BehindError, LogUnavailableError, StoreUnavailableError) as error:
            message = f"{user_id} is erased, but {error}. {GIVE_TEXTS}"
            raise ErasureError(message) from error
    finally:
        await database.close()


async def _delete(chosen: Settings, user_id: UUID, vault: Vault) -> None:
    (reply,) = await replies_to(chosen, DeleteUser(user_id=user_id, **asked("erase")))
    if reply.outcome != "accepted":
        unknown = reply.reason == "user_unknown"
        message = f"Nobody has the id {user_id}" if unknown else told_of(reply.reason)
        raise ErasureError(message)
    # The effect does the same; here it is certain when the command ends.
    await vault.erase(user_id)


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
    found = []
    for search in searches:
        found.append(await search(chosen, needles))
        _say_searched(found[-1])
    if folder is None:
        return found
    rest = (*STORES, *DELIVERED)
    places = [(place, folder / name, ()) for name, place in STORES.items()]
    for place, files, without in (*places, ("Logs and other files", folder, rest)):
        found.append(await asyncio.to_thread(search_files, place, files, needles, without))
        _say_searched(found[-1])
    return found


def _say_searched(each: Searched) -> None:
    _say(f"searched {each.place}: {each.count} {each.of_what}")


def _say(what: str) -> None:
    """Progress; what comes of it stands on the other stream."""
    typer.echo(f"  {what}", err=True)


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
