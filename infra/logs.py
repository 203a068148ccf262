"""Logging: one JSON line an entry on standard error, with ids on every line.

Event names are short and constant; everything variable is a field. Personal data and
secrets never go into a field.
"""

from __future__ import annotations

import logging
import sys

import orjson
import structlog
from asgi_correlation_id import correlation_id


def _with_request_id(
    _logger: object, _method: str, entry: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    request = correlation_id.get()
    if request is not None:
        entry.setdefault("correlation_id", request)
    return entry


def _json(entry: object, **_: object) -> bytes:
    return orjson.dumps(entry, default=repr)


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
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.WARNING))
    # It tells each request that fails with a traceback, twice a second while OpenSearch is away;
    # whoever asked says once that it waits.
    logging.getLogger("opensearch").setLevel(logging.ERROR)
    structlog.contextvars.bind_contextvars(process=process)
