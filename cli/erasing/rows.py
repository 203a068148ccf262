"""Every row of every table, in Postgres and ClickHouse."""

from __future__ import annotations

from typing import Literal

import asyncpg
from clickhouse_driver import errors as clickhouse_errors

from cli.erasing.needles import Needles, texts_of
from cli.erasing.searched import Searched
from infra.clients.clickhouse import ClickHouse, means_clickhouse_down
from infra.clients.postgres import means_down
from infra.settings import Settings

POSTGRES, CLICKHOUSE = "Postgres' tables", "ClickHouse's tables"
TIMEOUT_S = 600.0  # of one table
ROWS_MAX = 10_000

# Tables, materialised views and what TOAST put out of line; the system's own too, for its
# statistics keep the commonest values of every column.
_TABLES = """
    SELECT namespace.nspname AS schema, class.relname AS name
    FROM pg_class AS class JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
    WHERE class.relkind IN ('r', 'm') AND namespace.nspname NOT LIKE 'pg_temp%'
    ORDER BY 1, 2
"""
# The engine's own tables hold no rows of ours, but its logs hold statements.
_CLICKHOUSE_TABLES = """
    SELECT database, name FROM system.tables
    WHERE (database NOT IN ('system', 'information_schema', 'INFORMATION_SCHEMA')
           AND engine NOT LIKE '%View')
       OR (database = 'system' AND name LIKE '%\\_log')
    ORDER BY 1, 2
"""
_GONE = (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError)


async def search_postgres(settings: Settings, needles: Needles) -> Searched:
    """Every table of the database, all columns, as Postgres copies them out."""
    searched = Searched(POSTGRES, "tables")
    try:
        connection = await asyncpg.connect(settings.database_url.get_secret_value(), timeout=10)
        try:
            for table in await connection.fetch(_TABLES):
                await _search_table(connection, table["schema"], table["name"], needles, searched)
        finally:
            await connection.close()
    except Exception as error:
        if not means_down(error):
            raise
        searched.could_not(POSTGRES, error)
    return searched


async def _search_table(
    connection: asyncpg.Connection, schema: str, name: str, needles: Needles, searched: Searched
) -> None:
    where = f"{schema}.{name}"
    try:
        try:
            size, found = await _copied(connection, schema, name, "binary", needles)
        except asyncpg.UndefinedFunctionError:
            # Some types of the system's own tables have no binary form.
            size, found = await _copied(connection, schema, name, "text", needles)
    except _GONE:
        return  # dropped since it was listed: a generation that was given up
    except asyncpg.PostgresError as error:
        searched.could_not(where, error)
        return
    searched.add(where, size, found)


async def _copied(
    connection: asyncpg.Connection,
    schema: str,
    name: str,
    form: Literal["binary", "text"],
    needles: Needles,
) -> tuple[int, set[str]]:
    """Bytes of a table and what they hold. Binary: texts and bytes as they are, unescaped."""
    size, found, tail = 0, set[str](), b""

    async def take(piece: bytes) -> None:
        nonlocal size, found, tail
        size += len(piece)
        window = tail + piece
        found |= needles.found_in(window)
        tail = window[-needles.length_max :]

    query = f'SELECT * FROM "{schema}"."{name}"'  # noqa: S608 - names from the store's own list
    await connection.copy_from_query(query, output=take, format=form, timeout=TIMEOUT_S)
    return size, found


async def search_clickhouse(settings: Settings, needles: Needles) -> Searched:
    """Every table of every database, and what the engine logs of its statements."""
    searched = Searched(CLICKHOUSE, "tables")
    clickhouse = ClickHouse(settings, clients_max=1, answer_timeout_s=TIMEOUT_S)
    try:
        for database, name in await clickhouse.fetch(_CLICKHOUSE_TABLES):
            await _search_clickhouse_table(clickhouse, database, name, needles, searched)
    except Exception as error:
        if not means_clickhouse_down(error):
            raise
        searched.could_not(CLICKHOUSE, error)
    finally:
        await clickhouse.close()
    return searched


async def _search_clickhouse_table(
    clickhouse: ClickHouse, database: str, name: str, needles: Needles, searched: Searched
) -> None:
    size, found = 0, set[str]()
    query = f"SELECT * FROM `{database}`.`{name}`"  # noqa: S608 - names from the store's own list
    try:
        async for rows in clickhouse.stream(query, ROWS_MAX):
            # A text stays whole: nothing can begin in one and end in the next.
            data = b"\n".join(texts_of(rows))
            size += len(data)
            found |= needles.found_in(data)
    except clickhouse_errors.ServerException as error:
        if error.code != clickhouse_errors.ErrorCodes.UNKNOWN_TABLE:
            searched.could_not(f"{database}.{name}", error)
        return
    searched.add(f"{database}.{name}", size, found)
