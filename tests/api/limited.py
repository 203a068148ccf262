"""Routes that spend each policy, and an API with nothing behind it but Redis."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import APIRouter, Request
from starlette.responses import Response

from api.backends.machines import machines_of
from api.backends.rate_limits import By, Limit, spend
from api.entry import routing
from api.entry.auth import Caller
from api.entry.doors import ANYONE, FROM_ONE_ADDRESS, ITEMS, SIGNED_IN, Door
from api.entry.routing import new_router
from api.wire.problems import Problem
from infra.settings import Settings
from schemas.log.messages import Role
from tests.api.running import Mesh, api
from tests.stack import local_stack

KEY = base64.b64encode(bytes(32)).decode()
CLOSED_PORT = "redis://127.0.0.1:1/0"


def settings_on(redis_url: str, **more: Any) -> Settings:
    """Settings that limit as production does, and that no other test counts with."""
    return Settings(
        kafka_bootstrap="127.0.0.1:1",
        database_url="postgresql://mesh@127.0.0.1:1/none",
        opensearch_url="http://127.0.0.1:1",
        clickhouse_url="clickhouse://127.0.0.1:1/none",
        redis_url=redis_url,
        master_key=KEY,
        lookup_key=base64.b64encode(uuid4().bytes * 2).decode(),
        write_timeout_s=0.5,
        read_wait_s=0.2,
        **more,
    )


def redis_url() -> str:
    """A server for the tests."""
    return local_stack({"valkey"}).redis_url.get_secret_value()


@asynccontextmanager
async def limited_api(settings: Settings) -> AsyncIterator[Mesh]:
    """An API whose test routes spend one policy each. Whoever sends `Bearer <name>` is signed
    in under that name.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(routing, "authenticate", _by_name)
        async with api(settings) as mesh:
            mesh.app.router.routes.extend(_router().routes)
            yield mesh


async def _by_name(request: Request) -> Caller:
    _, _, name = request.headers.get("authorization", "").partition(" ")
    if not name or name == "wrong":
        raise Problem(status=401, reason="token_invalid")
    return Caller(user_id=name, role=Role.BUYER)


def _router() -> APIRouter:
    router = new_router("meta")

    async def ok() -> Response:
        return Response(b"{}", media_type="application/json")

    @router.get("/test/items", operation_id="test_items")
    @Door(SIGNED_IN, ITEMS)
    async def items() -> Response:
        return await ok()

    @router.get("/test/chat", operation_id="test_chat")
    @Door(SIGNED_IN, (Limit("chat"),))
    async def chat() -> Response:
        return await ok()

    @router.post("/test/auth", operation_id="test_auth")
    @Door(ANYONE, (Limit("auth", By.ACCOUNT), *FROM_ONE_ADDRESS))
    async def auth() -> Response:
        return await ok()

    @router.get("/test/address", operation_id="test_address")
    @Door(ANYONE, FROM_ONE_ADDRESS)
    async def address() -> Response:
        return await ok()

    @router.post("/test/images", operation_id="test_images")
    @Door(SIGNED_IN, (Limit("images", cost=0),))
    async def images(request: Request, files: int) -> Response:
        await spend(machines_of(request).rate_limits, request, "images", files)
        return Response(b"{}", 201, media_type="application/json")

    return router


def named(name: str) -> dict[str, str]:
    """The header of somebody signed in."""
    return {"Authorization": f"Bearer {name}"}


@asynccontextmanager
async def from_address(mesh: Mesh, address: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of that address."""
    transport = httpx.ASGITransport(mesh.app, client=(address, 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://mesh.test") as client:
        yield client
