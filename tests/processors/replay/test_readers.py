"""Readers notice nothing: no failed read during replays and switches, in any store."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, make_dataclass, replace

import asyncpg
import pytest
from sqlalchemy import Column, MetaData, Table, Text

from infra.clients.clickhouse import ClickHouse
from infra.clients.opensearch import alias_of, open_opensearch
from processors.replay import builds, engine, switching
from processors.stores.port import StoreUnavailableError
from projections.projection import PostgresTable
from tests.processors.replay.shop import BY_NAME, Shop

SWITCHES = 50
READERS = 4
PAGE = BY_NAME["listing_page"]

Read = Callable[[], Awaitable[bool]]


@dataclass
class Readings:
    """How many reads there were; a read without a row fails."""

    done: int = 0


@asynccontextmanager
async def reading(readers: list[Read]) -> AsyncIterator[Readings]:
    """These readers, each at it for as long as the block lasts; the first failure ends it."""
    readings, stop = Readings(), asyncio.Event()

    async def go_on(read: Read) -> None:
        while not stop.is_set():
            assert await read(), "a read gave no row"
            readings.done += 1

    async with asyncio.TaskGroup() as group:
        for read in readers:
            group.create_task(go_on(read))
        try:
            yield readings
        finally:
            stop.set()


async def to_and_fro(mesh: Shop, name: str, times: int) -> None:
    """So many switches between two generations."""
    for number in range(times):
        move = switching.rollback if number % 2 else switching.switch
        assert len(await move(mesh.settings, [BY_NAME[name]])) == 1


async def two_generations(mesh: Shop, name: str) -> str:
    """Have a live one and a ready one with equal rows; a key of theirs."""
    live = await mesh.live(name)
    await mesh.feed(live)
    await engine.start(mesh.settings, [BY_NAME[name]])
    return next(iter(await mesh.rows(live)))


@asynccontextmanager
async def postgres_readers(mesh: Shop, key: str) -> AsyncIterator[list[Read]]:
    """Each on a connection of its own with a prepared statement, as an API's pool has them."""
    url = mesh.settings.database_url.get_secret_value()
    connections = [await asyncpg.connect(url) for _ in range(READERS)]
    try:
        statements = [
            await each.prepare("SELECT status, title FROM reads.listing_page WHERE key = $1")
            for each in connections
        ]

        def reader(statement: asyncpg.prepared_stmt.PreparedStatement) -> Read:
            async def read() -> bool:
                return await statement.fetchrow(key) is not None

            return read

        yield [reader(each) for each in statements]
    finally:
        for each in connections:
            await each.close()


async def test_P12_fifty_switches_fail_no_read_in_postgres(mesh: Shop) -> None:
    key = await two_generations(mesh, "listing_page")
    async with postgres_readers(mesh, key) as readers, reading(readers) as readings:
        await to_and_fro(mesh, "listing_page", SWITCHES)
    assert readings.done > SWITCHES
    await builds.drop(mesh.settings, [PAGE], (await ready(mesh, "listing_page")))


async def ready(mesh: Shop, name: str) -> int:
    found = await mesh.generations(name)
    return next(number for number, each in found.items() if each.status == "ready")


async def test_P12_switches_between_views_of_other_columns_fail_no_read(mesh: Shop) -> None:
    key = await two_generations(mesh, "listing_page")
    await builds.drop(mesh.settings, [PAGE], await ready(mesh, "listing_page"))
    newer = with_one_column_more()
    await engine.start(mesh.settings, [newer])
    async with postgres_readers(mesh, key) as readers, reading(readers) as readings:
        for _ in range(5):
            assert len(await switching.switch(mesh.settings, [newer])) == 1
            assert len(await switching.rollback(mesh.settings, [PAGE])) == 1
    assert readings.done > 10
    assert await mesh.world.pool.fetchval("SELECT count(*) FROM reads.listings") > 0
    await builds.drop(mesh.settings, [PAGE], await ready(mesh, "listing_page"))


