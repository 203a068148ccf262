from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from producers.profiles import preferences, profiles, sellers
from schemas.log.messages import Language, Role
from schemas.profiles import (
    Avatar,
    AvatarChanged,
    AvatarRemoved,
    ChangeAvatar,
    PreferenceChoices,
    PreferencesUpdated,
    ProfileTexts,
    ProfileUpdated,
    RemoveAvatar,
    SealedText,
    SellerTexts,
    SellerUpdated,
    Theme,
    UpdatePreferences,
    UpdateProfile,
    UpdateSellerInfo,
)
from tests.producers.spec import Spec

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID, OTHER = UUID(int=1), UUID(int=2)
SELF = {"asked_at": NOW, "asked_by": str(ID), "asked_role": Role.SELLER}
STRANGERS = [
    {"asked_at": NOW, "asked_by": str(OTHER), "asked_role": role}
    for role in (Role.BUYER, Role.SELLER, Role.MODERATOR, Role.ADMIN)
]

spec, selling, choosing = Spec(profiles), Spec(sellers), Spec(preferences)


def text(said: str, again: str = "") -> SealedText:
    """Sealed again, it looks different; the mark is the same."""
    return SealedText(text=f"1{said}{again}".replace(" ", "-"), mark=f"{sum(said.encode()):064x}")


def update(by: dict[str, Any] = SELF, clear: Any = (), **texts: SealedText) -> UpdateProfile:
    return UpdateProfile(user_id=ID, sealed=ProfileTexts(**texts), clear=clear, **by)


def updated(cleared: Any = (), **texts: SealedText) -> ProfileUpdated:
    return ProfileUpdated(user_id=ID, sealed=ProfileTexts(**texts), cleared=cleared, updated_at=NOW)


def avatar(owner: UUID = ID, upload: int = 7) -> Avatar:
    folder = f"avatars/{owner}/{UUID(int=upload)}"
    return Avatar(large=f"{folder}/{'a' * 64}.webp", small=f"{folder}/{'b' * 64}.webp")


def change(shown: Avatar, by: dict[str, Any] = SELF) -> ChangeAvatar:
    return ChangeAvatar(user_id=ID, avatar=shown, **by)


def changed(shown: Avatar, previous: Avatar | None = None) -> AvatarChanged:
    return AvatarChanged(user_id=ID, avatar=shown, previous=previous, changed_at=NOW)


def choose(by: dict[str, Any] = SELF, **choices: Any) -> UpdatePreferences:
    return UpdatePreferences(user_id=ID, choices=PreferenceChoices(**choices), **by)


def chose(**choices: Any) -> PreferencesUpdated:
    return PreferencesUpdated(user_id=ID, choices=PreferenceChoices(**choices), updated_at=NOW)


def test_PR_02_an_update_holds_the_changed_fields_only() -> None:
    before = updated(phone=text("1"), bio=text("hi"))
    command = update(phone=text("1", "again"), bio=text("hello"))
    spec.given(before).when(command).then(updated(bio=text("hello")))


def test_PR_02_an_update_that_says_nothing_new_is_no_fact() -> None:
    spec.given(updated(phone=text("1"))).when(update(phone=text("1", "again"))).then()
    spec.given().when(update()).then()


def test_PR_02_what_was_emptied_can_be_told_again() -> None:
    gone = updated(cleared=("phone",))
    told = updated(phone=text("1"))
    spec.given(told, gone).when(update(phone=text("1"))).then(told)


def test_PR_02_only_what_says_something_is_emptied() -> None:
    command = update(clear=("bio", "phone"))
    spec.given(updated(bio=text("hi"))).when(command).then(updated(cleared=("bio",)))
    spec.given().when(command).then()


def test_PR_02_a_field_is_not_stated_and_emptied_at_once() -> None:
    command = update(clear=("bio",), bio=text("hi"))
    spec.given().when(command).refused("invalid_field", 422, ["/bio"])


