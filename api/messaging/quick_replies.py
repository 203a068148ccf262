"""Quick replies: templates of what somebody says often. Nobody else sees them, unless filled and sent:
see `template_id` of `send_message`.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import Request
from pydantic import AwareDatetime, BaseModel, ConfigDict
from starlette.responses import Response

from api.backends.machines import Mesh
from api.entry.auth import SignedIn
from api.entry.commands import Sending
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import CHANGES, SEARCHES, SIGNED_IN, Door
from api.entry.routing import new_router
from api.messaging.templates import Template
from api.profiles.sight import key_of
from api.wire.changes import answer
from api.wire.forms import Body
from api.wire.problems import problem_responses
from api.wire.successes import ok, private_json
from projections.messaging import quick_replies
from schemas.messaging.quick_replies import AddQuickReply, RemoveQuickReply

ALL = "/api/messages/quick-replies"
QUICK_REPLIES = CaughtUp(quick_replies.quick_replies)
_CONTENT = "Yes, {listing.title} is still there, for {listing.price}. {seller.name}"
_KEPT = {
    "id": "01980000-0000-7000-8000-0000000000d1",
    "content": _CONTENT,
    "added_at": "2026-03-01T12:00:00Z",
}

router = new_router("messaging")


class NewQuickReply(Body):
    """What to keep. `{listing.title}`, `{listing.price}`, `{buyer.name}` and `{seller.name}` are
    replaced when it is sent.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"content": _CONTENT}]})

    content: Template


class KeptAnswer(BaseModel):
    """The new quick reply."""

    id: UUID


class QuickReply(BaseModel):
    """A template that one keeps."""

    id: UUID
    content: str
    added_at: AwareDatetime


class QuickRepliesAnswer(BaseModel):
    """All of one's own, the last added first."""

    items: list[QuickReply]


@router.get(
    ALL,
    operation_id="list_quick_replies",
    response_model=QuickRepliesAnswer,
    responses={**ok("All", {"items": [_KEPT]}), **problem_responses(400, 401, 403, 410)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, SEARCHES)
async def list_quick_replies(request: Request, mesh: Mesh, caller: SignedIn) -> Response:
    """The caller's quick replies, the last added first."""
    await QUICK_REPLIES.wait(request)
    rows = await quick_replies.of_owner(mesh.postgres, caller.user_id)
    key = await key_of(mesh, UUID(caller.user_id))
    items: list[dict[str, Any]] = [
        {
            "id": row["template_id"],
            "content": key.unseal("content", row["content_sealed"]),
            "added_at": row["added_at"],
        }
        for row in rows
    ]
    return private_json({"items": items})


@router.post(
    ALL,
    operation_id="add_quick_reply",
    status_code=201,
    response_model=KeptAnswer,
    responses={
        **ok("Kept", {"id": _KEPT["id"]}, 201),
        **problem_responses(400, 401, 403, 409, 410, 415),
    },
)
@Door(SIGNED_IN, CHANGES)
async def add_quick_reply(
    body: NewQuickReply, sending: Sending, mesh: Mesh, caller: SignedIn
) -> Response:
    """Keep a template of what you say often."""
    user_id, template_id = UUID(caller.user_id), sending.new_id("quick_reply")
    key = await key_of(mesh, user_id)
    command = AddQuickReply(
        user_id=user_id,
        template_id=template_id,
        content_sealed=key.seal("content", body.content),
        **sending.asked,
    )
    return answer(await sending.send(command), 201, {"id": str(template_id)})


@router.delete(
    f"{ALL}/{{template_id:uuid}}",
    operation_id="remove_quick_reply",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "Removed"}, **problem_responses(400, 401, 403, 404)},
)
@Door(SIGNED_IN, CHANGES)
async def remove_quick_reply(template_id: UUID, sending: Sending, caller: SignedIn) -> Response:
    """Keep a template no longer. What was sent by it stays as it was sent."""
    command = RemoveQuickReply(
        user_id=UUID(caller.user_id), template_id=template_id, **sending.asked
    )
    return answer(await sending.send(command), 204)
