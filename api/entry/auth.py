"""Who is calling: an access token's claims, checked on every request that carries one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from api.backends.keyring import PREFIX
from api.backends.machines import Machines, machines_of
from api.backends.tokens import Claims, TokenRefused
from api.entry.doors import STAFF
from api.wire.problems import Problem, unauthenticated
from schemas.identity import UserStatus
from schemas.log.messages import Role

TOKEN_LENGTH_MAX = 4_000
# What somebody may still do whose account is at rest, to themselves alone: see _acting_as.
AT_REST = frozenset(
    {
        "reactivate_user",
        "delete_user",
        "log_out",
        "log_out_everywhere",
        "read_session",
        "read_account",
        "list_sessions",
        "revoke_session",
    }
)

# Only for the OpenAPI document: the check itself runs in api.entry.routing, before the body is read.
BEARER = HTTPBearer(
    scheme_name="bearer",
    bearerFormat="JWT",
    auto_error=False,
    description="An access token, or an API key: `mm_…`",
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sent the request. `user_id` and `session_id` are empty for the unknown."""

    user_id: str = ""
    role: Role | None = None
    session_id: str = ""
    email_verified: bool = False
    market: str = ""
    expires_at: datetime | None = None
    user_version: int = 0
    status: UserStatus | None = None
    operations: frozenset[str] | None = None  # that an API key opens; None: a person is here

    @property
    def signed_in(self) -> bool:
        """Whether we know who it is."""
        return bool(self.user_id)

    @property
    def of_staff(self) -> bool:
        """Whether they act for the house."""
        return self.role in STAFF


ANONYMOUS = Caller()


async def authenticate(request: Request) -> Caller:
    """The caller named by the bearer token; raises a 401 problem for a missing, forged,
    expired or revoked one, StoreUnavailableError when nobody can tell whether it was revoked.
    """
    caller = await _known(machines_of(request), _bearer_token(request))
    request.scope["known"] = caller.user_id
    _require_awake(getattr(request.scope.get("route"), "operation_id", None), caller)
    return caller


async def caller_of(machines: Machines, token: str) -> Caller:
    """The same for a token that came some other way."""
    caller = await _known(machines, token)
    _require_awake(None, caller)
    return caller


async def _known(machines: Machines, token: str) -> Caller:
    if len(token) > TOKEN_LENGTH_MAX:
        raise unauthenticated("token_invalid", "This is no access token of ours")
    if token.startswith(PREFIX):
        return await _machine(machines, token)
    try:
        claims = await machines.tokens.verify(token)
    except TokenRefused as refused:
        raise unauthenticated("token_invalid", refused.hint) from None
    if await machines.denylist.denies(claims):
        raise unauthenticated("session_ended", "This session has ended: refresh it or log in again")
    return Caller(
        user_id=claims.user_id,
        role=_acting_as(claims),
        session_id=claims.session_id,
        email_verified=claims.email_verified,
        market=claims.market,
        expires_at=datetime.fromtimestamp(claims.expires_at, UTC),
        user_version=claims.user_version,
        status=claims.status,
    )


def _require_awake(operation: str | None, caller: Caller) -> None:
    """An account at rest can come back, look at its sessions and leave; nothing else."""
    if caller.status is UserStatus.DEACTIVATED and operation not in AT_REST:
        raise Problem(
            403, "account_deactivated", "Your account is at rest: reactivate it, then refresh"
        )


def _acting_as(claims: Claims) -> Role:
    """The role that decides what the caller may do. What staff may do to others rests with
    their own account, or a door that was shut in a hurry would be opened by its own key.
    """
    at_rest = claims.status is UserStatus.DEACTIVATED
    return Role.BUYER if at_rest and claims.role in STAFF else claims.role


async def _machine(machines: Machines, key: str) -> Caller:
    """Whoever an API key acts for."""
    holder = await machines.keyring.holder(key)
    if holder is None:
        raise unauthenticated("token_invalid", "This API key is no good, or no more: issue another")
    return Caller(
        user_id=holder.user_id,
        role=holder.role,
        email_verified=holder.email_verified,
        market=holder.market,
        expires_at=holder.expires_at,
        operations=holder.operations,
    )


def _bearer_token(request: Request) -> str:
    sent = request.headers.getlist("authorization")
    if not sent:
        raise unauthenticated(
            "token_missing", "Send an access token: `Authorization: Bearer <token>`"
        )
    scheme, _, token = sent[0].partition(" ")
    if len(sent) > 1 or scheme.lower() != "bearer" or not token.strip():
        raise unauthenticated("token_invalid", "Send one `Authorization: Bearer <token>`")
    return token.strip()


async def _caller(request: Request) -> Caller:
    caller: Caller = request.scope["caller"]
    return caller


async def _person(
    request: Request, _documented: Annotated[object, Depends(BEARER)] = None
) -> Caller:
    caller: Caller = request.scope["caller"]
    if not caller.signed_in:
        raise Problem(403, "no_policy", "This needs somebody signed in")
    return caller


MaybeCaller = Annotated[Caller, Depends(_caller)]  # anyone, signed in or not
SignedIn = Annotated[Caller, Depends(_person)]  # a person; also says so in the OpenAPI document
