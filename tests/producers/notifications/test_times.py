"""What a person's clock on the wall says of nights and mornings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.notifications.times import after_quiet, is_quiet, next_at
from schemas.notifications import QuietHours

NOW = datetime(2026, 3, 1, 6, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "moment", "expected"),
    [
        # The clock is put forward at 01:00 UTC: the hour from 02:00 to 03:00 is left out.
        ("Europe/Berlin", (2026, 3, 29, 0, 0), (2026, 3, 29, 1, 30)),
        # Put back at 01:00 UTC: 02:30 comes at 00:30 and at 01:30 UTC.
        ("Europe/Berlin", (2026, 10, 25, 0, 0), (2026, 10, 25, 0, 30)),
        ("Europe/Berlin", (2026, 10, 25, 1, 10), (2026, 10, 25, 1, 30)),
        ("Europe/Berlin", (2026, 10, 25, 1, 30), (2026, 10, 26, 1, 30)),
        ("Asia/Colombo", (2026, 3, 1, 21, 0), (2026, 3, 2, 21, 0)),
    ],
)
def test_half_past_two_by_a_clock_that_is_put_forward_and_back(
    zone: str, moment: Sequence[int], expected: Sequence[int]
) -> None:
    found = next_at(datetime(*moment, tzinfo=UTC), zone, 2 * 60 + 30)  # type: ignore[misc]
    assert found == datetime(*expected, tzinfo=UTC)  # type: ignore[misc]


@given(
    moment=st.integers(0, 5_000_000).map(lambda minutes: NOW + timedelta(minutes=minutes)),
    zone=st.sampled_from(["Asia/Colombo", "Europe/Berlin", "America/New_York", "Pacific/Apia"]),
    begin=st.integers(0, 1_439),
    end=st.integers(0, 1_439),
)
def test_after_quiet_hours_it_is_not_quiet_and_not_a_day_late(
    moment: datetime, zone: str, begin: int, end: int
) -> None:
    quiet = QuietHours(begin=begin, end=end if end != begin else (end + 1) % 1_440)
    found = after_quiet(moment, zone, quiet)
    assert not is_quiet(found, zone, quiet)
    assert moment <= found <= moment + timedelta(hours=25)
    assert (found == moment) is not is_quiet(moment, zone, quiet)
