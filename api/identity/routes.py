"""Joining, logging in and out, and who one is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from fastapi import Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.backends.machines import Mesh
from api.backends.rate_limits import By, Limit
from api.entry.auth import SignedIn
from api.entry.commands import Sending, SendingAnew
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp, awaited_row
from api.entry.doors import ANYONE, FROM_ONE_ADDRESS, LEAVING, SIGNED_IN, UNLIMITED, Door
from api.entry.routing import new_router
from api.identity import login, registration
from api.identity.account_fields import Email, Name, NewPassword, Password, RefreshText
from api.identity.people import Person, unsealed
from api.identity.registration import Newcomer
from api.wire.changes import answer
from api.wire.emitted import json_of
from api.wire.forms import Body
from api.wire.problems import Problem, problem_responses, unauthenticated
from api.wire.successes import ok, private_json
from projections.identity import sessions, users
from projections.wallet import wallets
from schemas.identity import UserStatus
from schemas.log.messages import Language, Market, Role
from schemas.values.emails import lookup_form

JWKS_CACHE = "public, max-age=300"
WHO_IS_HERE = CaughtUp(sessions.sessions, users.users, wallets.wallets)
WHOSE_TOKENS = CaughtUp(sessions.sessions, users.users)

router = new_router("identity")


class Registration(Body):
    """Who wants to join."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "email": "nimal@example.org",
                    "password": "correct horse battery",
                    "name": "Nimal Perera",
                    "role": "seller",
                    "market": "exotics",
                }
            ]
        }
    )

    email: Email
    password: NewPassword
    name: Name
    role: Literal[Role.BUYER, Role.SELLER, Role.DEALER] = Role.BUYER
    market: Market = Market.EXOTICS
    language: Language = Language.ENGLISH


class Credentials(Body):
    """An e-mail and its password."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"email": "nimal@example.org", "password": "correct horse battery"}]
        }
    )

    email: Email
    password: Password


class Refresh(Body):
    """A refresh token; it works once."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"refresh_token": "AZoBq3xK7f2"}]})

    refresh_token: RefreshText


class UserAnswer(BaseModel):
    """A person, as they see themselves."""

    id: str
    email: str
    name: str
    role: Role
    status: UserStatus
    email_verified: bool
    market: Market
    email_domain: str | None = Field(default=None, description="Names the campus; only there")
    tokens: float | None = Field(default=None, description="In the wallet; on campus only")


class CampusFields(BaseModel):
    """What campus clients look for in an answer that logs somebody in."""

    success: bool = Field(default=True, description="On campus only")
    token: str = Field(default="", description="The access token once more; on campus only")


class RegisteredAnswer(CampusFields):
    """Somebody has joined; on campus they are logged in, too."""

    user: UserAnswer
    access_token: str = Field(default="", description="On campus only")
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - RFC 6750's word
    expires_in: int = Field(default=0, description="On campus only")
    refresh_token: str = Field(default="", description="On campus only")


class TokensAnswer(CampusFields):
    """A short-lived access token and the refresh token to get the next one with."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - RFC 6750's word
    expires_in: int = Field(description="Seconds that the access token lives")
    refresh_token: str
    user: UserAnswer


class AccountAnswer(BaseModel):
    """A person, as they see themselves, beside `success`."""

    success: bool
    user: UserAnswer


class SessionAnswer(BaseModel):
    """Who is logged in here, and until when."""

    user: UserAnswer
    role: Role
    session_id: str
    started_at: AwareDatetime
    expires_at: AwareDatetime


_USER = {
    "id": "01980000-0000-7000-8000-000000000001",
    "email": "nimal@example.org",
    "name": "Nimal Perera",
    "role": "seller",
    "status": "pending",
    "email_verified": False,
    "market": "exotics",
}
_TOKENS = {
    "access_token": "eyJhbGciOiJFUzI1NiIs…",
    "token_type": "Bearer",
    "expires_in": 900,
    "refresh_token": "AZoBq3xK7f2",
    "user": _USER,
}
_SESSION = {
    "user": _USER,
    "role": "seller",
    "session_id": "01980000-0000-7000-8000-000000000002",
    "started_at": "2026-03-01T12:00:00Z",
    "expires_at": "2026-03-08T12:00:00Z",
}


@router.post(
    "/api/auth/register",
    operation_id="register_user",
    status_code=201,
    response_model=RegisteredAnswer,
    responses={**ok("Joined", {"user": _USER}, 201), **problem_responses(400, 409, 410, 415)},
)
@Door(ANYONE, (Limit("joining", By.ADDRESS), *FROM_ONE_ADDRESS), within_s=5.0)
async def register_user(body: Registration, mesh: Mesh, sending: Sending) -> Response:
    """Join. The e-mail must not be anybody's yet, upper or lower case."""
    newcomer = Newcomer(
        email=body.email,
        password=body.password.get_secret_value(),
        name=body.name,
        role=body.role,
        market=body.market,
        language=body.language,
    )
    sending = await sending.scoped(
        mesh.vault.wrapping.lookup_hash(lookup_form(body.email)),
        body.model_dump(mode="json", exclude={"password"}),
        secret=body.password.get_secret_value(),
    )
    user_id, reply = await registration.register(mesh, sending, newcomer)
    if newcomer.market is Market.CAMPUS:
        # By the password and not by this answer: a repeat under the same key need not know it.
        password = body.password.get_secret_value()
        found = await login.log_in(mesh, sending.fresh(), body.email, password)
        return tokens_answer(mesh.settings.access_token_s, replace(found, reply=reply), 201)
    person = Person(
        user_id=user_id,
        email=newcomer.email,
        name=newcomer.name,
        role=newcomer.role,
        status=UserStatus.PENDING,
        email_verified=False,
        market=newcomer.market,
        email_domain=newcomer.campus_domain,
    )
    return answer(reply, 201, {"user": _user(person)})


