"""Every operation answers within its bound, whatever stands still behind it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from api.entry.doors import Door
from api.wire.deadlines import AnswerWithin, NoAnswerInTimeError, left, waiting_for_the_client
from tests.api.acting.profiling import photo
from tests.api.alone import settings_of_nothing
from tests.api.operations import DOOR_OF, OPERATIONS, Operation
from tests.api.running import Mesh, api

SLACK_S = 4.0  # for a machine that many share
BRIEF_S = 0.05


async def hang() -> None:
    await asyncio.Event().wait()


async def test_what_waits_for_ever_is_cut_off_at_the_bound() -> None:
    began = time.monotonic()
    with pytest.raises(NoAnswerInTimeError):
        async with AnswerWithin(BRIEF_S):
            await hang()
    assert time.monotonic() - began < SLACK_S


async def test_a_clean_up_that_hangs_as_well_is_cut_off_too() -> None:
    async def stubborn() -> None:
        async with AnswerWithin(BRIEF_S):
            try:
                await hang()
            finally:
                await hang()

    with pytest.raises(NoAnswerInTimeError):
        await stubborn()


async def test_waits_one_after_another_share_one_bound() -> None:
    async with AnswerWithin(10.0):
        assert left(3.0) == 3.0
        assert 9.0 < left(60.0) <= 10.0
    assert left(60.0) == 60.0


async def test_who_is_cancelled_by_somebody_else_is_cancelled() -> None:
    async def bounded() -> None:
        async with AnswerWithin(60.0):
            await hang()

    task = asyncio.create_task(bounded())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_clock_stands_still_while_the_client_sends() -> None:
    async def slow() -> Any:
        return await asyncio.wait_for(asyncio.shield(arrived), 10)

    arrived = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(3 * BRIEF_S, arrived.set_result, {"type": "x"})
    async with AnswerWithin(BRIEF_S):
        assert await waiting_for_the_client(slow)() == {"type": "x"}


@asynccontextmanager
async def black_hole() -> AsyncIterator[int]:
    """The port of a server that takes every connection and never says a word."""
    closing = asyncio.Event()

    async def swallow(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await closing.wait()
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        closing.set()
        server.close()


@pytest.fixture(scope="module")
async def frozen() -> AsyncIterator[Mesh]:
    """An API behind which everything takes connections and says nothing."""
    async with black_hole() as port:
        where = f"127.0.0.1:{port}"
        settings = settings_of_nothing(
            kafka_bootstrap=where,
            database_url=f"postgresql://mesh@{where}/none",
            opensearch_url=f"http://{where}",
            clickhouse_url=f"clickhouse://{where}/none",
            redis_url=f"redis://{where}",
            objects_url="s3://bucket/folder",
            objects_endpoint=f"http://{where}",
            objects_access_key="a",
            objects_secret_key="b",
            oidc_providers=f'{{"google": {{"issuer": "http://{where}", "client_id": "c", "client_secret": "s"}}}}',
            write_timeout_s=1.0,
            read_wait_s=1.0,
            limit_default="300 per minute",
            limit_auth="300 per minute",
            limit_joining="300 per minute",
            limit_address="300 per minute",
            limit_search="300 per minute",
        )
        with pytest.MonkeyPatch.context() as patch:
            # What is patient in the shop would only be waited for here.
            patch.setattr(Door, "answer_within_s", lambda door, _: 2.0 if door.within_s else 1.0)
            async with api(settings) as mesh:
                yield mesh


def body_of(operation: Operation) -> dict[str, Any]:
    """What the operation asks for: the document's own example."""
    content = operation.document.get("requestBody", {}).get("content", {})
    if "multipart/form-data" in content:
        return {"files": [("images", ("a.png", photo())), ("avatar", ("a.png", photo()))][:1]}
    found = content.get("application/json")
    if found is None:
        return {}
    examples = found.get("examples") or [found.get("example")]
    first = next(iter(examples.values()))["value"] if isinstance(examples, dict) else examples[0]
    return {"json": first or {}}


async def late_or_wrong(mesh: Mesh, operation: Operation, signed_in: bool) -> str | None:
    """What is wrong with the operation's answer; None where nothing is."""
    headers = {"If-Match": "*", "Idempotency-Key": "k", "Consistency-Token": "events.listings:0:1"}
    if signed_in:
        headers["Authorization"] = "Bearer mm_" + "A" * 64
    began = time.monotonic()
    answer = await mesh.client.request(
        operation.method, operation.path, headers=headers, **body_of(operation)
    )
    took = time.monotonic() - began
    if took > DOOR_OF[operation.id].answer_within_s(mesh.settings) + SLACK_S:
        return f"{operation.id} took {took:.1f} s"
    right = answer.status_code < 500 or is_unavailable(answer)
    return None if right else f"{operation.id}: {answer.status_code} {answer.text}"


def is_unavailable(answer: httpx.Response) -> bool:
    """Whether it says: try again soon."""
    told = answer.headers["content-type"] == "application/problem+json"
    return told and answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("signed_in", [False, True], ids=["nobody", "somebody"])
async def test_every_operation_answers_within_its_bound_while_all_is_frozen(
    frozen: Mesh, signed_in: bool
) -> None:
    asked = (late_or_wrong(frozen, each, signed_in) for each in OPERATIONS)
    assert [each for each in await asyncio.gather(*asked) if each is not None] == []
