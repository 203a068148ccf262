"""OpenSearch and ClickHouse as routes use them: when one is away, its routes say so.

with opensearch_answering():
    found = await mesh.opensearch.search(...)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from clickhouse_driver import errors as clickhouse_errors
from opensearchpy import NotFoundError

from api.wire.problems import StoreUnavailableError
from infra.clients.clickhouse import means_clickhouse_down
from infra.clients.opensearch import means_opensearch_down

UNBUILT = "this answer is still being built; try again soon"


@contextmanager
def opensearch_answering() -> Iterator[None]:
    """Turns "OpenSearch is down" and "no such index yet" into StoreUnavailableError."""
    try:
        yield
    except NotFoundError as error:
        if error.error != "index_not_found_exception":
            raise
        raise StoreUnavailableError("opensearch", UNBUILT) from error
    except Exception as error:
        if means_opensearch_down(error):
            raise StoreUnavailableError("opensearch") from error
        raise


@contextmanager
def clickhouse_answering() -> Iterator[None]:
    """Turns "ClickHouse is down" and "no such table yet" into StoreUnavailableError."""
    try:
        yield
    except Exception as error:
        if means_clickhouse_down(error):
            raise StoreUnavailableError("clickhouse") from error
        if getattr(error, "code", None) == clickhouse_errors.ErrorCodes.UNKNOWN_TABLE:
            raise StoreUnavailableError("clickhouse", UNBUILT) from error
        raise
