"""What every long-running process does the same way: signals, logging, metrics, readiness."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog
import uvloop
from prometheus_client import start_http_server

from infra.logs import configure_logging
from infra.settings import Settings

Main = Callable[[Settings, asyncio.Event], Awaitable[None]]

GIVEN_WAY = 10  # niceness: about a tenth of a core where everybody wants it all

log = structlog.get_logger()


def announce_ready() -> None:
    """Tell whoever started this process that it does its work now."""
    path = os.environ.get("MESH_READY_FILE")
    if path:
        Path(path).write_text(str(os.getpid()), "ascii")
    log.info("ready")


def run_process(name: str, settings: Settings, main: Main) -> None:
    """Run `main(settings, stop)` until it returns; SIGTERM and Ctrl-C set `stop`.

    An exception that leaves `main` ends the process: its supervisor starts it anew, which is
    the one repair that is always tested.
    """
    configure_logging(name, settings.log_level)
    if settings.metrics_port:
        start_http_server(settings.metrics_port, addr=settings.host)

    async def guarded() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await main(settings, stop)
        log.info("stopped")

    uvloop.run(guarded())


def give_way() -> None:
    """Let everything else on this machine go first, as work may that nobody waits for. For the
    whole process and those that it starts, if called before it has threads.
    """
    own = os.getpriority(os.PRIO_PROCESS, 0)
    # Never less than it gives already: going forward again is for root alone.
    os.setpriority(os.PRIO_PROCESS, 0, max(own, GIVEN_WAY))
