"""Keys for machines: issue, list, revoke. A key is sent as `Authorization: Bearer mm_…` and opens
the operations that it names, as its owner, no others.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.backends.keyring import derived_key, new_key
from api.backends.machines import Machines, Mesh
from api.backends.withheld import BeingRepaired
from api.entry.auth import Caller, SignedIn
from api.entry.commands import Sending
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import CHANGES, SIGNED_IN, UNLIMITED, Door
from api.entry.repeats import first_event_of
from api.entry.routing import doors_of, new_router
from api.wire.changes import answer
from api.wire.forms import Body
from api.wire.problems import Problem, accepted, problem_responses, unauthenticated
from api.wire.successes import ok, private_json
from infra.vault.vault import PersonKey
from projections.identity import api_keys
from schemas.identity.api_keys import KEYS_MAX, OPERATIONS_MAX, IssueApiKey, RevokeApiKey
from schemas.log.messages import Fault
from schemas.log.positions import Position
from schemas.values.numbers import NUMBER
from schemas.values.texts import Line

DAYS_DEFAULT, DAYS_MAX = 90, 365
TOO_MANY = "too_many_api_keys"
KEYS = CaughtUp(api_keys.api_keys)

router = new_router("api keys", prefix="/api/auth/keys")

Label = Annotated[str, Line(100)]
_KEY = {
    "id": "01980000-0000-7000-8000-000000000003",
    "label": "nightly export",
    "operations": ["list_my_listings", "update_listing"],
    "issued_at": "2026-03-01T12:00:00Z",
    "expires_at": "2026-05-30T12:00:00Z",
}


class NewApiKey(Body):
    """What a machine shall be able to do, and for how long."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"label": "nightly export", "operations": ["list_my_listings"], "days": 90}
            ]
        },
    )

    label: Label
    operations: Annotated[
        list[Annotated[str, Line(100)]],
        Field(
            min_length=1,
            max_length=OPERATIONS_MAX,
            description="Operation ids of this document that the key opens",
        ),
    ]
    days: Annotated[int, Field(ge=1, le=DAYS_MAX, description="How long it works"), NUMBER] = (
        DAYS_DEFAULT
    )


class ApiKeyAnswer(BaseModel):
    """A key, without its text."""

    id: str
    label: str
    operations: list[str]
    issued_at: AwareDatetime
    expires_at: AwareDatetime


class NewApiKeyAnswer(ApiKeyAnswer):
    """A key with its text, which is never shown again."""

    api_key: str


class ApiKeysAnswer(BaseModel):
    """Keys that work, the newest first."""

    items: list[ApiKeyAnswer]


@router.post(
    "",
    operation_id="issue_api_key",
    status_code=201,
    response_model=NewApiKeyAnswer,
    responses={
        **ok("Issued", {**_KEY, "api_key": "mm_AZgAAAAAcAC…"}, 201),
        **problem_responses(400, 401, 403, 409, 415),
    },
)
@Door(SIGNED_IN, CHANGES)
async def issue_api_key(
    request: Request, body: NewApiKey, mesh: Mesh, sending: Sending, caller: SignedIn
) -> Response:
    """Issue a key for a machine. Its text is in this answer and nowhere else."""
    operations = _allowed(body.operations, doors_of(request.app), caller)
    owner = await _own_key(mesh, caller)
    key_id = sending.new_id("api key")
    key = new_key(key_id) if sending.key is None else derived_key(mesh.settings, key_id)
    expires_at = sending.asked_at + timedelta(days=body.days)
    reply = await sending.reply_to(
        IssueApiKey(
            key_id=key.key_id,
            user_id=UUID(caller.user_id),
            key_hash=key.hash,
            label_sealed=owner.seal("api key label", body.label),
            operations=operations,
            expires_at=expires_at,
            **sending.asked,
        ),
        unless=await _no_room(mesh, caller),
    )
    if reply.reason == TOO_MANY:
        raise _too_many()
    await _everywhere(mesh, accepted(reply).position)
    # A repeat is told of the first time.
    first = await first_event_of(mesh, reply)
    shown = {
        "id": str(key_id),
        "label": body.label,
        "operations": operations,
        "issued_at": sending.asked_at if first is None else first.issued_at,
        "expires_at": expires_at if first is None else first.expires_at,
    }
    return answer(reply, 201, {**shown, "api_key": key.text})


