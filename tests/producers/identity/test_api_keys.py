"""What may happen to an API key, rule by rule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from producers.identity.api_keys import api_keys
from schemas.identity.api_keys import ApiKeyIssued, ApiKeyRevoked, IssueApiKey, RevokeApiKey
from schemas.log.messages import Role
from tests.producers.spec import Spec

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUARTER = timedelta(days=90)
KEY, OWNER, OTHER = (UUID(int=number) for number in (1, 2, 3))
BY_OWNER = {"asked_at": NOW, "asked_by": str(OWNER), "asked_role": Role.SELLER}
STATED = {
    "key_id": KEY,
    "user_id": OWNER,
    "key_hash": "1a" * 32,
    "label_sealed": "sealed",
    "operations": ("list_my_listings",),
    "expires_at": NOW + QUARTER,
}

spec = Spec(api_keys)
issued = ApiKeyIssued(issued_at=NOW, **STATED)
revoked = ApiKeyRevoked(key_id=KEY, revoked_at=NOW)


def issue(**more: object) -> IssueApiKey:
    return IssueApiKey(**{**STATED, **BY_OWNER, **more})


def revoke(who: UUID = OWNER, role: Role = Role.SELLER) -> RevokeApiKey:
    return RevokeApiKey(key_id=KEY, asked_at=NOW, asked_by=str(who), asked_role=role)


def test_GW_13_a_key_is_issued_to_oneself() -> None:
    spec.when(issue()).then(issued)


def test_GW_13_nobody_issues_a_key_to_another() -> None:
    spec.when(issue(asked_by=str(OTHER))).refused("not_yours", 403)


def test_GW_13_a_key_is_issued_once() -> None:
    spec.given(issued).when(issue()).refused("api_key_exists")
    spec.given(issued, revoked).when(issue()).refused("api_key_exists")


def test_GW_13_a_key_that_has_expired_is_not_issued() -> None:
    spec.when(issue(expires_at=NOW)).refused("api_key_expired", 422)


def test_GW_13_the_owner_revokes() -> None:
    spec.given(issued).when(revoke()).then(revoked)


def test_GW_13_an_admin_revokes_anybodys() -> None:
    spec.given(issued).when(revoke(OTHER, Role.ADMIN)).then(revoked)


@pytest.mark.parametrize("role", [Role.BUYER, Role.SELLER, Role.MODERATOR, Role.OPS])
def test_GW_13_others_learn_nothing_of_a_key(role: Role) -> None:
    spec.given(issued).when(revoke(OTHER, role)).refused("api_key_unknown", 404)
    spec.given(issued, revoked).when(revoke(OTHER, role)).refused("api_key_unknown", 404)


def test_GW_13_revoking_twice_changes_nothing() -> None:
    spec.given(issued, revoked).when(revoke()).then()


def test_GW_13_what_was_never_issued_is_not_revoked() -> None:
    spec.when(revoke()).refused("api_key_unknown", 404)
