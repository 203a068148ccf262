"""Events for handlers: somebody registers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from schemas.identity import UserRegistered, user_stream
from schemas.log.messages import Language, Market, Role
from schemas.log.recorded import CommandEnvelope, Record, headers_of_event, value_of
from tests.partitions import partition_of_stream


def registered(user_id: UUID) -> UserRegistered:
    """The event."""
    return UserRegistered(
        user_id=user_id,
        email_sealed="1e",
        email_hash=user_id.hex * 2,
        name_sealed="1n",
        role=Role.BUYER,
        market=Market.EXOTICS,
        language=Language.ENGLISH,
        registered_at=datetime.now(UTC),
    )


def record_of(
    user_id: UUID,
    *,
    offset: int = 7,
    topic: str = "events.test",
    command_id: str = "",
    age: timedelta | None = None,
) -> Record:
    """The record of it."""
    event = registered(user_id)
    headers = headers_of_event(
        event,
        index=0,
        count=1,
        version=1,
        envelope=CommandEnvelope(_asking(user_id), command_id or str(uuid4()), "c", "c", ""),
        writer_epoch=1,
        recorded_at=datetime.now(UTC) - (age or timedelta()),
    )
    return Record(topic, 0, offset, b"", value_of(event), headers)


def _asking(user_id: UUID) -> Any:
    class Anything:
        stream_id = user_stream(user_id)
        asked_by = "somebody"

    return Anything()


def same_partition(of: UUID) -> UUID:
    """Somebody else in the same lane."""
    wanted = partition_of_stream(user_stream(of))
    return next(
        each for each in iter(uuid4, None) if partition_of_stream(user_stream(each)) == wanted
    )


def other_partition(of: UUID) -> UUID:
    """Somebody in another lane."""
    taken = partition_of_stream(user_stream(of))
    return next(
        each for each in iter(uuid4, None) if partition_of_stream(user_stream(each)) != taken
    )
