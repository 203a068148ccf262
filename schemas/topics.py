"""The one table of topics: infra creates them from it, code reads names and types from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from schemas import (
    api_keys,
    identity,
    items,
    listings,
    media,
    messaging,
    profiles,
    reviews,
    tracking,
    wallet,
)
from schemas.messages import Command, Event
from schemas.recorded import Reply
from schemas.registry import Registry, kind_of

FOREVER_MS = -1
RECORD_BYTES_MAX = 1_000_000
WRITERS = "mesh.writer"  # the consumer group whose members judge commands


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


CONTEXTS: tuple[Context, ...] = (
    Context("listings", get_args(listings.ListingCommand), get_args(listings.ListingEvent)),
    Context(
        "identity",
        get_args(identity.IdentityCommand | api_keys.ApiKeyCommand),
        get_args(identity.IdentityEvent | api_keys.ApiKeyEvent),
    ),
    Context("profiles", get_args(profiles.ProfilesCommand), get_args(profiles.ProfilesEvent)),
    Context("wallet", get_args(wallet.WalletCommand), get_args(wallet.WalletEvent)),
    Context("media", get_args(media.MediaCommand), get_args(media.MediaEvent)),
    Context("messaging", get_args(messaging.MessagingCommand), get_args(messaging.MessagingEvent)),
    Context("items", get_args(items.ItemCommand), get_args(items.ItemEvent)),
    Context("reviews", get_args(reviews.ReviewCommand), get_args(reviews.ReviewEvent)),
    Context("tracking", (), (tracking.ListingViewed,)),
)

TOPICS: tuple[Topic, ...] = tuple(topic for context in CONTEXTS for topic in context.topics)

EVENT_TYPES = Registry(
    (Reply, *(event for context in CONTEXTS for event in context.events)),
    {
        **listings.UPCASTERS,
        **identity.UPCASTERS,
        **profiles.UPCASTERS,
        **media.UPCASTERS,
        **messaging.UPCASTERS,
        **items.UPCASTERS,
        **reviews.UPCASTERS,
    },
)

_COMMAND_CONTEXT = {
    kind_of(command): context for context in CONTEXTS for command in context.commands
}
_EVENT_CONTEXT = {kind_of(event): context for context in CONTEXTS for event in context.events}
_REPLY_TOPICS = tuple(context.replies_topic for context in CONTEXTS if context.commands)


def context_of_command(command: Command) -> Context:
    """The context whose writer judges this command."""
    return _COMMAND_CONTEXT[command.kind]


def topics_of(*event_types: type[Event]) -> tuple[str, ...]:
    """The topics that hold events of these classes, sorted: one for each class, but for replies,
    which every context has.
    """
    found: set[str] = set()
    for each in event_types:
        if each is Reply:
            found.update(_REPLY_TOPICS)
        else:
            found.add(_EVENT_CONTEXT[kind_of(each)].events_topic)
    return tuple(sorted(found))
