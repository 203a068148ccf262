"""Routes that go wrong, or use one building block each, for tests of what all routes share."""

from __future__ import annotations

from uuid import UUID

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from api.entry.commands import Sending
from api.entry.doors import ANYONE, UNLIMITED, Door
from api.entry.paging import Paging
from api.entry.routing import new_router
from api.wire.changes import answer
from api.wire.deadlines import NoAnswerInTimeError
from api.wire.etags import expected_versions, json_response
from api.wire.problems import StoreUnavailableError, WriteUnavailableError, refusal
from schemas.log.messages import Fault
from schemas.log.recorded import Reply

DOWN = "opensearch"
SECRET = "a sentence that nobody may read"
OPEN = Door(ANYONE, UNLIMITED)


def _add_versioned(router: APIRouter) -> None:
    @router.get("/test/late", operation_id="test_late")
    @OPEN
    async def late() -> Response:
        reply = Reply(command_id="1", outcome="refused", reason="version_mismatch", status=412)
        raise refusal(reply.model_copy(update={"version": 9}))

    @router.put("/test/change", operation_id="test_change")
    @OPEN
    async def change(request: Request) -> Response:
        versions = expected_versions(request.headers.getlist("if-match"), required=True)
        reply = Reply(command_id="1", outcome="accepted", version=7)
        told = None if versions is None else sorted(versions)
        return answer(reply, 200, {"versions": told}, location="/test/read")

    @router.get("/test/read", operation_id="test_read")
    @OPEN
    async def read(request: Request) -> Response:
        return json_response(request, b"{}", 7)


def _add_late(router: APIRouter) -> None:
    @router.get("/test/slow", operation_id="test_slow")
    @router.post("/test/slow", operation_id="test_slow_write")
    @OPEN
    async def slow() -> Response:
        raise NoAnswerInTimeError

    @router.post("/test/unconfirmed", operation_id="test_unconfirmed")
    @OPEN
    async def unconfirmed() -> Response:
        raise WriteUnavailableError


def new_test_router() -> APIRouter:
    """The routes; all have a door but `test_nobody`."""
    router = new_router("meta")

    @router.get("/test/surprise", operation_id="test_surprise")
    @OPEN
    async def surprise() -> Response:
        raise RuntimeError(SECRET)

    @router.get("/test/refusal", operation_id="test_refusal")
    @OPEN
    async def refused() -> Response:
        faults = (Fault(pointer="/price", detail="is required: add it"),)
        raise refusal(
            Reply(command_id="1", outcome="refused", reason="bad", status=422, faults=faults)
        )

    @router.get("/test/store", operation_id="test_store")
    @OPEN
    async def store() -> Response:
        raise StoreUnavailableError(DOWN)

    _add_versioned(router)
    _add_late(router)

    @router.get("/test/list", operation_id="test_list")
    @OPEN
    async def listed(page: Paging, color: str = "") -> Response:
        first = page.offset if page.after is None else page.after[0] + 1
        numbers = list(range(first, first + page.limit))
        return page.response(numbers, [numbers[-1]])

    @router.post("/test/send", operation_id="test_send")
    @OPEN
    async def send(sending: Sending, a: int = 0) -> Response:
        found = {"command_id": sending.command_id, "fingerprint": sending.fingerprint}
        return answer(Reply(command_id="1", outcome="accepted"), 200, found)

    @router.get("/test/one/{thing_id:uuid}", operation_id="test_one")
    @OPEN
    async def one(thing_id: UUID, request: Request, n: int | None = None) -> Response:
        found = {"id": str(thing_id), "n": n, "whole": "fastapi_function_astack" in request.scope}
        return Response(orjson.dumps(found), media_type="application/json")

    @router.get("/test/nobody", operation_id="test_nobody")
    async def nobody() -> Response:
        return Response()

    return router
