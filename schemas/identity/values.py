"""The small words of identity: hashes, standings, purposes."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.values.texts import SEALED, Form, Line

# AES-GCM in URL-safe base64, see infra.vault.vault.
Sealed = Annotated[str, StringConstraints(max_length=4_000), SEALED]
LookupHash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]  # HMAC-SHA-256
TokenHash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]  # SHA-256
# In lower case, its letters of any script.
EmailDomain = Annotated[
    str, Line(253), Form(r"^[^\sA-Z@\x00-\x20]{1,253}$", "is no domain: write it like uni.example")
]
Provider = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,40}$")]
Version = Annotated[int, Field(ge=0)]


class UserStatus(StrEnum):
    """Where a person stands."""

    PENDING = "pending"  # has not proved the e-mail to be theirs
    ACTIVE = "active"
    DEACTIVATED = "deactivated"
    BANNED = "banned"
    DELETED = "deleted"


class BanReason(StrEnum):
    """Why somebody is banned; a closed list, for free text would hold names."""

    FRAUD = "fraud"
    SPAM = "spam"
    ABUSE = "abuse"
    PROHIBITED_GOODS = "prohibited_goods"
    OTHER = "other"


class TokenPurpose(StrEnum):
    """What a one-time token is good for."""

    VERIFY_EMAIL = "verify_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - a purpose, not a password
