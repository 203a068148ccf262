from __future__ import annotations

import pytest

from cli.imports.cells import TypedNumber
from cli.imports.language.images import Images
from cli.imports.language.made import MADE
from cli.imports.language.mapping import FileShape, Mapping, RejectRule
from cli.imports.language.rules import RULES, Part
from cli.imports.outcomes import Refusal, RefusedBy, Unread
from tests.cli.imports.ads import ROOT
from tests.cli.imports.reading import fields, one, rule, small


def value(text: str, name: str, **cells: str) -> object:
    return fields(one(rule(f"{{{name}: {text}}}"), **cells)).get(name)


def refusal(text: str, name: str, **cells: str) -> Refusal:
    found = one(rule(f"{{{name}: {text}}}"), **cells)
    assert isinstance(found, Refusal)
    return found


@pytest.mark.parametrize(
    ("rule_text", "name", "cell", "expected"),
    [
        ("{as: integer, column: c}", "year", "2004", 2004),
        ("{as: integer, column: c, absent: [0]}", "year", "0", None),
        ("{as: integer, column: c, default: 1999}", "year", "", 1999),
        ("{as: distance, column: c, unit: km}", "mileage", "150,000km", (150_000, "KMT")),
        (
            "{as: distance, column: c, unit: mi, decimal: ','}",
            "mileage",
            "41.200 mi",
            (41_200, "SMI"),
        ),
        ("{as: power, column: c, unit: ps}", "power_kw", "101", 74),
        ("{as: power, column: c, unit: hp}", "power_kw", "100 bhp", 75),
        ("{as: power, column: c, unit: kw}", "power_kw", "55kW", 55),
        ("{as: displacement, column: c, unit: l, decimal: ','}", "engine_cc", "1,6", 1600),
        ("{as: displacement, column: c, unit: cc}", "engine_cc", "1598ccm", 1598),
        ("{as: word, column: c, words: {limousine: sedan}}", "body_type", "Limousine", "sedan"),
        ("{as: word, column: c, words: {benzin: petrol}}", "fuel_type", "benzin", "petrol"),
        ("{as: word, column: c, words: {ja: true, nein: false}}", "damaged", "nein", False),
        ("{as: word, column: c, words: {suv: suv}, unknown: absent}", "body_type", "ufo", None),
        ("{as: text, column: c, spaces_for: _}", "title", "BMW_740i__Hamann_", "BMW 740i Hamann"),
        ("{as: text, column: c, case: title}", "make", "opel", "Opel"),
        ("{as: text, column: c, words: {bmw: BMW}, case: title}", "make", "bmw", "BMW"),
        ("{as: text, column: c, case: upper}", "make", "bmw", "BMW"),
        ("{as: text, column: c, case: lower}", "make", "BMW", "bmw"),
        ("{as: list, column: c, separator: '|'}", "features", "Sunroof| |ABS", ["Sunroof", "ABS"]),
        ("{as: constant, value: EUR}", "currency", "", "EUR"),
    ],
)
def test_a_rule_gives_the_value_of_a_cell(
    rule_text: str, name: str, cell: str, expected: object
) -> None:
    found = value(rule_text, name, c=cell)
    if isinstance(expected, tuple):
        expected = {"value": expected[0], "unit": expected[1]}
    assert found == expected


@pytest.mark.parametrize(
    ("cell", "mark", "currency", "minor"),
    [
        ("$8,500", ".", "USD", 850_000),
        ("£ 11.999,99", ",", "GBP", 1_199_999),
        ("0.29", ".", "EUR", 29),  # 0.29 * 100 is 28.999… in binary
        ("¥120000", ".", "JPY", 120_000),  # has no smaller unit
        ("1.250", ".", "KWD", 1_250),  # has a thousandth
    ],
)
def test_X_49_money_becomes_integer_minor_units_of_its_currency_without_floats(
    cell: str, mark: str, currency: str, minor: int
) -> None:
    mapping = rule(
        f"{{price_minor: {{as: money, column: c, decimal: '{mark}'}},"
        " currency: {as: text, column: d}}"
    )
    assert fields(one(mapping, c=cell, d=currency))["price_minor"] == minor


def test_money_finer_than_its_currency_is_refused() -> None:
    found = refusal("{as: money, column: c}", "price_minor", c="1.9999")
    assert (found.by, found.reason) == (RefusedBy.MAPPING, "not_a_whole_number")
    assert found.detail.startswith("price_minor: column 'c': '1.9999'")


@pytest.mark.parametrize(
    ("year", "month", "expected"),
    [("2004", "3", "2004-03"), ("2004", "12", "2004-12"), ("2004", "0", None), ("", "3", None)],
)
def test_year_and_month_become_the_first_registration(
    year: str, month: str, expected: str | None
) -> None:
    text = "{as: month, year: y, month: m}"
    assert value(text, "first_registration", y=year, m=month) == expected


