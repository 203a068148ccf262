"""Subscriptions to push as the log keeps them: whoever has one can write to that browser or device,
so they are sealed with the person's key.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson

from infra.channels.push import DeviceSubscription, PushSubscription, WebSubscription
from infra.vault.vault import PersonKey, UnsealError


def sealed(key: PersonKey, subscription: PushSubscription) -> str:
    """What opens with the person's key."""
    said = orjson.dumps(asdict(subscription), option=orjson.OPT_SORT_KEYS)
    return key.seal(f"push_{subscription.kind}", said.decode())


def opened(key: PersonKey, kind: str, text: str) -> PushSubscription | None:
    """What was sealed; None where it does not open."""
    try:
        said: dict[str, Any] = orjson.loads(key.unseal(f"push_{kind}", text))
    except UnsealError:
        return None
    return WebSubscription(**said) if kind == WebSubscription.kind else DeviceSubscription(**said)
