"""Alerts: how somebody is told of what a saved search finds, and how they make that end."""

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
from api.entry.doors import ANYONE, CHANGES, FROM_ONE_ADDRESS, SEARCHES, SIGNED_IN, UNLIMITED, Door
from api.entry.routing import new_router
from api.profiles.sight import key_of
from api.searches.bodies import (
    ALERT,
    ALERT_ID,
    AlertChangedAnswer,
    AlertChanges,
    AlertsAnswer,
    NewAlert,
)
from api.searches.shown import alert_shown
from api.wire.changes import answer, changed
from api.wire.links import STOP_PAGE, STOP_PAGE_HEADERS
from api.wire.problems import Problem, problem_responses
from api.wire.successes import CREATED, ok, private_json
from infra.unsubscribing import PATH, Subscription, Unsubscribing
from projections.searches import alert_matches, saved_searches
from schemas.log.messages import Role
from schemas.searches import CreateAlert, DeleteAlert, Unsubscribe, UpdateAlert

ALL = "/api/search/alerts"
ONE = f"{ALL}/{{alert_id:uuid}}"
ALERTS = CaughtUp(saved_searches.saved_searches, alert_matches.alert_matches)
LINK_HOLDER = Caller(user_id="unsubscribe", role=Role.SYSTEM)  # the link says whose mails

_CHANGED = {"id": ALERT_ID, "version": 2}
Token = Annotated[
    str, Path(description="What stands in the mail's link", examples=["q1nJ0X…"], max_length=200)
]

router = new_router("searches")


@router.post(
    ALL,
    operation_id="create_alert",
    status_code=201,
    response_model=AlertChangedAnswer,
    responses={
        **ok("It tells of what is found from now on", _CHANGED, 201, headers=CREATED),
        **problem_responses(400, 401, 403, 404, 409, 415),
    },
)
@Door(SIGNED_IN, CHANGES)
async def create_alert(body: NewAlert, sending: Sending, caller: SignedIn) -> Response:
    """Be told of what a saved search of your own finds: at once, daily or weekly at nine (Colombo),
    or not by mail (`off`). A search has one alert. It tells of what happens after it was made: a
    listing is new, is back on the market, or costs at least 3 % less than at its last news. What
    begins to fit otherwise, by a smaller step of its price or by what is put right in it, is found
    by searching and not told. At once comes one mail for all searches that have found the same
    listing, and 20 mails an hour at most: what is found beyond them comes with your next daily
    digest, where one of your alerts is `daily`, and stands among the search's matches at any rate.
    """
    alert_id = sending.new_id("alert")
    command = CreateAlert(
        user_id=UUID(caller.user_id),
        alert_id=alert_id,
        search_id=body.search_id,
        frequency=body.frequency,
        channels=body.channels,
        **sending.asked,
    )
    reply = await sending.send(command)
    return changed(reply, alert_id, 201, location=f"{ALL}/{alert_id}")


@router.get(
    ALL,
    operation_id="list_alerts",
    response_model=AlertsAnswer,
    responses={**ok("Alerts", {"items": [ALERT]}), **problem_responses(400, 401, 403, 410)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, SEARCHES)
async def list_alerts(request: Request, mesh: Mesh, caller: SignedIn) -> Response:
    """One's own alerts, the last made first, and when each has sent a mail last."""
    await ALERTS.wait(request)
    rows = await saved_searches.alerts_of(mesh.postgres, caller.user_id)
    key = await key_of(mesh, UUID(caller.user_id))
    return private_json({"items": [alert_shown(row, key) for row in rows]})


@router.put(
    ONE,
    operation_id="update_alert",
    response_model=AlertChangedAnswer,
    responses={
        **ok("Changed", _CHANGED),
        **problem_responses(400, 401, 403, 404, 415),
    },
)
@Door(SIGNED_IN, CHANGES)
async def update_alert(
    alert_id: UUID, body: AlertChanges, sending: Sending, caller: SignedIn
) -> Response:
    """Be told more or less often. What waits to be told goes by it, too: it comes with the next
    digest of that frequency, and with none once the alert is `off`. What is found while the
    alert is `off` is not told later; it stands among the search's matches.
    """
    command = UpdateAlert(
        user_id=UUID(caller.user_id),
        alert_id=alert_id,
        frequency=body.frequency,
        channels=body.channels,
        **sending.asked,
    )
    return changed(await sending.send(command), alert_id)


@router.delete(
    ONE,
    operation_id="delete_alert",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "Deleted"}, **problem_responses(400, 401, 403, 404)},
)
@Door(SIGNED_IN, CHANGES)
async def delete_alert(alert_id: UUID, sending: Sending, caller: SignedIn) -> Response:
    """End an alert of one's own. The search stays."""
    user_id = UUID(caller.user_id)
    command = DeleteAlert(user_id=user_id, alert_id=alert_id, **sending.asked)
    return answer(await sending.send(command), 204)


@router.get(
    f"{PATH}/{{token}}",
    operation_id="show_unsubscribe",
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
async def show_unsubscribe(token: Token, mesh: Mesh) -> Response:
    """Where the link of a mail leads: a button. Opening it stops nothing: mail scanners open every
    link.
    """
    _meant(mesh, token)
    return Response(STOP_PAGE, headers=STOP_PAGE_HEADERS, media_type="text/html")


@router.post(
    f"{PATH}/{{token}}",
    operation_id="unsubscribe",
    response_model=None,
    responses={
        **ok("No mail of these is sent any more", {"unsubscribed": True}),
        **problem_responses(404),
    },
)
@Door(ANYONE, FROM_ONE_ADDRESS, any_query=True)
async def unsubscribe(
    token: Token, mesh: Mesh, sending: SendingAnew, _caller: MaybeCaller
) -> Response:
    """Stop the mails that a mail's link is about, without a log-in (RFC 8058): of one alert, or of
    all that come in a digest. What they find is listed on. Asked again it does nothing.
    """
    meant = _meant(mesh, token)
    system = replace(sending, caller=LINK_HOLDER)
    command = Unsubscribe(user_id=meant.user_id, alert_id=meant.alert_id, **system.asked)
    body: dict[str, Any] = {"unsubscribed": True}
    return answer(await system.send(command), 200, body)


def _meant(mesh: Machines, token: str) -> Subscription:
    meant = Unsubscribing(mesh.settings).meant(token)
    if meant is None:
        raise Problem(404, "link_unknown", "This link is of no mail of ours")
    return meant