def test_a_thirteenth_month_is_refused_by_validation() -> None:
    found = refusal("{as: month, year: y, month: m}", "first_registration", y="2004", m="13")
    assert (found.by, found.reason) == (RefusedBy.VALIDATION, "invalid_field")


def test_a_word_that_the_vocabulary_lacks_refuses_the_row_and_is_told() -> None:
    found = refusal("{as: word, column: c, words: {diesel: diesel}}", "fuel_type", c="coal")
    assert (found.by, found.reason) == (RefusedBy.MAPPING, "unknown_word")
    assert found.detail.startswith("fuel_type: column 'c': 'coal': ")


@pytest.mark.parametrize(
    ("make", "model", "year", "title"),
    [
        ("alfa_romeo", "147", "2001", "Alfa Romeo 147 2001"),
        ("alfa_romeo", "", "2001", "Alfa Romeo 2001"),
        ("alfa_romeo", "147", "", "Alfa Romeo 147"),
        ("", "", "", None),
    ],
)
def test_a_title_is_composed_of_what_the_row_states(
    make: str, model: str, year: str, title: str | None
) -> None:
    mapping = rule(
        "{title: {as: template, template: '{make} {model} {year}'},"
        " make: {as: text, column: a, spaces_for: _, case: title},"
        " model: {as: text, column: b}, year: {as: integer, column: c}}"
    )
    assert fields(one(mapping, a=make, b=model, c=year)).get("title") == title


@pytest.mark.parametrize(
    ("test", "cell", "rejected"),
    [
        ("equals: Gesuch", "Gesuch", True),
        ("equals: Gesuch", "Angebot", False),
        ("equals: 0", "0", True),
        ("one_of: [a, b]", "b", True),
        ("one_of: [a, b]", "c", False),
        ("matches: '^V'", "VW", True),
        ("matches: '^V'", "AV", False),
        ("outside: [1886, 2016]", "1885", True),
        ("outside: [1886, 2016]", "1886", False),
        ("outside: [1886, 2016]", "2016", False),
        ("outside: [1886, 2016]", "9999", True),
        ("outside: [1886, 2016]", "?", True),
        ("outside: [1, 9], decimal: ','", "1,5", False),
    ],
)
def test_a_reject_rule_rejects_with_its_reason(test: str, cell: str, rejected: bool) -> None:
    found = one(small(reject=f"[{{reason: unwanted, column: c, {test}}}]"), id="abc", c=cell)
    if rejected:
        assert found == Refusal(RefusedBy.MAPPING, "unwanted", f"c: {cell!r}", column="c")
    else:
        assert not isinstance(found, Refusal)


DOCS = (ROOT / "docs" / "importing.md").read_text("utf-8")


KINDS = {**RULES, **MADE}


@pytest.mark.parametrize("kind", KINDS)
def test_every_rule_and_each_of_its_options_is_explained(kind: str) -> None:
    options = KINDS[kind].model_fields.items()
    names = {each.alias or name for name, each in options} - {"as"}
    assert f"| `{kind}` |" in DOCS
    assert [name for name in sorted(names) if f"`{name}" not in DOCS] == []


@pytest.mark.parametrize("part", [Mapping, FileShape, RejectRule, Images])
def test_every_part_of_a_mapping_is_explained(part: type[Part]) -> None:
    told = [f"`{name}" in DOCS or f"\n{name}:" in DOCS for name in part.model_fields]
    assert all(told), part.model_fields


@pytest.mark.parametrize("reason", Unread)
def test_every_reason_of_a_refusal_is_explained(reason: Unread) -> None:
    assert f"`{reason}`" in DOCS


@pytest.mark.parametrize(
    ("lat", "expected"),
    [
        (TypedNumber("-0.12775829999999998"), -0.12775829999999998),
        (TypedNumber("7.1e-05"), 7.1e-05),
        (TypedNumber("48"), 48.0),
        ("-0.12775829999999998", -0.12775829999999998),
        ("48.12345678901234567890", 48.12345678901234567890),
        ("48.123456789012345678901", None),
        ("7.1e-05", None),
        (TypedNumber("1e999"), None),
        (TypedNumber("91"), None),
    ],
)
def test_degrees_are_read_with_as_many_digits_as_computers_write(
    lat: str, expected: float | None
) -> None:
    found = one(rule("{geo: {as: geo, lat: a, lon: b}}"), a=lat, b="0.5")
    if expected is None:
        assert isinstance(found, Refusal)
    else:
        assert fields(found)["geo"] == {"lat": expected, "lon": 0.5}
