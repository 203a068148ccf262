"""What we hold of a person, for that person: every event of theirs, readable, as one JSON.

Nobody else gets it, admins neither: whoever can't log in any more resets the password first.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import Request
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, Field

from api.backends.machines import Machines, Mesh
from api.entry.auth import SignedIn
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import CHANGES, SIGNED_IN, Door
from api.entry.routing import new_router
from api.identity.person_data import events_of_person
from api.wire.emitted import json_of
from api.wire.problems import Problem, problem_responses
from api.wire.successes import NO_STORE, ok
from infra.vault.vault import PersonKey
from projections.items.items import items
from projections.journal.journal import journal
from projections.listings.listing_page import listing_page
from projections.media.media_files import media_files
from projections.searches.alert_matches import alert_matches

EVENTS_MAX = 100_000
PIECE_BYTES = 8_000  # made in under a millisecond; then everybody else has a turn
# What was written, and by whose listings, items and uploads it is found.
READ = CaughtUp(journal, listing_page, items, media_files, alert_matches)

router = new_router("identity")


class ExportedEvent(BaseModel):
    """One thing that happened. What was sealed in the log is readable here; hashes of secrets
    are left out. `by_oneself` tells whether the person did it.
    """

    id: str
    stream: str
    version: int
    kind: str
    at: AwareDatetime
    by_oneself: bool
    data: dict[str, Any]


class ExportAnswer(BaseModel):
    """Everything that the log holds of a person. Without `complete` it was cut off."""

    user_id: str
    exported_at: AwareDatetime
    events: list[ExportedEvent]
    complete: bool = Field(description=f"False: there are more than {EVENTS_MAX} events")


_EVENT = {
    "id": "01980000-0000-7000-8000-000000000003",
    "stream": "user/01980000-0000-7000-8000-000000000001",
    "version": 1,
    "kind": "user.registered",
    "at": "2026-03-01T12:00:00Z",
    "by_oneself": True,
    "data": {"email": "nimal@example.org", "name": "Nimal Perera", "role": "seller"},
}
_EXPORT = {
    "user_id": "01980000-0000-7000-8000-000000000001",
    "exported_at": "2026-03-01T12:00:00Z",
    "events": [_EVENT],
    "complete": True,
}


@router.get(
    "/api/users/{user_id:uuid}/export",
    operation_id="export_user",
    response_model=ExportAnswer,
    responses={**ok("Everything", _EXPORT), **problem_responses(400, 401, 403, 409, 410)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, CHANGES, within_s=15.0)
async def export_user(
    user_id: UUID, request: Request, mesh: Mesh, caller: SignedIn
) -> StreamingResponse:
    """Everything that we hold of you, as it stands in the log, readable."""
    if caller.user_id != str(user_id):
        raise Problem(403, "not_yours", "Only the person gets their data")
    await READ.wait(request)
    key = await mesh.vault.person(user_id)
    if key is None:
        raise Problem(410, "user_deleted", "This account is no longer there")
    headers = {
        **NO_STORE,
        "Content-Disposition": f'attachment; filename="marketmesh-{user_id}.json"',
    }
    pieces = mesh.exports.taking_turns(str(user_id), exported(mesh, key, EVENTS_MAX))
    return StreamingResponse(pieces, headers=headers, media_type="application/json")


async def exported(mesh: Machines, key: PersonKey, events_max: int) -> AsyncIterator[bytes]:
    """The document, piece by piece: whoever has many events must not fill our memory."""
    head = {"user_id": str(key.user_id), "exported_at": datetime.now(UTC)}
    piece = json_of(head)[:-1] + b',"events":['
    count, complete = 0, True
    async for event in events_of_person(mesh.postgres, key):
        if count == events_max:
            complete = False
            break
        piece += (b"," if count else b"") + json_of(asdict(event))
        count += 1
        if len(piece) >= PIECE_BYTES:
            yield piece
            piece = b""
    yield piece + b'],"complete":' + json_of(complete) + b"}"
