"""Rules that hang on a row's other cells, and numbers that become others."""

from __future__ import annotations

from itertools import product

import pytest

from cli.imports.cells import TypedNumber
from cli.imports.language.mapping_file import MappingError
from cli.imports.language.units import SPELLINGS
from cli.imports.outcomes import Refusal
from schemas.log.recorded import CommandEnvelope
from tests.cli.imports.reading import fields, one, rule

MILEAGE = (
    "{mileage: {as: when, column: unit, one_of: [mi, miles], then: {as: distance, column: clock, "
    "unit: mi, to: km}, else: {as: distance, column: clock, unit: km}}}"
)


@pytest.mark.parametrize(("unit", "value"), [("mi", 160_934), ("miles", 160_934), ("km", 100_000)])
def test_one_columns_value_decides_by_which_rule_another_is_read(unit: str, value: int) -> None:
    found = fields(one(rule(MILEAGE), unit=unit, clock="100,000"))
    assert found["mileage"] == {"value": value, "unit": "KMT"}


def test_without_an_else_nothing_is_stated() -> None:
    mapping = rule("{trim: {as: when, column: a, equals: x, then: {as: text, column: b}}}")
    assert fields(one(mapping, a="x", b="GTI")) == {"trim": "GTI"}
    assert fields(one(mapping, a="y", b="GTI")) == {}


NESTED = (
    "{make: {as: text, column: b}, title: {as: when, column: a, matches: '^x', then: {as: template,"
    " template: 'A {make}'}, else: {as: when, column: a, outside: [1, 5], then: {as: constant, "
    "value: outside}, else: {as: constant, value: inside}}}}"
)


@pytest.mark.parametrize(("a", "title"), [("xy", "A VW"), ("3", "inside"), ("9", "outside")])
def test_conditions_stand_in_conditions_and_give_whatever_rules_give(a: str, title: str) -> None:
    assert fields(one(rule(NESTED), a=a, b="VW"))["title"] == title


def test_a_cell_that_a_condition_cannot_read_refuses_the_row_by_its_own_column() -> None:
    found = one(rule(NESTED), a="9.400", b="VW")
    assert isinstance(found, Refusal)
    assert (found.reason, found.field, found.column) == ("ambiguous_number", "title", "a")


def test_a_refusal_names_the_column_of_the_rule_that_was_chosen() -> None:
    found = one(rule(MILEAGE), unit="km", clock="many")
    assert isinstance(found, Refusal)
    assert (found.field, found.column) == ("mileage", "clock")


WHEN_X = "as: when, column: a, equals: x, then:"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{as: when, column: a, then: {as: integer, column: b}}", "fields.year: exactly one of"),
        ("{as: when, column: a, equals: x}", "fields.year.then: is required"),
        (
            "{as: when, column: a, equals: x, then: {as: integer}}",
            "fields.year.then.column: is req",
        ),
        (
            "{as: when, column: a, equals: x, then: {as: integer, column: b}, else: {as: text, column: b}}",
            "fields.year.else.as: text can't fill year",
        ),
        (
            f"{{{WHEN_X} {{{WHEN_X} {{as: constant, value: 1800}}}}}}",
            "fields.year.then.then.value: 1800: ",
        ),
        ("{as: when, column: a, matches: '(', then: {as: constant, value: 2000}}", "year.matches"),
        (
            f"{{{WHEN_X} {{{WHEN_X} {{as: integer, column: b, decimal: ;}}}}}}",
            "fields.year.then.then.decimal",
        ),
    ],
)
def test_a_condition_that_cannot_work_is_told_when_the_mapping_is_read(
    text: str, told: str
) -> None:
    with pytest.raises(MappingError) as error:
        rule(f"{{year: {text}}}")
    assert str(error.value).startswith("line 4: fields.year")
    assert told in str(error.value)


def test_a_template_that_may_name_a_template_is_a_fault_behind_a_condition_too() -> None:
    text = NESTED[:-1] + ", trim: {as: template, template: '{title}'}}"
    with pytest.raises(MappingError, match="or a template itself"):
        rule(text)


