"""Logging in through a provider, and linking one: OpenID Connect's code flow with PKCE.

The browser leaves with a sealed cookie and comes back with a code. With a frontend, the
provider sends it there, and the frontend asks the callback for the tokens, as it asks for all
else: no token is ever in an address.
"""

from __future__ import annotations

import hmac
import time
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request
from pydantic import AwareDatetime, BaseModel
from starlette.responses import Response

from api.backends.machines import Machines, Mesh
from api.backends.tokens import Claims
from api.entry.auth import SignedIn
from api.entry.commands import Sending, SendingAnew
from api.entry.consistency import OPENAPI_EXTRA
from api.entry.doors import ANYONE, CHANGES, FROM_ONE_ADDRESS, SIGNED_IN, UNLIMITED, Door
from api.entry.routing import new_router
from api.identity import oauth_state, social
from api.identity.oauth_state import LIFETIME_S, Pending, pending_of
from api.identity.routes import TokensAnswer, tokens_answer
from api.identity.social import IDENTITIES, Arrival
from api.wire.changes import answer
from api.wire.problems import Problem, problem_responses, unauthenticated, unavailable
from api.wire.successes import NO_STORE, headers_told, ok, private_json
from infra.oidc import (
    Identity,
    Provider,
    ProviderRefusedError,
    ProviderUnavailableError,
    new_challenge,
)
from infra.settings import Settings
from projections.identity import identities
from schemas.identity import UserStatus
from schemas.log.messages import Language, Market, Role
from schemas.values.texts import Form, Line

router = new_router("identity")

ProviderName = Annotated[
    str,
    Form("^[a-z0-9_-]{1,40}$", "is no name of a provider, such as google"),
    Path(description="The short name of one that is set up here", examples=["google"]),
]


class WayBack(BaseModel):
    """What a provider adds to the address; some add more, which says nothing to us."""

    state: Annotated[str, Line(200, 0)] = ""
    code: Annotated[str, Line(2_000, 0)] = ""
    error: Annotated[str, Line(200, 0)] = ""
    iss: Annotated[str, Line(500, 0)] = ""


class LeaveAnswer(BaseModel):
    """Where to go."""

    authorization_url: str


class LinkedAnswer(BaseModel):
    """A provider that logs one in."""

    provider: str
    linked_at: AwareDatetime


class LinksAnswer(BaseModel):
    """All of them."""

    identities: list[LinkedAnswer]


_LINKS = {"identities": [{"provider": "google", "linked_at": "2026-03-01T12:00:00Z"}]}
_LEAVE = {"authorization_url": "https://provider.example.org/authorize?client_id=…"}


