"""The peer of the post bench: what one would build instead, from the usual parts.

    python -m bench.peer_post serve --port PORT
    python -m bench.peer_post work

`serve` is one FastAPI app: a listing and its outbox row go into Postgres in one transaction, and a
task in the same process sends what the outbox holds to Kafka and marks it sent. `work` reads the topic
and brings listings into OpenSearch and ClickHouse, in small batches, each of which is committed once it
is there. It has no log-in, no idempotency, no versions and no history, and what it sends it may
send twice. It takes the stack's servers from the environment and what it keeps there is its own.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

import asyncpg
import orjson
import uvicorn
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from clickhouse_driver import Client
from fastapi import FastAPI
from opensearchpy import AsyncOpenSearch
from pydantic import Field
from starlette.responses import JSONResponse

from infra.settings import Settings, load_settings
from schemas.values.vehicles import PRICE_MINOR_MAX, YEAR_MAX, YEAR_MIN, VehicleFacts

SCHEMA, TOPIC, INDEX, TABLE = "peer_post", "peer_listings", "peer_listings", "peer_listings"
ROWS = f"{SCHEMA}.listings"
OUTBOX = f"{SCHEMA}.outbox"
POLL_S = 0.05
BATCH = 500
# As long as ours gather for each of the two.
GATHER_SEARCH_S = 0.5
GATHER_ANALYTICS_S = 1.0

_DDL = f"""
CREATE SCHEMA {SCHEMA};
CREATE TABLE {ROWS} (
    id uuid PRIMARY KEY, title text, price_minor bigint, currency text, make text, model text,
    year integer, location text, status text NOT NULL, details jsonb NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX ON {ROWS} (make, model);
CREATE INDEX ON {ROWS} (created_at);
CREATE TABLE {OUTBOX} (
    id bigserial PRIMARY KEY, listing_id uuid NOT NULL, payload jsonb NOT NULL, sent_at timestamptz
);
CREATE INDEX ON {OUTBOX} (id) WHERE sent_at IS NULL;
"""
_INSERT = f"INSERT INTO {ROWS} VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
_TELL = f"INSERT INTO {OUTBOX} (listing_id, payload) VALUES ($1, $2)"
_UNSENT = (
    f"SELECT id, listing_id, payload FROM {OUTBOX} WHERE sent_at IS NULL"
    f" ORDER BY id LIMIT {BATCH} FOR UPDATE SKIP LOCKED"
)
_SENT = f"UPDATE {OUTBOX} SET sent_at = now() WHERE id = ANY($1)"

_KEYWORD, _TEXT, _LONG = {"type": "keyword"}, {"type": "text"}, {"type": "long"}
_MAPPINGS = {
    "dynamic": False,
    "properties": {
        **dict.fromkeys(("currency", "make", "model", "fuel_type", "location", "status"), _KEYWORD),
        **dict.fromkeys(("title", "description", "features"), _TEXT),
        **dict.fromkeys(("price_minor", "year"), _LONG),
        "geo": {"type": "geo_point"},
        "created_at": {"type": "date"},
    },
}
_COLUMNS = {
    "id": "UUID",
    "created_at": "DateTime64(6, 'UTC')",
    "price_minor": "Nullable(Int64)",
    **dict.fromkeys(("currency", "make", "model"), "LowCardinality(Nullable(String))"),
    "year": "Nullable(UInt16)",
    **dict.fromkeys(("fuel_type", "location"), "LowCardinality(Nullable(String))"),
}
_TABLE_DDL = (
    f"CREATE TABLE {TABLE} ({', '.join(f'{name} {kind}' for name, kind in _COLUMNS.items())})"
    " ENGINE = ReplacingMergeTree ORDER BY id"
)


class NewListing(VehicleFacts):
    """The body that ours takes, with the bounds that pydantic has by itself."""

    title: Annotated[str, Field(min_length=3, max_length=160)] | None = None
    description: Annotated[str, Field(max_length=10_000)] | None = None
    price_minor: Annotated[int, Field(gt=0, le=PRICE_MINOR_MAX)] | None = None
    year: Annotated[int, Field(ge=YEAR_MIN, le=YEAR_MAX)] | None = None
    make: Annotated[str, Field(max_length=80)] | None = None
    model: Annotated[str, Field(max_length=80)] | None = None
    location: Annotated[str, Field(max_length=80)] | None = None
    features: Annotated[tuple[str, ...], Field(max_length=60)] | None = None
    publish: bool = False


def app(settings: Settings) -> FastAPI:
    """The API."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        url = settings.database_url.get_secret_value()
        producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, acks="all")
        await producer.start()
        # With a connection of its own it waits for no request.
        async with (
            asyncpg.create_pool(url) as app.state.pool,
            asyncpg.create_pool(url, max_size=1, min_size=1) as own,
        ):
            relaying = asyncio.create_task(relay(own, producer))
            yield
            relaying.cancel()
            with suppress(asyncio.CancelledError):
                await relaying
        await producer.stop()

    app = FastAPI(lifespan=lifespan)

    @app.post("/listings", status_code=201)
    async def create(body: NewListing) -> JSONResponse:
        listing_id = uuid4()
        await keep(app.state.pool, listing_id, body)
        return JSONResponse({"id": str(listing_id), "version": 1}, 201)

    return app


