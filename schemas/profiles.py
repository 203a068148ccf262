"""Profiles: what people tell of themselves, and how they want the mesh to behave.

Texts about a person are sealed with that person's key under the name of their field; switches
are not personal. A profile, a seller's profile and preferences are three streams, so that
nobody's change of one makes somebody's view of another stale.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, TypeAlias, get_args
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from schemas.log.contexts import Context
from schemas.log.messages import Command, Event, Language
from schemas.values.texts import SEALED, each_text

TextMark = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]  # HMAC, person's own key
# avatars/<person>/<upload>/<SHA-256 of the bytes>.webp: immutable, and everything of one person
# in one folder.
ObjectKey = Annotated[
    str,
    StringConstraints(pattern=r"^avatars/[0-9a-f-]{36}/[0-9a-f-]{36}/[0-9a-f]{64}\.webp$"),
]


class Theme(StrEnum):
    """How a client draws itself."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


class _Values(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def stated(self) -> dict[str, Any]:
        """Every field that has a value."""
        return {
            name: value
            for name in type(self).model_fields
            if (value := getattr(self, name)) is not None
        }


class SealedText(BaseModel):
    """A text about a person that only their key opens. Sealed again it looks different; `mark`
    tells whether two are the same, and nothing else.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: Annotated[str, StringConstraints(max_length=4_000)]
    mark: TextMark


class ProfileTexts(_Values):
    """What a person tells of themselves; None means "not stated"."""

    full_name: SealedText | None = None
    phone: SealedText | None = None
    location: SealedText | None = None
    bio: SealedText | None = None


class SellerTexts(_Values):
    """What a seller tells of their business."""

    business_name: SealedText | None = None


class PreferenceChoices(_Values):
    """What a person has chosen; None: the default holds."""

    language: Language | None = None
    theme: Theme | None = None
    notifications: bool | None = None
    email_notifications: bool | None = None
    sms_notifications: bool | None = None
    push_notifications: bool | None = None
    show_phone: bool | None = None
    show_email: bool | None = None
    show_presence: bool | None = None


class Avatar(_Values):
    """A person's picture: where its square variants lie, the larger first."""

    large: ObjectKey
    small: ObjectKey


ProfileTextName = Literal["full_name", "phone", "location", "bio"]
SellerTextName = Literal["business_name"]


def profile_stream(user_id: UUID | str) -> str:
    """The stream of one person's profile."""
    return f"profile/{user_id}"


def seller_stream(user_id: UUID | str) -> str:
    """The stream of one seller's profile."""
    return f"seller/{user_id}"


def preferences_stream(user_id: UUID | str) -> str:
    """The stream of one person's preferences."""
    return f"preferences/{user_id}"


# Profiles.


class _ProfileCommand(Command):
    user_id: UUID

    @property
    def stream_id(self) -> str:
        return profile_stream(self.user_id)


class UpdateProfile(_ProfileCommand):
    """State the texts in `sealed`, empty those named in `clear`."""

    kind: Literal["profile.update"] = "profile.update"
    sealed: Annotated[ProfileTexts, each_text(SEALED)]
    clear: Annotated[tuple[ProfileTextName, ...], Field(max_length=4)] = ()


class ChangeAvatar(_ProfileCommand):
    """Show this picture; its variants are in the object store already."""

    kind: Literal["profile.change_avatar"] = "profile.change_avatar"
    avatar: Avatar


class RemoveAvatar(_ProfileCommand):
    """Show no picture."""

    kind: Literal["profile.remove_avatar"] = "profile.remove_avatar"


ProfileCommand: TypeAlias = UpdateProfile | ChangeAvatar | RemoveAvatar


class ProfileUpdated(Event):
    """A person tells something new of themselves; holds what changed and nothing else."""

    kind: Literal["profile.updated"] = "profile.updated"
    user_id: UUID
    sealed: ProfileTexts
    cleared: tuple[ProfileTextName, ...] = ()
    updated_at: AwareDatetime


class AvatarChanged(Event):
    """A person has a new picture; nothing shows `previous` any more."""

    kind: Literal["profile.avatar_changed"] = "profile.avatar_changed"
    user_id: UUID
    avatar: Avatar
    previous: Avatar | None = None
    changed_at: AwareDatetime


class AvatarRemoved(Event):
    """A person has no picture any more."""

    kind: Literal["profile.avatar_removed"] = "profile.avatar_removed"
    user_id: UUID
    previous: Avatar
    removed_at: AwareDatetime


ProfileEvent: TypeAlias = ProfileUpdated | AvatarChanged | AvatarRemoved


# Sellers.


class UpdateSellerInfo(Command):
    """State the texts in `sealed`, empty those named in `clear`. Rating and verification are
    nobody's own to state.
    """

    kind: Literal["seller.update"] = "seller.update"
    user_id: UUID
    sealed: Annotated[SellerTexts, each_text(SEALED)]
    clear: Annotated[tuple[SellerTextName, ...], Field(max_length=1)] = ()

    @property
    def stream_id(self) -> str:
        """The stream of the seller's profile."""
        return seller_stream(self.user_id)


class SellerUpdated(Event):
    """A seller tells something new of their business; holds what changed and nothing else."""

    kind: Literal["seller.updated"] = "seller.updated"
    user_id: UUID
    sealed: SellerTexts
    cleared: tuple[SellerTextName, ...] = ()
    updated_at: AwareDatetime


# Preferences.


class UpdatePreferences(Command):
    """Choose what is stated; the rest stays."""

    kind: Literal["preferences.update"] = "preferences.update"
    user_id: UUID
    choices: PreferenceChoices

    @property
    def stream_id(self) -> str:
        """The stream of the person's preferences."""
        return preferences_stream(self.user_id)


class PreferencesUpdated(Event):
    """A person chose otherwise; holds what changed and nothing else."""

    kind: Literal["preferences.updated"] = "preferences.updated"
    user_id: UUID
    choices: PreferenceChoices
    updated_at: AwareDatetime


ProfilesCommand: TypeAlias = ProfileCommand | UpdateSellerInfo | UpdatePreferences
ProfilesEvent: TypeAlias = ProfileEvent | SellerUpdated | PreferencesUpdated

CONTEXT = Context("profiles", get_args(ProfilesCommand), get_args(ProfilesEvent))
