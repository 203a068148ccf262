"""What may happen to a profile, a seller's profile and preferences: their owner changes them,
and nobody else does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar, assert_never

from producers.decider import Decider, Rejected
from schemas.log.messages import Fault, Role
from schemas.profiles import (
    Avatar,
    AvatarChanged,
    AvatarRemoved,
    ChangeAvatar,
    PreferenceChoices,
    PreferencesUpdated,
    ProfileCommand,
    ProfileEvent,
    ProfilesCommand,
    ProfileTexts,
    ProfileUpdated,
    RemoveAvatar,
    SealedText,
    SellerTexts,
    SellerUpdated,
    UpdatePreferences,
    UpdateProfile,
    UpdateSellerInfo,
)

SELLERS = frozenset({Role.SELLER, Role.DEALER})

N = TypeVar("N", bound=str)
Marks = Mapping[str, str]  # by field


@dataclass(frozen=True)
class Profile:
    """What a person has told of themselves, by the marks of the texts, and their picture."""

    marks: Marks = field(default_factory=dict)
    avatar: Avatar | None = None


@dataclass(frozen=True)
class Seller:
    """What a seller has told of their business."""

    marks: Marks = field(default_factory=dict)


def decide_profile(command: ProfileCommand, profile: Profile) -> Sequence[ProfileEvent]:
    """The events that the command leads to; none when it asks for what already is."""
    _refuse_others(command)
    match command:
        case UpdateProfile():
            return update_profile(command, profile)
        case ChangeAvatar():
            return change_avatar(command, profile)
        case RemoveAvatar():
            return remove_avatar(command, profile)
        case _:
            assert_never(command)


def update_profile(command: UpdateProfile, profile: Profile) -> Sequence[ProfileEvent]:
    """Only what differs is a fact."""
    stated = command.sealed.stated()
    new = _new(stated, profile.marks)
    cleared = _cleared(stated, command.clear, profile.marks)
    if not new and not cleared:
        return []
    return [
        ProfileUpdated(
            user_id=command.user_id,
            sealed=ProfileTexts(**new),
            cleared=cleared,
            updated_at=command.asked_at,
        )
    ]


def change_avatar(command: ChangeAvatar, profile: Profile) -> Sequence[ProfileEvent]:
    """A picture of one's own; every upload is another one."""
    prefix = f"avatars/{command.user_id}/"
    if not all(key.startswith(prefix) for key in (command.avatar.large, command.avatar.small)):
        raise Rejected("not_owner", 403)
    if command.avatar == profile.avatar:
        return []
    return [
        AvatarChanged(
            user_id=command.user_id,
            avatar=command.avatar,
            previous=profile.avatar,
            changed_at=command.asked_at,
        )
    ]


def remove_avatar(command: RemoveAvatar, profile: Profile) -> Sequence[ProfileEvent]:
    """Removing what is not there changes nothing."""
    if profile.avatar is None:
        return []
    return [
        AvatarRemoved(user_id=command.user_id, previous=profile.avatar, removed_at=command.asked_at)
    ]


def evolve_profile(profile: Profile, event: ProfileEvent) -> Profile:
    """The profile after the event."""
    match event:
        case ProfileUpdated(sealed=sealed, cleared=cleared):
            return replace(profile, marks=_after(profile.marks, sealed.stated(), cleared))
        case AvatarChanged(avatar=avatar):
            return replace(profile, avatar=avatar)
        case AvatarRemoved():
            return replace(profile, avatar=None)
        case _:
            assert_never(event)


def decide_seller(command: UpdateSellerInfo, seller: Seller) -> Sequence[SellerUpdated]:
    """Only for those who sell."""
    _refuse_others(command)
    if command.asked_role not in SELLERS:
        raise Rejected("role_not_allowed", 403)
    stated = command.sealed.stated()
    new = _new(stated, seller.marks)
    cleared = _cleared(stated, command.clear, seller.marks)
    if not new and not cleared:
        return []
    return [
        SellerUpdated(
            user_id=command.user_id,
            sealed=SellerTexts(**new),
            cleared=cleared,
            updated_at=command.asked_at,
        )
    ]


def evolve_seller(seller: Seller, event: SellerUpdated) -> Seller:
    """The seller's profile after the event."""
    return Seller(_after(seller.marks, event.sealed.stated(), event.cleared))


def decide_preferences(
    command: UpdatePreferences, chosen: PreferenceChoices
) -> Sequence[PreferencesUpdated]:
    """Only what differs from what was chosen before is a fact."""
    _refuse_others(command)
    before = chosen.stated()
    changes = {
        name: value for name, value in command.choices.stated().items() if before.get(name) != value
    }
    if not changes:
        return []
    return [
        PreferencesUpdated(
            user_id=command.user_id,
            choices=PreferenceChoices(**changes),
            updated_at=command.asked_at,
        )
    ]


def evolve_preferences(chosen: PreferenceChoices, event: PreferencesUpdated) -> PreferenceChoices:
    """Everything chosen so far."""
    return chosen.model_copy(update=event.choices.stated())


def _refuse_others(command: ProfilesCommand) -> None:
    if command.asked_by != str(command.user_id):
        raise Rejected("not_owner", 403)


def _new(stated: Mapping[str, SealedText], marks: Marks) -> dict[str, SealedText]:
    return {name: told for name, told in stated.items() if marks.get(name) != told.mark}


def _cleared(stated: Mapping[str, SealedText], clear: Iterable[N], marks: Marks) -> tuple[N, ...]:
    """Those of `clear` that say something; raises Rejected for what is stated as well."""
    names = sorted(set(clear))
    faults = [
        Fault(pointer=f"/{name}", detail="can't be both stated and emptied")
        for name in names
        if name in stated
    ]
    if faults:
        raise Rejected("invalid_field", 422, faults)
    return tuple(name for name in names if name in marks)


def _after(marks: Marks, stated: Mapping[str, SealedText], cleared: Iterable[str]) -> Marks:
    kept = {name: mark for name, mark in marks.items() if name not in {*cleared}}
    return {**kept, **{name: told.mark for name, told in stated.items()}}


profiles: Decider[ProfileCommand, Profile, ProfileEvent] = Decider(
    initial=Profile(), decide=decide_profile, evolve=evolve_profile
)
sellers: Decider[UpdateSellerInfo, Seller, SellerUpdated] = Decider(
    initial=Seller(), decide=decide_seller, evolve=evolve_seller
)
preferences: Decider[UpdatePreferences, PreferenceChoices, PreferencesUpdated] = Decider(
    initial=PreferenceChoices(), decide=decide_preferences, evolve=evolve_preferences
)
