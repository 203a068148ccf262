"""Positions in the log, and the Consistency-Token that carries them over HTTP."""

from __future__ import annotations

import re
from typing import NamedTuple


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int

    def at(self, offset: int) -> Position:
        """One record's place in it."""
        return Position(self.topic, self.partition, offset)


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
_POSITION = re.compile(r"([^:]+):([0-9]{1,9}):([0-9]{1,18})", re.ASCII)


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
        found = _POSITION.fullmatch(part.strip(" \t"))
        if found is None:
            message = "not topic:partition:offset"
            raise ValueError(message)
        positions.append(Position(found[1], int(found[2]), int(found[3])))
    return positions
