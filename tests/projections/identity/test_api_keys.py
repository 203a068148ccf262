from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from projections.identity.api_keys import api_keys
from schemas.identity.api_keys import ApiKeyIssued, ApiKeyRevoked
from tests.projections.history import BEGINNING, history, rows_of

KEY, USER = UUID(int=1), UUID(int=2)
LATER = BEGINNING + timedelta(hours=1)
ISSUED = ApiKeyIssued(
    key_id=KEY,
    user_id=USER,
    key_hash="a" * 64,
    label_sealed="sealed",
    operations=("list_my_listings", "search"),
    issued_at=BEGINNING,
    expires_at=BEGINNING + timedelta(days=90),
)


def after(*events):
    return rows_of(api_keys, history(f"api_key/{KEY}", ISSUED, *events))[str(KEY)]


def test_GW_13_a_key_knows_whose_it_is_and_what_it_opens() -> None:
    row = after()
    assert (row.user_id, row.hash, row.revoked_at) == (str(USER), "a" * 64, None)
    assert row.operations == "list_my_listings search"


def test_GW_13_a_revoked_key_stays_and_says_so() -> None:
    assert after(ApiKeyRevoked(key_id=KEY, revoked_at=LATER)).revoked_at == LATER


def test_GW_13_a_revocation_alone_makes_no_key() -> None:
    lone = history(f"api_key/{KEY}", ApiKeyRevoked(key_id=KEY, revoked_at=LATER))
    assert rows_of(api_keys, lone) == {}
