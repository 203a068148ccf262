"""What handlers cost that have nothing to do: broker and reactor with sixty against six.

    python -m bench.reactor [--seconds 20] [--rate 100] [--rounds 3]

One process with so many effects that hear every listing's creation and publication and do
nothing, on a broker of its own: idle first, then under so many listings a second, each in a
transaction, as a writer appends them. The processor time of broker and reactor counts, as a
share of one core.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID, uuid4

import uvloop
from confluent_kafka import Producer

from bench.stack import Figure, conclude, cpu_s, environment, own_stack, run, server_pids, table
from infra.clients.kafka import transactional_config
from infra.logs import configure_logging
from infra.settings import Settings, settings
from infra.stack.state import State
from processors.reacting.effects import Effect, Tools
from processors.reacting.handlers import Begins
from processors.reactions.reactor import run_reactor
from schemas.listings import ListingCreated, ListingPublished, listing_stream
from schemas.log.messages import Event
from schemas.log.partitioning import partition_of
from schemas.log.recorded import Recorded, event_id_of, value_of
from schemas.values.vehicles import VehicleFields
from tests.projections.cars import created, published

FEW, MANY = 6, 60
GOAL = 1.15
TOPIC = "events.listings"
SETTLE_S = 5.0
READY_S = 60.0
STOP_S = 20.0
FIELDS = VehicleFields(title="Porsche 911 Carrera 4S", make="Porsche", model="911", year=2019)


async def _nothing(_recorded: Recorded[Any], _tools: Tools) -> None:
    """What the effects do."""


def run_handlers(count: int) -> None:
    """The reactor with so many effects that do nothing, as a process of its own."""
    heard = (ListingCreated, ListingPublished)
    effects = [
        Effect(f"nothing_{n}", heard, _nothing, repeatable=True, begins=Begins.FIRST_SEEN)
        for n in range(count)
    ]
    configure_logging("reactor", "error")
    uvloop.run(run_reactor(settings(), asyncio.Event(), (), effects))


@contextmanager
def reactor(chosen: Settings, folder: Path, count: int) -> Iterator[int]:
    """The pid of such a process that is ready."""
    ready = folder / f"ready-{uuid4().hex}"
    child = subprocess.Popen(
        [sys.executable, "-m", "bench.reactor", "--handlers", str(count)],
        env={**environment(chosen), "MESH_READY_FILE": str(ready)},
    )
    try:
        deadline = time.monotonic() + READY_S
        while not ready.exists():
            if child.poll() is not None or time.monotonic() > deadline:
                message = f"the reactor with {count} handlers did not come up"
                raise RuntimeError(message)
            time.sleep(0.05)
        yield child.pid
    finally:
        child.kill()
        child.wait(STOP_S)


class Log:
    """Appends listings as a writer does."""

    def __init__(self, chosen: Settings) -> None:
        self._partitions = chosen.topic_partitions
        self._producer = Producer(transactional_config(chosen, "bench-reactor"))
        self._producer.init_transactions(30)

    def append(self, seconds: float, rate: float) -> None:
        """So many listings a second for so long."""
        due = time.perf_counter()
        for _ in range(int(seconds * rate)):
            time.sleep(max(0.0, due - time.perf_counter()))
            due += 1 / rate
            self._producer.begin_transaction()
            listing_id = uuid4()
            for version, event in enumerate(_life(listing_id), 1):
                self._append(listing_stream(listing_id), version, event)
            self._producer.commit_transaction(30)

    def _append(self, stream: str, version: int, event: Event) -> None:
        now = datetime.now(UTC).isoformat().encode()
        command_id = str(uuid4())
        self._producer.produce(
            TOPIC,
            value_of(event),
            stream.encode(),
            partition_of(stream, self._partitions),
            headers=[
                ("ce_specversion", b"1.0"),
                ("ce_id", event_id_of(command_id, 0).encode()),
                ("ce_type", event.kind.encode()),
                ("ce_source", b"marketmesh"),
                ("ce_subject", stream.encode()),
                ("ce_time", now),
                ("ce_dataschema", f"{event.kind}/{event.SCHEMA}".encode()),
                ("stream_version", b"%d" % version),
                ("command_id", command_id.encode()),
                ("event_index", b"0"),
                ("event_count", b"1"),
                ("correlation_id", command_id.encode()),
                ("causation_id", command_id.encode()),
                ("actor", b"user/bench"),
                ("fingerprint", b"0" * 64),
                ("writer_epoch", b"1"),
            ],
        )


def _life(listing_id: UUID) -> Sequence[Event]:
    return created(FIELDS, 0, listing_id), published(0, listing_id)


def measure(
    state: State, chosen: Settings, log: Log, count: int, seconds: float, rate: float
) -> tuple[float, float]:
    """Cores that broker and reactor take with so many handlers: idle, and under load."""
    with reactor(chosen, state.folder, count) as pid:
        log.append(SETTLE_S, rate)
        pids = [*server_pids(state, ["kafka"]), pid]
        time.sleep(SETTLE_S)
        began = cpu_s(pids)
        time.sleep(seconds)
        idle = (cpu_s(pids) - began) / seconds
        log.append(SETTLE_S, rate)
        began, at = cpu_s(pids), time.perf_counter()
        log.append(seconds, rate)
        return idle, (cpu_s(pids) - began) / (time.perf_counter() - at)


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--handlers", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.handlers:
        run_handlers(asked.handlers)
        return
    found: dict[int, list[tuple[float, float]]] = {FEW: [], MANY: []}
    os.environ.setdefault("MESH_QUICK_START", "1")
    with own_stack() as (state, chosen):
        log = Log(chosen)
        for number in range(asked.rounds):
            for count in (FEW, MANY) if number % 2 == 0 else (MANY, FEW):
                cores = measure(state, chosen, log, count, asked.seconds, asked.rate)
                found[count].append(cores)
                print(f"{count} handlers: {cores[0]:.3f} idle, {cores[1]:.3f} loaded", flush=True)
    idle, loaded = (
        {count: median(cores[at] for cores in rounds) for count, rounds in found.items()}
        for at in (0, 1)
    )
    table(
        [
            {
                "handlers": count,
                "cores idle": f"{idle[count]:.3f}",
                "loaded": f"{loaded[count]:.3f}",
            }
            for count in (FEW, MANY)
        ]
    )
    conclude(
        Figure(f"60 handlers, {state}", cores[MANY], cores[FEW], "cores", GOAL, at_most=True)
        for state, cores in (("idle", idle), ("loaded", loaded))
    )


if __name__ == "__main__":
    run(main)
