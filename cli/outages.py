"""What a person is told when a command could not do its work: one line that names the server,
what is the matter with it and the cure. The command then ends with 75 (EX_TEMPFAIL): the same
command again, later, may well succeed.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Iterator
from typing import Final

import asyncpg
from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException

from api.wire.problems import StoreUnavailableError as AnswerUnavailableError
from api.wire.problems import WriteUnavailableError
from infra.answering import ask_all
from infra.clients.clickhouse import means_clickhouse_down
from infra.clients.objects import ObjectsUnavailableError
from infra.clients.opensearch import means_opensearch_down
from infra.clients.postgres import means_down
from infra.clients.redis import REDIS_DOWN
from infra.settings import Settings, SettingsError, settings
from infra.vault.vault import VaultUnavailableError
from processors.feeding.reading import LogUnavailableError
from processors.stores.port import StoreUnavailableError

EXIT_TEMPFAIL: Final = 75

_AWAY = (
    *REDIS_DOWN,
    AnswerUnavailableError,
    KafkaError,
    KafkaException,
    LogUnavailableError,
    ObjectsUnavailableError,
    StoreUnavailableError,
    VaultUnavailableError,
    WriteUnavailableError,
)
_CURE = "`mesh status` shows what runs, `mesh up` starts it; then run the command again"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def outage_line(error: BaseException) -> str | None:
    """The line for this error; None when it is no outage but a surprise, which shall be seen."""
    causes = list(_with_causes(error))
    for each in causes:
        if (line := _of_this_machine(each) or _of_a_full_server(each)) is not None:
            return line
    if not any(map(_means_away, causes)):
        return None
    try:
        chosen = settings()
    except SettingsError as missing:
        return str(missing)
    return _told_by_servers(chosen, error)


def _means_away(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.filename is not None:
        return False  # a file of this machine, not a server
    return (
        isinstance(error, _AWAY)
        or means_down(error)
        or means_clickhouse_down(error)
        or means_opensearch_down(error)
    )


def _of_this_machine(error: BaseException) -> str | None:
    """A file that can't be written or read."""
    if not isinstance(error, OSError):
        return None
    place = error.filename or "This machine"
    if error.errno in _FULL:
        return f"{place}: the disk is full: make room, then run the command again"
    if error.errno in _FORBIDDEN:
        return f"{place}: {error.strerror}: allow it to whoever runs this, or name another place"
    return None


def _of_a_full_server(error: BaseException) -> str | None:
    match error:
        case asyncpg.DiskFullError():
            return "Postgres has no room on its disk: make room there, then run the command again"
        case asyncpg.InsufficientPrivilegeError():
            return f"Postgres does not permit it to our user ({error}): grant it, then run again"
        case asyncpg.ReadOnlySQLTransactionError():
            return "Postgres takes no writes now: is it a replica? Set DATABASE_URL, then run again"
        case _:
            return None


def _told_by_servers(chosen: Settings, error: BaseException) -> str:
    """What the servers say when asked: the error alone seldom tells which it was, and why."""
    troubled = [each.told for each in asyncio.run(ask_all(chosen)) if each.trouble]
    if troubled:
        return f"{'; '.join(troubled)}. {_CURE}."
    if any(isinstance(each, WriteUnavailableError) for each in _with_causes(error)):
        return f"No writer answered, though Kafka does: is one running? {_CURE}."
    said = " ".join(str(error).split())[:300]
    what = type(error).__name__ + (f": {said}" if said else "")
    return f"A server did not answer ({what}); all of them do now: run the command again."


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what it holds and what led to it."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for each in error.exceptions:
                yield from _with_causes(each)
        error = error.__cause__
