"""What people have seen of their notifications, and how they want to be told. Postgres, one row per
person who was told of anything or has chosen something.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from sqlalchemy import MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads
from schemas.identity import UserDeleted
from schemas.log.recorded import Recorded
from schemas.notifications import (
    PACES,
    ZONE,
    NotificationChannel,
    NotificationPreferencesChanged,
    NotificationRequested,
    NotificationsRead,
    NotificationType,
    Pace,
)

Heard: TypeAlias = (
    NotificationRequested | NotificationsRead | NotificationPreferencesChanged | UserDeleted
)


@dataclass(frozen=True, slots=True)
class Inbox:
    """They have seen all up to `read_to` and those of `read_apart`, of `last_number`. What they
    chose stands as `type/channel/pace`; quiet hours in minutes of a day.
    """

    last_number: int = 0
    read_to: int = 0
    read_apart: tuple[int, ...] = ()
    choices: tuple[str, ...] = ()
    zone: str = ZONE
    quiet_begin: int | None = None
    quiet_end: int | None = None
    deleted: bool = False

    @property
    def unread(self) -> int:
        """How many they have not seen."""
        return self.last_number - self.read_to - len(self.read_apart)

    @property
    def paces(self) -> Mapping[tuple[NotificationType, NotificationChannel], Pace]:
        """How soon they are told, by type and channel, chosen or not."""
        chosen = {}
        for each in self.choices:
            name, channel, pace = each.split("/")
            chosen[NotificationType(name), NotificationChannel(channel)] = Pace(pace)
        return {pair: chosen.get(pair, offered[0]) for pair, offered in PACES.items()}


def key(recorded: Recorded[Heard]) -> str:
    """The person's id."""
    return str(recorded.event.user_id)


def fold(row: Inbox | None, recorded: Recorded[Heard]) -> Inbox:
    """The inbox after the event; of the deleted nothing is left, whatever comes."""
    event = recorded.event
    row = row or Inbox()
    if row.deleted:
        return row
    match event:
        case UserDeleted():
            return Inbox(deleted=True)
        case NotificationRequested(number=number):
            return replace(row, last_number=max(row.last_number, number))
        case NotificationsRead(read_to=read_to, read_apart=apart):
            return replace(row, read_to=read_to, read_apart=apart)
        case NotificationPreferencesChanged(choices=choices, zone=zone, quiet_hours=quiet):
            return replace(
                row,
                choices=tuple(f"{each.type}/{each.channel}/{each.pace}" for each in choices),
                zone=zone,
                quiet_begin=None if quiet is None else quiet.begin,
                quiet_end=None if quiet is None else quiet.end,
            )
        case _:
            assert_never(event)


inboxes = Projection(
    name="inboxes",
    version=1,
    hears=(NotificationRequested, NotificationsRead, NotificationPreferencesChanged, UserDeleted),
    key=key,
    fold=fold,
    erased_by=(UserDeleted,),
    row=Inbox,
    target=PostgresTable(Table("inboxes", MetaData(), *columns_of(Inbox))),
)

_BY_ID = """
    SELECT last_number, read_to, read_apart, choices, zone, quiet_begin, quiet_end, deleted
    FROM reads.inboxes WHERE key = $1
"""


async def by_id(reads: Reads, user_id: str) -> Inbox:
    """One person's."""
    row = await reads.fetchrow(_BY_ID, user_id)
    if row is None:
        return Inbox()
    values = {**row, "read_apart": tuple(row["read_apart"]), "choices": tuple(row["choices"])}
    return Inbox(**values)
