"""Logging: one JSON line an entry on standard error, with ids on every line.

Event names are short and constant; everything variable is a field. Personal data and
secrets never go into a field.
"""

from __future__ import annotations

import logging
import math
import re
import sys
import time
from collections.abc import Callable
from typing import Final

import orjson
import structlog
from asgi_correlation_id import correlation_id

SAY_AGAIN_S: Final = 30.0
KINDS_MAX: Final = 1_000
KIND_LENGTH_MAX: Final = 200  # characters; what differs later is the same kind
_NUMBER: Final = re.compile(r"\d+")


def _with_request_id(
    _logger: object, _method: str, entry: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    request = correlation_id.get()
    if request is not None:
        entry.setdefault("correlation_id", request)
    return entry


def _json(entry: object, **_: object) -> bytes:
    return orjson.dumps(entry, default=repr)


class Repeats(logging.Filter):
    """Lets a library say the same thing once in SAY_AGAIN_S seconds, numbers aside, and then how
    often it was to be said: without it a minute without a broker is 30 MB of log.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is said."""
        text, now = record.getMessage(), self._clock()
        kind = record.name, _NUMBER.sub("0", text[:KIND_LENGTH_MAX])
        said_at, count = self._said.get(kind, (-math.inf, 0))
        if now - said_at < SAY_AGAIN_S:
            self._said[kind] = said_at, count + 1
            return False
        if len(self._said) >= KINDS_MAX:
            self._said.clear()
        self._said[kind] = now, 0
        if count:
            record.msg, record.args = f"{text} (and {count} times before)", ()
        return True


def configure_logging(process: str, level: str = "info") -> None:
    """Send this process's log, and that of its libraries, to standard error as JSON lines."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _with_request_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            *shared,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    handler.addFilter(Repeats())
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.WARNING))
    # It tells each request that fails with a traceback, twice a second while OpenSearch is away;
    # whoever asked says once that it waits.
    logging.getLogger("opensearch").setLevel(logging.ERROR)
    structlog.contextvars.bind_contextvars(process=process)
