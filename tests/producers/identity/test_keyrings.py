"""What may happen to somebody's API keys, rule by rule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from producers.identity.keyrings import keyrings
from schemas.identity.api_keys import (
    KEYS_MAX,
    ApiKeyIssued,
    ApiKeyRevoked,
    IssueApiKey,
    RevokeApiKey,
)
from schemas.log.messages import Role
from tests.producers.spec import Spec

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUARTER = timedelta(days=90)
KEY, OWNER, OTHER = (UUID(int=number) for number in (1, 2, 3))
BY_OWNER = {"asked_at": NOW, "asked_by": str(OWNER), "asked_role": Role.SELLER}
STATED = {
    "user_id": OWNER,
    "key_hash": "1a" * 32,
    "label_sealed": "sealed",
    "operations": ("list_my_listings",),
}

spec = Spec(keyrings)


def issue(key_id: UUID = KEY, **more: object) -> IssueApiKey:
    return IssueApiKey(key_id=key_id, **{"expires_at": NOW + QUARTER, **STATED, **BY_OWNER, **more})


def issued(key_id: UUID = KEY, until: datetime = NOW + QUARTER) -> ApiKeyIssued:
    return ApiKeyIssued(key_id=key_id, issued_at=NOW, expires_at=until, **STATED)


def revoked(key_id: UUID = KEY) -> ApiKeyRevoked:
    return ApiKeyRevoked(key_id=key_id, revoked_at=NOW)


def revoke(who: UUID = OWNER, role: Role = Role.SELLER, key_id: UUID = KEY) -> RevokeApiKey:
    asked = {"asked_at": NOW, "asked_by": str(who), "asked_role": role}
    return RevokeApiKey(key_id=key_id, user_id=OWNER, **asked)


FULL = tuple(issued(UUID(int=100 + number)) for number in range(KEYS_MAX))


def test_GW_13_a_key_is_issued_to_oneself_once_and_for_a_time_to_come() -> None:
    spec.when(issue()).then(issued())
    spec.when(issue(asked_by=str(OTHER))).refused("not_yours", 403)
    spec.when(issue(expires_at=NOW)).refused("api_key_expired", 422)
    spec.given(issued()).when(issue()).refused("api_key_exists")
    spec.given(issued(), revoked()).when(issue()).refused("api_key_exists")


def test_GW_13_there_are_so_many_keys_and_no_more() -> None:
    spec.given(*FULL[1:]).when(issue()).then(issued())
    spec.given(*FULL).when(issue()).refused("too_many_api_keys")


def test_GW_13_a_key_that_opens_nothing_takes_no_room() -> None:
    spec.given(*FULL, revoked(FULL[3].key_id)).when(issue()).then(issued())
    spec.given(*FULL[1:], issued(OTHER, until=NOW)).when(issue()).then(issued())


@pytest.mark.parametrize("who", [(OWNER, Role.SELLER), (OTHER, Role.ADMIN)])
def test_GW_13_the_owner_or_an_admin_revokes_and_twice_is_once(who) -> None:
    spec.given(issued()).when(revoke(*who)).then(revoked())
    spec.given(issued(), revoked()).when(revoke(*who)).then()


@pytest.mark.parametrize("role", [Role.SELLER, Role.MODERATOR])
def test_GW_13_to_anybody_else_there_is_no_such_key(role) -> None:
    spec.given(issued()).when(revoke(OTHER, role)).refused("api_key_unknown", 404)
    spec.when(revoke()).refused("api_key_unknown", 404)
