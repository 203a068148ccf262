"""Share links as they are kept for reading, here of wishlists; others declare theirs the same way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from projections.favorites.shared_wishlists import shared_wishlists
from projections.sharing import KEPT_MAX, Shares
from schemas.favorites import favorites_stream
from schemas.sharing import SHARES_MAX
from tests.producers.keeping import DAY, ID, NOW, shared, unshared
from tests.projections.history import history, rows_of

LATER = NOW + 2 * DAY


def row_after(*events: Any) -> Shares:
    return rows_of(shared_wishlists, history(favorites_stream(ID), *events))[str(ID)]


def ids(row: Shares) -> list[int]:
    return [int(each[-12:], 16) for each in row.share_ids]


def test_FA_10_a_link_is_kept_by_the_hash_of_its_text() -> None:
    row = row_after(shared(1), shared(2))
    assert ids(row) == [1, 2]
    assert row.token_hashes == (shared(1).token_hash, shared(2).token_hash)
    assert row.expires_at == (NOW + DAY, NOW + DAY)
    assert (row.revoked, row.version) == ((False, False), 2)


def test_FA_10_a_revoked_link_is_remembered_as_such() -> None:
    assert row_after(shared(1), shared(2), unshared(1)).revoked == (True, False)
    assert row_after(shared(1), unshared(9)).revoked == (False,)


@pytest.mark.parametrize("ended", ["revoked", "expired"])
def test_FA_10_what_ended_first_is_forgotten_first_and_what_is_open_never(ended: str) -> None:
    at = LATER if ended == "expired" else NOW
    first = [shared(1, lasts=timedelta(days=365)), shared(2)]
    events = [*first, unshared(2)] if ended == "revoked" else first
    events += [shared(number, at=at) for number in range(3, KEPT_MAX + 1)]
    assert ids(row_after(*events)) == list(range(1, KEPT_MAX + 1))
    row = row_after(*events, shared(KEPT_MAX + 1, at=at))
    assert ids(row) == [1, *range(3, KEPT_MAX + 2)]
    assert len({len(getattr(row, name)) for name in ("token_hashes", "shared_at", "revoked")}) == 1


def test_there_is_room_for_more_than_can_be_open() -> None:
    assert KEPT_MAX > SHARES_MAX
