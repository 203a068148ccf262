"""What people tell of themselves, sealed. Postgres, one row per person who told something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, assert_never, get_args

from sqlalchemy import MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads
from schemas.identity import UserDeleted
from schemas.log.recorded import Recorded
from schemas.profiles import AvatarChanged, AvatarRemoved, ProfileEvent, ProfileUpdated


@dataclass(frozen=True, slots=True)
class UserProfile:
    """Texts sealed with the person's key; the avatar's variants as keys of the object store.

    Of a deleted person nothing is left but that they are, so that what their other streams
    told before, but is read later, comes to nothing as well.
    """

    user_id: str
    version: int = 0
    deleted: bool = False
    full_name_sealed: str | None = None
    phone_sealed: str | None = None
    location_sealed: str | None = None
    bio_sealed: str | None = None
    avatar: str | None = None
    avatar_small: str | None = None


def key(recorded: Recorded[ProfileEvent | UserDeleted]) -> str:
    """The person's id."""
    return str(recorded.event.user_id)


def fold(row: UserProfile | None, recorded: Recorded[ProfileEvent | UserDeleted]) -> UserProfile:
    """The profile after the event."""
    event = recorded.event
    if isinstance(event, UserDeleted):
        return UserProfile(user_id=str(event.user_id), deleted=True)
    if row is None:
        row = UserProfile(user_id=str(event.user_id))
    return row if row.deleted else replace(row, version=recorded.version, **_changes(event))


def _changes(event: ProfileEvent) -> dict[str, Any]:
    match event:
        case ProfileUpdated(sealed=sealed, cleared=cleared):
            stated = {f"{name}_sealed": told.text for name, told in sealed.stated().items()}
            return {**stated, **{f"{name}_sealed": None for name in cleared}}
        case AvatarChanged(avatar=avatar):
            return {"avatar": avatar.large, "avatar_small": avatar.small}
        case AvatarRemoved():
            return {"avatar": None, "avatar_small": None}
        case _:
            assert_never(event)


user_profiles = Projection(
    name="user_profiles",
    version=1,
    hears=(*get_args(ProfileEvent), UserDeleted),
    key=key,
    fold=fold,
    erased_by=(UserDeleted,),
    row=UserProfile,
    target=PostgresTable(Table("user_profiles", MetaData(), *columns_of(UserProfile))),
)

_WHOLE = """
    SELECT people.key, people.email_sealed, people.name_sealed, people.role, people.status,
           people.email_verified, people.market, people.created_at,
           coalesce(profile.version, 0) AS version,
           profile.full_name_sealed, profile.phone_sealed, profile.location_sealed,
           profile.bio_sealed, profile.avatar, profile.avatar_small,
           coalesce(chosen.show_phone, false) AS show_phone,
           coalesce(chosen.show_email, false) AS show_email
    FROM reads.users AS people
    LEFT JOIN reads.user_profiles AS profile USING (key)
    LEFT JOIN reads.user_preferences AS chosen USING (key)
    WHERE people.key = $1
"""


_NAMES = """
    SELECT people.key, people.status, people.name_sealed, profile.full_name_sealed
    FROM reads.users AS people LEFT JOIN reads.user_profiles AS profile USING (key)
    WHERE people.key = ANY($1)
"""


async def names_of(reads: Reads, user_ids: Sequence[str]) -> Sequence[Mapping[str, Any]]:
    """By what names these people go, sealed."""
    return await reads.fetch(_NAMES, user_ids)


async def by_id(reads: Reads, user_id: str) -> Mapping[str, Any] | None:
    """One person with their profile and with what of it they let others see."""
    return await reads.fetchrow(_WHOLE, user_id)
