"""Shows somebody a message on each of their browsers and devices, and forgets those that are gone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast
from uuid import UUID

from infra.channels.errors import ChannelDeferredError, ChannelRefusedError, GoneError
from infra.channels.push import PushMessage
from infra.channels.subscriptions import opened
from processors.reacting.effects import Tools
from projections.notifications import push_subscriptions
from projections.reads import Reads
from schemas.log.messages import Role
from schemas.log.recorded import Recorded
from schemas.notifications import (
    NotificationDue,
    UnsubscribeFromPush,
    Withheld,
)

NAME = "forget_subscription"


async def push(
    tools: Tools, recorded: Recorded[NotificationDue], title: str, body: str, url: str
) -> Withheld | None:
    """Hand it to the service of each; why there is nowhere to show it. Raises what its senders
    raise where none has taken it.
    """
    event = recorded.event
    if not tools.push.kinds:
        return Withheld.NOT_SET_UP
    key = await tools.vault.person(event.user_id)
    if key is None:
        return Withheld.GONE
    rows = await push_subscriptions.of_person(cast("Reads", tools.postgres), str(event.user_id))
    message = PushMessage(title=title, body=body, url=url, tag=event.type.value)
    shown, failure = 0, None
    for row in rows:
        subscription = opened(key, row["subscription_sealed"])
        if subscription is None or subscription.kind not in tools.push.kinds:
            continue
        try:
            await tools.push.send(message, subscription, event.batch_id)
            shown += 1
        except GoneError:
            await _forget(tools, recorded, row["id"])
        except (ChannelDeferredError, ChannelRefusedError) as error:
            failure = error  # One browser's trouble is none of the others'.
    if failure is not None and not shown:
        raise failure
    return None if shown else Withheld.NO_ADDRESS


async def _forget(tools: Tools, recorded: Recorded[NotificationDue], subscription_id: str) -> None:
    command = UnsubscribeFromPush(
        user_id=recorded.event.user_id,
        subscription_id=UUID(subscription_id),
        asked_at=datetime.now(UTC),
        asked_by=f"effect/{NAME}",
        asked_role=Role.SYSTEM,
    )
    await tools.commands.send(f"{NAME}/{subscription_id}", recorded, [command])
