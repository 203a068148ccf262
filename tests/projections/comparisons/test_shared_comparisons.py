"""What links show of comparisons, as it is kept for reading; test_shared_wishlists has the links."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from projections.comparisons.shared_comparisons import SharedComparisons, shared_comparisons
from projections.sharing import KEPT_MAX
from schemas.comparisons import ComparisonShared, comparison_stream
from schemas.identity import UserDeleted
from tests.producers.comparing import (
    DAY,
    ID,
    NOW,
    accepted,
    car,
    cleared,
    commands,
    removed,
    shared,
    unshared,
)
from tests.projections.history import history, rows_of

DELETED = UserDeleted(user_id=ID, email_hash="0" * 64, deleted_at=NOW)


def row_after(*events: Any) -> SharedComparisons:
    return rows_of(shared_comparisons, history(comparison_stream(ID), *events))[str(ID)]


def shown(row: SharedComparisons, number: int) -> list[int]:
    """The numbers of the cars that a link shows."""
    pairs = zip(row.shown_by, row.listing_ids, strict=True)
    return [int(each[-12:], 16) - 1_000 for by, each in pairs if int(by[-12:], 16) == number]


def test_CO_10_a_link_is_kept_by_the_hash_of_its_text_with_what_it_shows() -> None:
    row = row_after(shared(1, 3, 1), shared(2, 1, 2, 3, 4))
    assert row.token_hashes == (shared(1).token_hash, shared(2).token_hash)
    assert row.expires_at == (NOW + DAY, NOW + DAY)
    assert (row.revoked, row.version) == ((False, False), 2)
    assert (shown(row, 1), shown(row, 2)) == ([3, 1], [1, 2, 3, 4])
    assert row.listing_ids[:2] == (str(car(3)), str(car(1)))


def test_CO_07_what_a_link_shows_stays_whatever_becomes_of_the_comparison() -> None:
    row = row_after(shared(1, 3, 1), removed(3), cleared(), shared(2, 2))
    assert (shown(row, 1), shown(row, 2)) == ([3, 1], [2])


def test_CO_10_a_revoked_link_is_remembered_as_such() -> None:
    row = row_after(shared(1, 1), shared(2, 2), unshared(1))
    assert (row.revoked, row.version) == ((True, False), 3)


def test_CO_10_with_a_link_that_is_forgotten_goes_what_it_showed() -> None:
    later = [shared(number, 1, 2, at=NOW + 2 * DAY) for number in range(2, KEPT_MAX + 1)]
    row = row_after(shared(1, 3), *later)
    assert (len(row.share_ids), shown(row, 1)) == (KEPT_MAX, [3])
    row = row_after(shared(1, 3), *later, shared(KEPT_MAX + 1, 4, at=NOW + 2 * DAY))
    assert (len(row.share_ids), shown(row, 1)) == (KEPT_MAX, [])
    assert (shown(row, 2), shown(row, KEPT_MAX + 1)) == ([1, 2], [4])


def test_CO_10_a_link_that_is_told_of_twice_shows_its_listings_once() -> None:
    assert shown(row_after(shared(1, 3, 1), shared(1, 3, 1)), 1) == [3, 1]


def test_CO_10_of_a_deleted_person_no_listing_is_left_whatever_comes() -> None:
    for events in ([shared(1, 3), DELETED], [DELETED, shared(1, 3)], [shared(1, 3), DELETED] * 2):
        row = row_after(*events)
        assert (row.shown_by, row.listing_ids, row.deleted) == ((), (), True)
        assert row.token_hashes == (shared(1).token_hash,)


@given(commands)
def test_CO_10_each_link_shows_what_its_event_states(asked) -> None:
    links = [each for each in accepted(asked) if isinstance(each, ComparisonShared)]
    if not links:
        return
    row = row_after(*links)
    for each in links:
        wanted = [listing_id.int - 1_000 for listing_id in each.listing_ids]
        assert shown(row, each.share_id.int) == wanted
