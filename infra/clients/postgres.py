"""Postgres: connection pools with bounds."""

from __future__ import annotations

from typing import Any

import asyncpg

from infra.settings import Settings

CONNECT_TIMEOUT_S = 5.0
COMMAND_TIMEOUT_S = 30.0

_DOWN = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.InvalidCatalogNameError,
)


def means_down(error: BaseException) -> bool:
    """Whether this says that Postgres can't be reached or can't serve now, rather than that
    the statement or its values were wrong (an InterfaceError that is a ValueError).
    """
    return isinstance(error, _DOWN) and not isinstance(error, ValueError)


async def open_pool(
    settings: Settings,
    *,
    size_min: int = 1,
    size_max: int = 8,
    command_timeout_s: float = COMMAND_TIMEOUT_S,
) -> asyncpg.Pool:
    """A pool of at most `size_max` connections; raises OSError or asyncpg errors when Postgres
    can't be reached within five seconds. Whoever uses a connection leaves nothing on it: what
    is set is set for a transaction, and no lock outlives one.
    """
    return await asyncpg.create_pool(
        settings.database_url.get_secret_value(),
        min_size=size_min,
        max_size=size_max,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=command_timeout_s,
        reset=_leave_as_is,
    )


async def _leave_as_is(_: Any) -> None:
    """Asyncpg's own way is one more statement, RESET ALL and the like, after every use."""
