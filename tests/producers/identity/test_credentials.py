"""One-time tokens, passwords and provider's identities, rule by rule."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from producers.identity.credentials import MAIL_PAUSE
from schemas.identity import (
    ChangePassword,
    EmailVerificationRequested,
    EmailVerified,
    IdentityLinked,
    IdentityUnlinked,
    LinkIdentity,
    LoggedOutEverywhere,
    PasswordChanged,
    PasswordReset,
    PasswordResetRequested,
    RequestEmailVerification,
    RequestPasswordReset,
    ResetPassword,
    SweepTokens,
    TokenLapsed,
    TokenPurpose,
    UnlinkIdentity,
    UserStatus,
    VerifyEmail,
)
from tests.producers.identity.people import (
    ADMIN,
    HASH,
    HOUR,
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

CHANGE, SESSION, ELSEWHERE = UUID(int=7), UUID(int=8), UUID(int=9)
SHOWN = {"token_id": PROOF["token_id"], "token_hash": PROOF["token_hash"]}
FRESH = {"token_id": UUID(int=21), "token_hash": "ef" * 32, "expires_at": NOW + HOUR}
LATE = {**SYSTEM, "asked_at": NOW + HOUR}
asked_to_reset = PasswordResetRequested(user_id=ID, requested_at=NOW - HOUR, **PROOF)
reset = PasswordReset(user_id=ID, change_id=CHANGE, reset_at=NOW)
verify = VerifyEmail(user_id=ID, **SHOWN, **SYSTEM)
set_anew = ResetPassword(user_id=ID, change_id=CHANGE, **SHOWN, **SYSTEM)


def lapsed(purpose: TokenPurpose) -> TokenLapsed:
    return TokenLapsed(user_id=ID, purpose=purpose, token_id=PROOF["token_id"], lapsed_at=NOW)


def change(version: int, session: UUID = SESSION, by=SELF) -> ChangePassword:
    return ChangePassword(
        user_id=ID, change_id=CHANGE, session_id=session, user_version=version, **by
    )


def changed(session: UUID = SESSION) -> PasswordChanged:
    return PasswordChanged(user_id=ID, change_id=CHANGE, session_id=session, changed_at=NOW)


def test_ID_08_the_token_proves_the_email() -> None:
    spec.given(registered, asked_to_verify).when(verify).then(verified)


def test_ID_08_a_token_works_once() -> None:
    spec.given(registered, asked_to_verify, verified).when(verify).refused("token_spent", 410)


def test_ID_08_a_token_expires() -> None:
    late = verify.model_copy(update={"asked_at": NOW + HOUR})
    spec.given(registered, asked_to_verify).when(late).refused("token_expired", 410)


@pytest.mark.parametrize(
    "shown", [{"token_id": UUID(int=21)}, {"token_hash": "ef" * 32}, {"token_hash": HASH}]
)
def test_ID_08_no_other_token_proves_anything(shown) -> None:
    forged = verify.model_copy(update=shown)
    spec.given(registered, asked_to_verify).when(forged).refused("token_spent", 410)


def test_ID_08_a_token_is_good_for_its_own_purpose_only() -> None:
    spec.given(registered, asked_to_verify).when(set_anew).refused("token_spent", 410)
    spec.given(registered, asked_to_reset).when(verify).refused("token_spent", 410)


def test_ID_08_a_newer_token_voids_the_one_before() -> None:
    again = EmailVerificationRequested(user_id=ID, requested_at=NOW, **FRESH)
    spec.given(registered, asked_to_verify, again).when(verify).refused("token_spent", 410)


def test_ID_08_a_verified_email_lifts_no_ban() -> None:
    proved = EmailVerified(user_id=ID, status=UserStatus.BANNED, verified_at=NOW)
    spec.given(registered, asked_to_verify, banned).when(verify).then(proved)


def test_ID_08_the_proof_is_sent_again_on_request() -> None:
    command = RequestEmailVerification(user_id=ID, **FRESH, **SELF)
    spec.given(registered, asked_to_verify).when(command).then(
        EmailVerificationRequested(user_id=ID, requested_at=NOW, **FRESH)
    )
    spec.given(registered, verified).when(command).refused("email_already_verified")
    by_another = RequestEmailVerification(user_id=ID, **FRESH, **OTHER)
    spec.given(registered).when(by_another).refused("not_yours", 403)


def test_ID_08_no_mailbox_is_flooded_with_proofs() -> None:
    just_now = asked_to_verify.model_copy(update={"requested_at": NOW - MAIL_PAUSE / 2})
    command = RequestEmailVerification(user_id=ID, **FRESH, **SELF)
    spec.given(registered, just_now).when(command).then()


def test_ID_09_a_reset_is_asked_for_through_the_api_alone() -> None:
    by_system = RequestPasswordReset(user_id=ID, **FRESH, **SYSTEM)
    spec.given(registered, verified).when(by_system).then(
        PasswordResetRequested(user_id=ID, requested_at=NOW, **FRESH)
    )
    by_another = RequestPasswordReset(user_id=ID, **FRESH, **ADMIN)
    spec.given(registered).when(by_another).refused("role_not_allowed", 403)
    spec.given(registered, deleted).when(by_system).refused("user_deleted")


def test_ID_09_no_mailbox_is_flooded_with_resets() -> None:
    just_now = asked_to_reset.model_copy(update={"requested_at": NOW - MAIL_PAUSE / 2})
    command = RequestPasswordReset(user_id=ID, **FRESH, **SYSTEM)
    spec.given(registered, just_now).when(command).then()


def test_ID_10_the_token_sets_another_password_once() -> None:
    spec.given(registered, asked_to_reset).when(set_anew).then(reset)
    spec.given(registered, asked_to_reset, reset).when(set_anew).refused("token_spent", 410)


def test_ID_10_a_reset_expires() -> None:
    late = set_anew.model_copy(update={"asked_at": NOW + HOUR})
    spec.given(registered, asked_to_reset).when(late).refused("token_expired", 410)


def test_ID_11_one_changes_ones_own_password_only() -> None:
    spec.given(registered).when(change(1)).then(changed())
    spec.given(registered).when(change(1, by=ADMIN)).refused("not_yours", 403)


def test_ID_11_a_reset_that_is_out_lapses_with_the_old_password() -> None:
    spec.given(registered, asked_to_reset).when(change(2)).then(
        changed(), lapsed(TokenPurpose.RESET_PASSWORD)
    )


@pytest.mark.parametrize(
    "ending", [reset, LoggedOutEverywhere(user_id=ID, logged_out_at=NOW), deactivated, banned]
)
def test_ID_11_a_session_that_is_over_changes_no_password(ending) -> None:
    """V7.4.3: whoever was thrown out in the same moment does not come back by it."""
    spec.given(registered, ending).when(change(1)).refused("session_over")


def test_ID_11_of_two_sessions_that_change_it_at_once_the_first_wins() -> None:
    spec.given(registered, changed()).when(change(1, ELSEWHERE)).refused("session_over")
    spec.given(registered, changed()).when(change(1)).then(changed())


def test_ID_20_an_identity_is_linked_once_and_unlinked() -> None:
    which = {"user_id": ID, "provider": "google", "subject_hash": HASH}
    linked = IdentityLinked(linked_at=NOW, **which)
    spec.given(registered).when(LinkIdentity(**which, **SELF)).then(linked)
    spec.given(registered, linked).when(LinkIdentity(**which, **SELF)).then()
    spec.given(registered, linked).when(UnlinkIdentity(**which, **SELF)).then(
        IdentityUnlinked(unlinked_at=NOW, **which)
    )
    spec.given(registered).when(UnlinkIdentity(**which, **SELF)).then()
    spec.given(registered).when(LinkIdentity(**which, **OTHER)).refused("not_yours", 403)


def test_ID_20_what_the_provider_vouches_for_is_proved_through_the_api_alone() -> None:
    which = {"user_id": ID, "provider": "google", "subject_hash": HASH, "email_verified": True}
    events = spec.given(registered).when(LinkIdentity(**which, **SYSTEM)).decided()
    assert [event.kind for event in events] == ["user.identity_linked", "user.email_verified"]
    spec.given(registered).when(LinkIdentity(**which, **SELF)).refused("role_not_allowed", 403)


def test_CR_01_only_lapsed_tokens_are_swept() -> None:
    out = spec.given(registered, asked_to_verify)
    out.when(SweepTokens(user_id=ID, **SYSTEM)).then()
    late = lapsed(TokenPurpose.VERIFY_EMAIL).model_copy(update={"lapsed_at": NOW + HOUR})
    out.when(SweepTokens(user_id=ID, **LATE)).then(late)
    spec.given(registered).when(SweepTokens(user_id=ID, **SELF)).refused("role_not_allowed", 403)


def test_CR_01_sweeping_tokens_twice_is_sweeping_once() -> None:
    swept = (registered, asked_to_verify, lapsed(TokenPurpose.VERIFY_EMAIL))
    later = {**SYSTEM, "asked_at": NOW + timedelta(days=1)}
    spec.given(*swept).when(SweepTokens(user_id=ID, **later)).then()
