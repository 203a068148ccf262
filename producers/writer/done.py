"""Which commands are done with: said in the log beside their answers, in the same transaction,
and read from its end by whoever comes next (docs/adr/0036).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import NamedTuple

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from infra.clients.kafka import ADMIN_TIMEOUT_S, client_config
from infra.settings import Settings
from producers.writer.tail import End, TailUnavailableError
from schemas.log.recorded import header

HEADER = "commands_done"

_SAID = re.compile(r"([^:]+):(\d+):(\d+)", re.ASCII)


class DoneWith(NamedTuple):
    """`offset` is that of the first command not done with, as the owner with this epoch said. It
    counts in the commands topic with the id `topic_id` alone: in one that was made anew, or
    copied, other commands stand there.
    """

    topic_id: str
    epoch: int
    offset: int

    @property
    def header(self) -> tuple[str, bytes]:
        """What a transaction's last answer carries."""
        return (HEADER, f"{self.topic_id}:{self.epoch}:{self.offset}".encode())


def first_undone(ends: Iterable[End], topic_id: str, commands_end: int) -> int:
    """The first command of a partition not done with, as the last records of its answers say; the
    first of all when they say nothing, or more than there is: commands that a broker lost with its
    power are not done with because others once stood there.
    """
    said = [_SAID.fullmatch(header(end.headers, HEADER) or "") for end in ends]
    marks = [DoneWith(each[1], int(each[2]), int(each[3])) for each in said if each]
    known = [each for each in marks if each.topic_id == topic_id]
    last = max(known, key=lambda each: (each.epoch, each.offset), default=None)
    return last.offset if last is not None and last.offset <= commands_end else 0


class TopicIds:
    """Asks the broker for the ids of topics."""

    def __init__(self, settings: Settings) -> None:
        self._admin = AdminClient(client_config(settings, "mesh-writer-topics"))

    def of(self, topic: str) -> str:
        """The topic's id; blocks, and raises TailUnavailableError."""
        asked = self._admin.describe_topics(
            TopicCollection([topic]), request_timeout=ADMIN_TIMEOUT_S
        )
        try:
            return str(asked[topic].result(2 * ADMIN_TIMEOUT_S).topic_id)
        except (KafkaException, FutureTimeoutError) as error:
            message = f"{topic}: {type(error).__name__}"
            raise TailUnavailableError(message) from error
