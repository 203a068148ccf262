"""Whose an e-mail is, rule by rule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.decider import Rejected
from producers.identity.claims import Confirmed, Reserved, claims
from schemas.identity import (
    ConfirmEmail,
    EmailClaimCommand,
    EmailConfirmed,
    EmailReleased,
    EmailReserved,
    ReleaseEmail,
    ReserveEmail,
)
from schemas.log.messages import Role
from tests.producers.spec import Spec

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
UNTIL = NOW + timedelta(seconds=60)
LATER = UNTIL + timedelta(seconds=1)
HASH = "ab" * 32
ANNA = UUID("01980000-0000-7000-8000-00000000000a")
BEN = UUID("01980000-0000-7000-8000-00000000000b")

spec = Spec(claims)
reserved = EmailReserved(email_hash=HASH, owner_id=ANNA, until=UNTIL)
confirmed = EmailConfirmed(email_hash=HASH, owner_id=ANNA)


def reserve(owner: UUID, at: datetime = NOW, abandoned: tuple[UUID, ...] = ()) -> ReserveEmail:
    return ReserveEmail(
        email_hash=HASH,
        owner_id=owner,
        until=at + timedelta(seconds=60),
        abandoned=abandoned,
        asked_at=at,
        asked_by=str(owner),
        asked_role=Role.BUYER,
    )


def confirm(owner: UUID, at: datetime = NOW) -> ConfirmEmail:
    return ConfirmEmail(
        email_hash=HASH, owner_id=owner, asked_at=at, asked_by="reaction", asked_role=Role.SYSTEM
    )


def test_ID_01_a_free_email_is_reserved() -> None:
    spec.given().when(reserve(ANNA)).then(reserved)


def test_ID_01_a_reserved_email_is_refused_to_others() -> None:
    spec.given(reserved).when(reserve(BEN)).refused("email_taken")


def test_ID_01_a_confirmed_email_is_refused_to_others_for_ever() -> None:
    year = timedelta(days=365)
    spec.given(reserved, confirmed).when(reserve(BEN, NOW + year, (ANNA,))).refused("email_taken")


def test_ID_01_the_holder_may_reserve_again_without_effect() -> None:
    spec.given(reserved).when(reserve(ANNA)).then()


def test_ID_20_whoever_has_it_may_reserve_it_again_without_effect() -> None:
    spec.given(reserved, confirmed).when(reserve(ANNA, LATER)).then()


def test_ID_01_a_lapsed_reservation_is_not_free_without_proof() -> None:
    spec.given(reserved).when(reserve(BEN, LATER)).refused("email_reservation_lapsed")


def test_ID_01_a_reservation_whose_holder_never_will_register_is_taken_over() -> None:
    spec.given(reserved).when(reserve(BEN, LATER, (ANNA,))).then(
        EmailReserved(email_hash=HASH, owner_id=BEN, until=LATER + timedelta(seconds=60))
    )


def test_ID_01_the_holder_confirms() -> None:
    spec.given(reserved).when(confirm(ANNA)).then(confirmed)


def test_ID_01_a_late_confirmation_still_counts() -> None:
    spec.given(reserved).when(confirm(ANNA, LATER)).then(confirmed)


def test_ID_01_a_second_confirmation_changes_nothing() -> None:
    spec.given(reserved, confirmed).when(confirm(ANNA)).then()


@pytest.mark.parametrize("history", [(), (reserved,), (reserved, confirmed)])
def test_ID_01_nobody_else_confirms(history: tuple[EmailReserved, ...]) -> None:
    spec.given(*history).when(confirm(BEN)).refused("email_not_reserved")


released = EmailReleased(email_hash=HASH, owner_id=ANNA)


def release(owner: UUID, role: Role = Role.SYSTEM) -> ReleaseEmail:
    return ReleaseEmail(
        email_hash=HASH, owner_id=owner, asked_at=NOW, asked_by="reaction", asked_role=role
    )


def test_PR_10_a_deleted_persons_email_is_free_again() -> None:
    spec.given(reserved, confirmed).when(release(ANNA)).then(released)
    spec.given(reserved, confirmed, released).when(reserve(BEN)).then(
        EmailReserved(email_hash=HASH, owner_id=BEN, until=UNTIL)
    )


def test_PR_10_a_late_release_takes_nothing_from_the_next_owner() -> None:
    spec.given(reserved, confirmed).when(release(BEN)).then()
    spec.given().when(release(ANNA)).then()


def test_PR_10_no_person_releases_an_email() -> None:
    spec.given(reserved, confirmed).when(release(ANNA, Role.BUYER)).refused("role_not_allowed", 403)


_commands = st.one_of(
    st.builds(
        reserve,
        st.sampled_from([ANNA, BEN]),
        st.sampled_from([NOW, LATER]),
        st.sampled_from([(), (ANNA,), (BEN,)]),
    ),
    st.builds(confirm, st.sampled_from([ANNA, BEN])),
)


@given(st.lists(_commands, max_size=12))
def test_ID_01_a_confirmed_email_never_changes_hands(commands: list[EmailClaimCommand]) -> None:
    claim, owner = claims.initial, None
    for command in commands:
        try:
            events = claims.decide(command, claim)
        except Rejected:
            continue
        for event in events:
            claim = claims.evolve(claim, event)
        if isinstance(claim, Confirmed):
            owner = owner or claim.owner_id
        assert owner is None or claim == Confirmed(owner)
        assert owner is not None or not isinstance(claim, Confirmed)
    assert owner is None or not isinstance(claim, Reserved)
