"""Going away for a while, coming back, and going for good."""

from __future__ import annotations

from uuid import UUID

from starlette.responses import Response

from api.backends.machines import Mesh
from api.entry.auth import SignedIn
from api.entry.commands import Sending
from api.entry.doors import CHANGES, SIGNED_IN, Door
from api.entry.routing import new_router
from api.identity.ending import cut_off
from api.wire.changes import answer
from api.wire.problems import problem_responses
from schemas.identity import DeactivateUser, DeleteUser, ReactivateUser

_REFUSALS = problem_responses(400, 401, 403, 404, 409)

router = new_router("identity")


@router.post(
    "/api/users/{user_id:uuid}/deactivate",
    operation_id="deactivate_user",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "At rest"}, **_REFUSALS},
)
@Door(SIGNED_IN, CHANGES)
async def deactivate_user(
    user_id: UUID, mesh: Mesh, sending: Sending, _caller: SignedIn
) -> Response:
    """Put one's account to rest: its sessions end, its listings are hidden until it is woken."""
    reply = await sending.send(DeactivateUser(user_id=user_id, **sending.asked))
    await cut_off(mesh, user_id, reply)
    return answer(reply, 204)


@router.post(
    "/api/users/{user_id:uuid}/reactivate",
    operation_id="reactivate_user",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "Awake"}, **_REFUSALS},
)
@Door(SIGNED_IN, CHANGES)
async def reactivate_user(user_id: UUID, sending: Sending, _caller: SignedIn) -> Response:
    """Wake an account, after logging in to it: listings that were hidden are shown again."""
    return answer(await sending.send(ReactivateUser(user_id=user_id, **sending.asked)), 204)


@router.delete(
    "/api/users/{user_id:uuid}",
    operation_id="delete_user",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "Deleted"}, **_REFUSALS},
)
@Door(SIGNED_IN, CHANGES)
async def delete_user(user_id: UUID, mesh: Mesh, sending: Sending, _caller: SignedIn) -> Response:
    """Delete an account for ever. Sessions end at once; within moments listings are withdrawn
    and the key that makes the person's data readable is destroyed. The e-mail may register anew.
    """
    reply = await sending.send(DeleteUser(user_id=user_id, **sending.asked))
    await cut_off(mesh, user_id, reply)
    return answer(reply, 204)