def with_one_column_more():
    """The page with a first column more: no view can be replaced by that of another order."""
    columns = [
        each.copy() if hasattr(each, "copy") else each._copy() for each in PAGE.target.table.columns
    ]
    table = Table("listing_page", MetaData(), columns[0], Column("shout", Text), *columns[1:])
    fields = [("shout", str | None, None)]
    loud = make_dataclass("Loud", fields, bases=(PAGE.row,))

    def fold(row, recorded):
        plain = PAGE.fold(row, recorded)
        if plain is None or isinstance(plain, loud):
            return plain
        values = {name: getattr(plain, name) for name in PAGE.row.__dataclass_fields__}
        return loud(**values, shout=(plain.title or "").upper())

    return replace(
        PAGE, version=2, row=loud, fold=fold, target=PostgresTable(table, PAGE.target.extras)
    )


async def test_P12_fifty_switches_fail_no_search(mesh: Shop) -> None:
    key = await two_generations(mesh, "listing_search")
    client = open_opensearch(mesh.settings)
    body = {"query": {"ids": {"values": [key]}}}

    async def read() -> bool:
        answer = await client.search(index=alias_of(mesh.settings, "listing_search"), body=body)
        return answer["hits"]["total"]["value"] == 1

    try:
        async with reading([read] * READERS) as readings:
            await to_and_fro(mesh, "listing_search", SWITCHES)
    finally:
        await client.close()
    assert readings.done > SWITCHES


async def test_P12_fifty_switches_fail_no_query_in_clickhouse(mesh: Shop) -> None:
    key = await two_generations(mesh, "listing_facts")
    client = ClickHouse(mesh.settings)

    async def read() -> bool:
        found = await client.fetch(
            "SELECT count() FROM listing_facts WHERE key = %(k)s", {"k": key}
        )
        return found[0][0] == 1

    try:
        async with reading([read] * READERS) as readings:
            await to_and_fro(mesh, "listing_facts", SWITCHES)
    finally:
        await client.close()
    assert readings.done > SWITCHES


async def test_P12_reads_during_a_replay_do_not_fail(mesh: Shop) -> None:
    live = await mesh.live("listing_page")
    await mesh.feed(live)
    key = next(iter(await mesh.rows(live)))
    async with postgres_readers(mesh, key) as readers, reading(readers) as readings:
        (built,) = await engine.start(mesh.settings, [PAGE])
    assert readings.done > 10
    await builds.drop(mesh.settings, [PAGE], built.number)


@pytest.mark.parametrize("name", ["listing_search", "listing_facts"])
async def test_F17_a_switch_that_died_between_the_stores_is_repaired_by_running_it_again(
    mesh: Shop, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (built,) = await engine.start(mesh.settings, [BY_NAME[name]])
    calls = []

    async def die(_stores, _projections, known) -> None:
        calls.append(known)
        if len(calls) == 2:
            message = "killed here"
            raise StoreUnavailableError(message)

    with monkeypatch.context() as patched:
        patched.setattr(switching, "_publish_elsewhere", die)
        with pytest.raises(StoreUnavailableError, match="killed here"):
            await switching.switch(mesh.settings, [BY_NAME[name]])
    assert await mesh.live(name) == built
    assert await shown(mesh, name) != built.number
    assert await switching.switch(mesh.settings, [BY_NAME[name]]) == []
    assert await shown(mesh, name) == built.number


async def shown(mesh: Shop, name: str) -> int:
    """Which generation the public name stands for."""
    if name == "listing_search":
        client = open_opensearch(mesh.settings)
        try:
            (index,) = await client.indices.get_alias(name=alias_of(mesh.settings, name))
        finally:
            await client.close()
        return int(index.rpartition("-g")[2])
    client = ClickHouse(mesh.settings)
    try:
        ((sql,),) = await client.fetch(f"SHOW CREATE VIEW {name}")
    finally:
        await client.close()
    return int(re.search(rf"{name}__g(\d+)", sql)[1])
