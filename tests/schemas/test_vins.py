"""What a VIN tells by itself."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.values.vins import check_digit_fits, is_north_american, maker_of, model_years_of

LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
VINS = st.text(LETTERS, min_size=17, max_size=17)


# Published worked examples: 49 CFR 565 and the seventeen ones.
@pytest.mark.parametrize("vin", ["1" * 17, "1M8GDM9AXKP042788", "1HGCM82633A004352"])
def test_BY_25_a_right_check_digit_fits(vin: str) -> None:
    assert check_digit_fits(vin)


@given(VINS)
def test_BY_25_of_all_check_digits_one_fits_at_most(vin: str) -> None:
    fitting = [each for each in LETTERS if check_digit_fits(f"{vin[:8]}{each}{vin[9:]}")]
    assert len(fitting) == 1
    assert fitting[0] in "0123456789X"


@given(VINS, st.integers(0, 16), st.sampled_from("0123456789"))
def test_BY_25_another_digit_anywhere_is_noticed(vin: str, place: int, digit: str) -> None:
    (right,) = (each for each in "0123456789X" if check_digit_fits(f"{vin[:8]}{each}{vin[9:]}"))
    vin = f"{vin[:8]}{right}{vin[9:]}"
    assume(vin[place].isdigit() and vin[place] != digit)
    assert not check_digit_fits(f"{vin[:place]}{digit}{vin[place + 1 :]}")


@pytest.mark.parametrize(
    ("vin", "inside"),
    [("1HG", True), ("2HG", True), ("3VW", True), ("4US", True), ("5YJ", True), ("7SA", True),
     ("7A1", False), ("6G1", False), ("WBA", False), ("JTD", False), ("9BW", False)],
)  # fmt: skip
def test_BY_25_north_america_is_told_by_the_first_places(vin: str, inside: bool) -> None:
    assert is_north_american(vin) is inside


@pytest.mark.parametrize(
    ("vin", "maker"),
    [
        ("WP0ZZZ99ZTS392124", "Porsche"),
        ("1HGCM82633A004352", "Honda"),
        ("JTDKN3DU0A0000000", "Toyota"),
        ("JTHBK1GG0A0000000", "Lexus"),
        ("VF7ZZZZZZZZ000000", "Citroën"),
        ("00000000000000000", None),
    ],
)
def test_BY_25_the_maker_is_told_by_the_wmi(vin: str, maker: str | None) -> None:
    assert maker_of(vin) == maker


@pytest.mark.parametrize(
    ("vin", "years"),
    [
        ("1HGCM82633A004352", (2003,)),  # a digit in place 7: before 2010
        ("5YJ3E1EA7KF000316", (2019,)),  # a letter there: from 2010 on
        ("WP0ZZZ99ZTS392124", (1996,)),  # 2026 is not there yet
        ("WVWZZZ1JZ3W386752", (2003,)),
        ("VF1AAAAAAAA000000", (1980, 2010)),
        ("VF1AAAAAA0A000000", ()),  # a maker that means no year by it
    ],
)
def test_BY_25_the_model_year_is_told_by_the_tenth_place(vin: str, years: tuple[int, ...]) -> None:
    assert model_years_of(vin, 2025) == years