@pytest.mark.parametrize(
    ("text", "cell", "value"),
    [
        ("power_kw: {as: integer, column: c, factor: 0.73549875}", "101", 74),
        ("power_kw: {as: integer, column: c, factor: 0.735, ignore: cv}", "100 CV", 74),
        ("power_kw: {as: integer, column: c, factor: 0.735, rounding: down}", "100", 73),
        ("power_kw: {as: integer, column: c, factor: 0.731, rounding: up}", "100", 74),
        ("engine_cc: {as: integer, column: c, factor: 16.387064}", "350", 5735),  # cubic inches
        ("engine_cc: {as: integer, column: c, factor: 0.5}", "3", 2),  # a half away from zero
        ("doors: {as: integer, column: c, rounding: half_up}", "4.5", 5),
    ],
)
def test_a_number_is_multiplied_by_a_declared_factor_and_rounded_once(
    text: str, cell: str, value: int
) -> None:
    assert list(fields(one(rule(f"{{{text}}}"), c=cell)).values()) == [value]


def test_a_factor_of_many_digits_is_exact() -> None:
    # 1.5 less 6e-34: with Python's own 28 digits that is a half, and would be rounded up.
    text = "{engine_cc: {as: integer, column: c, factor: 0.50000000000000001}}"
    assert fields(one(rule(text), c="2.99999999999999994")) == {"engine_cc": 1}


@pytest.mark.parametrize(
    ("unit", "to", "cell", "value"),
    [("mi", "km", "60,000", 96_561), ("km", "mi", "96,561", 60_000), ("km", "km", "5", 5)],
)
def test_a_mileage_is_turned_into_the_other_unit_where_that_is_wanted(
    unit: str, to: str, cell: str, value: int
) -> None:
    mapping = rule(f"{{mileage: {{as: distance, column: c, unit: {unit}, to: {to}}}}}")
    found = fields(one(mapping, c=cell))["mileage"]
    assert found == {"value": value, "unit": "KMT" if to == "km" else "SMI"}


@pytest.mark.parametrize("factor", ["0", "-1", "x", "nan", "1e99"])
def test_a_factor_that_is_none_is_a_fault(factor: str) -> None:
    with pytest.raises(MappingError, match=r"fields\.power_kw\.factor"):
        rule(f"{{power_kw: {{as: integer, column: c, factor: {factor}}}}}")


def test_a_number_that_its_file_holds_as_a_number_is_no_matter_of_marks() -> None:
    """9.412 in a spreadsheet's cell of numbers is nine and a bit, whatever the texts' decimal."""
    for mark in (".", "','"):
        mapping = rule(f"{{doors: {{as: integer, column: c, decimal: {mark}, rounding: down}}}}")
        assert fields(one(mapping, c=TypedNumber("5.412"))) == {"doors": 5}
    comma = rule("{doors: {as: integer, column: c, decimal: ',', rounding: down}}")
    assert not isinstance(one(comma, c="5.412"), CommandEnvelope)  # 5412 doors
    geo = rule("{geo: {as: geo, lat: a, lon: b, decimal: ','}}")
    assert fields(one(geo, a=TypedNumber("6.9"), b=TypedNumber("79.8")))["geo"] == {
        "lat": 6.9,
        "lon": 79.8,
    }


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1E+50", "x", "1" * 19])
def test_a_number_that_nothing_has_is_refused(text: str) -> None:
    found = one(rule("{doors: {as: integer, column: c}}"), c=TypedNumber(text))
    assert isinstance(found, Refusal)
    assert found.reason == "not_a_number"


@pytest.mark.parametrize(
    ("kind", "field"),
    [("distance", "mileage"), ("power", "power_kw"), ("displacement", "engine_cc")],
)
def test_a_column_ignores_no_other_unit_than_its_own(kind: str, field: str) -> None:
    units = {"distance": ("km", "mi"), "power": ("kw", "ps", "hp"), "displacement": ("cc", "l")}
    for unit, (other, spellings) in product(units[kind], SPELLINGS.items()):
        for word in spellings:
            text = f"{{{field}: {{as: {kind}, column: c, unit: {unit}, ignore: [{word.upper()}]}}}}"
            if other == unit or {other, unit} == {"ps", "hp"}:
                rule(text)
                continue
            with pytest.raises(MappingError, match="another unit than") as error:
                rule(text)
            assert "multipliers" in str(error.value)


def test_a_column_of_two_units_says_what_one_is_in_the_other() -> None:
    mapping = rule(
        "{mileage: {as: distance, column: c, unit: km, multipliers: {mi: 1.609344, miles: 1.609344}}}"
    )
    for cell, kilometres in (
        ("60,000 miles", 96_561),
        ("60,000 mi", 96_561),
        ("60,000 km", 60_000),
    ):
        assert fields(one(mapping, c=cell))["mileage"] == {"value": kilometres, "unit": "KMT"}
