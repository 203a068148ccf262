"""What the document says of a success, and whether one is like that."""

from __future__ import annotations

from typing import Final

import httpx

from api.document.answer_headers import RATE_LIMIT_HEADERS
from tests.api.operations import Operation

# What browsers and caches on the way act on, or who looks for a fault: no code of a client's.
FOR_OTHERS: Final = {
    *("content-type", "content-length", "content-disposition", "cache-control", "vary"),
    *("set-cookie", "x-request-id", "x-content-type-options", "content-security-policy"),
    *("referrer-policy", "strict-transport-security", "cross-origin-resource-policy"),
}
LIMITS: Final = {each.lower() for each in RATE_LIMIT_HEADERS}  # whoever looks here is not limited
FEEDS: Final = "/api/feeds/"
# Whose deed finds nothing to do, so that its answer tells of no write.
IDLE: Final = {"remove_avatar", "mark_notifications_read"}


def is_as_documented(operation: Operation, answer: httpx.Response) -> None:
    """Its usual success, with the headers that are documented and no others."""
    assert answer.status_code == usual(operation), answer.text
    assert told_to_clients(answer) == documented(operation, answer)


def told_to_clients(answer: httpx.Response) -> set[str]:
    """The headers that a client's code reads."""
    return set(answer.headers) - FOR_OTHERS - LIMITS


def usual(operation: Operation) -> int:
    """The status of its success; of several the one that is documented first."""
    return int(next(iter(operation.document["responses"])))


def documented(operation: Operation, answer: httpx.Response) -> set[str]:
    """The headers that this answer of the operation should have."""
    told = operation.document["responses"][str(answer.status_code)].get("headers", {})
    names = {each.lower() for each in told} - LIMITS
    return names if "link" not in names or more_follows(answer) else names - {"link"}


def more_follows(answer: httpx.Response) -> bool:
    if answer.request.url.path.startswith(FEEDS):
        return True  # two are asked for one by one
    body = answer.json()
    return body["next" if "hits" in body else "next_cursor"] is not None
