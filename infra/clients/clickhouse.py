"""ClickHouse: a bounded set of native clients, each used by one thread at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from clickhouse_driver import Client
from clickhouse_driver import errors as clickhouse_errors

from infra.settings import Settings

T = TypeVar("T")

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 30.0
ACQUIRE_TIMEOUT_S = 10.0
CLIENTS_MAX = 4

_DOWN = (
    OSError,
    EOFError,
    TimeoutError,
    clickhouse_errors.NetworkError,
    clickhouse_errors.SocketTimeoutError,
)
_BUSY_CODES = frozenset(
    {
        clickhouse_errors.ErrorCodes.TIMEOUT_EXCEEDED,
        clickhouse_errors.ErrorCodes.TOO_MANY_SIMULTANEOUS_QUERIES,
        clickhouse_errors.ErrorCodes.TOO_MANY_PARTS,
        clickhouse_errors.ErrorCodes.MEMORY_LIMIT_EXCEEDED,
        clickhouse_errors.ErrorCodes.NO_FREE_CONNECTION,
        clickhouse_errors.ErrorCodes.SOCKET_TIMEOUT,
        clickhouse_errors.ErrorCodes.NETWORK_ERROR,
    }
)


def means_clickhouse_down(error: BaseException) -> bool:
    """Whether this says that ClickHouse can't be reached or has no room now, rather than that
    the statement was wrong.
    """
    if isinstance(error, _DOWN):
        return True
    return isinstance(error, clickhouse_errors.Error) and error.code in _BUSY_CODES


class ClickHouse:
    """At most `clients_max` connections; they are made when first needed.

    The driver blocks, so every call runs in a thread of a pool of the same size.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clients_max: int = CLIENTS_MAX,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        self._url = settings.clickhouse_url.get_secret_value()
        self._answer_timeout_s = answer_timeout_s
        self._threads = ThreadPoolExecutor(clients_max, "clickhouse")
        self._idle: asyncio.LifoQueue[Client | None] = asyncio.LifoQueue()
        for _ in range(clients_max):
            self._idle.put_nowait(None)

    def _connect(self) -> Client:
        client = Client.from_url(self._url)
        connection = client.connection
        connection.connect_timeout = CONNECT_TIMEOUT_S
        connection.send_receive_timeout = self._answer_timeout_s
        connection.sync_request_timeout = CONNECT_TIMEOUT_S
        return client

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[Client]:
        async with asyncio.timeout(ACQUIRE_TIMEOUT_S):
            client = await self._idle.get()
        try:
            if client is None:
                client = self._connect()
            yield client
        except BaseException:
            # Whatever the other side still sends belongs to the broken call: start afresh.
            if client is not None:
                self._threads.submit(client.disconnect)
            client = None
            raise
        finally:
            self._idle.put_nowait(client)

    async def run(self, work: Callable[[Client], T]) -> T:
        """Let `work` use a client in a thread; its exceptions pass through."""
        async with self._client() as client:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, client)

    async def fetch(
        self, query: str, values: Mapping[str, Any] | None = None
    ) -> Sequence[tuple[Any, ...]]:
        """Every row of a query; bound it with LIMIT. `%(name)s` stands for a value."""
        rows: Sequence[tuple[Any, ...]] = await self.run(
            lambda client: client.execute(query, dict(values) if values else None)
        )
        return rows

    async def execute(self, statement: str, values: Mapping[str, Any] | None = None) -> None:
        """Run a statement that gives no rows."""
        await self.fetch(statement, values)

    async def insert(
        self, table: str, names: Sequence[str], columns: Sequence[Sequence[Any]]
    ) -> None:
        """Insert columns of equal length as one block (up to a million rows), which arrives
        whole or not at all.
        """
        listed = ", ".join(f"`{name}`" for name in names)
        await self.run(
            lambda client: client.execute(
                f"INSERT INTO {table} ({listed}) VALUES",
                list(columns),
                columnar=True,
            )
        )

    async def stream(
        self, query: str, rows_max: int
    ) -> AsyncGenerator[Sequence[tuple[Any, ...]], None]:
        """The rows of a query, at most `rows_max` at a time."""
        loop = asyncio.get_running_loop()
        async with self._client() as client:
            rows = await loop.run_in_executor(
                self._threads, lambda: client.execute_iter(query, chunk_size=rows_max)
            )
            while chunk := await loop.run_in_executor(self._threads, next, rows, None):
                yield chunk

    async def close(self) -> None:
        """Disconnect every client; calls under way end first."""
        while not self._idle.empty():
            client = self._idle.get_nowait()
            if client is not None:
                await asyncio.get_running_loop().run_in_executor(self._threads, client.disconnect)
        await asyncio.to_thread(self._threads.shutdown)
