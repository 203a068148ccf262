"""One's account: proving the e-mail, forgotten and changed passwords, sessions elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.backends.machines import Mesh
from api.backends.rate_limits import By, Limit
from api.entry.auth import SignedIn
from api.entry.commands import Sending
from api.entry.consistency import OPENAPI_EXTRA
from api.entry.doors import ANYONE, CHANGES, FROM_ONE_ADDRESS, LEAVING, SIGNED_IN, UNLIMITED, Door
from api.entry.routing import new_router
from api.identity import credentials
from api.identity.account_fields import Email, MailedToken, NewPassword, Password
from api.identity.ending import BOTH, cut_off, end_session
from api.wire.changes import answer
from api.wire.forms import Body
from api.wire.problems import problem_responses
from api.wire.successes import ok, private_json
from projections.identity import sessions
from schemas.identity import LogOutEverywhere, RevokeSession

SESSIONS_MAX = 100
DONE: dict[int | str, dict[str, Any]] = {204: {"description": "Done"}}
ACCEPTED = ok("Accepted", {"accepted": True}, 202)

router = new_router("identity")


class Proof(Body):
    """A token out of a mail."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"token": "AZoBq3xK7f2"}]})

    token: MailedToken


class Forgotten(Body):
    """Whose password is forgotten."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "nimal@example.org"}]})

    email: Email


class Reset(Body):
    """A token out of a mail and the password to be."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"token": "AZoBq3xK7f2", "password": "another horse battery"}]
        }
    )

    token: MailedToken
    password: NewPassword


