"""Which partition a stream lives in: our own function, passed explicitly to every client.

librdkafka and the Java client hash keys differently, so neither may choose.
"""

from __future__ import annotations

from hashlib import blake2b


def partition_of(stream_id: str, partitions: int) -> int:
    """The partition, 0 to `partitions - 1`, of a stream; fixed for a topic's life."""
    digest = blake2b(stream_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % partitions
