"""The broker is killed while the log is read in bulk: the read goes on and misses nothing."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.clients.kafka import ensure_topics
from infra.stack import daemons, supervisor
from infra.stack.state import State
from infra.stack.view import View
from processors.feeding.reading import open_log
from tests.processors.replay.shop import append, listings


@pytest.fixture(scope="module")
def own_kafka() -> Iterator[State]:
    state = State(Path(tempfile.mkdtemp(prefix="mesh-fault-")))
    try:
        start(state)
        yield state
    finally:
        supervisor.down(state, wipe=True)


def start(state: State) -> None:
    with state.lock():
        supervisor.servers_up(state, ["kafka"], View(quiet=True))


async def test_F4_a_bulk_read_survives_a_killed_and_restarted_broker(own_kafka: State) -> None:
    settings = supervisor.stack_settings(own_kafka)
    await ensure_topics(settings)
    records = listings(1_500)
    await append(settings, records)
    seen: list[tuple[int, int]] = []
    killed = False
    async with open_log(settings) as log:
        bounds = await log.bounds(["events.listings"])
        async for batch in log.read(bounds, records_max=100):
            seen += [(record.partition, record.offset) for record in batch.records]
            if not killed and len(seen) > len(records) // 4:
                killed = True
                os.kill(daemons.running_pid(own_kafka.of("kafka") / "pid"), signal.SIGKILL)
                start(own_kafka)
    assert killed
    assert len(seen) == len(set(seen)) == len(records)
