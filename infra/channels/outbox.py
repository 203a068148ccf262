"""A folder of what was sent to nobody: the SMS and push messages of a machine of development.

One file each, newest last by name; readable by the owner only, for they hold numbers and links. The
oldest go when there are too many. `mesh outbox` shows them. What a provider would refuse is refused
here as well.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import orjson

from infra.channels.errors import ChannelRefusedError
from infra.channels.push import (
    PushKind,
    PushMessage,
    PushSubscription,
    WebSubscription,
    as_json,
    device_fault,
)
from infra.channels.sms import Sms, checked
from infra.channels.web_push import web_fault
from infra.settings import Settings, state_folder

FOLDER: Final = "outbox"
KEPT_MAX: Final = 1_000
SHOWN_MAX: Final = 200


@dataclass(frozen=True)
class Kept:
    """One message and when it came. `to`: a number, an endpoint or a token."""

    came_at: datetime
    channel: str  # sms, push/web, push/fcm
    to: str
    text: str  # as it is shown
    effect_id: str
    url: str = ""
    tag: str = ""

    def __repr__(self) -> str:
        return "Kept(…)"


@dataclass(frozen=True)
class Outbox:
    """The messages in one folder."""

    folder: Path

    def keep(self, fields: Mapping[str, str]) -> None:
        """Add a message, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The random part keeps two processes at the same nanosecond apart.
        path = self.folder / f"{time.time_ns():020}-{uuid4().hex[:8]}.json"
        draft = path.with_suffix(".draft")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(orjson.dumps(fields))
        draft.replace(path)
        for old in self._paths()[:-KEPT_MAX]:
            old.unlink(missing_ok=True)

    def newest(self, count: int = 20) -> list[Kept]:
        """The last messages, newest last."""
        found = []
        for path in self._paths()[::-1][: min(count, SHOWN_MAX)]:
            with suppress(FileNotFoundError):  # it was the oldest, and had to go
                found.append(_read(path))
        return found[::-1]

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("*.json")) if self.folder.exists() else []


def outbox(folder: Path | None = None) -> Outbox:
    """The one of a state folder; this process's own when none is named."""
    return Outbox((folder or state_folder()) / FOLDER)


class SinkSms:
    """Keeps SMS on this machine."""

    def __init__(self, box: Outbox) -> None:
        self._box = box

    async def send(self, sms: Sms, effect_id: UUID) -> None:
        """See SmsSender."""
        checked(sms)
        told = {"channel": "sms", "to": sms.number, "text": sms.text}
        self._box.keep(told | {"effect_id": str(effect_id)})


class SinkPush:
    """Keeps push messages on this machine."""

    kinds: frozenset[PushKind] = frozenset({"web", "fcm"})

    def __init__(self, settings: Settings, box: Outbox) -> None:
        self._settings = settings
        self._box = box

    async def send(
        self, message: PushMessage, subscription: PushSubscription, effect_id: UUID
    ) -> None:
        """See PushSender."""
        told = orjson.loads(as_json(message, effect_id))
        if isinstance(subscription, WebSubscription):
            fault, to = web_fault(subscription, self._settings), subscription.endpoint
        else:
            fault, to = device_fault(subscription), subscription.token
        if fault:
            raise ChannelRefusedError(fault)
        kept = {"channel": f"push/{subscription.kind}", "to": to, "effect_id": told["id"]}
        text = f"{message.title}\n{message.body}"
        self._box.keep(kept | {"text": text, "url": told["url"], "tag": told["tag"]})


def _read(path: Path) -> Kept:
    came_at = datetime.fromtimestamp(int(path.stem.partition("-")[0]) / 1e9, UTC)
    return Kept(came_at=came_at, **orjson.loads(path.read_bytes()))