async def keep(pool: asyncpg.Pool, listing_id: UUID, body: NewListing) -> None:
    """The listing and what is to be told of it, both or neither."""
    status, now = "active" if body.publish else "draft", datetime.now(UTC)
    stated = body.model_dump(mode="json", exclude_none=True, exclude={"publish"})
    event = {"id": str(listing_id), "status": status, "created_at": now, **stated}
    columns = (body.title, body.price_minor, body.currency, body.make, body.model, body.year)
    details = orjson.dumps(stated).decode()
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(_INSERT, listing_id, *columns, body.location, status, details, now)
        await connection.execute(_TELL, listing_id, orjson.dumps(event).decode())


async def relay(pool: asyncpg.Pool, producer: AIOKafkaProducer) -> None:
    """Send what the outbox holds, oldest first, for ever."""
    while True:
        async with pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(_UNSENT)
            if rows:
                await asyncio.gather(*[await told(producer, row) for row in rows])
                await connection.execute(_SENT, [row["id"] for row in rows])
        if not rows:
            await asyncio.sleep(POLL_S)


async def told(producer: AIOKafkaProducer, row: asyncpg.Record) -> Awaitable[Any]:
    """An outbox row on its way; to be awaited until the broker has it."""
    sending: Awaitable[Any] = await producer.send(
        TOPIC, row["payload"].encode(), row["listing_id"].bytes
    )
    return sending


Store = Callable[[Sequence[dict[str, Any]]], Awaitable[None]]


async def consume(settings: Settings, group: str, gather_s: float, store: Store) -> None:
    """Bring the topic's listings into a store, for ever."""
    consumer = AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=settings.kafka_bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        while True:
            found = await consumer.getmany(timeout_ms=1_000, max_records=BATCH)
            listings = [orjson.loads(each.value) for part in found.values() for each in part]
            if listings:
                await store(listings)
                await consumer.commit()
            if len(listings) < BATCH:
                await asyncio.sleep(gather_s)
    finally:
        await consumer.stop()


def search(client: AsyncOpenSearch) -> Store:
    """The documents of listings, in one call."""

    async def store(listings: Sequence[dict[str, Any]]) -> None:
        lines = [
            orjson.dumps(line)
            for each in listings
            for line in ({"index": {"_id": each["id"]}}, each)
        ]
        answer = await client.bulk(body=b"\n".join([*lines, b""]), index=INDEX)
        if answer["errors"]:
            message = f"OpenSearch refused listings: {answer['items'][:1]}"
            raise RuntimeError(message)

    return store


def analytics(client: Client) -> Store:
    """The rows of listings, in one block."""
    names = list(_COLUMNS)

    async def store(listings: Sequence[dict[str, Any]]) -> None:
        rows = [
            {
                **{name: each.get(name) for name in names},
                "id": UUID(each["id"]),
                "created_at": datetime.fromisoformat(each["created_at"]),
            }
            for each in listings
        ]
        statement = f"INSERT INTO {TABLE} ({', '.join(names)}) VALUES"
        await asyncio.to_thread(client.execute, statement, rows)

    return store


async def work(settings: Settings) -> None:
    """Both consumers, until SIGTERM."""
    found = AsyncOpenSearch(hosts=[settings.opensearch_url])
    figures = Client.from_url(settings.clickhouse_url.get_secret_value())
    working = asyncio.gather(
        consume(settings, "peer_search", GATHER_SEARCH_S, search(found)),
        consume(settings, "peer_analytics", GATHER_ANALYTICS_S, analytics(figures)),
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, working.cancel)
    try:
        with suppress(asyncio.CancelledError):
            await working
    finally:
        await found.close()
        figures.disconnect()


async def prepare(settings: Settings) -> None:
    """Make what it keeps: tables, topic and index, all of them empty."""
    connection = await asyncpg.connect(settings.database_url.get_secret_value())
    try:
        await connection.execute(_DDL)
    finally:
        await connection.close()
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(TOPIC, settings.topic_partitions, 1)])
    finally:
        await admin.close()
    async with AsyncOpenSearch(hosts=[settings.opensearch_url]) as client:
        shape = {"number_of_shards": 1, "number_of_replicas": 0}
        await client.indices.create(index=INDEX, body={"settings": shape, "mappings": _MAPPINGS})
    with Client.from_url(settings.clickhouse_url.get_secret_value()) as figures:
        figures.execute(_TABLE_DDL)


def main() -> None:
    """Be one of the two processes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("role", choices=("serve", "work"))
    parser.add_argument("--port", type=int, default=0)
    asked = parser.parse_args()
    settings = load_settings()
    if asked.role == "work":
        uvloop.run(work(settings))
        return
    uvicorn.run(
        app(settings),
        host="127.0.0.1",
        port=asked.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_level="warning",
        access_log=False,
    )


if __name__ == "__main__":
    main()
