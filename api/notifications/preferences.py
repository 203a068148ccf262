"""How the caller wants to be told, and the links of mails by which anybody ends them."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Request
from starlette.responses import Response

from api.backends.machines import Machines, Mesh
from api.entry.auth import Caller, MaybeCaller, SignedIn
from api.entry.commands import Sending, SendingAnew
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import ANYONE, CHANGES, FROM_ONE_ADDRESS, SIGNED_IN, UNLIMITED, Door
from api.entry.routing import new_router
from api.notifications.bodies import (
    CHANGED,
    PREFERENCES,
    NotificationChangedAnswer,
    NotificationPreferenceChanges,
    NotificationPreferencesAnswer,
    clock_time,
)
from api.wire.changes import answer, changed
from api.wire.links import STOP_PAGE, STOP_PAGE_HEADERS
from api.wire.problems import Problem, problem_responses
from api.wire.successes import ok, private_json
from infra.unsubscribing import TYPES_PATH, TypeLinks
from projections.notifications import inboxes
from projections.profiles import user_preferences
from schemas.log.messages import Role
from schemas.notifications import (
    ChangeNotificationPreferences,
    Choice,
    NotificationChannel,
    NotificationType,
    Pace,
)
from schemas.profiles import PreferenceChoices, UpdatePreferences

ALL = "/api/notifications/preferences"
CHOSEN = CaughtUp(inboxes.inboxes, user_preferences.user_preferences)
LINK_HOLDER = Caller(user_id="unsubscribe", role=Role.SYSTEM)  # the link says whose they are
_SWITCHES = {
    "email_enabled": "email_notifications",
    "sms_enabled": "sms_notifications",
    "push_enabled": "push_notifications",
}
Token = Annotated[
    str, Path(description="What stands in the mail's link", examples=["q1nJ0X…"], max_length=200)
]

router = new_router("notifications")


@router.get(
    ALL,
    operation_id="read_notification_preferences",
    response_model=NotificationPreferencesAnswer,
    responses={**ok("What holds", PREFERENCES), **problem_responses(400, 401, 403)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, UNLIMITED)
async def read_notification_preferences(request: Request, mesh: Mesh, caller: SignedIn) -> Response:
    """How soon the caller is told of each type by each channel, chosen or by default, their quiet
    hours, and the switches of the channels.
    """
    await CHOSEN.wait(request)
    inbox = await inboxes.by_id(mesh.postgres, caller.user_id)
    chosen = await user_preferences.by_id(mesh.postgres, caller.user_id)
    types: dict[str, dict[str, Pace]] = {}
    for (kind, channel), pace in inbox.paces.items():
        types.setdefault(kind.value, {})[channel.value] = pace
    quiet = None
    if inbox.quiet_begin is not None and inbox.quiet_end is not None:
        quiet = {"begin": clock_time(inbox.quiet_begin), "end": clock_time(inbox.quiet_end)}
    return private_json(
        {
            "types": types,
            "zone": inbox.zone,
            "quiet_hours": quiet,
            "email_enabled": chosen.email_notifications,
            "sms_enabled": chosen.sms_notifications,
            "push_enabled": chosen.push_notifications,
        }
    )


@router.put(
    ALL,
    operation_id="update_notification_preferences",
    response_model=NotificationChangedAnswer,
    responses={**ok("Done", CHANGED), **problem_responses(400, 401, 403, 415)},
)
@Door(SIGNED_IN, CHANGES)
async def update_notification_preferences(
    body: NotificationPreferenceChanges, sending: Sending, caller: SignedIn
) -> Response:
    """Choose what is sent; the rest stays. What waits to be told goes by it, too. Links for another
    password and for proving an e-mail are mailed whatever is chosen.
    """
    user_id, sent = UUID(caller.user_id), body.model_fields_set
    switches = {name: getattr(body, shown) for shown, name in _SWITCHES.items() if shown in sent}
    if switches:
        await sending.send(
            UpdatePreferences(
                user_id=user_id, choices=PreferenceChoices(**switches), **sending.asked
            ),
            step="switches",
        )
    command = ChangeNotificationPreferences(
        user_id=user_id,
        choices=tuple(
            Choice(type=kind, channel=channel, pace=pace)
            for kind, channel, pace in body.types.chosen()
        ),
        zone=body.zone if "zone" in sent else None,
        quiet_hours=body.quiet_hours and body.quiet_hours.minutes,
        no_quiet_hours="quiet_hours" in sent and body.quiet_hours is None,
        **sending.asked,
    )
    return changed(await sending.send(command), user_id)


@router.get(
    f"{TYPES_PATH}/{{token}}",
    operation_id="show_unsubscribe_type",
    response_class=Response,
    responses={
        200: {
            "description": "A page with a button",
            "content": {"text/html": {"schema": {"type": "string"}, "example": "<!doctype…"}},
        },
        **problem_responses(404),
    },
)
@Door(ANYONE, UNLIMITED, any_query=True)
async def show_unsubscribe_type(token: Token, mesh: Mesh) -> Response:
    """Where the link of a mail leads: a button. Opening it stops nothing: mail scanners open every
    link.
    """
    _meant(mesh, token)
    return Response(STOP_PAGE, headers=STOP_PAGE_HEADERS, media_type="text/html")


@router.post(
    f"{TYPES_PATH}/{{token}}",
    operation_id="unsubscribe_type",
    response_model=None,
    responses={
        **ok("No mail of this type is sent any more", {"unsubscribed": True}),
        **problem_responses(404),
    },
)
@Door(ANYONE, FROM_ONE_ADDRESS, any_query=True)
async def unsubscribe_type(
    token: Token, mesh: Mesh, sending: SendingAnew, _caller: MaybeCaller
) -> Response:
    """Stop the mails of one type, without a log-in (RFC 8058). They are listed on. Asked again it
    does nothing.
    """
    user_id, kind, channel = _meant(mesh, token)
    system = replace(sending, caller=LINK_HOLDER)
    command = ChangeNotificationPreferences(
        user_id=user_id,
        choices=(Choice(type=kind, channel=channel, pace=Pace.OFF),),
        **system.asked,
    )
    body: dict[str, Any] = {"unsubscribed": True}
    return answer(await system.send(command), 200, body)


def _meant(mesh: Machines, token: str) -> tuple[UUID, NotificationType, NotificationChannel]:
    meant = TypeLinks(mesh.settings).meant(token)
    if meant is None:
        raise Problem(404, "link_unknown", "This link is of no mail of ours")
    return meant
