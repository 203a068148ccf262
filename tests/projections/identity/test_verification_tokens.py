from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from projections.identity.verification_tokens import verification_tokens
from schemas.identity import (
    EmailVerificationRequested,
    EmailVerified,
    PasswordReset,
    PasswordResetRequested,
    TokenLapsed,
    TokenPurpose,
    UserStatus,
)
from tests.projections.history import BEGINNING, history, rows_of

USER = UUID(int=2)
LATER = BEGINNING + timedelta(hours=1)
VERIFY = EmailVerificationRequested(
    user_id=USER,
    token_id=UUID(int=11),
    token_hash="a" * 64,
    expires_at=LATER,
    requested_at=BEGINNING,
)
RESET = PasswordResetRequested(
    user_id=USER,
    token_id=UUID(int=12),
    token_hash="b" * 64,
    expires_at=LATER,
    requested_at=BEGINNING,
)
AGAIN = RESET.model_copy(update={"token_id": UUID(int=13), "token_hash": "c" * 64})


def rows(*events):
    return rows_of(verification_tokens, history(f"user/{USER}", *events))


def test_ID_23_a_token_that_is_out_has_a_row_with_its_hash() -> None:
    row = rows(VERIFY)[f"{USER}/verify_email"]
    assert (row.user_id, row.type, row.token) == (str(USER), TokenPurpose.VERIFY_EMAIL, "a" * 64)
    assert (row.token_id, row.expires_at) == (str(UUID(int=11)), LATER)


def test_ID_23_a_newer_token_takes_the_place_of_the_one_before() -> None:
    found = rows(VERIFY, RESET, AGAIN)
    assert sorted(row.token for row in found.values()) == ["a" * 64, "c" * 64]


@pytest.mark.parametrize(
    "used",
    [
        EmailVerified(user_id=USER, status=UserStatus.ACTIVE, verified_at=LATER),
        TokenLapsed(
            user_id=USER,
            purpose=TokenPurpose.VERIFY_EMAIL,
            token_id=UUID(int=11),
            lapsed_at=LATER,
        ),
    ],
)
def test_ID_23_a_used_or_lapsed_verification_has_no_row(used) -> None:
    assert list(rows(VERIFY, RESET, used)) == [f"{USER}/reset_password"]


def test_ID_23_a_used_reset_has_no_row() -> None:
    used = PasswordReset(user_id=USER, change_id=UUID(int=4), reset_at=LATER)
    assert list(rows(VERIFY, RESET, used)) == [f"{USER}/verify_email"]
