"""Which commands are done with: said in the log beside their answers, in the same transaction,
and read from its end by whoever comes next (docs/adr/0036).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import NamedTuple

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from infra.kafka import ADMIN_TIMEOUT_S, client_config
from infra.settings import Settings
from producers.writer.tail import End, TailReader, TailUnavailableError
from schemas.contexts import Context
from schemas.positions import TopicPartition
from schemas.recorded import header

HEADER = "commands_done"


class DoneWith(NamedTuple):
    """`offset` is that of the first command not done with. It counts in the commands topic with
    the id `topic_id` alone: in one that was made anew, or copied, other commands stand there.
    """

    topic_id: str
    offset: int

    @property
    def header(self) -> tuple[str, bytes]:
        """What a transaction's last answer carries."""
        return (HEADER, f"{self.topic_id}:{self.offset}".encode())

    @classmethod
    def said_by(cls, ends: Iterable[End], topic_id: str) -> DoneWith:
        """What the last records of a partition's answers say; with none, the topic's start."""
        said = [(header(end.headers, HEADER) or "").rpartition(":") for end in ends]
        offsets = [int(offset) for name, _, offset in said if name == topic_id]
        return cls(topic_id, max(offsets, default=0))


class DoneReader:
    """Looks where owners have stopped. Its calls block."""

    def __init__(self, settings: Settings, contexts: Iterable[Context]) -> None:
        self._settings = settings
        self._contexts = {each.commands_topic: each for each in contexts}
        self._admin = AdminClient(client_config(settings, "mesh-writer-topics"))

    def read(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, DoneWith]:
        """Where each partition's next owner may begin: no later than it must, and earlier while
        another still appends. Raises TailUnavailableError.
        """
        answers = {place: answers_of(self._contexts[place.topic], place) for place in places}
        try:
            ids = self._topic_ids({place.topic for place in places})
            reader = TailReader(self._settings)
            try:
                ends = reader.ends([each for pair in answers.values() for each in pair])
            finally:
                reader.close()
        except (KafkaException, FutureTimeoutError) as error:
            raise TailUnavailableError(str(error)) from error
        return {
            place: DoneWith.said_by((ends[each] for each in pair), ids[place.topic])
            for place, pair in answers.items()
        }

    def _topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        asked = self._admin.describe_topics(
            TopicCollection(sorted(topics)), request_timeout=ADMIN_TIMEOUT_S
        )
        return {
            name: str(told.result(2 * ADMIN_TIMEOUT_S).topic_id) for name, told in asked.items()
        }


def answers_of(context: Context, place: TopicPartition) -> tuple[TopicPartition, TopicPartition]:
    """Where a partition's commands are answered: their replies, and what had to be parked."""
    return (
        TopicPartition(context.replies_topic, place.partition),
        TopicPartition(context.parked_topic, place.partition),
    )
