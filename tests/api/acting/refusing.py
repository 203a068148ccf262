"""Stores that truly refuse a row for a value in it, and what readers see of it then."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Protocol

from starlette.requests import Request

from api.entry.consistency import CaughtUp
from api.wire.problems import Problem
from infra.clients.clickhouse import ClickHouse
from infra.clients.opensearch import alias_of, open_opensearch
from processors.replay import builds, engine, switching
from projections.analytics.listing_facts import listing_facts
from projections.listings.listing_page import listing_page
from projections.projection import Projection
from projections.search.listing_search import INDEX, listing_search
from tests.api.acting.selling import Seller
from tests.api.running import Mesh

BEING_REPAIRED = (503, "being_repaired")
COVERED = (200, "")


class Refusing(Protocol):
    """One store: `projection` is what it keeps, `change` what it refuses of a listing and `reason`
    what it says then.
    """

    projection: Projection[Any]
    reason: str
    change: Mapping[str, str]

    async def refuse(self) -> None: ...
    async def take_again(self) -> None: ...
    async def shows(self, key: str) -> bool: ...
    async def told(self, token: dict[str, str], reader: Seller) -> tuple[int, str]: ...


class Rows:
    """Postgres, by a constraint."""

    projection: Projection[Any] = listing_page
    reason = "CheckViolationError"
    change: Mapping[str, str] = {"make": "Refused"}

    def __init__(self, mesh: Mesh, projection: Projection[Any] = listing_page) -> None:
        self.mesh, self.projection = mesh, projection

    async def _alter(self, what: str) -> None:
        number = await self.mesh.machines.postgres.fetchval(
            "SELECT number FROM mesh.generations WHERE projection = $1 AND status = 'live'",
            self.projection.name,
        )
        table = f'reads."{self.projection.name}__g{number}"'
        await self.mesh.machines.postgres.pool.execute(f"ALTER TABLE {table} {what}")

    async def refuse(self) -> None:
        await self.take_only("make <> 'Refused'")

    async def take_only(self, condition: str) -> None:
        await self._alter(f"ADD CONSTRAINT planted CHECK ({condition}) NOT VALID")

    async def take_again(self) -> None:
        await self._alter("DROP CONSTRAINT IF EXISTS planted")

    async def shows(self, key: str) -> bool:
        answer = await self.mesh.client.get(f"/api/listings/{key}")
        return answer.status_code == 200

    async def told(self, token: dict[str, str], reader: Seller) -> tuple[int, str]:
        return _told(await reader.ask("GET", "/api/listings", headers=token))


# `drivetrain` is one of a few words: never a number.
STRICT = replace(
    listing_search,
    target=replace(
        INDEX,
        mappings={
            **INDEX.mappings,
            "properties": {
                **INDEX.mappings["properties"],
                "drivetrain": {"type": "integer", "ignore_malformed": True},
            },
        },
    ),
)


@asynccontextmanager
async def strict_index(mesh: Mesh) -> AsyncIterator[None]:
    """The live index is one with a field that can be told to refuse what it is sent."""
    (built,) = await engine.start(mesh.settings, [STRICT])
    await switching.switch(mesh.settings, [STRICT])
    try:
        yield
    finally:
        await switching.rollback(mesh.settings, [STRICT])
        await builds.drop(mesh.settings, [STRICT], built.number)


class Documents:
    """OpenSearch, by its mapping; see `strict_index`."""

    projection: Projection[Any] = listing_search
    reason = "mapper_parsing_exception"
    change: Mapping[str, str] = {"drivetrain": "awd"}

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self.alias = alias_of(mesh.settings, listing_search.name)

    async def refuse(self) -> None:
        await self._ignore_malformed(ignore=False)

    async def take_again(self) -> None:
        await self._ignore_malformed(ignore=True)

    async def _ignore_malformed(self, *, ignore: bool) -> None:
        field = {"type": "integer", "ignore_malformed": ignore}
        async with open_opensearch(self.mesh.settings) as client:
            body = {"properties": {"drivetrain": field}}
            await client.indices.put_mapping(index=self.alias, body=body)

    async def shows(self, key: str) -> bool:
        async with open_opensearch(self.mesh.settings) as client:
            await client.indices.refresh(index=self.alias)
            body = {"query": {"ids": {"values": [key]}}}
            return bool((await client.count(index=self.alias, body=body))["count"])

    async def told(self, token: dict[str, str], reader: Seller) -> tuple[int, str]:
        return _told(await reader.ask("GET", "/api/search", headers=token))


class Figures:
    """ClickHouse, by a constraint. No route reads its figures of listings yet."""

    projection: Projection[Any] = listing_facts
    reason = "ServerException 469"
    change: Mapping[str, str] = {"make": "Refused"}

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh

    async def _ask(self, query: str) -> Any:
        clickhouse = ClickHouse(self.mesh.settings, clients_max=1)
        try:
            return await clickhouse.fetch(query)
        finally:
            await clickhouse.close()

    async def _alter(self, what: str) -> None:
        await self._ask(f"ALTER TABLE {listing_facts.name}__g1 {what}")

    async def refuse(self) -> None:
        await self._alter("ADD CONSTRAINT planted CHECK ifNull(make, '') != 'Refused'")

    async def take_again(self) -> None:
        await self._alter("DROP CONSTRAINT IF EXISTS planted")

    async def shows(self, key: str) -> bool:
        query = f"SELECT status FROM {listing_facts.name} WHERE key = '{key}'"
        return [status for (status,) in await self._ask(query)] == ["active"]

    async def told(self, token: dict[str, str], reader: Seller) -> tuple[int, str]:
        try:
            await CaughtUp(listing_facts).wait(_asking(self.mesh, token))
        except Problem as problem:
            return problem.status, problem.reason
        return COVERED


def _told(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("reason", "")


def _asking(mesh: Mesh, token: dict[str, str]) -> Request:
    headers = [(name.lower().encode(), value.encode()) for name, value in token.items()]
    scope = {"type": "http", "headers": headers, "query_string": b"", "path_params": {}}
    return Request({**scope, "app": mesh.app})
