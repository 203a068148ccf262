"""What an append's transaction costs, beside what would stand in its place.

    python -m bench.transaction [--seconds 15] [--rate 100] [--rounds 3]

The same event is appended `rate` times a second, one at a time, to one partition: as the writer
does it, in a transaction with its answer; in a transaction without an answer; and as one batch
of an idempotent producer, which nothing fences. Nobody reads. Processor time is the broker's and
the producer's, less what both take when nothing is appended. The median of the rounds counts.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median
from typing import Any

from confluent_kafka import Producer

from bench.lag import percentile_ms
from bench.stack import cpu_s, own_stack, run, server_pids, table
from infra.clients.kafka import client_config
from infra.settings import Settings
from producers.writer.append import Batch, KafkaAppender, Outgoing
from producers.writer.done import DoneWith
from schemas.log.positions import TopicPartition
from schemas.topics import CONTEXTS

LISTINGS = next(each for each in CONTEXTS if each.name == "listings")
EVENT_BYTES, ANSWER_BYTES = 1_000, 200  # a listing's, as they come out of the codecs
FLUSH_S = 10.0
NOTHING = DoneWith("bench", 0, 0)

Append = Callable[[], Awaitable[Any]]


@dataclass(frozen=True)
class Cost:
    """One way's figures in one round."""

    p50_ms: float
    p99_ms: float
    broker_ms: float
    producer_ms: float


def in_transactions(appender: KafkaAppender, *, answers: bool) -> Append:
    """As the writer appends: where the events must come to stand is not known here."""
    event = Outgoing(LISTINGS.events_topic, b"listing/1", b"e" * EVENT_BYTES, [])
    answer = Outgoing(LISTINGS.replies_topic, b"listing/1", b"a" * ANSWER_BYTES, [])
    # What is parked is appended without a look at its place.
    kept = (answer, event) if answers else (event,)
    batch = Batch(events=(), replies=(), parked=kept, first_event=0, done=NOTHING)
    return lambda: appender.append(batch)


def alone(producer: Producer, partition: int, threads: ThreadPoolExecutor) -> Append:
    """One batch to one partition, acknowledged."""
    value = b"e" * EVENT_BYTES

    def append() -> None:
        producer.produce(LISTINGS.events_topic, value, b"listing/1", partition)
        if producer.flush(FLUSH_S):
            message = "the broker has not answered in time"
            raise TimeoutError(message)

    return lambda: asyncio.get_running_loop().run_in_executor(threads, append)


async def cost(append: Append, broker: Sequence[int], seconds: float, rate: float) -> Cost:
    """Append at a rate, one after the other."""
    own = [os.getpid()]
    idle_broker, idle_own = cpu_s(broker), cpu_s(own)
    await asyncio.sleep(seconds / 3)
    idle_broker, idle_own = 3 * (cpu_s(broker) - idle_broker), 3 * (cpu_s(own) - idle_own)
    before_broker, before_own = cpu_s(broker), cpu_s(own)
    times: list[float] = []
    begun = due = time.perf_counter()
    while due < begun + seconds:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        started = time.perf_counter()
        await append()
        times.append(time.perf_counter() - started)
        due += 1 / rate
    used_broker, used_own = cpu_s(broker) - before_broker, cpu_s(own) - before_own
    return Cost(
        p50_ms=percentile_ms(times, 0.5),
        p99_ms=percentile_ms(times, 0.99),
        broker_ms=1_000 * (used_broker - idle_broker) / len(times),
        producer_ms=1_000 * (used_own - idle_own) / len(times),
    )


async def measure(
    settings: Settings, broker: Sequence[int], asked: argparse.Namespace
) -> dict[str, list[Cost]]:
    """Every way in turn, round by round."""
    found: dict[str, list[Cost]] = {}
    with ThreadPoolExecutor(1) as threads:
        appender = KafkaAppender(settings, TopicPartition(LISTINGS.commands_topic, 0), threads)
        await appender.open()
        plain = Producer(
            client_config(settings, "bench-plain")
            | {"enable.idempotence": True, "acks": "all", "linger.ms": 0}
        )
        ways = {
            "transaction with event and answer": in_transactions(appender, answers=True),
            "transaction with an event": in_transactions(appender, answers=False),
            "one batch, no transaction": alone(plain, 0, threads),
        }
        for append in ways.values():
            await cost(append, broker, asked.seconds / 3, asked.rate)  # warm
        for _ in range(asked.rounds):
            for name, append in ways.items():
                found.setdefault(name, []).append(
                    await cost(append, broker, asked.seconds, asked.rate)
                )
        await appender.drop()
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with own_stack(("kafka", "postgres")) as (state, settings):
        found = asyncio.run(measure(settings, server_pids(state, ["kafka"]), asked))
    table(
        [
            {
                "append": name,
                "p50 ms": f"{median(each.p50_ms for each in costs):.1f}",
                "p99 ms": f"{median(each.p99_ms for each in costs):.1f}",
                "broker CPU-ms": f"{median(each.broker_ms for each in costs):.2f}",
                "producer CPU-ms": f"{median(each.producer_ms for each in costs):.2f}",
            }
            for name, costs in found.items()
        ]
    )


if __name__ == "__main__":
    run(main)
