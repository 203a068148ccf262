"""Comparisons: a few listings that somebody lays side by side. Nobody else sees them, unless by a
link.
"""

from __future__ import annotations

from uuid import UUID

from fastapi import Request
from starlette.responses import Response

from api.backends.machines import Mesh
from api.comparisons.bodies import (
    CHANGED,
    COMPARED,
    TABLE,
    ComparisonAnswer,
    ComparisonChangedAnswer,
    ComparisonCountAnswer,
    ComparisonTableAnswer,
)
from api.comparisons.listed import beside_each_other, compared
from api.entry.auth import SignedIn
from api.entry.commands import Sending
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import CHANGES, SEARCHES, SIGNED_IN, UNLIMITED, Door
from api.entry.routing import new_router
from api.listings.sight import against_keeping
from api.wire.changes import answer, changed
from api.wire.problems import problem_responses
from api.wire.successes import ok, private_json
from projections.comparisons import comparisons
from projections.listings.listing_page import listing_page
from schemas.comparisons import AddToComparison, ClearComparison, RemoveFromComparison

ONE = "/api/compare/{listing_id:uuid}"
COMPARISON = CaughtUp(comparisons.comparisons)
LISTED = CaughtUp(comparisons.comparisons, listing_page)

_PROBLEMS = problem_responses(400, 401, 403)

router = new_router("comparisons")


@router.get(
    "/api/compare",
    operation_id="list_comparison",
    response_model=ComparisonAnswer,
    responses={
        **ok("What is compared", {"items": [{**COMPARED, "added_at": "2026-03-01T12:00:00Z"}]}),
        **_PROBLEMS,
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, SEARCHES)
async def list_comparison(request: Request, mesh: Mesh, caller: SignedIn) -> Response:
    """What the caller compares, at most four, the first added first. What is sold says so; of what the
    caller can't see any more nothing is told but that it is gone.
    """
    await LISTED.wait(request)
    rows = await comparisons.of_owner(mesh.postgres, caller.user_id)
    items = [{**compared(row, caller, own=True), "added_at": row["added_at"]} for row in rows]
    return private_json({"items": items})


@router.get(
    "/api/compare/table",
    operation_id="read_comparison_table",
    response_model=ComparisonTableAnswer,
    responses={**ok("Fact by fact", TABLE), **_PROBLEMS},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, SEARCHES)
async def read_comparison_table(request: Request, mesh: Mesh, caller: SignedIn) -> Response:
    """What the caller compares, fact by fact, and where it differs. What is not stated is null, and so
    is all that is gone.
    """
    await LISTED.wait(request)
    rows = await comparisons.of_owner(mesh.postgres, caller.user_id)
    return private_json(beside_each_other(rows, caller, own=True))


@router.get(
    "/api/compare/count",
    operation_id="count_comparison",
    response_model=ComparisonCountAnswer,
    responses={**ok("How many", {"count": 2}), **_PROBLEMS},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, UNLIMITED)
async def count_comparison(request: Request, mesh: Mesh, caller: SignedIn) -> Response:
    """How many listings the caller compares, as the list shows them: gone ones count."""
    await COMPARISON.wait(request)
    return private_json({"count": await comparisons.count(mesh.postgres, caller.user_id)})


@router.delete(
    "/api/compare",
    operation_id="clear_comparison",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "There are none"}, **_PROBLEMS},
)
@Door(SIGNED_IN, CHANGES)
async def clear_comparison(sending: Sending, caller: SignedIn) -> Response:
    """Take out all at once. Links stay, and show what they showed."""
    command = ClearComparison(user_id=UUID(caller.user_id), **sending.asked)
    return answer(await sending.send(command), 204)


@router.post(
    ONE,
    operation_id="add_to_comparison",
    response_model=ComparisonChangedAnswer,
    responses={
        **ok("It is compared", CHANGED),
        **_PROBLEMS,
        **problem_responses(404, 409, 410),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, CHANGES)
async def add_to_comparison(
    listing_id: UUID, request: Request, sending: Sending, caller: SignedIn
) -> Response:
    """Compare a listing with the others. One that is compared already stays where it is; where four
    are, one must be taken out first.
    """
    against = await against_keeping(request, listing_id, caller)
    user_id = UUID(caller.user_id)
    command = AddToComparison(user_id=user_id, listing_id=listing_id, **sending.asked)
    reply = await sending.send(command, unless=against)
    return changed(reply, listing_id)


@router.delete(
    ONE,
    operation_id="remove_from_comparison",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "It is not compared"}, **_PROBLEMS},
)
@Door(SIGNED_IN, CHANGES)
async def remove_from_comparison(listing_id: UUID, sending: Sending, caller: SignedIn) -> Response:
    """Take a listing out, whatever has become of it; what is not compared stays so."""
    user_id = UUID(caller.user_id)
    command = RemoveFromComparison(user_id=user_id, listing_id=listing_id, **sending.asked)
    return answer(await sending.send(command), 204)
