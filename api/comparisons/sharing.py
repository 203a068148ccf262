"""Comparisons that others see by a link: the listings as they were chosen when it was opened."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Body, Request
from starlette.responses import Response

from api.backends.machines import Mesh
from api.comparisons.bodies import TABLE, SharedComparisonAnswer
from api.comparisons.listed import beside_each_other
from api.entry.auth import ANONYMOUS, MaybeCaller, SignedIn
from api.entry.commands import Sending
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import ANYONE, CHANGES, SEARCHES, SIGNED_IN, UNLIMITED, Door
from api.entry.routing import new_router
from api.entry.sharing import (
    SHARE,
    UNLISTED,
    Links,
    NewShare,
    NewShareAnswer,
    SharesAnswer,
    TokenInPath,
    share_ended,
)
from api.profiles.sight import people_of
from api.wire.problems import problem_responses
from api.wire.successes import ok, private_json
from projections.comparisons.shared_comparisons import shared_comparisons, shown
from projections.identity.users import users
from projections.listings.listing_page import listing_page
from projections.profiles.user_profiles import user_profiles
from schemas.comparisons import ShareComparison, UnshareComparison

SHARES = "/api/compare/share"
SHARED = "/api/compare/shared"
LINKS = Links(shared_comparisons, shared_comparisons, page="comparison", path=SHARED)
SEEN = CaughtUp(shared_comparisons, listing_page, users, user_profiles)

_TOKEN = "q1nJ0X3u9c2k7b5m8w4e6r1t0y3u5i7o9p2a4s6d8f0"  # noqa: S105 - an example
_NEW = {**SHARE, "token": _TOKEN, "url": f"https://market.example/comparison#token={_TOKEN}"}
_SEEN = {**TABLE, "owner_name": "Nimal Perera", "expires_at": SHARE["expires_at"]}

router = new_router("comparisons")


@router.post(
    SHARES,
    operation_id="share_comparison",
    status_code=201,
    response_model=NewShareAnswer,
    responses={
        **ok("Shared", _NEW, 201),
        **problem_responses(400, 401, 403, 409, 415),
    },
)
@Door(SIGNED_IN, CHANGES)
async def share_comparison(
    sending: Sending,
    _caller: SignedIn,
    body: Annotated[NewShare | None, Body(examples=[{"hours": 168}])] = None,
) -> Response:
    """Open a link to what one compares, for whoever has it, signed in or not. It shows the listings
    that are compared now, whatever is added, taken out or cleared later; of each it tells what is
    so when somebody looks. Its text is in this answer and nowhere else.
    """
    return await LINKS.open(sending, ShareComparison, body)


@router.get(
    SHARES,
    operation_id="list_comparison_shares",
    response_model=SharesAnswer,
    responses={**ok("Links", {"items": [SHARE]}), **problem_responses(400, 401, 403)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, UNLIMITED)
async def list_comparison_shares(request: Request, caller: SignedIn) -> Response:
    """One's own links that show something, the last opened first; never their texts."""
    return await LINKS.listed(request, caller)


@router.delete(
    f"{SHARES}/{{share_id:uuid}}",
    operation_id="unshare_comparison",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "Revoked"}, **problem_responses(400, 401, 403, 404)},
)
@Door(SIGNED_IN, CHANGES)
async def unshare_comparison(share_id: UUID, sending: Sending, _caller: SignedIn) -> Response:
    """Revoke a link of one's own. When this answers it shows nothing."""
    return await LINKS.revoke(sending, UnshareComparison, share_id)


@router.get(
    f"{SHARED}/{{token}}",
    operation_id="read_shared_comparison",
    response_model=SharedComparisonAnswer,
    responses={
        **ok("Fact by fact", _SEEN, headers=[*UNLISTED]),
        **problem_responses(400, 401, 404, 410),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ANYONE, SEARCHES)
async def read_shared_comparison(
    token: TokenInPath, request: Request, mesh: Mesh, _caller: MaybeCaller
) -> Response:
    """What somebody compared when they opened the link, fact by fact, for whoever has it. Of the owner
    only the name is told; what not everybody may see is gone, whoever asks. A link that has expired
    or was revoked, or whose owner is away, answers 410.
    """
    await SEEN.wait(request)
    opened = await LINKS.opened(mesh, token)
    owner_id = str(opened.owner_id)
    people = await people_of(mesh, [owner_id])
    if owner_id not in people.names:
        raise share_ended()
    rows = await shown(mesh.postgres, owner_id, opened.share_id)
    told = {
        **beside_each_other(rows, ANONYMOUS, own=False),
        "owner_name": people.names[owner_id],
        "expires_at": opened.expires_at,
    }
    return private_json(told, headers=UNLISTED)
