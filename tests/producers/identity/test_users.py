"""What may happen to a person, rule by rule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from producers.identity.users import users
from schemas.identity import (
    AbandonRegistration,
    EmailVerificationRequested,
    GrantRole,
    RegisterUser,
    RegistrationAbandoned,
    RoleGranted,
    UserRegistered,
)
from schemas.log.messages import Language, Market, Role
from tests.producers.spec import Spec

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID = UUID("01980000-0000-7000-8000-00000000000a")
HASH = "ab" * 32
PRIVATE = {
    "email_sealed": "1e",
    "email_hash": HASH,
    "name_sealed": "1n",
    "market": Market.EXOTICS,
    "language": Language.TAMIL,
}
PROOF = {
    "token_id": UUID("01980000-0000-7000-8000-0000000000e1"),
    "token_hash": "cd" * 32,
    "expires_at": NOW + timedelta(days=1),
}
SYSTEM = {"asked_at": NOW, "asked_by": "cli", "asked_role": Role.SYSTEM}

spec = Spec(users)
registered = UserRegistered(user_id=ID, role=Role.BUYER, registered_at=NOW, **PRIVATE)
abandoned = RegistrationAbandoned(user_id=ID, abandoned_at=NOW)


def register(role: Role = Role.BUYER, **more) -> RegisterUser:
    by = {"asked_at": NOW, "asked_by": str(ID), "asked_role": role}
    return RegisterUser(user_id=ID, role=role, **{**by, **PRIVATE, **PROOF, **more})


def grant(role: Role, by: Role = Role.SYSTEM) -> GrantRole:
    return GrantRole(user_id=ID, role=role, **{**SYSTEM, "asked_role": by})


def test_ID_01_registering_asks_for_a_verified_email() -> None:
    spec.given().when(register()).then(
        registered, EmailVerificationRequested(user_id=ID, requested_at=NOW, **PROOF)
    )


def test_ID_01_nobody_registers_twice() -> None:
    spec.given(registered).when(register()).refused("already_registered")


def test_ID_01_an_abandoned_registration_is_never_finished() -> None:
    spec.given(abandoned).when(register()).refused("registration_abandoned", 410)


@pytest.mark.parametrize("role", [Role.MODERATOR, Role.ADMIN, Role.OPS, Role.SYSTEM])
def test_ID_24_nobody_registers_into_a_role_of_trust(role: Role) -> None:
    spec.given().when(register(role)).refused("role_not_open", 422, ["/role"])


@pytest.mark.parametrize("role", [Role.BUYER, Role.SELLER, Role.DEALER])
def test_ID_24_everyone_may_register_as_buyer_seller_or_dealer(role: Role) -> None:
    assert spec.given().when(register(role)).decided()[0].role is role


def test_ID_01_only_the_unregistered_are_abandoned() -> None:
    command = AbandonRegistration(user_id=ID, **SYSTEM)
    spec.given().when(command).then(abandoned)
    spec.given(registered).when(command).refused("already_registered")
    spec.given(abandoned).when(command).then()


def test_ID_24_a_role_is_granted_by_the_system() -> None:
    spec.given(registered).when(grant(Role.ADMIN)).then(
        RoleGranted(user_id=ID, role=Role.ADMIN, previous=Role.BUYER, granted_at=NOW)
    )


def test_ID_24_a_role_that_somebody_has_is_not_granted_again() -> None:
    spec.given(registered).when(grant(Role.BUYER)).then()


@pytest.mark.parametrize("by", [Role.BUYER, Role.SELLER, Role.DEALER, Role.MODERATOR, Role.OPS])
def test_ID_24_only_admins_and_the_system_grant_roles(by: Role) -> None:
    spec.given(registered).when(grant(Role.ADMIN, by)).refused("role_not_allowed", 403)


@pytest.mark.parametrize("role", Role)
def test_ID_24_nobody_changes_their_own_role(role: Role) -> None:
    own = grant(role, Role.ADMIN).model_copy(update={"asked_by": str(ID)})
    spec.given(registered).when(own).refused("not_oneself", 403)


def test_ID_24_no_person_becomes_the_system() -> None:
    spec.given(registered).when(grant(Role.SYSTEM)).refused("role_not_open", 422, ["/role"])


@pytest.mark.parametrize("history", [(), (abandoned,)])
def test_ID_24_the_unknown_get_no_role(history: tuple[RegistrationAbandoned, ...]) -> None:
    spec.given(*history).when(grant(Role.ADMIN)).refused("user_unknown", 404)


def test_ID_03_the_domain_is_told_on_campus_only() -> None:
    campus = {"market": Market.CAMPUS, "email_domain": "cs.uni.example"}
    assert spec.given().when(register(**campus)).decided()[0].email_domain == "cs.uni.example"
    spec.given().when(register(market=Market.CAMPUS)).refused("email_domain_misplaced", 422)
    spec.given().when(register(email_domain="x.example")).refused("email_domain_misplaced", 422)
