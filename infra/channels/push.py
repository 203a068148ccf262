"""Push: one port, `PushSender.send(message, subscription, effect_id)`, for browsers and for apps.

What shows a message shows one of each tag, so that a repeat takes its first copy's place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, Protocol, TypeAlias
from uuid import UUID

import orjson

from infra.channels.errors import ChannelRefusedError

PushKind: TypeAlias = Literal["web", "fcm"]
Urgency: TypeAlias = Literal["very-low", "low", "normal", "high"]  # RFC 8030, 5.3
MESSAGE_BYTES_MAX: Final = 3_900  # as JSON: services take 4,096 with the encryption's own
DAY_S: Final = 24 * 3600
_TOKEN = re.compile(r"[A-Za-z0-9_:.-]{1,4096}")


@dataclass(frozen=True)
class WebSubscription:
    """A browser's `PushSubscription.toJSON()`: all of it was given by a client."""

    endpoint: str
    p256dh: str  # base64url, as browsers write it
    auth: str
    kind: ClassVar[PushKind] = "web"

    def __repr__(self) -> str:
        return "WebSubscription(…)"  # whoever has it can write to that browser


@dataclass(frozen=True)
class DeviceSubscription:
    """An app's registration with Firebase Cloud Messaging."""

    token: str
    kind: ClassVar[PushKind] = "fcm"

    def __repr__(self) -> str:
        return "DeviceSubscription(…)"


PushSubscription: TypeAlias = WebSubscription | DeviceSubscription


@dataclass(frozen=True)
class PushMessage:
    """What is shown to somebody. `url`: what a touch opens. `tag`: of two with the same one only
    the later is shown; none: the effect's id. `ttl_s`: when it is of no use any more.
    """

    title: str
    body: str
    url: str = ""
    tag: str = ""
    urgency: Urgency = "normal"
    ttl_s: int = DAY_S

    def __repr__(self) -> str:
        return "PushMessage(…)"  # it may quote people


def as_json(message: PushMessage, effect_id: UUID) -> bytes:
    """What the page or app is given; raises ChannelRefusedError for what no service would take."""
    told = {
        "title": message.title,
        "body": message.body,
        "url": message.url,
        "tag": message.tag or str(effect_id),
        "id": str(effect_id),
    }
    try:
        found = orjson.dumps(told)
    except TypeError:  # half of a surrogate pair
        reason = "the message is no Unicode"
        raise ChannelRefusedError(reason) from None
    if len(found) > MESSAGE_BYTES_MAX:
        reason = f"the message has more than {MESSAGE_BYTES_MAX:,} bytes"
        raise ChannelRefusedError(reason)
    return found


def device_fault(subscription: DeviceSubscription) -> str:
    """Why nothing can ever be sent to it; empty when something can."""
    return "" if _TOKEN.fullmatch(subscription.token) else "the token is none of FCM's"


class PushSender(Protocol):
    """Sends push messages."""

    @property
    def kinds(self) -> frozenset[PushKind]:
        """The kinds of subscription it can send to; none: push is not set up."""
        ...

    async def send(
        self, message: PushMessage, subscription: PushSubscription, effect_id: UUID
    ) -> None:
        """Return when the service has taken it; raises one of infra.channels.errors, and GoneError
        when the subscription is dead.
        """
        ...


class Pushers:
    """A sender that hands each message to the one for its subscription's kind."""

    def __init__(self, senders: Mapping[PushKind, PushSender]) -> None:
        self._senders = senders

    @property
    def kinds(self) -> frozenset[PushKind]:
        """See PushSender."""
        return frozenset(self._senders)

    async def send(
        self, message: PushMessage, subscription: PushSubscription, effect_id: UUID
    ) -> None:
        """See PushSender."""
        sender = self._senders.get(subscription.kind)
        if sender is None:
            reason = f"push of the kind {subscription.kind} is not set up"
            raise ChannelRefusedError(reason)
        await sender.send(message, subscription, effect_id)
