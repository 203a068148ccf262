"""The one table of topics: infra creates them from it, code reads names and types from it."""

from __future__ import annotations

from schemas import (
    bookings,
    comparisons,
    favorites,
    identity,
    items,
    listings,
    media,
    messaging,
    notifications,
    ops,
    profiles,
    reviews,
    searches,
    templates,
    tracking,
    wallet,
)
from schemas.log.contexts import Context, Topic
from schemas.log.messages import Command, Event
from schemas.log.recorded import Reply
from schemas.registry import Registry, kind_of

RECORD_BYTES_MAX = 1_000_000
WRITERS = "mesh.writer"  # the consumer group whose members judge commands

CONTEXTS: tuple[Context, ...] = (
    listings.CONTEXT,
    identity.CONTEXT,
    profiles.CONTEXT,
    wallet.CONTEXT,
    media.CONTEXT,
    messaging.CONTEXT,
    notifications.CONTEXT,
    templates.CONTEXT,
    items.CONTEXT,
    reviews.CONTEXT,
    favorites.CONTEXT,
    comparisons.CONTEXT,
    searches.CONTEXT,
    bookings.CONTEXT,
    ops.CONTEXT,
    tracking.CONTEXT,
)

TOPICS: tuple[Topic, ...] = tuple(topic for context in CONTEXTS for topic in context.topics)

EVENT_TYPES = Registry(
    (Reply, *(event for context in CONTEXTS for event in context.events)),
    {key: upcaster for context in CONTEXTS for key, upcaster in context.upcasters.items()},
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
