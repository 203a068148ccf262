"""What hears events: the common part of reactions and effects."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from schemas.log.messages import Event
from schemas.registry import kind_of
from schemas.topics import topics_of


class Begins(StrEnum):
    """Where a handler begins that nobody has run before."""

    LOG_START = "log_start"
    FIRST_SEEN = "first_seen"  # what happened before the handler was there is none of its business


@dataclass(frozen=True)
class Handler:
    """What follows from the events it hears. `name` is under which its positions are kept, and
    part of the ids of what it does, so it never changes.

    `in_order`: what follows a parked event in its stream waits behind it. Not where each event is
    complete in itself, or the handler looks at what is so now: a ban must not wait behind what
    came before it.
    """

    name: str
    hears: tuple[type[Event], ...]
    begins: Begins = field(default=Begins.LOG_START, kw_only=True)
    in_order: bool = field(default=True, kw_only=True)

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of events that it hears."""
        return frozenset(kind_of(each) for each in self.hears)

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that hold them."""
        return topics_of(*self.hears)
