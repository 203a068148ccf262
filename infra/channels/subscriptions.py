"""Subscriptions to push as the log keeps them: whoever has one can write to that browser or device,
so they are sealed with the person's key.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson

from infra.channels.push import DeviceSubscription, PushSubscription, WebSubscription
from infra.vault.vault import PersonKey, UnsealError

NAME = "subscription"  # as the field is called


def sealed(key: PersonKey, subscription: PushSubscription) -> str:
    """What opens with the person's key."""
    said = orjson.dumps(
        {"kind": subscription.kind, **asdict(subscription)}, option=orjson.OPT_SORT_KEYS
    )
    return key.seal(NAME, said.decode())


def opened(key: PersonKey, text: str) -> PushSubscription | None:
    """What was sealed; None where it does not open."""
    try:
        said: dict[str, Any] = orjson.loads(key.unseal(NAME, text))
    except UnsealError:
        return None
    kind = said.pop("kind")
    return WebSubscription(**said) if kind == WebSubscription.kind else DeviceSubscription(**said)
