"""The writer's restart and memory as the log grows.

    python -m bench.restart [--events 1000000] [--rounds 5]

A log of listing events and a journal that has read all of it are made at 10,000, at 100,000
and at `--events`. At the first and the last size the writer is killed (-9) and started again
while a command waits: the time from the start of the process to that command's commit counts
(the median), and must not grow with the log. At the second and the last size the writer
handles the same number of commands about listings that it must load from the journal, and its
resident memory counts.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from statistics import median
from uuid import UUID, uuid4

import psutil
from confluent_kafka import Producer

from bench.append import COMMANDS, Progress
from bench.journaling import note_in_journal
from bench.listing_log import write_log
from bench.stack import Figure, mesh_process, own_stack
from infra.kafka import client_config
from infra.postgres import open_pool
from infra.settings import Settings
from infra.stack.state import State
from schemas.listings import DeleteListing
from schemas.messages import Role
from schemas.recorded import CommandEnvelope, headers_of_command, value_of
from schemas.topics import partition_of_stream

SMALL, MIDDLE = 10_000, 100_000
RESTART_GOAL = 1.5
MEMORY_GOAL = 1.1
DELETED = 2_000
WAIT_S = 120.0
POLL_S = 0.005
WATCHED_EVERY = 200_000


async def listings(settings: Settings, count: int) -> list[UUID]:
    """Listings that the journal knows and nobody has deleted yet, spread over the log."""
    async with await open_pool(settings, size_max=1) as pool:
        rows = await pool.fetch(
            "SELECT stream_id FROM (SELECT stream_id, max(version) AS version,"
            " bool_or(kind = 'listing.deleted') AS gone FROM reads.journal"
            " WHERE stream_id IN (SELECT stream_id FROM reads.journal TABLESAMPLE system_rows"
            f" ({int(count) * 8})) GROUP BY stream_id) s WHERE NOT gone LIMIT {int(count)}"
        )
    return [UUID(row["stream_id"].partition("/")[2]) for row in rows]


def delete(settings: Settings, chosen: Sequence[UUID]) -> None:
    """Send a command for each: its stream must be loaded to be judged."""
    producer = Producer(client_config(settings, "bench") | {"enable.idempotence": True})
    for listing in chosen:
        command = DeleteListing(
            listing_id=listing,
            asked_at=datetime.now(UTC),
            asked_by="user/admin",
            asked_role=Role.ADMIN,
        )
        command_id = str(uuid4())
        envelope = CommandEnvelope(command, command_id, command_id, "", "0" * 64)
        producer.produce(
            COMMANDS,
            value_of(command),
            command.stream_id.encode(),
            partition_of_stream(command.stream_id),
            headers=headers_of_command(envelope),  # type: ignore[arg-type]  # an invariant list
        )
    producer.flush(30)
