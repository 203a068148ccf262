"""Shards in processes of their own: started, heard, ended with their coordinator.

A shard must not outlive the coordinator, whose locks it works under: it watches the parent
process and ends at once when that is gone, kill -9 included.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

import uvloop

from infra.garbage import without_collector
from infra.logs import configure_logging
from processors.replay.shard import Report, Task, run_shard
from schemas.log.positions import TopicPartition

TELL_EVERY_S = 0.25
STOP_TIMEOUT_S = 5.0
_ORPHANED = 3

# Spawned, not forked: a fork would share the parent's sockets and locks.
_spawning = multiprocessing.get_context("spawn")

Reached = Mapping[str, Mapping[TopicPartition, int]]


class ShardFailedError(Exception):
    """A process of the replay has ended; the text says why. Resume goes on."""


async def run_shards(tasks: Sequence[Task], report: Report) -> None:
    """Run every task in a process of its own; raises ShardFailedError when one of them fails,
    and ends the others.
    """
    async with asyncio.TaskGroup() as group:
        for task in tasks:
            group.create_task(_attend(task, report))


async def _attend(task: Task, report: Report) -> None:
    """Start one process, pass on what it tells, and end it if it has not ended by itself."""
    heard, telling = _spawning.Pipe(duplex=False)
    process = _spawning.Process(target=_shard_process, args=(task, telling), daemon=True)
    # In a thread: the task is handed over through a pipe that holds less than a big task, so
    # this waits until the other side has imported everything and reads.
    await asyncio.to_thread(process.start)
    telling.close()
    try:
        await _listen(process, heard, report)
    finally:
        heard.close()
        await asyncio.shield(asyncio.to_thread(_end, process))


async def _listen(process: SpawnProcess, heard: Connection, report: Report) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(heard.fileno(), ready.set)
    try:
        while True:
            await ready.wait()
            ready.clear()
            while heard.poll():
                told: Reached | str | None = heard.recv()
                if told is None:
                    return
                if isinstance(told, str):
                    raise ShardFailedError(told)
                report(told)
    except EOFError:
        message = f"a process of the replay was killed (exit code {process.exitcode})"
        raise ShardFailedError(message) from None
    finally:
        loop.remove_reader(heard.fileno())


def _end(process: SpawnProcess) -> None:
    process.join(timeout=0 if process.is_alive() else None)
    process.terminate()
    process.join(STOP_TIMEOUT_S)
    if process.is_alive():
        process.kill()
        process.join(STOP_TIMEOUT_S)


def _shard_process(task: Task, telling: Connection) -> None:
    """The main of a shard's process. Tells mappings, then None, or a text when it fails."""
    # Ctrl-C reaches the whole terminal: the coordinator decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    configure_logging("replay", task.settings.log_level)
    try:
        with without_collector():
            uvloop.run(run_shard(task, _seldom(telling)))
        telling.send(None)
    except Exception as error:  # noqa: BLE001 - told to the coordinator, which raises it
        telling.send(_in_words(error))


def _seldom(telling: Connection) -> Report:
    """Not each portion is worth a message; the last one is always told."""
    told_at = 0.0

    def report(reached: Reached) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= TELL_EVERY_S:
            told_at = time.monotonic()
            telling.send(reached)

    return report


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(_ORPHANED)


def _in_words(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
