"""Whether this process lives, whether it can serve, and what it measures."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import PlainTextResponse, Response

from api.backends.machines import Machines, Mesh
from api.entry.auth import MaybeCaller
from api.entry.doors import ANYONE, OPERATORS, UNLIMITED, Door
from api.entry.routing import new_router
from api.wire.emitted import json_of
from api.wire.problems import Problem, problem_responses, unavailable

PROBE_TIMEOUT_S = 1.0

router = new_router("health")

_LIVE = {"status": "live"}
_STARTED = {"status": "started"}
_READY = {"status": "ready", "dependencies": {"postgres": {"up": True, "ms": 1.2, "needed": True}}}


def _example(body: Any) -> dict[str, Any]:
    return {"content": {"application/json": {"example": body}}}


@router.get(
    "/health/live",
    operation_id="health_live",
    responses={200: _example(_LIVE), **problem_responses()},
)
@Door(ANYONE, UNLIMITED)
async def live() -> Response:
    """Whether the process answers. Nothing else: a store that is down is no reason to kill it."""
    return Response(json_of(_LIVE), media_type="application/json")


@router.get(
    "/health/startup",
    operation_id="health_startup",
    responses={200: _example(_STARTED), **problem_responses()},
)
@Door(ANYONE, UNLIMITED)
async def startup(mesh: Mesh) -> Response:
    """Whether the process has come up: once 200, always 200. Until then it is only slow."""
    if not mesh.writes.started:
        raise unavailable("starting", "The way to the writer is not open yet")
    return Response(json_of(_STARTED), media_type="application/json")


@router.get(
    "/health/ready",
    operation_id="health_ready",
    responses={200: _example(_READY), **problem_responses()},
)
@Door(ANYONE, UNLIMITED)
async def ready(mesh: Mesh) -> Response:
    """Whether requests should be sent here; 503 names what is needed and down. `writes` is up
    when the broker answers and a writer is there to judge commands.
    """
    found = dict(await asyncio.gather(*(_probed(each) for each in _probes(mesh))))
    down = [name for name, state in found.items() if state["needed"] and not state["up"]]
    if down:
        problem = unavailable("not_ready", f"down: {', '.join(down)}")
        problem.told["dependencies"] = found
        raise problem
    return Response(
        json_of({"status": "ready", "dependencies": found}), media_type="application/json"
    )


# Name, whether the API is of no use without it, and how to ask.
Probe = tuple[str, bool, Callable[[], Awaitable[object]]]


def _probes(mesh: Machines) -> list[Probe]:
    return [
        ("writes", True, lambda: mesh.writes.probe(PROBE_TIMEOUT_S)),
        ("postgres", True, lambda: mesh.postgres.fetchval("SELECT 1")),
        ("redis", False, mesh.redis.ping),
        ("opensearch", False, mesh.opensearch.ping),
        ("clickhouse", False, lambda: mesh.clickhouse.fetch("SELECT 1")),
    ]


async def _probed(probe: Probe) -> tuple[str, dict[str, Any]]:
    name, needed, ask = probe
    began = time.perf_counter()
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            answer = await ask()
        up = answer is not False
    except Exception:  # noqa: BLE001 - whatever it is, it is the answer: not up
        up = False
    milliseconds = round((time.perf_counter() - began) * 1e3, 1)
    return name, {"up": up, "ms": milliseconds, "needed": needed}


@router.get(
    "/metrics",
    operation_id="read_metrics",
    response_class=PlainTextResponse,
    responses={
        200: {"content": {"text/plain": {"example": "mesh_http_requests_total 42.0\n"}}},
        **problem_responses(401, 403),
    },
)
@Door(ANYONE, UNLIMITED, keys=True)
async def metrics(request: Request, caller: MaybeCaller) -> Response:
    """The metrics of one process, for a scraper on this machine or an operator."""
    if not _local(request) and caller.role not in OPERATORS:
        raise Problem(403, "role_not_allowed", "Metrics are for operators")
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _local(request: Request) -> bool:
    """Whether the request came straight from this machine: what a proxy passes on does not."""
    if "x-forwarded-for" in request.headers or "forwarded" in request.headers:
        return False
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
