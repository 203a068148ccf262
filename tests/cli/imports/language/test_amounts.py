"""Numbers as people write them: each spelling is read as what it says, or refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cli.imports.outcomes import Refusal, RefusedBy
from tests.cli.imports.reading import fields, one, rule

KM = "as: distance, column: c, unit: km"
CC = "as: displacement, column: c, unit: cc"
YEAR = "as: integer, column: c"
EUR = "as: money, column: c"
MARKS = "thousands: [' ', \"'\"]"


def read(options: str, cell: str, currency: str = "EUR") -> int | Refusal:
    """What the field gets: kilometres, a year, or an amount in minor units."""
    name = {KM: "mileage", YEAR: "doors", CC: "engine_cc"}.get(
        options.partition("; ")[0], "price_minor"
    )
    mapping = rule(
        f"{{{name}: {{{options.replace('; ', ', ')}}}, currency: {{as: text, column: d}}}}"
    )
    found = one(mapping, c=cell, d=currency)
    if isinstance(found, Refusal):
        return found
    held = fields(found)[name]
    return held["value"] if isinstance(held, dict) else held  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("options", "cell", "value"),
    [
        (EUR, "9400", 940_000),
        (EUR, "9400.5", 940_050),
        (EUR, "9,400.50", 940_050),
        (EUR, "EUR 9,400", 940_000),
        (EUR, "€9,400.-", 940_000),
        (EUR, "9,400 €", 940_000),
        (EUR, "12345.000", 1_234_500),  # four digits and more are no group of thousands
        (EUR, "1,23,456", 12_345_600),  # lakhs
        (EUR, "+9400", 940_000),
        (f"{EUR}; decimal: ','", "9.400,-", 940_000),
        (f"{EUR}; decimal: ','", "9.400,\u2013", 940_000),
        (f"{EUR}; decimal: ','", "€ 9.400,50", 940_050),
        (f"{EUR}; {MARKS}", "1'234", 123_400),
        (f"{EUR}; {MARKS}", "1\u2019234\u2019567", 123_456_700),
        (f"{EUR}; {MARKS}", "1\u00a0234", 123_400),
        (f"{EUR}; {MARKS}", "1\u202f234.50", 123_450),
        (f"{EUR}; multipliers: {{k: 1000}}; ignore: [$]", "$25k", 2_500_000),
        (f"{EUR}; multipliers: {{Mio: 1000000}}", "1.2 Mio", 120_000_000),
        (f"{EUR}; multipliers: {{Mio. Euro: 1000000}}", "1.2 Mio. Euro", 120_000_000),
        (f"{EUR}; multipliers: {{lakh: 100000}}", "2 Lakh", 20_000_000),
        (f"{EUR}; ignore: [VB, ca., or best offer]", "ca. 1500 VB", 150_000),
        (f"{EUR}; ignore: [VB, ca., or best offer]", "1500 Or  Best Offer", 150_000),
        (f"{EUR}; decimals: 3", "9.400", 940),
        (f"{EUR}; default: 100", "", 10_000),
        (KM, "150,000km", 150_000),
        (KM, "150000 KM", 150_000),
        (KM, "145.4", 145),
        (KM, "2004.0", 2_004),
        (f"{KM}; multipliers: {{tkm: 1000}}", "145 tkm", 145_000),
        (f"{KM}; multipliers: {{t: 1000}}", "145 t km", 145_000),
        (YEAR, "5", 5),
        (YEAR, "05", 5),
        (YEAR, "5.0", 5),
    ],
)
def test_a_number_is_what_its_cell_says(options: str, cell: str, value: int) -> None:
    assert read(options, cell) == value


def test_rupees_are_read_with_what_stands_around_them_in_sri_lanka() -> None:
    assert read(EUR, "Rs. 8,500,000/-", "LKR") == 850_000_000
    assert read(EUR, "රු. 8,500,000", "LKR") == 850_000_000


@pytest.mark.parametrize(
    ("options", "cell", "reason"),
    [
        (EUR, "9.400", "ambiguous_number"),
        (KM, "145.000", "ambiguous_number"),
        (f"{KM}; decimal: ','", "145,000", "ambiguous_number"),
        (YEAR, "5.000", "ambiguous_number"),
        (CC, "2.0", "unknown_unit"),
        (CC, "1.9", "unknown_unit"),
        (EUR, "$25k", "other_currency"),
        (EUR, "1.2 Mio", "other_currency"),
        (EUR, "2 Lakh", "other_currency"),
        (EUR, "$9400", "other_currency"),  # the row says EUR
        (EUR, "USD 9400", "other_currency"),
        (EUR, "9400 £", "other_currency"),
        (EUR, "1500 VB", "other_currency"),
        *((EUR, cell, "unknown_unit") for cell in ("5%", ".5", "8500.", "5-", "(5)", "#5", "5 *")),
        (EUR, "19 %", "unknown_unit"),
        (EUR, "(9400)", "unknown_unit"),
        (EUR, "9400-", "unknown_unit"),  # a sign behind the number
        (EUR, "--9400", "unknown_unit"),
        (EUR, "Rs..5", "other_currency"),
        (EUR, "$.5", "other_currency"),
        (KM, "145k", "unknown_unit"),
        (KM, "145 tkm", "unknown_unit"),
        (KM, "145000 mi", "unknown_unit"),
        (KM, "ca. 145000", "unknown_unit"),
        (KM, ">145000", "unknown_unit"),
        (KM, "145000+", "unknown_unit"),
        (KM, "145000,-", "unknown_unit"),
        (KM, "145\x1fkm", "unknown_unit"),
        (KM, "145\u200b", "unknown_unit"),
        (YEAR, "'09", "unknown_unit"),
        (YEAR, ".5", "unknown_unit"),
        (YEAR, "5.", "unknown_unit"),
        (YEAR, "5½", "unknown_unit"),
        (YEAR, "5²", "unknown_unit"),
        (YEAR, "12.5", "not_a_whole_number"),
        (EUR, "9400.123456", "not_a_whole_number"),
        (EUR, "9.400,50", "not_a_number"),
        (EUR, "1,23", "not_a_number"),
        (f"{EUR}; decimal: ','", "8.50", "not_a_number"),
        (f"{EUR}; decimals: 2", "9.400", "not_a_number"),
        (f"{EUR}; thousands: none", "9,400", "not_a_number"),
        (EUR, "1'234", "not_a_number"),
        (EUR, "1 234", "not_a_number"),
        (EUR, "1\u00a0234", "not_a_number"),
        (EUR, "0,500", "not_a_number"),
        (EUR, "1,234,56,789", "not_a_number"),
        (EUR, "1,2345", "not_a_number"),
        (f"{EUR}; {MARKS}", "1'234 567", "not_a_number"),
        (EUR, "9000-9400", "not_a_number"),
        (EUR, "9000/9400", "not_a_number"),
        (EUR, "1e5", "not_a_number"),
        (EUR, "0x10", "not_a_number"),
        (EUR, "12/2003", "not_a_number"),
        (EUR, "VB", "not_a_number"),
        (EUR, "negotiable", "not_a_number"),
        (EUR, "-", "not_a_number"),
        (EUR, "\u2013", "not_a_number"),
        (EUR, "NaN", "not_a_number"),
        (EUR, "inf", "not_a_number"),
        (EUR, "9" * 19, "not_a_number"),
        (EUR, "9" * 61, "not_a_number"),
        (EUR, "\uff19\uff14\uff10\uff10", "not_a_number"),  # full-width digits
        (EUR, "٩٤٠٠", "not_a_number"),
        (EUR, "෯෪෦෦", "not_a_number"),
        (EUR, "௯௪௦௦", "not_a_number"),
        (EUR, "9\uff14", "unknown_unit"),
        (EUR, "-9400", "invalid_field"),
        (EUR, "\u22129400", "invalid_field"),
        (EUR, "0", "invalid_field"),
        (EUR, "9" * 18, "invalid_field"),
        (KM, "-5", "invalid_field"),
    ],
)
def test_a_cell_that_is_not_understood_to_its_last_character_is_refused(
    options: str, cell: str, reason: str
) -> None:
    found = read(options, cell)
    assert isinstance(found, Refusal), found
    assert found.reason == reason
    assert found.column == "c"


@pytest.mark.parametrize(
    ("cell", "cure"),
    [
        ("9.400", 'decimal: ","'),
        ("9.400,50", 'decimal: ","'),
        ("1 234", 'thousands: " "'),
        ("1'234", 'thousands: "\'"'),
        ("$25k", "multipliers"),
        ("9400 mi", "ignore"),
        ("VB", "absent"),
    ],
)
def test_a_refusal_names_field_column_cell_and_cure(cell: str, cure: str) -> None:
    found = read(EUR, cell)
    assert isinstance(found, Refusal)
    assert found.detail.startswith(f"price_minor: column 'c': {cell!r}: ")
    assert cure in found.detail


@pytest.mark.parametrize(
    ("currency", "value"),
    [
        ("KWD", 1_250),
        ("EUR", "ambiguous_number"),
        ("JPY", "ambiguous_number"),
        ("CLF", "ambiguous_number"),
        ("UYW", "ambiguous_number"),
    ],
)
def test_three_decimals_are_decimals_where_the_currency_has_three(
    currency: str, value: object
) -> None:
    found = read(EUR, "1.250", currency)
    assert (found.reason if isinstance(found, Refusal) else found) == value


def test_a_sign_without_a_currency_to_compare_it_with_is_refused() -> None:
    found = one(rule(f"{{price_minor: {{{EUR}}}}}"), c="$9400")
    assert isinstance(found, Refusal)
    assert "states no currency" in found.detail


NUMBERS = st.sampled_from(["9400", "9,400", "9,400.50", "12,34,567", "145.5", "7"])
NOT_DECLARED = st.characters(
    exclude_categories=["Nd", "Cs", "Zs"], exclude_characters="0123456789\t\r\n+-\u2212"
)


@given(NUMBERS, NOT_DECLARED, st.data())
def test_one_more_character_anywhere_never_gives_another_number(
    number: str, extra: str, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(number)))
    cell = number[:place] + extra + number[place:]
    found = read(EUR, cell)
    if isinstance(found, Refusal):
        assert found.by is RefusedBy.MAPPING
    else:
        # The sign of the currency, or marks between digits that are all in their places.
        assert cell.strip("€").replace(",", "") == f"{Decimal(found) / 100:f}" or (
            Decimal(cell.strip("€").replace(",", "")) * 100 == found
        )


@given(NUMBERS, st.text(st.characters(categories=["L", "So", "Sc"]), min_size=1, max_size=12))
def test_a_word_that_nobody_declared_refuses_the_cell(number: str, word: str) -> None:
    assume(word.casefold() not in {"€", "eur", "euro", "euros"})
    for cell in (f"{number}{word}", f"{number} {word}", f"{word}{number}", f"{word} {number}"):
        found = read(EUR, cell)
        assert isinstance(found, Refusal), (cell, found)
        assert found.by is RefusedBy.MAPPING


@given(st.integers(min_value=1, max_value=10**12), st.sampled_from(["€", "", "EUR "]))
def test_grouping_by_thousands_changes_no_amount(amount: int, before: str) -> None:
    assert read(EUR, f"{before}{amount:,}") == amount * 100
