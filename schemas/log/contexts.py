"""What a context is: one noun's share of the language and of the log. Each declares its own."""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.log.messages import Command, Event
from schemas.registry import Upcasters

FOREVER_MS = -1


@dataclass(frozen=True)
class Topic:
    """One topic of the log. The key is always the stream id. How many partitions it has is the
    installation's (`TOPIC_PARTITIONS`), the same for every topic.
    """

    name: str
    retention_ms: int


@dataclass(frozen=True)
class Context:
    """One noun's share of the log: its commands, events, replies and parked commands.

    `commands` is empty where facts are appended straight (tracking).
    """

    name: str
    commands: tuple[type[Command], ...]
    events: tuple[type[Event], ...]
    upcasters: Upcasters = field(default_factory=dict)

    @property
    def commands_topic(self) -> str:
        """Where requests wait for the writer."""
        return f"commands.{self.name}"

    @property
    def events_topic(self) -> str:
        """Where facts stand."""
        return f"events.{self.name}"

    @property
    def replies_topic(self) -> str:
        """Where the writer's answers stand."""
        return f"replies.{self.name}"

    @property
    def parked_topic(self) -> str:
        """Where commands lie that could not be judged."""
        return f"commands.{self.name}.parked"

    @property
    def topics(self) -> tuple[Topic, ...]:
        """Every topic of this context. All are kept for ever: replies hold refusals, and a
        repeated command must get its first answer however late it comes.
        """
        names = [self.events_topic]
        if self.commands:
            names += [self.commands_topic, self.replies_topic, self.parked_topic]
        return tuple(Topic(name, FOREVER_MS) for name in names)
