"""Notifications: what the caller was told of, the last first. Nobody else sees them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request
from pydantic import Field
from starlette.responses import Response

from api.backends.machines import Machines, Mesh
from api.entry.auth import Caller, SignedIn
from api.entry.commands import Sending, judged
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import CHANGES, SEARCHES, SIGNED_IN, UNLIMITED, Door
from api.entry.paging import Paging
from api.entry.routing import new_router
from api.notifications.bodies import (
    CHANGED,
    NOTIFICATION,
    WHY,
    NotificationAnswer,
    NotificationChangedAnswer,
    NotificationsAnswer,
    ReadUpTo,
    UnreadNotificationsAnswer,
    WhyAnswer,
)
from api.profiles.sight import people_of
from api.wire.changes import changed
from api.wire.problems import Problem, problem_responses
from api.wire.successes import NO_STORE, ok, private_json
from projections.journal.streams import place_of
from projections.notifications import inboxes, notification_batches, notifications
from projections.profiles import user_preferences
from schemas.notifications import NotificationChannel, NotificationType, ReadNotifications

ALL = "/api/notifications"
ONE = f"{ALL}/{{notification_id:uuid}}"
LISTED = CaughtUp(
    notifications.notifications, notification_batches.notification_batches, inboxes.inboxes
)
COUNTED = CaughtUp(inboxes.inboxes)
_ABOUT = (
    "listing_id",
    "item_id",
    "booking_id",
    "conversation_id",
    "review_id",
    "alert_id",
    "search_id",
)

After = Annotated[
    Annotated[int, Field(ge=0, le=2**53)],
    Query(description="Only those with a higher number: what came since"),
]
Unread = Annotated[bool | None, Query(description="Only what was not seen, or only what was")]
OfType = Annotated[NotificationType | None, Query(alias="type", description="Only of this type")]

router = new_router("notifications")


@router.get(
    ALL,
    operation_id="list_notifications",
    response_model=NotificationsAnswer,
    responses={
        **ok("A page", {"items": [NOTIFICATION], "next_cursor": None}),
        **problem_responses(400, 401, 403),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, SEARCHES)
async def list_notifications(
    request: Request,
    mesh: Mesh,
    page: Paging,
    caller: SignedIn,
    after: After = 0,
    unread: Unread = None,
    kind: OfType = None,
) -> Response:
    """What the caller was told of, the last first, and what became of it by each channel. Whoever
    was away asks for what came after the last number that they know.
    """
    await LISTED.wait(request)
    wanted = notifications.Wanted(caller.user_id, after, unread, kind)
    found = await notifications.of_person(mesh.postgres, wanted, page.part)
    rows, last = page.shown(found, "number")
    people = await people_of(mesh, (row["sender_id"] for row in rows if row["sender_id"]))
    items = [_shown(row, people.name) for row in rows]
    return page.response(items, last, headers=NO_STORE)


@router.get(
    f"{ALL}/unread",
    operation_id="count_unread_notifications",
    response_model=UnreadNotificationsAnswer,
    responses={
        **ok("How many", {"unread": 3, "last_number": 12}),
        **problem_responses(400, 401, 403),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, UNLIMITED)
async def count_unread_notifications(request: Request, mesh: Mesh, caller: SignedIn) -> Response:
    """How many notifications the caller has not seen."""
    await COUNTED.wait(request)
    inbox = await inboxes.by_id(mesh.postgres, caller.user_id)
    return private_json({"unread": inbox.unread, "last_number": inbox.last_number})


@router.get(
    ONE,
    operation_id="read_notification",
    response_model=NotificationAnswer,
    responses={**ok("The notification", NOTIFICATION), **problem_responses(400, 401, 403, 404)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, UNLIMITED)
async def read_notification(
    notification_id: UUID, request: Request, mesh: Mesh, caller: SignedIn
) -> Response:
    """One of the caller's own."""
    await LISTED.wait(request)
    row = await _own(mesh, notification_id, caller)
    people = await people_of(mesh, [row["sender_id"]] if row["sender_id"] else [])
    return private_json(_shown(row, people.name))


