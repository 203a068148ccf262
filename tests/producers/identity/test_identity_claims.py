"""Whose a provider's identity is, rule by rule; and what a person's own stream says of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.reactions.identity import release_identity
from processors.reactions.reactor import REACTIONS
from producers.decider import Rejected
from producers.identity.identity_claims import Taken, identity_claims
from schemas.identity import (
    ClaimIdentity,
    DeleteUser,
    IdentityClaimCommand,
    IdentityClaimed,
    IdentityLinked,
    IdentityReleased,
    IdentityUnlinked,
    RegisterUser,
    ReleaseIdentity,
    UnlinkIdentity,
)
from schemas.log.messages import Market, Role
from schemas.log.recorded import Recorded
from tests.producers.identity.people import HASH, ID, PROOF, SELF, SYSTEM, registered, verified
from tests.producers.identity.people import deleted as user_deleted
from tests.producers.identity.people import spec as people
from tests.producers.spec import Spec

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOON = timedelta(seconds=1)
SUBJECT = "ab" * 32
ANNA, BEN = UUID(int=1), UUID(int=2)

spec = Spec(identity_claims)


def claim(owner: UUID, at: datetime = NOW, role: Role = Role.SYSTEM) -> ClaimIdentity:
    return ClaimIdentity(
        subject_hash=SUBJECT,
        owner_id=owner,
        provider="test",
        asked_at=at,
        asked_by="api",
        asked_role=role,
    )


def claimed(owner: UUID, at: datetime = NOW) -> IdentityClaimed:
    return IdentityClaimed(subject_hash=SUBJECT, owner_id=owner, provider="test", claimed_at=at)


def release(owner: UUID, as_of: datetime, role: Role = Role.SYSTEM) -> ReleaseIdentity:
    return ReleaseIdentity(
        subject_hash=SUBJECT,
        owner_id=owner,
        as_of=as_of,
        asked_at=NOW,
        asked_by="api",
        asked_role=role,
    )


released = IdentityReleased(subject_hash=SUBJECT, owner_id=ANNA, released_at=NOW)


def test_ID_20_a_free_identity_is_the_first_ones() -> None:
    spec.given().when(claim(ANNA)).then(claimed(ANNA))


def test_ID_20_it_is_refused_to_everyone_else() -> None:
    spec.given(claimed(ANNA)).when(claim(BEN)).refused("identity_taken")


def test_ID_20_its_owner_may_claim_it_anew() -> None:
    spec.given(claimed(ANNA)).when(claim(ANNA, NOW + SOON)).then(claimed(ANNA, NOW + SOON))


def test_ID_20_one_let_go_is_free() -> None:
    spec.given(claimed(ANNA)).when(release(ANNA, NOW)).then(released)
    spec.given(claimed(ANNA), released).when(claim(BEN)).then(claimed(BEN))


def test_ID_20_a_late_release_spares_a_newer_link() -> None:
    spec.given(claimed(ANNA), claimed(ANNA, NOW + SOON)).when(release(ANNA, NOW)).then()


def test_ID_20_nobody_lets_go_of_what_is_not_theirs() -> None:
    spec.given(claimed(BEN)).when(release(ANNA, NOW)).then()
    spec.given().when(release(ANNA, NOW)).then()


@pytest.mark.parametrize("role", [each for each in Role if each is not Role.SYSTEM])
def test_ID_20_only_the_api_claims_and_releases(role: Role) -> None:
    spec.given().when(claim(ANNA, role=role)).refused("role_not_allowed", 403)
    spec.given(claimed(ANNA)).when(release(ANNA, NOW, role)).refused("role_not_allowed", 403)


moments = st.integers(0, 3).map(lambda n: NOW + n * SOON)
owners = st.sampled_from([ANNA, BEN])


@given(st.lists(st.builds(claim, owners, moments) | st.builds(release, owners, moments)))
def test_ID_20_an_identity_has_one_owner_whatever_is_asked(
    commands: list[IdentityClaimCommand],
) -> None:
    state = identity_claims.initial
    for command in commands:
        before = state
        try:
            events = identity_claims.decide(command, state)
        except Rejected:
            events = []
        for event in events:
            state = identity_claims.evolve(state, event)
        if isinstance(before, Taken) and isinstance(state, Taken):
            assert before.owner_id == state.owner_id


# The person's own stream.

WHICH = {"user_id": ID, "provider": "test", "subject_hash": SUBJECT}
linked = IdentityLinked(linked_at=NOW, **WHICH)
unlinked = IdentityUnlinked(unlinked_at=NOW, **WHICH)


def test_ID_20_the_last_way_to_log_in_stays() -> None:
    unlink = UnlinkIdentity(**WHICH, **SELF)
    people.given(registered, linked).when(unlink).refused("last_way_in")
    other = linked.model_copy(update={"subject_hash": "cd" * 32})
    people.given(registered, linked, other).when(unlink).then(unlinked)


def test_ID_20_with_a_password_every_identity_may_be_unlinked() -> None:
    unlink = UnlinkIdentity(**WHICH, has_password=True, **SELF)
    people.given(registered, linked).when(unlink).then(unlinked)


def test_ID_20_whoever_is_deleted_leaves_their_identities_to_others() -> None:
    delete = DeleteUser(user_id=ID, **SELF)
    people.given(registered, linked).when(delete).then(unlinked, user_deleted)


def test_ID_20_an_email_that_a_provider_has_proved_needs_no_mail() -> None:
    join = RegisterUser(
        user_id=ID,
        email_sealed="1e",
        email_hash=HASH,
        name_sealed="1n",
        role=Role.BUYER,
        market=Market.EXOTICS,
        email_verified=True,
        **PROOF,
        **SELF,
    )
    joined = registered.model_copy(update={"registered_at": NOW})
    people.given().when(join).then(joined, verified)


def test_ID_20_what_is_unlinked_is_released() -> None:
    recorded = Recorded(
        event=unlinked,
        event_id="01980000-0000-7000-8000-0000000000f1",
        kind=unlinked.kind,
        stream_id="user/x",
        version=3,
        recorded_at=NOW + SOON,
        command_id="",
        index=0,
        count=1,
        correlation_id="",
        causation_id="",
        actor="",
        fingerprint="",
        writer_epoch=1,
        position=None,
    )
    (command,) = release_identity(recorded)
    assert (command.subject_hash, command.owner_id, command.as_of) == (SUBJECT, ID, NOW)
    assert command.asked_role is SYSTEM["asked_role"]
    assert "user.identity_unlinked" in {kind for each in REACTIONS for kind in each.kinds}
