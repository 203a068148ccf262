"""How many partitions the topics of the tests' stack have, and which one a stream lives in."""

from __future__ import annotations

from infra.stack.state import chosen_partitions
from schemas.log.partitioning import partition_of

PARTITIONS = chosen_partitions()


def partition_of_stream(stream_id: str) -> int:
    """The partition of a stream in every topic of its context."""
    return partition_of(stream_id, PARTITIONS)
