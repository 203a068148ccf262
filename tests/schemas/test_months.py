"""A car was first registered in a month since there are cars."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.values.vehicles import YEAR_MIN, Month

MONTHS: TypeAdapter[str] = TypeAdapter(Month)


def test_the_first_month_is_of_the_first_year_that_a_car_may_have() -> None:
    for year in range(YEAR_MIN, 2_100):
        for month in ("01", "12"):
            assert MONTHS.validate_python(f"{year}-{month}") == f"{year}-{month}"


@pytest.mark.parametrize(
    "month", ["1885-12", f"{YEAR_MIN - 1}-01", "1799-05", "2100-01", "2020-00", "2020-13", "2020-1"]
)
def test_anything_else_is_told_what_a_month_looks_like(month: str) -> None:
    with pytest.raises(ValidationError, match="write it like 2020-07"):
        MONTHS.validate_python(month)