@router.get(
    f"{ONE}/why",
    operation_id="explain_notification",
    response_model=WhyAnswer,
    responses={**ok("Why", WHY), **problem_responses(400, 401, 403, 404)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, SEARCHES)
async def explain_notification(
    notification_id: UUID, request: Request, mesh: Mesh, caller: SignedIn
) -> Response:
    """Why the caller was told of it: the event that led to it, by which rule, what their
    preferences say now, and what became of it by each channel.
    """
    await LISTED.wait(request)
    row = await _own(mesh, notification_id, caller)
    cause = await place_of(mesh.postgres, row["cause_id"])
    inbox = await inboxes.by_id(mesh.postgres, caller.user_id)
    chosen = await user_preferences.by_id(mesh.postgres, caller.user_id)
    kind = NotificationType(row["type"])
    return private_json(
        {
            "id": str(notification_id),
            "cause": {
                "event_id": row["cause_id"],
                "kind": row["cause_kind"],
                "happened_at": None if cause is None else cause["recorded_at"],
                "stream": None if cause is None else cause["stream_id"],
                "version": None if cause is None else cause["version"],
            },
            "rule": {
                "type": kind,
                "version": row["rules"],
                "alert_id": row["alert_id"],
                "search_id": row["search_id"],
            },
            "preferences": [
                {"channel": channel, "pace": pace, "enabled": chosen.enabled(channel)}
                for (about, channel), pace in inbox.paces.items()
                if about is kind
            ],
            "deliveries": _deliveries(row),
        }
    )


@router.put(
    f"{ONE}/read",
    operation_id="mark_notification_read",
    response_model=NotificationChangedAnswer,
    responses={**ok("It is read", CHANGED), **problem_responses(400, 401, 403, 404, 409)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, CHANGES)
async def mark_notification_read(
    notification_id: UUID, request: Request, mesh: Mesh, sending: Sending, caller: SignedIn
) -> Response:
    """The caller has seen this one."""
    row, against = await judged(_readable(request, mesh, notification_id, caller))
    user_id = UUID(caller.user_id)
    # Without a row it is not judged: a repeat meets its first reply, and nothing else is sent.
    number = 1 if row is None else row["number"]
    command = ReadNotifications(user_id=user_id, number=number, **sending.asked)
    return changed(await sending.send(command, unless=against), user_id)


@router.put(
    f"{ALL}/read",
    operation_id="mark_notifications_read",
    response_model=NotificationChangedAnswer,
    responses={**ok("They are read", CHANGED), **problem_responses(400, 401, 403, 415)},
)
@Door(SIGNED_IN, CHANGES)
async def mark_notifications_read(body: ReadUpTo, sending: Sending, caller: SignedIn) -> Response:
    """The caller has seen all up to this number."""
    user_id = UUID(caller.user_id)
    command = ReadNotifications(user_id=user_id, up_to=body.up_to, **sending.asked)
    return changed(await sending.send(command), user_id)


async def _readable(
    request: Request, mesh: Machines, notification_id: UUID, caller: Caller
) -> Mapping[str, Any]:
    await LISTED.wait(request)
    return await _own(mesh, notification_id, caller)


async def _own(mesh: Machines, notification_id: UUID, caller: Caller) -> Mapping[str, Any]:
    row = await notifications.by_id(mesh.postgres, str(notification_id), caller.user_id)
    if row is None:
        raise Problem(404, "notification_unknown", "You have no notification with this id")
    return row


def _shown(row: Mapping[str, Any], name: Any) -> dict[str, Any]:
    sender_id = row["sender_id"]
    return {
        "id": row["key"],
        "number": row["number"],
        "type": row["type"],
        "cause": row["cause_kind"],
        "about": {each: row[each] for each in _ABOUT},
        "sender": sender_id and {"id": sender_id, "name": name(sender_id)},
        "is_read": row["is_read"],
        "requested_at": row["requested_at"],
        "deliveries": _deliveries(row),
    }


def _deliveries(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    told = zip(
        row["channels"], row["statuses"], row["told_reasons"], row["settled_at"], strict=True
    )
    return [
        {
            "channel": NotificationChannel(channel),
            "status": status,
            "reason": reason or None,
            "settled_at": settled_at,
        }
        for channel, status, reason, settled_at in told
    ]
