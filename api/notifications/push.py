"""Where the caller is shown notifications: browsers by Web Push, apps by Firebase Cloud Messaging."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Request
from pydantic import ConfigDict, Field
from starlette.responses import Response

from api.backends.machines import Machines, Mesh
from api.entry.auth import SignedIn
from api.entry.commands import Sending, keyed
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import CHANGES, SIGNED_IN, UNLIMITED, Door
from api.entry.routing import new_router
from api.notifications.bodies import (
    CHANGED,
    SUBSCRIPTION,
    NotificationChangedAnswer,
    PushSubscriptionsAnswer,
)
from api.profiles.sight import key_of
from api.wire.changes import answer, changed
from api.wire.forms import Body
from api.wire.problems import Problem, problem_responses
from api.wire.successes import CREATED, ok, private_json
from infra.channels.opened import push_kinds
from infra.channels.push import (
    DeviceSubscription,
    PushSubscription,
    WebSubscription,
    device_fault,
)
from infra.channels.subscriptions import sealed
from infra.channels.web_push import vapid_public_key, web_fault
from projections.notifications import push_subscriptions
from schemas.log.messages import Fault
from schemas.notifications import DeviceKind, SubscribeToPush, UnsubscribeFromPush
from schemas.values.numbers import NUMBER
from schemas.values.texts import TOKEN

ALL = "/api/notifications/push"
SUBSCRIBED = CaughtUp(push_subscriptions.push_subscriptions)
Text = Annotated[str, TOKEN, Field(min_length=1, max_length=1_000)]

router = new_router("notifications")


class BrowserKeys(Body):
    """The keys of a browser's subscription, base64url."""

    p256dh: Annotated[str, TOKEN, Field(min_length=1, max_length=200)]
    auth: Annotated[str, TOKEN, Field(min_length=1, max_length=100)]


class NewPushSubscription(Body):
    """A browser's `PushSubscription.toJSON()`, or the registration token of an app."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "endpoint": "https://updates.push.services.mozilla.com/wpush/v2/gAAA",
                    "keys": {
                        "p256dh": "BIZwcw5zmKDsmwn3HSj9nYGYzkkqJNCUY6hn2hBDd5ki"
                        "Eu-m3yIOH6p1qJZKyP5m2nI_I7DiDyiDijJCxpp_kqQ",
                        "auth": "BTBZMqHH6r4Tts7J_aSIgg",
                    },
                }
            ]
        }
    )

    endpoint: Text | None = None
    expirationTime: Annotated[int, Field(ge=0, le=2**53), NUMBER] | None = None  # noqa: N815 - as browsers write it
    keys: BrowserKeys | None = None
    token: Annotated[str, TOKEN, Field(min_length=1, max_length=4_096)] | None = None

    @property
    def subscription(self) -> PushSubscription | None:
        """What messages are sent to; None: it says nothing, or both."""
        if self.token is not None and self.endpoint is None and self.keys is None:
            return DeviceSubscription(self.token)
        if self.endpoint is not None and self.keys is not None and self.token is None:
            return WebSubscription(self.endpoint, self.keys.p256dh, self.keys.auth)
        return None


@router.get(
    ALL,
    operation_id="list_push_subscriptions",
    response_model=PushSubscriptionsAnswer,
    responses={
        **ok("The subscriptions", {"items": [SUBSCRIPTION], "vapid_public_key": "BMf2…"}),
        **problem_responses(400, 401, 403),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, UNLIMITED)
async def list_push_subscriptions(request: Request, mesh: Mesh, caller: SignedIn) -> Response:
    """On which browsers and devices the caller is shown notifications, at most ten, and the key
    that a page gives its browser to subscribe (`applicationServerKey`), empty where there is none.
    """
    await SUBSCRIBED.wait(request)
    rows = await push_subscriptions.of_person(mesh.postgres, caller.user_id)
    items = [
        {"id": row["id"], "device": row["device"], "subscribed_at": row["subscribed_at"]}
        for row in rows
    ]
    return private_json({"items": items, "vapid_public_key": vapid_public_key(mesh.settings)})


@router.post(
    ALL,
    operation_id="subscribe_to_push",
    status_code=201,
    response_model=NotificationChangedAnswer,
    responses={
        **ok("Notifications are shown there", CHANGED, 201, headers=CREATED),
        **problem_responses(400, 401, 403, 409, 410, 415),
    },
)
@Door(SIGNED_IN, CHANGES)
async def subscribe_to_push(
    body: NewPushSubscription, mesh: Mesh, sending: Sending, caller: SignedIn
) -> Response:
    """Show notifications on one more browser or device. The same one again is the same; beyond ten
    the one that was added first gives way.
    """
    subscription = _judged(mesh, body)
    user_id = UUID(caller.user_id)
    name = body.token or body.endpoint
    subscription_id = UUID(
        bytes=keyed(mesh.settings, f"push subscription\n{user_id}\n{name}")[:16], version=4
    )
    command = SubscribeToPush(
        user_id=user_id,
        subscription_id=subscription_id,
        device=DeviceKind(subscription.kind),
        subscription_sealed=sealed(await key_of(mesh, user_id), subscription),
        **sending.asked,
    )
    reply = await sending.send(command)
    return changed(reply, subscription_id, 201, location=f"{ALL}/{subscription_id}")


@router.delete(
    f"{ALL}/{{subscription_id:uuid}}",
    operation_id="unsubscribe_from_push",
    status_code=204,
    response_class=Response,
    responses={
        204: {"description": "None is shown there"},
        **problem_responses(400, 401, 403),
    },
)
@Door(SIGNED_IN, CHANGES)
async def unsubscribe_from_push(
    subscription_id: UUID, sending: Sending, caller: SignedIn
) -> Response:
    """Show no notifications there any more; where none are, nothing happens."""
    command = UnsubscribeFromPush(
        user_id=UUID(caller.user_id), subscription_id=subscription_id, **sending.asked
    )
    return answer(await sending.send(command), 204)


def _judged(mesh: Machines, body: NewPushSubscription) -> PushSubscription:
    """What messages are sent to; raises 422 where nothing ever can be, and 409 where this shop has
    nobody who carries them there.
    """
    found = body.subscription
    match found:
        case None:
            pointers = ["/token"] if body.token is not None else ["/endpoint", "/keys"]
            fault = "send a browser's endpoint and keys, or an app's token, and not both"
        case WebSubscription():
            fault = web_fault(found, mesh.settings)
            of_keys = fault.startswith("the keys")
            pointers = ["/keys/p256dh", "/keys/auth"] if of_keys else ["/endpoint"]
        case DeviceSubscription():
            pointers, fault = ["/token"], device_fault(found)
    if found is None or fault:
        raise Problem(
            422,
            "subscription_invalid",
            "Nothing can be shown there: see errors",
            faults=[Fault(pointer=each, detail=fault) for each in pointers],
        )
    if found.kind not in push_kinds(mesh.settings):
        raise Problem(409, "push_not_set_up", "This shop has nobody who carries messages there")
    return found
