"""How people want things. Postgres, one row per person who chose something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from sqlalchemy import MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads
from schemas.identity import UserDeleted
from schemas.log.messages import Language
from schemas.log.recorded import Recorded
from schemas.profiles import PreferencesUpdated, Theme


@dataclass(frozen=True, slots=True)
class UserPreferences:
    """What holds for a person; what they never chose is as it stands here, and the language as
    they registered. `notifications` is the switch above those of the channels. Others see neither phone nor
    e-mail unless the person shows them, and whether the person is there unless they hide it.
    """

    user_id: str
    version: int = 0
    deleted: bool = False
    language: Language | None = None
    theme: Theme = Theme.SYSTEM
    notifications: bool = True
    email_notifications: bool = True
    sms_notifications: bool = False
    push_notifications: bool = True
    show_phone: bool = False
    show_email: bool = False
    show_presence: bool = True

    def enabled(self, channel: str) -> bool:
        """Whether they want to be told by this channel at all: `email`, `sms` or `push`."""
        return self.notifications and bool(getattr(self, f"{channel}_notifications"))


def key(recorded: Recorded[PreferencesUpdated | UserDeleted]) -> str:
    """The person's id."""
    return str(recorded.event.user_id)


def fold(
    row: UserPreferences | None, recorded: Recorded[PreferencesUpdated | UserDeleted]
) -> UserPreferences:
    """The preferences after the event; of the deleted nothing is left, whatever comes."""
    event = recorded.event
    if isinstance(event, UserDeleted):
        return UserPreferences(user_id=str(event.user_id), deleted=True)
    if row is None:
        row = UserPreferences(user_id=str(event.user_id))
    if row.deleted:
        return row
    return replace(row, version=recorded.version, **event.choices.stated())


# The source design's table (NO-12). `notifications` stands above the switches of the channels.
NOTIFICATION_PREFERENCES_VIEW = """
    CREATE OR REPLACE VIEW reads.notification_preferences AS
    SELECT key AS id, user_id, notifications AND email_notifications AS email_enabled,
           notifications AND sms_notifications AS sms_enabled,
           notifications AND push_notifications AS push_enabled
    FROM {view}
"""

user_preferences = Projection(
    name="user_preferences",
    version=2,
    hears=(PreferencesUpdated, UserDeleted),
    key=key,
    fold=fold,
    erased_by=(UserDeleted,),
    row=UserPreferences,
    target=PostgresTable(
        Table("user_preferences", MetaData(), *columns_of(UserPreferences)),
        extras=(NOTIFICATION_PREFERENCES_VIEW,),
    ),
)

_NAMES = [each.name for each in fields(UserPreferences)]
_BY_ID = f"SELECT {', '.join(_NAMES)} FROM reads.user_preferences WHERE key = $1"  # noqa: S608

_HIDING = "SELECT key FROM reads.user_preferences WHERE key = ANY($1::text[]) AND NOT show_presence"


async def hiding(reads: Reads, user_ids: Sequence[str]) -> frozenset[str]:
    """Which of these people let nobody know whether they are there."""
    rows = await reads.fetch(_HIDING, user_ids)
    return frozenset(row["key"] for row in rows)


async def by_id(reads: Reads, user_id: str) -> UserPreferences:
    """One person's preferences, chosen or not."""
    row = await reads.fetchrow(_BY_ID, user_id)
    return UserPreferences(user_id=user_id) if row is None else UserPreferences(**row)
