"""The audit: who asked for what, when, from where, and what came of it. For admins."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Depends, Query
from pydantic import AwareDatetime, BaseModel, Field
from starlette.responses import Response

from api.backends.machines import Mesh
from api.entry.auth import SignedIn
from api.entry.doors import ADMINS, SEARCHES, Door
from api.entry.paging import Paging
from api.entry.routing import new_router
from api.wire.emitted import MomentParameter
from api.wire.problems import problem_responses
from api.wire.successes import NO_STORE, ok
from projections.journal import audit
from schemas.values.texts import Line

ACTOR_LENGTH_MAX, TEXT_LENGTH_MAX = 100, 200

router = new_router("audit")


class AuditEntry(BaseModel):
    """One command and its outcome. `actor` is a person's id, or a tool or reaction; `origin` the
    network that the request came from; `cause` the command or event that led to it.
    """

    command_id: str
    at: AwareDatetime
    actor: str
    asked: str = Field(description="The command's kind; empty: it could not be read")
    stream_id: str
    origin: str
    outcome: Literal["accepted", "refused", "failed"]
    reason: str
    status: int
    version: int
    events: int
    correlation_id: str
    cause: str


class AuditAnswer(BaseModel):
    """A page of entries, the last first."""

    items: list[AuditEntry]
    next_cursor: str | None


async def _wanted(
    actor: Annotated[Annotated[str, Line(ACTOR_LENGTH_MAX, 0)] | None, Query()] = None,
    stream: Annotated[Annotated[str, Line(TEXT_LENGTH_MAX, 0)] | None, Query()] = None,
    kind: Annotated[Annotated[str, Line(TEXT_LENGTH_MAX, 0)] | None, Query()] = None,
    outcome: Annotated[Literal["accepted", "refused", "failed"] | None, Query()] = None,
    since: Annotated[MomentParameter | None, Query()] = None,
    until: Annotated[MomentParameter | None, Query(description="Not included")] = None,
) -> audit.Wanted:
    return audit.Wanted(actor, stream, kind, outcome, since, until)


Filters = Annotated[audit.Wanted, Depends(_wanted)]

_ID = "01980000-0000-7000-8000-000000000001"
_ENTRY = {
    "command_id": _ID,
    "at": "2026-03-01T12:00:00Z",
    "actor": "01980000-0000-7000-8000-000000000002",
    "asked": "listing.publish",
    "stream_id": "listing/01980000-0000-7000-8000-000000000003",
    "origin": "203.0.113.0/24",
    "outcome": "refused",
    "reason": "not_owner",
    "status": 403,
    "version": 4,
    "events": 0,
    "correlation_id": "3f0e8d1c5b9a4e0f8c7d6b5a49382716",
    "cause": _ID,
}


@router.get(
    "/api/audit",
    operation_id="read_audit",
    response_model=AuditAnswer,
    responses={
        **ok("A page", {"items": [_ENTRY], "next_cursor": None}),
        **problem_responses(401, 403),
    },
)
@Door(ADMINS, SEARCHES)
async def read_audit(mesh: Mesh, page: Paging, wanted: Filters, _caller: SignedIn) -> Response:
    """Every command that was judged, refused ones too, the last first."""
    found = await audit.entries(mesh.postgres, wanted, page.part)
    rows, last = page.shown(found, "at", "command_id")
    return page.response([dict(row) for row in rows], last, headers=NO_STORE)