@router.post(
    "/api/auth/login",
    operation_id="log_in",
    response_model=TokensAnswer,
    responses={**ok("Logged in", _TOKENS), **problem_responses(400, 401, 409, 415)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ANYONE, (Limit("auth", By.ACCOUNT), *FROM_ONE_ADDRESS), within_s=5.0)
async def log_in(body: Credentials, request: Request, mesh: Mesh, sending: SendingAnew) -> Response:
    """Log in on one device, each time in a session of its own. Sent with an access token of the
    same person, it also ends the session of that token.
    """
    await WHOSE_TOKENS.wait(request)
    found = await login.log_in(mesh, sending, body.email, body.password.get_secret_value())
    return tokens_answer(mesh.settings.access_token_s, found)


@router.post(
    "/api/auth/refresh",
    operation_id="refresh_session",
    response_model=TokensAnswer,
    responses={**ok("Refreshed", _TOKENS), **problem_responses(400, 401, 415)},
    openapi_extra=OPENAPI_EXTRA,
)
# The refresh token is the credential.
@Door(ANYONE, FROM_ONE_ADDRESS)
async def refresh_session(
    body: Refresh, request: Request, mesh: Mesh, sending: Sending
) -> Response:
    """Exchange a refresh token for the next pair. Each works once. For some seconds a repeat,
    with a key or without, gets the same next refresh token and an access token of its own, as
    tabs of one browser ask at once; a later one ends the session and all its tokens.
    """
    await WHOSE_TOKENS.wait(request)
    found = await login.refresh(mesh, sending, body.refresh_token)
    return tokens_answer(mesh.settings.access_token_s, found)


@router.post(
    "/api/auth/logout",
    operation_id="log_out",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "Logged out"}, **problem_responses(401, 403)},
)
@Door(SIGNED_IN, LEAVING)
async def log_out(mesh: Mesh, sending: Sending, _caller: SignedIn) -> Response:
    """Log out here; the session's tokens are refused from now on."""
    return answer(await login.log_out(mesh, sending), 204)


@router.get(
    "/api/auth/session",
    operation_id="read_session",
    response_model=SessionAnswer,
    responses={**ok("Who is logged in", _SESSION), **problem_responses(400, 401, 403)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, UNLIMITED)
async def read_session(request: Request, mesh: Mesh, caller: SignedIn) -> Response:
    """Who is logged in with this token, in which role and until when."""
    await WHO_IS_HERE.wait(request)
    session = await awaited_row(
        mesh, lambda: sessions.by_id(mesh.postgres, caller.session_id), "sessions"
    )
    row = await awaited_row(mesh, lambda: users.by_id(mesh.postgres, caller.user_id), "users")
    person = await unsealed(mesh, row)
    if person is None:
        raise unauthenticated("session_ended", "This account is no longer there")
    body = {
        "user": _user(person),
        "role": person.role,
        "session_id": caller.session_id,
        "started_at": session["started_at"],
        "expires_at": session["expires_at"],
    }
    return private_json(body)


@router.get(
    "/api/auth/profile",
    operation_id="read_account",
    response_model=AccountAnswer,
    responses={
        **ok("Who one is", {"success": True, "user": _USER}),
        **problem_responses(400, 401, 403, 404),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, UNLIMITED)
async def read_account(request: Request, mesh: Mesh, caller: SignedIn) -> Response:
    """Who one is, as clients on campus expect it: `user` beside `success`."""
    await WHO_IS_HERE.wait(request)
    row = await users.by_id(mesh.postgres, caller.user_id)
    person = None if row is None else await unsealed(mesh, row)
    if person is None:
        raise Problem(404, "user_unknown", "This account is not there")
    body = {"success": True, "user": _user(person)}
    return private_json(body)


@router.get(
    "/.well-known/jwks.json",
    operation_id="list_signing_keys",
    responses={
        **ok("Keys", {"keys": [{"kty": "EC", "crv": "P-256", "kid": "…", "use": "sig"}]}),
        **problem_responses(),
    },
)
@Door(ANYONE, UNLIMITED)
async def list_signing_keys(mesh: Mesh) -> Response:
    """The public keys that verify our access tokens (RFC 7517)."""
    body = json_of({"keys": await mesh.tokens.public_keys()})
    return Response(body, headers={"Cache-Control": JWKS_CACHE}, media_type="application/json")


def _user(person: Person) -> dict[str, Any]:
    return {
        "id": str(person.user_id),
        "email": person.email,
        "name": person.name,
        "role": person.role,
        "status": person.status,
        "email_verified": person.email_verified,
        "market": person.market,
        **({"email_domain": person.email_domain} if person.email_domain else {}),
        **({"tokens": person.tokens} if person.tokens is not None else {}),
    }


def tokens_answer(lifetime_s: int, found: login.LoggedIn, status: int = 200) -> Response:
    """What a client gets for having logged in."""
    body = {
        "access_token": found.access_token,
        "token_type": "Bearer",
        "expires_in": lifetime_s,
        "refresh_token": found.refresh_token,
        "user": _user(found.person),
    }
    if found.person.market is Market.CAMPUS:
        body |= {"success": True, "token": found.access_token}
    return answer(found.reply, status, body)
