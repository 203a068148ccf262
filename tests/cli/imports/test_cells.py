from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.imports.cells import number, title_case
from cli.imports.outcomes import RefusedError


@pytest.mark.parametrize(
    ("cell", "mark", "value"),
    [
        ("$8,500", ".", "8500"),
        ("150,000km", ".", "150000"),
        ("Rs. 8,500,000", ".", "8500000"),
        ("12,34,567", ".", "1234567"),
        ("£ 5.495,00", ",", "5495"),
        ("1.234,56 EUR", ",", "1234.56"),
        ("500,-", ",", "500"),
        ("1 234 km", ".", "1234"),
        ("1\u00a0234", ".", "1234"),
        ("1'234", ".", "1234"),
        ("-5", ".", "-5"),
        ("0", ".", "0"),
        ("1,6", ",", "1.6"),
        ("1500 VB.", ".", "1500"),
    ],
)
def test_a_number_is_read_out_of_its_symbols(cell: str, mark: str, value: str) -> None:
    assert number(cell, mark) == Decimal(value)


@pytest.mark.parametrize(
    ("cell", "mark"),
    [
        ("", "."),
        ("POA", "."),
        ("1,23", "."),  # somebody else's decimal comma, not 123
        ("8.50", ","),  # somebody else's decimal point, not 850
        ("12/2003", "."),
        ("100-200", "."),
        ("9" * 19, "."),
        ("1" + " " * 80, "."),
        ("٣", "."),
    ],
)
def test_a_cell_that_holds_no_single_number_is_refused(cell: str, mark: str) -> None:
    with pytest.raises(RefusedError) as refused:
        number(cell, mark)
    assert refused.value.refusal.reason == "not_a_number"


@given(st.integers(min_value=0, max_value=10**15), st.sampled_from(["$", "", "Rs. ", "EUR "]))
def test_grouping_and_symbols_never_change_a_number(value: int, symbol: str) -> None:
    assert number(f"{symbol}{value:,}") == value


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("alfa romeo", "Alfa Romeo"),
        ("c4", "C4"),
        ("s-max", "S-Max"),
        ("škoda", "Škoda"),
        ("RS", "RS"),
        ("3er", "3er"),
        ("(neu)", "(Neu)"),
    ],
)
def test_title_case_raises_first_letters_and_leaves_the_rest(text: str, shown: str) -> None:
    assert title_case(text) == shown