class PasswordChange(Body):
    """The password that is and the one to be."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "current_password": "correct horse battery",
                    "new_password": "another horse battery",
                }
            ]
        }
    )

    current_password: Password
    new_password: NewPassword


class AcceptedAnswer(BaseModel):
    """The request has been taken; what follows comes by mail, if anything does."""

    accepted: bool


class SessionItem(BaseModel):
    """A log-in on one device."""

    id: str
    started_at: AwareDatetime
    last_used_at: AwareDatetime
    expires_at: AwareDatetime
    current: bool


class SessionsAnswer(BaseModel):
    """Where one is logged in, the newest first."""

    items: list[SessionItem]
    complete: bool = Field(description=f"False: there are more than {SESSIONS_MAX} sessions")


_SESSIONS = {
    "items": [
        {
            "id": "01980000-0000-7000-8000-000000000002",
            "started_at": "2026-03-01T12:00:00Z",
            "last_used_at": "2026-03-02T07:30:00Z",
            "expires_at": "2026-03-05T07:30:00Z",
            "current": True,
        }
    ],
    "complete": True,
}


@router.post(
    "/api/auth/verify-email",
    operation_id="verify_email",
    status_code=204,
    response_class=Response,
    responses={**DONE, **problem_responses(400, 409, 410, 415)},
)
# The token from the mail is the credential.
@Door(ANYONE, FROM_ONE_ADDRESS)
async def verify_email(body: Proof, mesh: Mesh, sending: Sending) -> Response:
    """Prove an e-mail with the token from its mailbox. It works once. Tokens issued before still
    say `email_verified: false`: refresh.
    """
    text = body.token.get_secret_value()
    return answer(await credentials.verify_email(mesh, sending, text), 204)


@router.post(
    "/api/auth/resend-verification",
    operation_id="resend_verification",
    status_code=202,
    response_model=AcceptedAnswer,
    responses={**ACCEPTED, **problem_responses(400, 401, 403, 409)},
)
@Door(SIGNED_IN, CHANGES)
async def resend_verification(mesh: Mesh, sending: Sending, _caller: SignedIn) -> Response:
    """Have the mail sent again that proves one's e-mail: once a minute at most. The link in
    the mail before is void then.
    """
    reply = await credentials.request_verification(mesh, sending)
    return answer(reply, 202, {"accepted": True})


@router.post(
    "/api/auth/forgot-password",
    operation_id="forgot_password",
    status_code=202,
    response_model=AcceptedAnswer,
    # A place in the log would tell whether there is somebody of that e-mail.
    responses={
        **ok("Accepted", {"accepted": True}, 202, headers=()),
        **problem_responses(400, 415),
    },
)
@Door(ANYONE, (Limit("auth", By.ACCOUNT), *FROM_ONE_ADDRESS))
async def forgot_password(body: Forgotten, mesh: Mesh, sending: Sending) -> Response:
    """Have a mail sent that lets its reader set another password, if somebody has this e-mail:
    the answer is the same if nobody has.
    """
    await credentials.request_reset(mesh, sending, body.email)
    return private_json({"accepted": True}, 202)


@router.post(
    "/api/auth/reset-password",
    operation_id="reset_password",
    status_code=204,
    response_class=Response,
    responses={**DONE, **problem_responses(400, 409, 410, 415)},
)
# The token from the mail is the credential.
@Door(ANYONE, FROM_ONE_ADDRESS, within_s=5.0)
async def reset_password(body: Reset, mesh: Mesh, sending: Sending) -> Response:
    """Set another password with the token from the mailbox. Every session ends: log in anew."""
    reply = await credentials.reset_password(
        mesh, sending, body.token.get_secret_value(), body.password.get_secret_value()
    )
    return answer(reply, 204)


@router.post(
    "/api/auth/change-password",
    operation_id="change_password",
    status_code=204,
    response_class=Response,
    responses={**DONE, **problem_responses(400, 401, 403, 409, 415)},
)
# It takes guesses at the present password.
@Door(SIGNED_IN, (Limit("auth"),), within_s=5.0)
async def change_password(
    body: PasswordChange, mesh: Mesh, sending: Sending, _caller: SignedIn
) -> Response:
    """Set another password, knowing the one that is. Every session ends but this one."""
    reply = await credentials.change_password(
        mesh,
        sending,
        body.current_password.get_secret_value(),
        body.new_password.get_secret_value(),
    )
    return answer(reply, 204)


@router.get(
    "/api/auth/sessions",
    operation_id="list_sessions",
    response_model=SessionsAnswer,
    responses={**ok("One's sessions", _SESSIONS), **problem_responses(400, 401, 403)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, UNLIMITED)
async def list_sessions(request: Request, mesh: Mesh, caller: SignedIn) -> Response:
    """Where one is logged in."""
    await BOTH.wait(request)
    now = datetime.now(UTC)
    rows = await sessions.running_of(mesh.postgres, caller.user_id, now, SESSIONS_MAX + 1)
    items = [
        {
            "id": row["key"],
            "started_at": row["started_at"],
            "last_used_at": row["refreshed_at"],
            "expires_at": row["until"],
            "current": row["key"] == caller.session_id,
        }
        for row in rows[:SESSIONS_MAX]
    ]
    return private_json({"items": items, "complete": len(rows) <= SESSIONS_MAX})


@router.delete(
    "/api/auth/sessions/{session_id:uuid}",
    operation_id="revoke_session",
    status_code=204,
    response_class=Response,
    responses={**DONE, **problem_responses(401, 403, 404)},
)
# Whose it is, its decider judges.
@Door(SIGNED_IN, CHANGES)
async def revoke_session(
    session_id: UUID, mesh: Mesh, sending: Sending, _caller: SignedIn
) -> Response:
    """End one session, here or elsewhere: one's own, or as an admin anybody's."""
    reply = await sending.send(RevokeSession(session_id=session_id, **sending.asked))
    await end_session(mesh, session_id, reply)
    return answer(reply, 204)


@router.delete(
    "/api/auth/sessions",
    operation_id="log_out_everywhere",
    status_code=204,
    response_class=Response,
    responses={**DONE, **problem_responses(401, 403, 409)},
)
@Door(SIGNED_IN, LEAVING)
async def log_out_everywhere(mesh: Mesh, sending: Sending, caller: SignedIn) -> Response:
    """Log out everywhere, here too."""
    user_id = UUID(caller.user_id)
    reply = await sending.send(LogOutEverywhere(user_id=user_id, **sending.asked))
    await cut_off(mesh, user_id, reply)
    return answer(reply, 204)
