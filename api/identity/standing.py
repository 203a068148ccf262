"""What moderators and admins do to accounts: ban, unban, another role, out everywhere. Each is
in force when the answer arrives.
"""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from pydantic import ConfigDict
from starlette.responses import Response

from api.backends.machines import Machines, Mesh
from api.entry.auth import SignedIn
from api.entry.commands import CommandSender, Sending
from api.entry.doors import ADMINS, CHANGES, MODERATORS, Door
from api.entry.routing import new_router
from api.identity.ending import cut_off
from api.wire.changes import ChangedAnswer, changed
from api.wire.emitted import Moment
from api.wire.forms import Body
from api.wire.problems import problem_responses
from api.wire.successes import ok
from schemas.identity import BanReason, BanUser, GrantRole, LogOutEverywhere, UnbanUser
from schemas.log.messages import Command, Role

ONE = "/api/users/{user_id:uuid}"
GrantedRole = Literal[Role.BUYER, Role.SELLER, Role.DEALER, Role.MODERATOR, Role.ADMIN, Role.OPS]

router = new_router("identity")


class Ban(Body):
    """Why somebody is banned, and until when; without an end, until somebody lifts it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "fraud", "until": "2126-03-01T12:00:00Z"}]}
    )

    reason: BanReason
    until: Moment | None = None


class RoleGrant(Body):
    """The role to be."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"role": "moderator"}]})

    role: GrantedRole


class StandingAnswer(ChangedAnswer):
    """Whose account was changed, and its version since."""


_CHANGED: dict[int | str, dict[str, Any]] = {
    **ok("Changed, or already so", {"id": "01980000-0000-7000-8000-000000000001", "version": 4}),
    **problem_responses(400, 401, 403, 404, 409),
}


async def _judged(
    mesh: Machines, sending: CommandSender, user_id: UUID, command: Command
) -> Response:
    reply = await sending.send(command)
    await cut_off(mesh, user_id, reply)
    return changed(reply, user_id)


@router.post(
    f"{ONE}/ban",
    operation_id="ban_user",
    response_model=StandingAnswer,
    responses={**_CHANGED, **problem_responses(415, 422)},
)
@Door(MODERATORS, CHANGES)
async def ban_user(
    user_id: UUID, body: Ban, mesh: Mesh, sending: Sending, _caller: SignedIn
) -> Response:
    """Shut somebody out: every session ends, and no log-in begins another. Once more with another
    end changes the end; a ban lifts itself when that has come.
    """
    command = BanUser(user_id=user_id, reason=body.reason, until=body.until, **sending.asked)
    return await _judged(mesh, sending, user_id, command)


@router.post(
    f"{ONE}/unban",
    operation_id="unban_user",
    response_model=StandingAnswer,
    responses=_CHANGED,
)
@Door(MODERATORS, CHANGES)
async def unban_user(user_id: UUID, mesh: Mesh, sending: Sending, _caller: SignedIn) -> Response:
    """Let somebody in again; the account is what it was before."""
    return await _judged(mesh, sending, user_id, UnbanUser(user_id=user_id, **sending.asked))


@router.put(
    f"{ONE}/role",
    operation_id="grant_role",
    response_model=StandingAnswer,
    responses={**_CHANGED, **problem_responses(415)},
)
@Door(ADMINS, CHANGES)
async def grant_role(
    user_id: UUID, body: RoleGrant, mesh: Mesh, sending: Sending, _caller: SignedIn
) -> Response:
    """Give somebody another role. Access tokens that tell of the old one are void at once; a
    refresh brings the new one.
    """
    command = GrantRole(user_id=user_id, role=body.role, **sending.asked)
    return await _judged(mesh, sending, user_id, command)


@router.delete(
    f"{ONE}/sessions",
    operation_id="log_out_user",
    response_model=StandingAnswer,
    responses=_CHANGED,
)
@Door(ADMINS, CHANGES)
async def log_out_user(user_id: UUID, mesh: Mesh, sending: Sending, _caller: SignedIn) -> Response:
    """End every session of somebody."""
    command = LogOutEverywhere(user_id=user_id, **sending.asked)
    return await _judged(mesh, sending, user_id, command)