@router.get(
    "",
    operation_id="list_api_keys",
    response_model=ApiKeysAnswer,
    responses={**ok("Keys", {"items": [_KEY]}), **problem_responses(400, 401, 403)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, UNLIMITED)
async def list_api_keys(request: Request, mesh: Mesh, caller: SignedIn) -> Response:
    """One's own keys that work, the newest first; never their texts."""
    await KEYS.wait(request)
    owner = await _own_key(mesh, caller)
    # Besides those on the keyring there may be some from before there were keyrings.
    rows = await api_keys.live_of(mesh.postgres, caller.user_id, _now(), 2 * KEYS_MAX)
    items = [
        {
            "id": row["key"],
            "label": owner.unseal("api key label", row["label_sealed"]),
            "operations": row["operations"].split(),
            "issued_at": row["issued_at"],
            "expires_at": row["expires_at"],
        }
        for row in rows
    ]
    return private_json({"items": items})


@router.delete(
    "/{key_id:uuid}",
    operation_id="revoke_api_key",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "Revoked"}, **problem_responses(401, 403, 404)},
)
@Door(SIGNED_IN, CHANGES)
async def revoke_api_key(key_id: UUID, mesh: Mesh, sending: Sending, caller: SignedIn) -> Response:
    """Revoke a key of one's own, or as an admin anybody's. When this answers it opens nothing."""
    row = await api_keys.by_id(mesh.postgres, str(key_id))
    owner_id = UUID(caller.user_id if row is None else row["user_id"])
    reply = await sending.reply_to(RevokeApiKey(key_id=key_id, user_id=owner_id, **sending.asked))
    if reply.reason == "api_key_unknown":
        older = RevokeApiKey(key_id=key_id, **sending.asked)
        reply = await sending.reply_to(older, step="before keyrings")
    await _everywhere(mesh, accepted(reply).position)
    return answer(reply, 204)


async def _no_room(mesh: Machines, caller: Caller) -> Problem | None:
    """Counts those from before there were keyrings, too; the writer counts the keyring's."""
    live = await api_keys.live_of(mesh.postgres, caller.user_id, _now(), KEYS_MAX)
    return _too_many() if len(live) >= KEYS_MAX else None


def _too_many() -> Problem:
    return Problem(409, TOO_MANY, f"At most {KEYS_MAX}: revoke one that is not used")


def _allowed(asked: list[str], doors: Mapping[str, Door], caller: Caller) -> tuple[str, ...]:
    """The operations in the order of their names; raises 422 for those that are not to be had."""
    faults = [
        Fault(pointer=f"/operations/{place}", detail="is no operation that a key of yours may open")
        for place, operation in enumerate(asked)
        if not _may_open(doors.get(operation), caller)
    ]
    if faults:
        raise Problem(422, "invalid", "A key opens what its owner may do", faults=faults)
    return tuple(sorted(set(asked)))


def _may_open(door: Door | None, caller: Caller) -> bool:
    return door is not None and door.keys and door.lets_in(caller.role)


async def _own_key(mesh: Machines, caller: Caller) -> PersonKey:
    found = await mesh.vault.person(UUID(caller.user_id))
    if found is None:
        raise unauthenticated("session_ended", "This account is no longer there")
    return found


async def _everywhere(mesh: Machines, position: Position | None) -> None:
    """Return once every API process knows: they all ask the same read model. A key that waits to
    be mended opens nothing.
    """
    if position is not None:
        with suppress(BeingRepaired):
            await KEYS.reach(mesh, [position])


def _now() -> datetime:
    return datetime.now(UTC)
