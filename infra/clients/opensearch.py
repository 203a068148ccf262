"""OpenSearch: a client with bounds, and the names of indexes."""

from __future__ import annotations

from typing import Any

from opensearchpy import AsyncOpenSearch

from infra.settings import Settings

TIMEOUT_S = 10.0
CONNECTIONS_MAX = 8


def open_opensearch(
    settings: Settings, *, timeout_s: float = TIMEOUT_S, connections_max: int = CONNECTIONS_MAX
) -> AsyncOpenSearch:
    """A client that connects at its first call; the caller closes it.

    It tries nothing again on its own: whoever calls knows what may be repeated.
    """
    return AsyncOpenSearch(
        hosts=[settings.opensearch_url],
        timeout=timeout_s,
        pool_maxsize=connections_max,
        max_retries=0,
        retry_on_timeout=False,
    )


def alias_of(settings: Settings, projection: str) -> str:
    """The public name of a projection: the one that queries use."""
    return f"mesh-{settings.store_prefix}{projection}"


def means_opensearch_down(error: BaseException) -> bool:
    """Whether this says that OpenSearch can't be reached or has no room now (429 and up),
    rather than that the request was wrong.
    """
    status: Any = getattr(error, "status_code", None)
    if status in {"N/A", "TIMEOUT"}:
        return True
    return isinstance(status, int) and (status == TOO_MANY_REQUESTS or status >= SERVER_ERROR)


TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500


def watermark_id(generation: str, topic: str, partition: int) -> str:
    """The id of a watermark's document: writers and whoever waits for them must agree."""
    return f"{generation}|{topic}|{partition}"
