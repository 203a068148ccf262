"""Positions in the log, and the Consistency-Token that carries them over HTTP."""

from __future__ import annotations

from typing import NamedTuple


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


class Position(NamedTuple):
    """One record's place in the log."""

    topic: str
    partition: int
    offset: int

    @property
    def topic_partition(self) -> TopicPartition:
        """The partition this position lies in."""
        return TopicPartition(self.topic, self.partition)


TOKEN_LENGTH_MAX = 2_000


def format_token(positions: list[Position]) -> str:
    """`topic:partition:offset` joined by commas; the text of a Consistency-Token."""
    return ",".join(f"{topic}:{partition}:{offset}" for topic, partition, offset in positions)


def parse_token(text: str) -> list[Position]:
    """The positions of a Consistency-Token; raises ValueError on any other text."""
    if len(text) > TOKEN_LENGTH_MAX:
        message = f"longer than {TOKEN_LENGTH_MAX} characters"
        raise ValueError(message)
    positions = []
    for part in text.split(","):
        topic, partition, offset = part.strip().rsplit(":", 2)
        positions.append(Position(topic, int(partition), int(offset)))
    if any(place.partition < 0 or place.offset < 0 for place in positions):
        message = "negative partition or offset"
        raise ValueError(message)
    return positions
