"""Saved searches: filters that somebody keeps, and what their alerts have found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import Request
from starlette.responses import Response

from api.backends.machines import Machines, Mesh
from api.backends.stores import opensearch_answering
from api.entry.auth import SignedIn
from api.entry.commands import Sending
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import CHANGES, SEARCHES, SIGNED_IN, Door
from api.entry.paging import Paging
from api.entry.routing import new_router
from api.listings.sight import summary_for
from api.profiles.sight import key_of
from api.searches.bodies import (
    CHANGED,
    LOOK,
    MATCH,
    SAVED,
    MatchesAnswer,
    NewSearch,
    SavedSearchAnswer,
    SavedSearchesAnswer,
    SearchChangedAnswer,
)
from api.searches.shown import NAME, TEXT, match_shown, search_shown
from api.wire.changes import answer, changed
from api.wire.problems import Problem, StoreUnavailableError, problem_responses
from api.wire.successes import CREATED, NO_STORE, ok, private_json
from infra.clients.opensearch import alias_of
from projections.listings.listing_page import listing_page
from projections.searches import alert_matches, saved_searches
from projections.searches.canonical import (
    filters_hash,
    filters_text,
    private_text,
    public_part,
    whole_text,
)
from projections.searches.listing_moments import (
    LOOKED_BACK,
    listing_moments,
    looked_back,
    looking_back,
)
from schemas.log.messages import Fault
from schemas.search import Filters
from schemas.searches import FILTERS_LENGTH_MAX, DeleteSearch, SaveSearch, search_id_of

ALL = "/api/search/saved"
ONE = f"{ALL}/{{search_id:uuid}}"
SAVED_SEARCHES = CaughtUp(saved_searches.saved_searches, alert_matches.alert_matches)
MATCHES = CaughtUp(saved_searches.saved_searches, alert_matches.alert_matches, listing_page)

router = new_router("searches")


@router.post(
    ALL,
    operation_id="save_search",
    status_code=201,
    response_model=SearchChangedAnswer,
    responses={
        **ok("Saved", CHANGED, 201, headers=CREATED),
        **problem_responses(400, 401, 403, 409, 410, 415),
    },
)
@Door(SIGNED_IN, CHANGES)
async def save_search(body: NewSearch, sending: Sending, mesh: Mesh, caller: SignedIn) -> Response:
    """Keep filters. Those that ask for the same as a saved search of yours, in whatever order and
    spelling, are that search: it has the same id, and stays as it is.
    """
    public, private = public_part(body.filters), private_text(body.filters)
    if len(private.encode()) > FILTERS_LENGTH_MAX:
        told = f"are too many: at most {FILTERS_LENGTH_MAX} bytes together"
        raise Problem(
            422,
            "invalid",
            "Choose fewer values",
            faults=[Fault(pointer="/filters", detail=told)],
        )
    user_id = UUID(caller.user_id)
    key = await key_of(mesh, user_id)
    command = SaveSearch(
        user_id=user_id,
        # Of a mark that only their key makes: nobody finds out what is private by trying.
        search_id=search_id_of(user_id, key.mark(TEXT, whole_text(body.filters))),
        name_sealed=key.seal(NAME, body.name),
        text_sealed=key.seal(TEXT, private) if private else None,
        filters=filters_text(public),
        filters_hash=filters_hash(public),
        **sending.asked,
    )
    reply = await sending.send(command)
    search_id = command.search_id
    return changed(reply, search_id, 201, location=f"{ALL}/{search_id}")


@router.get(
    ALL,
    operation_id="list_saved_searches",
    response_model=SavedSearchesAnswer,
    responses={**ok("Searches", {"items": [SAVED]}), **problem_responses(400, 401, 403, 410)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, SEARCHES)
async def list_saved_searches(request: Request, mesh: Mesh, caller: SignedIn) -> Response:
    """One's own saved searches, the last saved first, each with how much its alert has found of
    late.
    """
    await SAVED_SEARCHES.wait(request)
    rows = await saved_searches.of_owner(mesh.postgres, caller.user_id, datetime.now(UTC))
    key = await key_of(mesh, UUID(caller.user_id))
    return private_json({"items": [search_shown(row, key) for row in rows]})


@router.get(
    ONE,
    operation_id="read_saved_search",
    response_model=SavedSearchAnswer,
    responses={
        **ok("The search", {**SAVED, "looked_back": LOOK}),
        **problem_responses(400, 401, 403, 404, 410),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, SEARCHES)
async def read_saved_search(
    search_id: UUID, request: Request, mesh: Mesh, caller: SignedIn
) -> Response:
    """One saved search of one's own, with what it would have told in the last 30 days: how many
    listings as new, how many as back on the market, how many as cheaper. A listing counts once for
    each of these, however often it came back or its price dropped; not one's own, nor what is
    deleted, hidden or a draft now. `looked_back` is null while the search engine is away.
    """
    await SAVED_SEARCHES.wait(request)
    row = await _own(mesh, caller.user_id, search_id)
    shown = search_shown(row, await key_of(mesh, UUID(caller.user_id)))
    filters = Filters.model_validate(shown["filters"])
    return private_json({**shown, "looked_back": await _looked_back(mesh, filters, caller.user_id)})


async def _looked_back(mesh: Machines, filters: Filters, user_id: str) -> Mapping[str, int] | None:
    body = looking_back(filters, datetime.now(UTC) - LOOKED_BACK, user_id)
    index = alias_of(mesh.settings, listing_moments.name)
    try:
        with opensearch_answering():
            found = await mesh.opensearch.search(index=index, body=body)
    except StoreUnavailableError:
        return None
    whole = not found["timed_out"] and not found["_shards"]["failed"]
    return asdict(looked_back(found)) if whole else None


@router.delete(
    ONE,
    operation_id="delete_saved_search",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "Deleted"}, **problem_responses(400, 401, 403, 404)},
)
@Door(SIGNED_IN, CHANGES)
async def delete_saved_search(search_id: UUID, sending: Sending, caller: SignedIn) -> Response:
    """Delete a search of one's own. Its alert ends with it."""
    user_id = UUID(caller.user_id)
    command = DeleteSearch(user_id=user_id, search_id=search_id, **sending.asked)
    return answer(await sending.send(command), 204)


@router.get(
    f"{ONE}/matches",
    operation_id="list_search_matches",
    response_model=MatchesAnswer,
    responses={
        **ok("A page", {"items": [MATCH], "next_cursor": None}),
        **problem_responses(400, 401, 403, 404),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, SEARCHES)
async def list_search_matches(
    search_id: UUID, request: Request, mesh: Mesh, page: Paging, caller: SignedIn
) -> Response:
    """What the alert of a search has found since there is one, the last first; each listing once,
    with why it was found last.
    """
    await MATCHES.wait(request)
    row = await _own(mesh, caller.user_id, search_id)
    found = await alert_matches.of_alert(mesh.postgres, row["alert_id"] or "", page.part)
    rows, last = page.shown(found, "matched_at", "match_id")
    items = [match_shown(each, *summary_for(each, caller)) for each in rows]
    return page.response(items, last, headers=NO_STORE)


async def _own(mesh: Machines, user_id: str, search_id: UUID) -> Any:
    row = await saved_searches.by_id(mesh.postgres, user_id, str(search_id), datetime.now(UTC))
    if row is None:
        raise Problem(404, "search_unknown", "You have no such saved search")
    return row