@router.get(
    "/api/auth/oauth/identities",
    operation_id="list_identities",
    response_model=LinksAnswer,
    responses={**ok("Linked", _LINKS), **problem_responses(400, 401, 403)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, UNLIMITED)
async def list_identities(request: Request, mesh: Mesh, caller: SignedIn) -> Response:
    """The providers that log the caller in."""
    await IDENTITIES.wait(request)
    rows = await identities.of_owner(mesh.postgres, caller.user_id)
    found = [{"provider": row["provider"], "linked_at": row["claimed_at"]} for row in rows]
    return private_json({"identities": found})


@router.get(
    "/api/auth/oauth/{provider}/start",
    operation_id="start_oauth",
    status_code=302,
    response_class=Response,
    responses={
        302: {"description": "To the provider", "headers": headers_told(["Location"])},
        **problem_responses(404),
    },
)
@Door(ANYONE, FROM_ONE_ADDRESS, within_s=5.0)
async def start_oauth(
    provider: ProviderName,
    mesh: Mesh,
    market: Market = Market.EXOTICS,
    language: Language = Language.ENGLISH,
) -> Response:
    """Leave for a provider, to log in or to join."""
    pending = Pending(new_challenge(), time.time() + LIFETIME_S, market, language)
    address = await _address(mesh, provider, pending)
    response = Response(status_code=302, headers={"Location": address, **NO_STORE})
    oauth_state.keep(response, mesh.settings, provider, pending)
    return response


@router.post(
    "/api/auth/oauth/{provider}/link",
    operation_id="start_linking",
    response_model=LeaveAnswer,
    responses={**ok("Go there", _LEAVE), **problem_responses(401, 403, 404)},
)
@Door(SIGNED_IN, CHANGES, within_s=5.0)
async def start_linking(provider: ProviderName, mesh: Mesh, caller: SignedIn) -> Response:
    """Begin to link a provider to one's own account: go where the answer says."""
    pending = Pending(
        new_challenge(),
        time.time() + LIFETIME_S,
        user_id=caller.user_id,
        session_id=caller.session_id,
        user_version=caller.user_version,
    )
    address = await _address(mesh, provider, pending)
    response = private_json({"authorization_url": address})
    oauth_state.keep(response, mesh.settings, provider, pending)
    return response


@router.get(
    "/api/auth/oauth/{provider}/callback",
    operation_id="finish_oauth",
    response_model=TokensAnswer | LinkedAnswer,
    responses={
        **ok("Logged in, or linked", _LINKS["identities"][0]),
        **problem_responses(400, 401, 403, 404, 409, 410),
    },
)
# The provider's word and the browser's cookie are the credentials.
@Door(ANYONE, FROM_ONE_ADDRESS, within_s=5.0, any_query=True)
async def finish_oauth(
    provider: ProviderName,
    request: Request,
    mesh: Mesh,
    sending: SendingAnew,
    back: Annotated[WayBack, Query()],
) -> Response:
    """Come back from a provider: tokens, as after any log-in, or the link that was asked for.
    Works in the browser that left, once and within ten minutes.
    """
    asked = _provider(mesh, provider)
    pending = pending_of(request, mesh.settings, provider, time.time())
    if pending is None or not hmac.compare_digest(
        pending.challenge.state.encode(), back.state.encode()
    ):
        raise Problem(
            400,
            "oauth_state_mismatch",
            "This log-in was not begun here, or too long ago: start again",
        )
    if back.error or not back.code or (back.iss and back.iss != asked.issuer):
        raise Problem(403, "provider_denied", "The provider did not let you in")
    identity = await _identity(mesh, asked, provider, back.code, pending)
    arrival = Arrival(mesh, sending, provider, identity)
    response = await _arrive(arrival, pending)
    oauth_state.forget(response, mesh.settings)
    return response


async def _arrive(arrival: Arrival, pending: Pending) -> Response:
    mesh = arrival.mesh
    if not pending.user_id:
        found = await social.sign_in(arrival, pending.market, pending.language)
        return tokens_answer(mesh.settings.access_token_s, found)
    if await mesh.denylist.denies(_claims_of(pending)):
        raise unauthenticated("session_ended", "The session that began this has ended")
    reply = await social.link(arrival, UUID(pending.user_id))
    body = {"provider": arrival.provider, "linked_at": arrival.sending.asked_at}
    return answer(reply, 200, body)


def _claims_of(pending: Pending) -> Claims:
    """The token that asked for the link, as far as it matters for whether it is void by now."""
    return Claims(
        user_id=pending.user_id,
        session_id=pending.session_id,
        token_id="",
        role=Role.BUYER,
        email_verified=False,
        market="",
        expires_at=int(pending.expires_at),
        user_version=pending.user_version,
        status=UserStatus.ACTIVE,
    )


@router.delete(
    "/api/auth/oauth/{provider}/link",
    operation_id="unlink_identity",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "Unlinked"}, **problem_responses(400, 401, 403, 404, 409)},
)
@Door(SIGNED_IN, CHANGES)
async def unlink_identity(
    provider: ProviderName, mesh: Mesh, sending: Sending, _caller: SignedIn
) -> Response:
    """Let a provider log one in no more. The last way to log in stays."""
    return answer(await social.unlink(mesh, sending, provider), 204)


async def _address(mesh: Machines, name: str, pending: Pending) -> str:
    provider = _provider(mesh, name)
    try:
        return await provider.authorization_url(
            pending.challenge, redirect_uri_of(mesh.settings, name)
        )
    except ProviderUnavailableError:
        raise _provider_unavailable() from None


async def _identity(
    mesh: Machines, provider: Provider, name: str, code: str, pending: Pending
) -> Identity:
    try:
        return await provider.identity_of(
            code, pending.challenge, redirect_uri_of(mesh.settings, name)
        )
    except ProviderUnavailableError:
        raise _provider_unavailable() from None
    except ProviderRefusedError as refused:
        raise Problem(403, str(refused), "What the provider says proves nothing") from None


def _provider(mesh: Machines, name: str) -> Provider:
    found = mesh.oidc.get(name)
    if found is None:
        raise Problem(404, "provider_unknown", "There is no log-in through this provider")
    return found


def _provider_unavailable() -> Problem:
    return unavailable("provider_unavailable", "The provider does not answer; try again soon")


def redirect_uri_of(settings: Settings, provider: str) -> str:
    """Where a provider sends the browser back to; it must be told to the provider beforehand."""
    if settings.frontend_url:
        return f"{settings.frontend_url.rstrip('/')}/oauth/{provider}/callback"
    return f"{settings.public_url.rstrip('/')}/api/auth/oauth/{provider}/callback"
