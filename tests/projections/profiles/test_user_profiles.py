from __future__ import annotations

from itertools import permutations
from typing import Any
from uuid import UUID

from projections.profiles.user_profiles import UserProfile, user_profiles
from schemas.identity import UserDeleted, user_stream
from schemas.log.messages import Event
from schemas.profiles import (
    Avatar,
    AvatarChanged,
    AvatarRemoved,
    ProfileTexts,
    ProfileUpdated,
    SealedText,
    profile_stream,
)
from tests.projections.history import BEGINNING, history, recorded, rows_of

USER = UUID(int=2)
KEY = str(USER)
AVATAR = Avatar(
    large=f"avatars/{USER}/{USER}/{'a' * 64}.webp", small=f"avatars/{USER}/{USER}/{'b' * 64}.webp"
)
SHOWN = AvatarChanged(user_id=USER, avatar=AVATAR, changed_at=BEGINNING)


def told(cleared: Any = (), **texts: str) -> ProfileUpdated:
    sealed = {name: SealedText(text=text, mark="0" * 64) for name, text in texts.items()}
    return ProfileUpdated(
        user_id=USER, sealed=ProfileTexts(**sealed), cleared=cleared, updated_at=BEGINNING
    )


def after(*events: Event) -> UserProfile:
    found: UserProfile = rows_of(user_profiles, history(profile_stream(USER), *events))[KEY]
    return found


def test_PR_11_a_profile_holds_what_was_told_sealed() -> None:
    row = after(told(phone="1p", bio="1b"), told(bio="1c"))
    assert (row.user_id, row.phone_sealed, row.bio_sealed) == (KEY, "1p", "1c")
    assert (row.full_name_sealed, row.version) == (None, 2)


def test_PR_02_what_is_emptied_is_gone_from_the_row() -> None:
    row = after(told(phone="1p", bio="1b"), told(cleared=("phone",)))
    assert (row.phone_sealed, row.bio_sealed) == (None, "1b")


def test_PR_03_the_row_names_the_picture_that_is_shown() -> None:
    assert (after(SHOWN).avatar, after(SHOWN).avatar_small) == (AVATAR.large, AVATAR.small)
    removed = AvatarRemoved(user_id=USER, previous=AVATAR, removed_at=BEGINNING)
    assert (after(SHOWN, removed).avatar, after(SHOWN, removed).avatar_small) == (None, None)


def test_PR_10_of_the_deleted_nothing_is_left_in_whatever_order_it_is_heard() -> None:
    stream = history(profile_stream(USER), told(phone="1p"), SHOWN)
    end = recorded(
        user_stream(USER),
        5,
        UserDeleted(user_id=USER, email_hash="0" * 64, deleted_at=BEGINNING),
        offset=9,
    )
    for order in permutations([*stream, end]):
        rows = rows_of(user_profiles, order)
        assert rows == {KEY: UserProfile(user_id=KEY, deleted=True)}
