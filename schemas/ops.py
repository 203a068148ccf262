"""Ops: what those who run the shop decide about its machinery, for the audit."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import AwareDatetime, Field, StringConstraints

from schemas.log.contexts import Context
from schemas.log.messages import Command, Event
from schemas.log.positions import Position
from schemas.values.texts import Line

WHY_LENGTH_MAX = 500
PARTITION_MAX, OFFSET_MAX = 2**31 - 1, 2**63 - 1  # as Kafka counts them

HandlerName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
TopicName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.]{0,99}$")]
Why = Annotated[str, Line(WHY_LENGTH_MAX, 0)]


def handler_stream(handler: str) -> str:
    """The stream of what has been decided about one reaction or effect."""
    return f"handler/{handler}"


class _ParkedCommand(Command):
    """About the event at this place of the log, which waits for this reaction or effect."""

    handler: HandlerName
    topic: TopicName
    partition: int = Field(ge=0, le=PARTITION_MAX)
    offset: int = Field(ge=0, le=OFFSET_MAX)
    why: Why

    @property
    def stream_id(self) -> str:
        return handler_stream(self.handler)


class RetryParked(_ParkedCommand):
    """Handle it again, and then what waits behind it."""

    kind: Literal["handler.retry_parked"] = "handler.retry_parked"


class SkipParked(_ParkedCommand):
    """Give it up for ever, and handle what waits behind it."""

    kind: Literal["handler.skip_parked"] = "handler.skip_parked"
    why: Annotated[str, Line(WHY_LENGTH_MAX)]


OpsCommand: TypeAlias = RetryParked | SkipParked


class _ParkedEvent(Event):
    handler: HandlerName
    topic: TopicName
    partition: int
    offset: int
    why: Why
    decided_at: AwareDatetime

    @property
    def position(self) -> Position:
        """Where the event stands that this is about."""
        return Position(self.topic, self.partition, self.offset)


class ParkedRetryDecided(_ParkedEvent):
    """What waits for a handler is to be handled again."""

    kind: Literal["handler.retry_decided"] = "handler.retry_decided"


class ParkedSkipDecided(_ParkedEvent):
    """What waits for a handler will never be handled."""

    kind: Literal["handler.skip_decided"] = "handler.skip_decided"


OpsEvent: TypeAlias = ParkedRetryDecided | ParkedSkipDecided

CONTEXT = Context("ops", get_args(OpsCommand), get_args(OpsEvent))