@pytest.mark.parametrize("by", STRANGERS, ids=lambda by: by["asked_role"])
def test_PR_02_nobody_changes_a_strangers_profile(by: dict[str, Any]) -> None:
    spec.given().when(update(by, bio=text("hi"))).refused("not_owner", 403)
    spec.given().when(change(avatar(), by)).refused("not_owner", 403)
    spec.given(changed(avatar())).when(RemoveAvatar(user_id=ID, **by)).refused("not_owner", 403)


def test_PR_03_a_new_picture_names_the_one_that_it_replaces() -> None:
    first, second = avatar(), avatar(upload=8)
    spec.given().when(change(first)).then(changed(first))
    spec.given(changed(first)).when(change(second)).then(changed(second, first))


def test_PR_03_a_picture_in_a_strangers_folder_is_refused() -> None:
    spec.given().when(change(avatar(owner=OTHER))).refused("not_owner", 403)


def test_PR_03_a_picture_is_removed_once() -> None:
    command, shown = RemoveAvatar(user_id=ID, **SELF), changed(avatar())
    removed = AvatarRemoved(user_id=ID, previous=avatar(), removed_at=NOW)
    spec.given(shown).when(command).then(removed)
    spec.given(shown, removed).when(command).then()
    spec.given().when(command).then()


def seller_update(**by: Any) -> UpdateSellerInfo:
    sealed = SellerTexts(business_name=text("Perera Motors"))
    return UpdateSellerInfo(user_id=ID, sealed=sealed, **{**SELF, **by})


def test_PR_05_a_seller_names_their_business_once() -> None:
    named = SellerUpdated(
        user_id=ID, sealed=SellerTexts(business_name=text("Perera Motors")), updated_at=NOW
    )
    selling.given().when(seller_update()).then(named)
    selling.given(named).when(seller_update()).then()


def test_PR_05_a_business_can_lose_its_name() -> None:
    sealed = SellerTexts(business_name=text("Perera Motors"))
    named = SellerUpdated(user_id=ID, sealed=sealed, updated_at=NOW)
    command = UpdateSellerInfo(user_id=ID, sealed=SellerTexts(), clear=("business_name",), **SELF)
    gone = SellerUpdated(
        user_id=ID, sealed=SellerTexts(), cleared=("business_name",), updated_at=NOW
    )
    selling.given(named).when(command).then(gone)
    selling.given(named, gone).when(command).then()


@pytest.mark.parametrize("role", [Role.BUYER, Role.MODERATOR, Role.OPS])
def test_PR_05_whoever_does_not_sell_has_no_business(role: Role) -> None:
    selling.given().when(seller_update(asked_role=role)).refused("role_not_allowed", 403)


@pytest.mark.parametrize("by", STRANGERS, ids=lambda by: by["asked_role"])
def test_PR_05_nobody_changes_a_strangers_business(by: dict[str, Any]) -> None:
    selling.given().when(seller_update(**by)).refused("not_owner", 403)


def test_PR_07_only_other_choices_are_facts() -> None:
    before = chose(language=Language.SINHALA, theme=Theme.DARK)
    command = choose(language=Language.TAMIL, theme=Theme.DARK)
    choosing.given(before).when(command).then(chose(language=Language.TAMIL))


def test_PR_07_choosing_the_default_is_a_choice() -> None:
    choosing.given().when(choose(email_notifications=True)).then(chose(email_notifications=True))


def test_PR_07_what_was_chosen_before_is_not_chosen_again() -> None:
    history = (chose(show_phone=True), chose(show_phone=False))
    choosing.given(*history).when(choose(show_phone=False)).then()
    choosing.given(*history).when(choose(show_phone=True)).then(chose(show_phone=True))


@pytest.mark.parametrize("by", STRANGERS, ids=lambda by: by["asked_role"])
def test_PR_07_nobody_chooses_for_a_stranger(by: dict[str, Any]) -> None:
    choosing.given().when(choose(by, show_phone=True)).refused("not_owner", 403)
