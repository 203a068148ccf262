"""Whether those one talks with are there: over HTTP, and told over the socket when it changes.

Only whom somebody has exchanged words with learns it: of all others, of whoever has blocked somebody
or is blocked by them, and of whoever hides it, the answer is that of people who were never there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request
from pydantic import AwareDatetime, BaseModel
from starlette.responses import Response

from api.backends.machines import Machines, Mesh
from api.entry.auth import SignedIn
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import SEARCHES, SIGNED_IN, Door
from api.entry.routing import new_router
from api.profiles.sight import People, people_of
from api.wire.problems import StoreUnavailableError, problem_responses
from api.wire.successes import ok, private_json
from infra.clients.redis import REDIS_DOWN
from infra.heartbeats import Heartbeats, Presence, mark_of
from projections.identity.users import users
from projections.messaging import blocks, conversations
from projections.profiles import user_preferences

IDS_MAX = 100
KNOWN = CaughtUp(
    conversations.conversations, blocks.blocks, users, user_preferences.user_preferences
)
_HERE = {
    "user_id": "01980000-0000-7000-8000-00000000000a",
    "online": True,
    "last_seen": "2026-03-01T12:00:00Z",
}

router = new_router("messaging")


class PersonPresence(BaseModel):
    """Whether somebody is there, and when they were last; null: nobody knows, or not the caller."""

    user_id: UUID
    online: bool
    last_seen: AwareDatetime | None


class PresenceAnswer(BaseModel):
    """Everybody who was asked for, in that order."""

    items: list[PersonPresence]


@router.get(
    "/api/chat/presence",
    operation_id="read_presence",
    response_model=PresenceAnswer,
    responses={**ok("Who is there", {"items": [_HERE]}), **problem_responses(400, 401, 403)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, SEARCHES)
async def read_presence(
    request: Request,
    mesh: Mesh,
    caller: SignedIn,
    ids: Annotated[
        list[UUID], Query(min_length=1, max_length=IDS_MAX, description="Of whom, each a parameter")
    ],
) -> Response:
    """Whether people whom one has exchanged words with are there, and when they were last. Of all
    others it says that they are not and never were.
    """
    await KNOWN.wait(request, whole=False)
    wanted = [str(each) for each in dict.fromkeys(ids)]
    known = await _known(mesh, caller.user_id, wanted)
    found = await _looked(mesh, await people_of(mesh, known))
    nobody = Presence()
    items: list[dict[str, Any]] = [
        {"user_id": each, **vars(found.get(each, nobody))} for each in wanted
    ]
    return private_json({"items": items})


async def _looked(mesh: Machines, people: People) -> dict[str, Presence]:
    marks = {each: mark_of(people.keys[each]) for each in people.names}
    try:
        return await Heartbeats(mesh.redis, mesh.settings.store_prefix).look(marks)
    except REDIS_DOWN as error:
        raise StoreUnavailableError("redis") from error


async def _known(mesh: Machines, user_id: str, wanted: Sequence[str]) -> Sequence[str]:
    """Of these, whose presence this person may know."""
    talked = await conversations.partners(mesh.postgres, user_id)
    near = await _near(mesh, user_id, [each for each in wanted if each in talked])
    hiding = await user_preferences.hiding(mesh.postgres, near)
    return [each for each in near if each not in hiding]


async def _near(mesh: Machines, user_id: str, others: Sequence[str]) -> Sequence[str]:
    """Those whom no block keeps apart from this person. A list that waits to be mended may hold one."""
    if not others:
        return []
    waiting = await mesh.withheld.among(blocks.blocks.name, [user_id, *others])
    if user_id in waiting:
        return []
    apart = await blocks.apart(mesh.postgres, user_id, others)
    return [each for each in others if each not in apart and each not in waiting]


async def witnesses(mesh: Machines, user_id: str) -> Sequence[str]:
    """Who is told when this person comes or goes."""
    if await user_preferences.hiding(mesh.postgres, [user_id]):
        return []
    talked = await conversations.partners(mesh.postgres, user_id)
    return await _near(mesh, user_id, sorted(talked))
