"""`mesh pictures`: how far the pictures are that a seller's files name by their addresses, and which can't
be had.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any, Final

import orjson
import typer

from api.backends.database import Database
from cli.tables import print_table
from infra.clients.postgres import open_pool
from infra.settings import Settings, settings
from infra.vault.vault import PersonKey, Vault
from schemas.listings import seller_account

LISTED_MAX = 1_000
_COUNTED: Final = """
    SELECT status, count(*) AS files FROM reads.media_files
    WHERE user_id = $1 AND address_sealed IS NOT NULL GROUP BY status ORDER BY status
"""
_FAILED: Final = """
    SELECT subject, failure, updated_at, address_sealed FROM reads.media_files
    WHERE user_id = $1 AND address_sealed IS NOT NULL AND status = 'failed'
    ORDER BY updated_at DESC, key LIMIT $2
"""


@dataclass(frozen=True)
class Fetched:
    """How many are how far, and those that can't be had, the latest first."""

    counts: Counter[str]
    failed: list[dict[str, Any]]


def register(app: typer.Typer) -> None:
    """Add this file's command."""
    app.command(name="pictures")(pictures_command)


def pictures_command(
    seller: Annotated[
        str, typer.Argument(help="As listings name it: import:my-dealer, or a person's id.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Say how far the pictures are that a seller's files name, and which can't be had."""
    found = asyncio.run(fetched_of(settings(), seller))
    if as_json:
        document = {"counts": found.counts, "failed": found.failed}
        print(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode())
        return
    counts = (f"{files} {status}" for status, files in found.counts.items())
    typer.echo(f"Pictures by address: {', '.join(counts) or 'none'}")
    if found.failed:
        print_table(("listing_id", "reason", "address"), found.failed)
    if len(found.failed) == LISTED_MAX:
        typer.echo(f"these are the latest {LISTED_MAX}")


async def fetched_of(chosen: Settings, seller: str) -> Fetched:
    """What has become of a seller's pictures; of somebody erased no address is told."""
    account = seller_account(seller)
    async with await open_pool(chosen, size_min=0, size_max=1) as pool:
        key = await Vault(pool, chosen).person(account)
    reads = Database(chosen)
    await reads.open()
    try:
        counted = await reads.fetch(_COUNTED, str(account))
        failed = await reads.fetch(_FAILED, str(account), LISTED_MAX)
    finally:
        await reads.close()
    counts = Counter({str(row["status"]): int(row["files"]) for row in counted})
    return Fetched(counts, [_told(row, key) for row in failed])


def _told(row: Any, key: PersonKey | None) -> dict[str, Any]:
    address = None if key is None else key.unseal("address", row["address_sealed"])
    return {
        "listing_id": str(row["subject"] or "").partition("/")[2],
        "reason": row["failure"],
        "at": row["updated_at"],
        "address": address,
    }
