"""A person for tests of rules: registered, with a token out, and who asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from producers.identity.users import users
from schemas.identity import (
    BanReason,
    EmailVerificationRequested,
    EmailVerified,
    UserBanned,
    UserDeactivated,
    UserDeleted,
    UserRegistered,
    UserStatus,
)
from schemas.log.messages import Language, Market, Role
from tests.producers.spec import Spec

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ID = UUID("01980000-0000-7000-8000-00000000000a")
HASH = "ab" * 32
SELF = {"asked_at": NOW, "asked_by": str(ID), "asked_role": Role.BUYER}
OTHER = {"asked_at": NOW, "asked_by": "somebody else", "asked_role": Role.SELLER}
ADMIN = {**OTHER, "asked_role": Role.ADMIN}
SYSTEM = {"asked_at": NOW, "asked_by": "api", "asked_role": Role.SYSTEM}
PROOF = {
    "token_id": UUID("01980000-0000-7000-8000-0000000000e1"),
    "token_hash": "cd" * 32,
    "expires_at": NOW + HOUR,
}

spec = Spec(users)
registered = UserRegistered(
    user_id=ID,
    email_sealed="1e",
    email_hash=HASH,
    name_sealed="1n",
    role=Role.BUYER,
    market=Market.EXOTICS,
    language=Language.ENGLISH,
    registered_at=NOW - HOUR,
)
asked_to_verify = EmailVerificationRequested(user_id=ID, requested_at=NOW - HOUR, **PROOF)
verified = EmailVerified(user_id=ID, status=UserStatus.ACTIVE, verified_at=NOW)
deactivated = UserDeactivated(user_id=ID, deactivated_at=NOW)
banned = UserBanned(user_id=ID, reason=BanReason.FRAUD, banned_at=NOW)
deleted = UserDeleted(user_id=ID, email_hash=HASH, deleted_at=NOW)
