"""Routes that go wrong, or use one building block each, for tests of what all routes share."""

from __future__ import annotations

from uuid import UUID

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from api.commands import Sending, answer
from api.etags import expected_version, json_response
from api.paging import Paging
from api.problems import StoreUnavailableError, refusal
from api.routing import new_router
from schemas.messages import Fault
from schemas.recorded import Reply

DOWN = "opensearch"
SECRET = "a sentence that nobody may read"
OPERATIONS = (
    "test_surprise",
    "test_refusal",
    "test_store",
    "test_change",
    "test_read",
    "test_list",
    "test_send",
    "test_one",
)


def new_test_router() -> APIRouter:
    """The routes; OPERATIONS must have rows in the policy, `test_nobody` must not."""
    router = new_router("meta")

    @router.get("/test/surprise", operation_id="test_surprise")
    async def surprise() -> Response:
        raise RuntimeError(SECRET)

    @router.get("/test/refusal", operation_id="test_refusal")
    async def refused() -> Response:
        faults = (Fault(pointer="/price", detail="is required: add it"),)
        raise refusal(
            Reply(command_id="1", outcome="refused", reason="bad", status=422, faults=faults)
        )

    @router.get("/test/store", operation_id="test_store")
    async def store() -> Response:
        raise StoreUnavailableError(DOWN)

    @router.put("/test/change", operation_id="test_change")
    async def change(request: Request) -> Response:
        version = expected_version(request, required=True)
        reply = Reply(command_id="1", outcome="accepted", version=7)
        return answer(reply, 200, {"version": version}, location="/test/read")

    @router.get("/test/read", operation_id="test_read")
    async def read(request: Request) -> Response:
        return json_response(request, b"{}", 7)

    @router.get("/test/list", operation_id="test_list")
    async def listed(page: Paging) -> Response:
        first = page.offset if page.after is None else page.after[0] + 1
        numbers = list(range(first, first + page.limit))
        return page.response(numbers, [numbers[-1]])

    @router.post("/test/send", operation_id="test_send")
    async def send(sending: Sending) -> Response:
        found = {"command_id": sending.command_id, "fingerprint": sending.fingerprint}
        return answer(Reply(command_id="1", outcome="accepted"), 200, found)

    @router.get("/test/one/{thing_id:uuid}", operation_id="test_one")
    async def one(thing_id: UUID, request: Request, n: int | None = None) -> Response:
        found = {"id": str(thing_id), "n": n, "whole": "fastapi_function_astack" in request.scope}
        return Response(orjson.dumps(found), media_type="application/json")

    @router.get("/test/nobody", operation_id="test_nobody")
    async def nobody() -> Response:
        return Response()

    return router
