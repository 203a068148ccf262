"""What every long-running process does the same way: signals, logging, metrics, readiness."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import structlog
import uvloop
from prometheus_client import start_http_server

from infra.logs import configure_logging
from infra.settings import Settings

Main = Callable[[Settings, asyncio.Event], Awaitable[None]]

T = TypeVar("T")

BEAT_S = 2.0
CANCEL_AGAIN_S = 10.0  # time enough for a clean end
GIVEN_WAY = 10  # niceness: about a tenth of a core where everybody wants it all

log = structlog.get_logger()


def announce_ready() -> None:
    """Tell whoever started this process that it does its work now, and from now on that its loop
    goes round.
    """
    path = os.environ.get("MESH_READY_FILE")
    if path:
        Path(path).write_text(str(os.getpid()), "ascii")
        beating = asyncio.get_running_loop().create_task(_beat(path), name="beat")
        _beats.add(beating)  # the loop itself would forget it
        beating.add_done_callback(_beats.discard)
    log.info("ready")


_beats: set[asyncio.Task[None]] = set()


async def _beat(path: str) -> None:
    while True:
        await asyncio.sleep(BEAT_S)
        with contextlib.suppress(OSError):  # whoever took the file away does not look at it
            os.utime(path)


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


def run_command(work: Coroutine[Any, Any, T]) -> T:
    """Run what a command does and return its result. Ctrl-C cancels it and raises
    KeyboardInterrupt, unless the result was there already.

    It is cancelled anew every CANCEL_AGAIN_S seconds while it goes on: a client that takes a
    cancellation for an outage, and is then asked again, must not make a command immortal.
    """
    interrupted = False

    async def guarded() -> T:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(work)

        def interrupt() -> None:
            nonlocal interrupted
            interrupted = True
            if not task.done():
                task.cancel()
                loop.call_later(CANCEL_AGAIN_S, interrupt)

        # Elsewhere nobody is told of signals.
        if threading.current_thread() is threading.main_thread():
            loop.add_signal_handler(signal.SIGINT, interrupt)
        return await task

    try:
        return uvloop.run(guarded())
    except (Exception, asyncio.CancelledError):
        if interrupted:
            raise KeyboardInterrupt from None
        raise


async def stopped_within(stop: asyncio.Event, seconds: float) -> bool:
    """Wait for so long, or until `stop` is set; whether it is."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
    return stop.is_set()


async def first_of(*works: Coroutine[Any, Any, Any] | asyncio.Future[Any]) -> None:
    """Run all of them until the first ends, then end the others; raises what the first raised."""
    tasks = [asyncio.ensure_future(each) for each in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def give_way() -> None:
    """Let everything else on this machine go first, as work may that nobody waits for. For the
    whole process and those that it starts, if called before it has threads.
    """
    own = os.getpriority(os.PRIO_PROCESS, 0)
    # Never less than it gives already: going forward again is for root alone.
    os.setpriority(os.PRIO_PROCESS, 0, max(own, GIVEN_WAY))
