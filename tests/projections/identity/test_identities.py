from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from projections.identity.identities import identities
from schemas.identity import IdentityClaimed, IdentityReleased
from tests.projections.history import BEGINNING, history, rows_of

ANNA, BEN = UUID(int=1), UUID(int=2)
SUBJECT = "ab" * 32
LATER = BEGINNING + timedelta(hours=1)
CLAIMED = IdentityClaimed(
    subject_hash=SUBJECT, owner_id=ANNA, provider="test", claimed_at=BEGINNING
)
RELEASED = IdentityReleased(subject_hash=SUBJECT, owner_id=ANNA, released_at=LATER)


def rows(*events):
    return rows_of(identities, history(f"identity_claim/{SUBJECT}", *events))


def test_ID_20_an_identity_lets_its_owner_in() -> None:
    row = rows(CLAIMED)[SUBJECT]
    assert (row.owner_id, row.provider, row.claimed_at) == (str(ANNA), "test", BEGINNING)


def test_ID_20_one_let_go_lets_nobody_in() -> None:
    assert rows(CLAIMED, RELEASED) == {}


def test_ID_20_the_next_owner_takes_its_place() -> None:
    again = CLAIMED.model_copy(update={"owner_id": BEN, "claimed_at": LATER})
    assert rows(CLAIMED, RELEASED, again)[SUBJECT].owner_id == str(BEN)
