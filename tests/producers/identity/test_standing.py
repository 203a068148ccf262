"""Where somebody stands, rule by rule: V7.4.2 in that each fall ends every session."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from schemas.identity import (
    BanReason,
    BanUser,
    DeactivateUser,
    DeleteUser,
    LiftBan,
    LoggedOutEverywhere,
    LogOutEverywhere,
    ReactivateUser,
    RoleGranted,
    TokenLapsed,
    TokenPurpose,
    UnbanUser,
    UserBanned,
    UserReactivated,
    UserStatus,
    UserUnbanned,
)
from schemas.log.messages import Role
from tests.producers.identity.people import (
    ADMIN,
    ID,
    NOW,
    OTHER,
    PROOF,
    SELF,
    SYSTEM,
    asked_to_verify,
    banned,
    deactivated,
    deleted,
    registered,
    spec,
    verified,
)

ACTIVE = (registered, verified)
BAN = {"user_id": ID, "reason": BanReason.FRAUD}
MODERATOR = {**OTHER, "asked_role": Role.MODERATOR}
OWN = [DeactivateUser, ReactivateUser, DeleteUser, LogOutEverywhere]


UNTIL = NOW + timedelta(days=7)


def lift(at: datetime, **by: Any) -> LiftBan:
    return LiftBan(user_id=ID, **{**SYSTEM, "asked_at": at, **by})


def until(end: datetime | None) -> UserBanned:
    return banned.model_copy(update={"until": end})


def test_MO_07_a_ban_lifts_itself_when_its_end_has_come_and_not_before() -> None:
    for at in (NOW, UNTIL - timedelta(seconds=1)):
        spec.given(*ACTIVE, until(UNTIL)).when(lift(at)).then()
    spec.given(*ACTIVE, until(UNTIL)).when(lift(UNTIL)).then(
        UserUnbanned(user_id=ID, status=UserStatus.ACTIVE, unbanned_at=UNTIL)
    )


def test_MO_07_what_was_made_longer_or_endless_meanwhile_stays() -> None:
    for end in (UNTIL + timedelta(days=1), None):
        spec.given(*ACTIVE, until(UNTIL), until(end)).when(lift(UNTIL)).then()
    spec.given(*ACTIVE, banned).when(lift(UNTIL)).then()
    spec.given(*ACTIVE).when(lift(UNTIL)).then()
    again = (
        *ACTIVE,
        until(UNTIL),
        UserUnbanned(user_id=ID, status=UserStatus.ACTIVE, unbanned_at=NOW),
    )
    spec.given(*again).when(lift(UNTIL)).then()


def test_MO_07_another_end_is_a_fact_and_the_same_is_none() -> None:
    for before, after in ((None, UNTIL), (UNTIL, None)):
        asked = BanUser(**BAN, until=after, **ADMIN)
        spec.given(*ACTIVE, until(before)).when(asked).then(until(after))
        spec.given(*ACTIVE, until(after)).when(asked).then()


def test_MO_07_an_end_lies_in_the_future() -> None:
    judged = spec.given(*ACTIVE).when(BanUser(**BAN, until=NOW, **ADMIN))
    judged.refused("until_past", 422, ["/until"])


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SYSTEM])
def test_MO_07_only_time_lifts_a_ban_by_itself(role: Role) -> None:
    spec.given(*ACTIVE, until(UNTIL)).when(lift(UNTIL, asked_role=role)).refused(
        "role_not_allowed", 403
    )


def test_ID_25_one_puts_ones_account_to_rest_and_comes_back() -> None:
    spec.given(*ACTIVE).when(DeactivateUser(user_id=ID, **SELF)).then(deactivated)
    spec.given(*ACTIVE, deactivated).when(ReactivateUser(user_id=ID, **SELF)).then(
        UserReactivated(user_id=ID, status=UserStatus.ACTIVE, reactivated_at=NOW)
    )


def test_ID_25_who_comes_back_has_proved_no_more_than_before() -> None:
    back = spec.given(registered, deactivated).when(ReactivateUser(user_id=ID, **SELF)).decided()
    assert [event.status for event in back] == [UserStatus.PENDING]


def test_ID_25_what_already_is_leads_to_nothing() -> None:
    spec.given(*ACTIVE, deactivated).when(DeactivateUser(user_id=ID, **SELF)).then()
    spec.given(*ACTIVE).when(ReactivateUser(user_id=ID, **SELF)).then()
    spec.given(*ACTIVE, banned).when(BanUser(**BAN, **ADMIN)).then()
    spec.given(*ACTIVE).when(UnbanUser(user_id=ID, **ADMIN)).then()
    spec.given(*ACTIVE, deleted).when(DeleteUser(user_id=ID, **SELF)).then()


@pytest.mark.parametrize("command", OWN)
def test_ID_25_others_accounts_are_no_business_of_ones(command) -> None:
    spec.given(*ACTIVE).when(command(user_id=ID, **OTHER)).refused("not_yours", 403)


@pytest.mark.parametrize("by", [MODERATOR, ADMIN, SYSTEM])
def test_ID_25_moderators_admins_and_the_system_ban(by) -> None:
    spec.given(*ACTIVE).when(BanUser(**BAN, **by)).then(banned)


@pytest.mark.parametrize("role", [Role.BUYER, Role.SELLER, Role.DEALER, Role.OPS])
def test_ID_25_nobody_else_bans(role: Role) -> None:
    by = {**OTHER, "asked_role": role}
    spec.given(*ACTIVE).when(BanUser(**BAN, **by)).refused("role_not_allowed", 403)
    spec.given(*ACTIVE, banned).when(UnbanUser(user_id=ID, **by)).refused("role_not_allowed", 403)


def test_ID_25_a_moderator_bans_no_staff() -> None:
    grown = RoleGranted(user_id=ID, role=Role.ADMIN, previous=Role.BUYER, granted_at=NOW)
    spec.given(*ACTIVE, grown).when(BanUser(**BAN, **MODERATOR)).refused("role_not_allowed", 403)
    spec.given(*ACTIVE, grown).when(BanUser(**BAN, **ADMIN)).then(banned)


def test_ID_25_nobody_bans_or_frees_themselves() -> None:
    by = {**SELF, "asked_role": Role.ADMIN}
    spec.given(*ACTIVE).when(BanUser(**BAN, **by)).refused("not_oneself", 403)
    spec.given(*ACTIVE, banned).when(UnbanUser(user_id=ID, **by)).refused("not_oneself", 403)


def test_ID_25_a_ban_outlasts_a_rest_and_gives_it_back() -> None:
    resting = (*ACTIVE, deactivated)
    spec.given(*resting).when(BanUser(**BAN, **ADMIN)).then(banned)
    spec.given(*resting, banned).when(UnbanUser(user_id=ID, **ADMIN)).then(
        UserUnbanned(user_id=ID, status=UserStatus.DEACTIVATED, unbanned_at=NOW)
    )


@pytest.mark.parametrize("command", [DeactivateUser, ReactivateUser])
def test_ID_25_the_banned_do_not_get_round_it_by_a_rest(command) -> None:
    spec.given(*ACTIVE, banned).when(command(user_id=ID, **SELF)).refused("user_banned")


@pytest.mark.parametrize(
    "command",
    [
        DeactivateUser(user_id=ID, **SELF),
        ReactivateUser(user_id=ID, **SELF),
        BanUser(**BAN, **ADMIN),
        UnbanUser(user_id=ID, **ADMIN),
        LogOutEverywhere(user_id=ID, **SELF),
    ],
)
def test_ID_25_nobody_comes_back_from_being_deleted(command) -> None:
    spec.given(*ACTIVE, deleted).when(command).refused("user_deleted")


@pytest.mark.parametrize("history", [ACTIVE, (*ACTIVE, deactivated), (*ACTIVE, banned)])
def test_ID_25_one_deletes_ones_account_from_any_standing(history) -> None:
    spec.given(*history).when(DeleteUser(user_id=ID, **SELF)).then(deleted)


def test_ID_25_what_is_out_by_mail_dies_with_the_account() -> None:
    lapsed = TokenLapsed(
        user_id=ID, purpose=TokenPurpose.VERIFY_EMAIL, token_id=PROOF["token_id"], lapsed_at=NOW
    )
    spec.given(registered, asked_to_verify).when(DeleteUser(user_id=ID, **SELF)).then(
        lapsed, deleted
    )


@pytest.mark.parametrize("by", [SELF, ADMIN, SYSTEM])
def test_ID_14_everywhere_is_logged_out_by_oneself_or_an_admin(by) -> None:
    spec.given(*ACTIVE).when(LogOutEverywhere(user_id=ID, **by)).then(
        LoggedOutEverywhere(user_id=ID, logged_out_at=NOW)
    )


@pytest.mark.parametrize("command", OWN)
def test_ID_25_the_unknown_have_no_account(command) -> None:
    spec.given().when(command(user_id=ID, **SELF)).refused("user_unknown", 404)
