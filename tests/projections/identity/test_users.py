from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from projections.identity.users import users
from schemas.identity import (
    BanReason,
    EmailVerified,
    LoggedOutEverywhere,
    PasswordChanged,
    PasswordReset,
    RoleGranted,
    UserBanned,
    UserDeactivated,
    UserDeleted,
    UserReactivated,
    UserRegistered,
    UserStatus,
    UserUnbanned,
)
from schemas.log.messages import Language, Market, Role
from tests.projections.history import BEGINNING, history, rows_of

USER = UUID(int=2)
KEY = str(USER)
LATER = BEGINNING + timedelta(hours=1)
REGISTERED = UserRegistered(
    user_id=USER,
    email_sealed="sealed e-mail",
    email_hash="c" * 64,
    name_sealed="sealed name",
    role=Role.SELLER,
    market=Market.EXOTICS,
    language=Language.SINHALA,
    registered_at=BEGINNING,
)


def test_ID_21_a_person_is_as_they_registered() -> None:
    row = rows_of(users, history(f"user/{USER}", REGISTERED))[KEY]
    assert (row.role, row.status, row.created_at) == (Role.SELLER, UserStatus.PENDING, BEGINNING)


def test_ID_21_no_column_is_for_a_password() -> None:
    assert [name for name in users.row.__dataclass_fields__ if "password" in name] == []


def test_a_granted_role_is_the_persons_role() -> None:
    granted = RoleGranted(user_id=USER, role=Role.OPS, previous=Role.SELLER, granted_at=LATER)
    row = rows_of(users, history(f"user/{USER}", REGISTERED, granted))[KEY]
    assert (row.role, row.updated_at, row.version) == (Role.OPS, LATER, 2)
    assert (row.tokens_since, row.sessions_since) == (2, 0)


SESSION = UUID(int=3)
VERIFIED = EmailVerified(user_id=USER, status=UserStatus.ACTIVE, verified_at=LATER)
RESET = PasswordReset(user_id=USER, change_id=UUID(int=4), reset_at=LATER)
CHANGED = PasswordChanged(user_id=USER, change_id=UUID(int=5), session_id=SESSION, changed_at=LATER)
BANNED = UserBanned(user_id=USER, reason=BanReason.SPAM, banned_at=LATER)
DEACTIVATED = UserDeactivated(user_id=USER, deactivated_at=LATER)
DELETED = UserDeleted(user_id=USER, email_hash="c" * 64, deleted_at=LATER)
OUT = LoggedOutEverywhere(user_id=USER, logged_out_at=LATER)


def after(*events):
    return rows_of(users, history(f"user/{USER}", REGISTERED, *events))[KEY]


def test_ID_08_a_verified_email_is_remembered() -> None:
    row = after(VERIFIED)
    assert (row.email_verified, row.status) == (True, UserStatus.ACTIVE)


def test_ID_25_the_standing_is_what_the_last_event_says() -> None:
    active = UserStatus.ACTIVE
    back = UserReactivated(user_id=USER, status=active, reactivated_at=LATER)
    free = UserUnbanned(user_id=USER, status=active, unbanned_at=LATER)
    assert after(VERIFIED, DEACTIVATED).status is UserStatus.DEACTIVATED
    assert after(VERIFIED, DEACTIVATED, back).status is active
    assert after(VERIFIED, BANNED).status is UserStatus.BANNED
    assert after(VERIFIED, BANNED, free).status is active
    assert after(VERIFIED, DELETED).status is UserStatus.DELETED


@pytest.mark.parametrize("event", [RESET, OUT, BANNED, DEACTIVATED, DELETED])
def test_ID_10_what_ends_every_session_cuts_off_all_before_it(event) -> None:
    row = after(VERIFIED, CHANGED, event)
    assert (row.sessions_since, row.tokens_since, row.kept_tokens_since) == (4, 4, 4)
    assert (row.kept_session, row.cut_at) == (None, LATER)


def test_ID_11_a_changed_password_spares_the_session_that_asked() -> None:
    row = after(VERIFIED, CHANGED)
    assert (row.sessions_since, row.tokens_since, row.kept_tokens_since) == (3, 3, 0)
    assert row.kept_session == str(SESSION)


def test_ID_24_a_new_role_voids_the_kept_sessions_tokens_too_but_ends_nothing() -> None:
    granted = RoleGranted(user_id=USER, role=Role.OPS, previous=Role.SELLER, granted_at=LATER)
    row = after(CHANGED, granted)
    assert (row.sessions_since, row.tokens_since, row.kept_tokens_since) == (2, 3, 3)
    assert row.kept_session == str(SESSION)


def test_PR_10_of_the_deleted_nothing_is_left_that_points_at_them() -> None:
    row = after(DELETED)
    assert (row.email_sealed, row.email_hash, row.name_sealed, row.email_domain) == (
        "",
        "",
        "",
        None,
    )


def test_ID_10_the_row_names_the_password_that_counts() -> None:
    first, second = after(RESET), after(RESET, CHANGED)
    assert (first.credential_change, first.credential_version) == (str(RESET.change_id), 2)
    assert (second.credential_change, second.credential_version) == (str(CHANGED.change_id), 3)
