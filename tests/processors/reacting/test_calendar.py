"""Calendar jobs in zones: when their times are, also when clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.reacting.calendar import CalendarJob

NOTHING: Any = None


def job(cron: str, zone: str) -> CalendarJob:
    return CalendarJob("test", cron, zone, NOTHING)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("cron", "zone", "after", "next_one"),
    [
        ("0 9 * * *", "Asia/Colombo", "2026-03-01T00:00+05:30", "2026-03-01T09:00+05:30"),
        ("0 9 * * 1", "Asia/Colombo", "2026-03-01T00:00+05:30", "2026-03-02T09:00+05:30"),
        # Clocks go from 2 to 3: half past two does not exist.
        ("30 2 * * *", "Europe/Berlin", "2026-03-29T00:00+01:00", "2026-03-29T03:00+02:00"),
        # Clocks go from 3 to 2: half past two comes twice, and is taken once.
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:00+02:00", "2026-10-25T02:30+02:00"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"),
        # What is hourly stays so.
        ("0 * * * *", "Europe/Berlin", "2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"),
        ("0 9 * * *", "America/New_York", "2026-03-08T00:00-05:00", "2026-03-08T09:00-04:00"),
    ],
)
def test_a_time_is_that_of_its_zone(cron: str, zone: str, after: str, next_one: str) -> None:
    assert job(cron, zone).next_after(utc(after)) == utc(next_one)


@given(
    cron=st.sampled_from(["0 * * * *", "*/15 * * * *", "30 2 * * *", "0 9 * * 1"]),
    zone=st.sampled_from(["Asia/Colombo", "Europe/Berlin", "America/New_York"]),
    day=st.sampled_from([date(2026, 3, 8), date(2026, 3, 29), date(2026, 10, 25)]),
    after=st.timedeltas(timedelta(days=-1), timedelta(days=1)),
)
def test_the_last_time_is_the_one_after_which_none_came(
    cron: str, zone: str, day: date, after: timedelta
) -> None:
    asked = job(cron, zone)
    moment = datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC) + after
    last = asked.last_until(moment)
    assert last <= moment < asked.next_after(last)


def test_a_moment_just_before_a_time_does_not_reach_it() -> None:
    nine = utc("2026-03-01T09:00+05:30")
    before = job("0 9 * * *", "Asia/Colombo").last_until(nine - timedelta(microseconds=1))
    assert before == nine - timedelta(days=1)


def test_a_moment_that_is_a_time_itself_is_the_last() -> None:
    nine = utc("2026-03-01T09:00+05:30")
    assert job("0 9 * * *", "Asia/Colombo").last_until(nine) == nine
