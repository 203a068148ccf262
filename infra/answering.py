"""Which servers answer, asked of each afresh and within a second and a half.

For whoever has to tell a person what is wrong: a client's exception says that something failed,
seldom whether its server is away, starting, full or frozen.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import asyncpg
import httpx
from clickhouse_driver import Client
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from redis.exceptions import AuthenticationError, BusyLoadingError

from infra.clients.redis import open_redis
from infra.settings import Settings

ANSWER_S: Final = 1.5

Ask = Callable[[Settings], Awaitable[None]]


class StartingError(Exception):
    """The server is there and says itself that it is not ready."""


@dataclass(frozen=True)
class Answer:
    """What one server said. `trouble` is empty when all is well, else it goes on from the
    server's name: "Postgres at 127.0.0.1:5432 refuses connections".
    """

    name: str
    address: str
    milliseconds: float
    trouble: str = ""

    @property
    def told(self) -> str:
        """Server, place and trouble, as a part of a sentence."""
        return f"{self.name} at {self.address} {self.trouble or 'answers'}"


async def ask_all(settings: Settings) -> list[Answer]:
    """What every server says, all asked at once."""
    return list(await asyncio.gather(*(_asked(settings, name) for name in SERVERS)))


async def _asked(settings: Settings, name: str) -> Answer:
    address = addresses(settings)[name]
    began = time.perf_counter()
    try:
        async with asyncio.timeout(ANSWER_S):
            await _reached(address)
            await SERVERS[name](settings)
        trouble = ""
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        trouble = _trouble(error)
    return Answer(name, address, round((time.perf_counter() - began) * 1e3, 1), trouble)


def addresses(settings: Settings) -> Mapping[str, str]:
    """Where each server is, host:port, without user and password."""
    return {
        "Kafka": settings.kafka_bootstrap.split(",")[0],
        "Postgres": _place(settings.database_url.get_secret_value(), 5432),
        "OpenSearch": _place(settings.opensearch_url, 9200),
        "ClickHouse": _place(settings.clickhouse_url.get_secret_value(), 9000),
        "Redis": _place(settings.redis_url.get_secret_value(), 6379),
    }


def _place(url: str, usual_port: int) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or usual_port}"


async def _reached(address: str) -> None:
    """Raises OSError when nobody listens there: each client has its own words for that."""
    host, _, port = address.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.close()


def _trouble(error: Exception) -> str:
    match error:
        case ConnectionRefusedError():
            return "refuses connections: it is not running, or not yet"
        case TimeoutError():
            return f"takes connections but says nothing for {ANSWER_S} s: it hangs, or is overrun"
        case StartingError() | asyncpg.CannotConnectNowError() | BusyLoadingError():
            return f"is starting or stopping ({_first_line(error)})"
        case asyncpg.TooManyConnectionsError():
            return "has no connection left"
        case asyncpg.InvalidAuthorizationSpecificationError() | AuthenticationError():
            return "refuses our user or password: check its URL in the settings"
        case asyncpg.InvalidCatalogNameError():
            return f"lacks its database ({_first_line(error)})"
        case OSError():
            return f"can't be reached ({error.strerror or error})"
        case _:
            return f"answers with an error ({type(error).__name__}: {_first_line(error)})"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else "no details"


async def _ask_kafka(settings: Settings) -> None:
    def listed() -> None:
        admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap, "log_level": 0})
        try:
            brokers = admin.list_topics(timeout=ANSWER_S).brokers
        except KafkaException as error:
            raise TimeoutError from error
        if not brokers:
            message = "no broker has registered yet"
            raise StartingError(message)

    await asyncio.to_thread(listed)


async def _ask_postgres(settings: Settings) -> None:
    connection = await asyncpg.connect(settings.database_url.get_secret_value(), timeout=ANSWER_S)
    try:
        await connection.execute("SELECT 1")
    finally:
        # Not `close`: that would wait for a server that may have frozen meanwhile.
        connection.terminate()


async def _ask_opensearch(settings: Settings) -> None:
    async with httpx.AsyncClient(timeout=ANSWER_S) as client:
        answer = await client.get(f"{settings.opensearch_url}/_cluster/health")
    if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        message = f"status {answer.status_code}"
        raise StartingError(message)
    if answer.is_success and answer.json()["status"] == "red":
        message = "shards are still recovering"
        raise StartingError(message)


async def _ask_clickhouse(settings: Settings) -> None:
    def selected() -> None:
        client = Client.from_url(settings.clickhouse_url.get_secret_value())
        client.connection.connect_timeout = ANSWER_S
        client.connection.send_receive_timeout = ANSWER_S
        client.connection.sync_request_timeout = ANSWER_S
        try:
            client.execute("SELECT 1")
        finally:
            client.disconnect()

    await asyncio.to_thread(selected)


async def _ask_redis(settings: Settings) -> None:
    client = open_redis(settings, answer_timeout_s=ANSWER_S)
    try:
        await client.ping()
    finally:
        await client.aclose()


SERVERS: Final[Mapping[str, Ask]] = {
    "Kafka": _ask_kafka,
    "Postgres": _ask_postgres,
    "OpenSearch": _ask_opensearch,
    "ClickHouse": _ask_clickhouse,
    "Redis": _ask_redis,
}
