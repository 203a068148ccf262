"""One row per change, and nobody's name in it."""

from __future__ import annotations

from dataclasses import fields
from datetime import date

from projections.analytics.days import clipped
from projections.analytics.favorite_changes import FavoriteChange, favorite_changes
from schemas.favorites import favorites_stream
from tests.producers.keeping import ID, added, car, cleared, removed
from tests.projections.history import recorded, rows_of

STREAM = favorites_stream(ID)


def test_FA_08_every_change_is_a_row_of_its_own() -> None:
    events = [added(1), added(2), removed(1), cleared(2)]
    told = [recorded(STREAM, number, each, offset=number) for number, each in enumerate(events, 1)]
    rows = list(rows_of(favorite_changes, told).values())
    one, two = (str(car(number)) for number in (1, 2))
    assert [(row.listing_ids, row.more) for row in rows] == [
        ((one,), 1), ((two,), 1), ((one,), -1), ((two,), -1),
    ]  # fmt: skip
    assert [row.recorded_at for row in rows] == [each.recorded_at for each in told]


def test_FA_08_no_column_names_a_person() -> None:
    assert {each.name for each in fields(FavoriteChange)} == {"listing_ids", "more", "recorded_at"}


def test_FA_08_days_that_can_not_be_counted_are_none() -> None:
    assert clipped(date.min, date(1969, 12, 31)) is None
    assert clipped(date(2262, 1, 1), date.max) is None
    assert clipped(date.min, date.max) == (date(1970, 1, 1), date(2261, 12, 31))
