"""What effects need of rows that nobody is shown, because an event about them waits to be mended.

What has been deleted or banned must not come back with the mending: so effects that follow a person
ask the journal, which has every event, about the streams that are parked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast
from uuid import UUID

from processors.reacting.effects import OutsideDownError, Tools
from projections.identity import users
from projections.journal.journal import journal
from projections.projection import Projection
from projections.reads import Reads
from schemas.identity import (
    UserBanned,
    UserDeactivated,
    UserDeleted,
    UserReactivated,
    UserStatus,
    UserUnbanned,
)
from schemas.log.recorded import Recorded
from schemas.registry import kind_of

T = TypeVar("T")

READ_WAIT_S = 10.0
POLL_S = 0.02

_WATERMARK = """
    SELECT next_offset FROM mesh.live_watermarks
    WHERE projection = $1 AND topic = $2 AND partition = $3
"""
_WITHHELD = """
    SELECT stream_id FROM mesh.live_parked WHERE projection = $1 AND $2 = ANY(row_keys) LIMIT 1
"""
# Each parked stream of a read model with its first event, once the journal has read what waits.
_PARKED = """
    SELECT waiting.stream_id, begun.data::json ->> $2 AS person,
           coalesce(bool_and(read.next_offset > waiting.position_offset), false) AS is_read
    FROM mesh.live_parked AS waiting
    LEFT JOIN reads.journal AS begun ON begun.stream_id = waiting.stream_id AND begun.version = 1
    LEFT JOIN mesh.live_watermarks AS read
      ON read.projection = $3 AND read.topic = waiting.topic AND read.partition = waiting.partition
    WHERE waiting.projection = $1 GROUP BY waiting.stream_id, begun.data
"""
_PARKED_STREAMS = """
    SELECT DISTINCT stream_id FROM mesh.live_parked WHERE projection = $1 ORDER BY stream_id
"""
_STANDING = """
    SELECT kind, version, data::json ->> 'status' AS status FROM reads.journal
    WHERE stream_id = $1 AND kind = ANY($2::text[]) ORDER BY version DESC LIMIT 1
"""
_STANDS = {
    kind_of(UserDeactivated): UserStatus.DEACTIVATED,
    kind_of(UserBanned): UserStatus.BANNED,
    kind_of(UserDeleted): UserStatus.DELETED,
}
_CHANGES = [*_STANDS, kind_of(UserReactivated), kind_of(UserUnbanned)]


async def parked_of(
    tools: Tools, projection: Projection[Any], field: str, person_id: str
) -> Sequence[UUID]:
    """The parked streams of a read model that were begun for this person, whom their first event
    names in `field`; raises OutsideDownError while the journal has not read them.
    """

    async def look() -> list[Any] | None:
        rows = await tools.postgres.fetch(_PARKED, projection.name, field, journal.name)
        return [rows] if all(row["is_read"] for row in rows) else None

    (rows,) = await until(look, journal)
    return [UUID(row["stream_id"].partition("/")[2]) for row in rows if row["person"] == person_id]


async def is_withheld(tools: Tools, projection: Projection[Any], row_key: UUID | str) -> bool:
    """Whether a row is shown to nobody, because an event about it waits to be mended."""
    return bool(await tools.postgres.fetchval(_WITHHELD, projection.name, str(row_key)))


async def person_of(
    tools: Tools, projection: Projection[Any], field: str, row_key: UUID
) -> str | None:
    """For whom a withheld row's stream was begun; None where the row is not withheld."""
    stream = await tools.postgres.fetchval(_WITHHELD, projection.name, str(row_key))
    if stream is None:
        return None
    found: str | None = await tools.postgres.fetchval(
        "SELECT data::json ->> $2 FROM reads.journal WHERE stream_id = $1 AND version = 1",
        stream,
        field,
    )
    return found


async def standing_of(
    tools: Tools, person_id: str, recorded: Recorded[Any]
) -> tuple[UserStatus, int] | None:
    """Where a person stands, by the journal, whose row is withheld, and since which version; None
    where it is not withheld.
    """
    stream = await tools.postgres.fetchval(_WITHHELD, users.users.name, person_id)
    if stream is None:
        return None
    await until_read(tools, journal, recorded)
    row = await tools.postgres.fetchrow(_STANDING, stream, _CHANGES)
    if row is None:
        return UserStatus.ACTIVE, 0
    return UserStatus(_STANDS.get(row["kind"]) or row["status"]), row["version"]


async def has_left(tools: Tools, person_id: str, recorded: Recorded[Any]) -> bool:
    """Whether somebody's account is deleted, also where that waits to be mended."""
    person = await users.by_id(cast("Reads", tools.postgres), person_id)
    if person is not None:
        return bool(person["status"] == UserStatus.DELETED)
    standing = await standing_of(tools, person_id, recorded)
    return standing is not None and standing[0] is UserStatus.DELETED


async def parked_streams(tools: Tools, projection: Projection[Any]) -> Sequence[UUID]:
    """The ids of all streams of a read model of which something waits to be mended; these are few,
    for past a bound the projection stops.
    """
    rows = await tools.postgres.fetch(_PARKED_STREAMS, projection.name)
    return [UUID(row["stream_id"].partition("/")[2]) for row in rows]


async def until_read(tools: Tools, projection: Projection[Any], recorded: Recorded[Any]) -> None:
    """Return when the event can be read; raises OutsideDownError when that takes too long."""
    place = recorded.position

    async def read() -> bool:
        next_offset = await tools.postgres.fetchval(
            _WATERMARK, projection.name, place.topic, place.partition
        )
        return (next_offset or 0) > place.offset

    await until(read, projection)


async def until(look: Callable[[], Awaitable[T | None]], projection: Projection[Any]) -> T:
    """What a look at the projection gives, as soon as that is anything; raises OutsideDownError
    when it takes too long.
    """
    deadline = time.monotonic() + READ_WAIT_S
    while not (found := await look()):
        if time.monotonic() > deadline:
            message = f"{projection.name} has not caught up"
            raise OutsideDownError(message)
        await asyncio.sleep(POLL_S)
    return found
