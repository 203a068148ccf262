"""Blocking somebody: they can't write to the blocker, talk with them over a socket, book from them
or see whether they are there. Nobody is told that they are blocked; both go on seeing what was said.
"""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from fastapi import Request
from pydantic import AwareDatetime, BaseModel
from starlette.responses import Response

from api.backends.machines import Machines, Mesh, machines_of
from api.backends.withheld import BeingRepaired
from api.entry.auth import Caller, SignedIn
from api.entry.commands import Sending, judged
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import CHANGES, SEARCHES, SIGNED_IN, Door
from api.entry.paging import Paging
from api.entry.routing import new_router
from api.profiles.sight import people_of, visible
from api.wire.changes import answer
from api.wire.problems import problem_responses
from api.wire.successes import NO_STORE, ok
from projections.identity.users import users
from projections.messaging import blocks
from projections.profiles import user_profiles
from schemas.log.recorded import Reply
from schemas.messaging.blocks import BlockUser, UnblockUser

BLOCK = "/api/users/{user_id:uuid}/block"
BLOCKS = CaughtUp(blocks.blocks)
LISTED = CaughtUp(blocks.blocks, users, user_profiles.user_profiles)
PEOPLE = CaughtUp(users)
_BLOCKED = {
    "user_id": "01980000-0000-7000-8000-00000000000a",
    "name": "Nimal Perera",
    "blocked_at": "2026-03-01T12:00:00Z",
}

router = new_router("messaging")


class BlockedUser(BaseModel):
    """Somebody whom one has blocked."""

    user_id: UUID
    name: str
    blocked_at: AwareDatetime


class BlockedUsersAnswer(BaseModel):
    """A page of them, the last blocked first."""

    items: list[BlockedUser]
    next_cursor: str | None


@router.post(
    BLOCK,
    operation_id="block_user",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "Blocked"}, **problem_responses(400, 401, 403, 404, 409, 410)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, CHANGES)
async def block_user(
    user_id: UUID, request: Request, sending: Sending, mesh: Mesh, caller: SignedIn
) -> Response:
    """Let somebody reach you no more. When this answers they can't: what they send from then on is
    refused.
    """
    _, against = await judged(_seen(request, user_id, caller))
    command = BlockUser(blocker_id=UUID(caller.user_id), blocked_id=user_id, **sending.asked)
    reply = await sending.send(command, unless=against)
    await _shown(mesh, reply)
    return answer(reply, 204)


@router.delete(
    BLOCK,
    operation_id="unblock_user",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "Not blocked"}, **problem_responses(400, 401, 403)},
)
@Door(SIGNED_IN, CHANGES)
async def unblock_user(user_id: UUID, sending: Sending, mesh: Mesh, caller: SignedIn) -> Response:
    """Let somebody reach you again, whatever has become of them; who is not blocked stays so."""
    command = UnblockUser(blocker_id=UUID(caller.user_id), blocked_id=user_id, **sending.asked)
    reply = await sending.send(command)
    await _shown(mesh, reply)
    return answer(reply, 204)


async def _seen(request: Request, user_id: UUID, caller: Caller) -> None:
    """Raises 404 and 410 problems for whom the caller can't know."""
    await PEOPLE.wait(request)
    mesh = machines_of(request)
    visible(await user_profiles.by_id(mesh.postgres, str(user_id)), user_id, caller)


async def _shown(mesh: Machines, reply: Reply) -> None:
    """Return once everybody's requests are judged by it. While the list waits to be mended they are
    all refused, so that need not be waited for.
    """
    if reply.position is not None:
        with suppress(BeingRepaired):
            await BLOCKS.reach(mesh, [reply.position])


@router.get(
    "/api/users/blocked",
    operation_id="list_blocked_users",
    response_model=BlockedUsersAnswer,
    responses={
        **ok("A page", {"items": [_BLOCKED], "next_cursor": None}),
        **problem_responses(400, 401, 403),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, SEARCHES)
async def list_blocked_users(
    request: Request, mesh: Mesh, page: Paging, caller: SignedIn
) -> Response:
    """Whom the caller has blocked, the last blocked first."""
    await LISTED.wait(request)
    found = await blocks.of_owner(mesh.postgres, caller.user_id, page.part)
    rows, last = page.shown(found, "blocked_at", "user_id")
    people = await people_of(mesh, [row["user_id"] for row in rows])
    items = [{**row, "name": people.name(row["user_id"])} for row in rows]
    return page.response(items, last, headers=NO_STORE)
