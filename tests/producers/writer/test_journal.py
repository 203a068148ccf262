"""What the journal makes of a Postgres that does not answer."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from infra.settings import Settings
from producers.writer.journal import JournalUnavailableError, PostgresJournal


class Broken:
    """Connections that answer every query with one error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def fetch(self, *_: Any, **__: Any) -> list[Any]:
        raise self._error


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(),
        TimeoutError(),
        asyncpg.UndefinedTableError("no such table"),
        asyncpg.ConnectionDoesNotExistError("closed"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("another operation is in progress"),
    ],
)
async def test_a_query_that_fails_is_asked_again_and_ends_no_writer(
    error: Exception, servers: Settings
) -> None:
    journal: Any = PostgresJournal(servers)
    journal._pool = Broken(error)

    with pytest.raises(JournalUnavailableError) as told:
        await journal.watermarks(["events.listings"])

    assert told.value.retry_s > 0
