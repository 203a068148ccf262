"""Every rule kind on every field: what a mapping can never do is told when it is read."""

from __future__ import annotations

from itertools import product

import pytest

from cli.imports.language.fitting import FIELDS, RULE_KINDS, Kind, fault_of
from cli.imports.language.mapping_file import MappingError, parse_mapping
from cli.imports.language.rules import RULES
from schemas.log.recorded import CommandEnvelope
from schemas.values.vehicles import VehicleFields
from tests.cli.imports.reading import fields, one, rule

# A value of each field, as a cell or a mapping writes it.
VALUES = {
    "title": "VW Golf",
    "description": "as new",
    "currency": "EUR",
    "make": "VW",
    "model": "Golf",
    "trim": "GTI",
    "vin": "WVWZZZ1JZ3W386752",
    "body_type": "sedan",
    "fuel_type": "petrol",
    "transmission": "manual",
    "drivetrain": "awd",
    "condition": "good",
    "exterior_color": "Red",
    "interior_color": "Black",
    "first_registration": "2004-03",
    "availability": "in_stock",
    "date_in_stock": "2026-01-31",
    "location": "Kandy",
    "year": "2004",
    "import_year": "2004",
    "price_minor": "4",
    "engine_cc": "1598",
    "power_kw": "4",
    "doors": "4",
    "seats": "4",
    "owners": "4",
    **{name: "true" for name, kind in FIELDS.items() if kind is Kind.TRUTH},
}
OPTIONS = {
    "text": "column: c",
    "word": "column: c, words: {{w: {value}}}",
    "integer": "column: c",
    "money": "column: c",
    "distance": "column: c, unit: km",
    "power": "column: c, unit: kw",
    "displacement": "column: c, unit: cc",
    "month": "year: y, month: m",
    "geo": "lat: lat, lon: lon",
    "date": "column: d, forms: DD.MM.YYYY",
    "list": "column: c, separator: '|'",
    "template": "template: 'VW {{helper}}'",
    "constant": "value: {value}",
}


def written(kind: str, name: str) -> str:
    options = OPTIONS[kind].format(value=VALUES.get(name, "x"))
    return f"{{{name}: {{as: {kind}, {options}}}}}"


def filled(kind: str, name: str) -> bool:
    """Whether a mapping with this rule is taken; it must then fill its field."""
    text = written(kind, name)
    if kind == "template":
        other = "model" if name != "model" else "make"
        text = text.replace("helper", other)[:-1] + f", {other}: {{as: text, column: h}}}}"
    try:
        mapping = rule(text)
    except MappingError:
        return False
    cell = "w" if kind == "word" else VALUES.get(name, "5")
    found = one(mapping, c=cell, h="Golf", y="2004", m="3", d="31.03.2004", lat="6.9", lon="79.8")
    if kind == "template" and not isinstance(found, CommandEnvelope):
        return True  # a text, though not of this field's form: only cells decide that
    assert name in fields(found), (kind, name)
    return True


def test_every_rule_kind_of_the_language_is_tried() -> None:
    # `when` fills nothing itself: the rules within it are judged, each as if it stood alone.
    assert {*OPTIONS, "when"} == set(RULES)
    assert {RULES[kind] for kind in OPTIONS} == set(RULE_KINDS)


SPOKEN = {name for name, kind in FIELDS.items() if kind in {Kind.TEXT, Kind.CHOICE, Kind.DATE}}
NUMBERS = {name for name, kind in FIELDS.items() if kind is Kind.NUMBER}
TRUTHS = {name for name, kind in FIELDS.items() if kind is Kind.TRUTH}
FILLED = {
    "text": SPOKEN,
    "word": SPOKEN | NUMBERS | TRUTHS,
    "constant": SPOKEN | NUMBERS | TRUTHS,
    "template": {name for name, kind in FIELDS.items() if kind is Kind.TEXT},
    "integer": NUMBERS,
    "money": {"price_minor"},
    "distance": {"mileage"},
    "power": {"power_kw"},
    "displacement": {"engine_cc"},
    "month": {"first_registration"},
    "geo": {"geo"},
    "list": {"features"},
    "date": {"date_in_stock", "first_registration", "year", "import_year"},
}


@pytest.mark.parametrize(("kind", "name"), product(OPTIONS, VehicleFields.model_fields))
def test_a_rule_fills_its_field_or_is_refused_when_the_mapping_is_read(
    kind: str, name: str
) -> None:
    assert filled(kind, name) is (name in FILLED[kind])


def test_every_field_of_a_vehicle_can_be_filled() -> None:
    assert set().union(*FILLED.values()) == set(VehicleFields.model_fields)


@pytest.mark.parametrize(
    ("text", "place", "told"),
    [
        ("{body_type: {as: word, column: c, words: {a: saloon}}}", "body_type.words.a", "saloon"),
        ("{body_type: {as: text, column: c, words: {a: saloon}}}", "body_type.words.a", "saloon"),
        (
            "{fuel_type: {as: word, column: c, words: {a: diesel}, default: coal}}",
            "default",
            "coal",
        ),
        ("{damaged: {as: word, column: c, words: {a: 1}}}", "damaged.words.a", "true or false"),
        (
            "{damaged: {as: word, column: c, words: {a: 'true'}}}",
            "damaged.words.a",
            "true or false",
        ),
        ("{damaged: {as: constant, value: 1}}", "damaged.value", "true or false"),
        ("{title: {as: constant, value: true}}", "title.value", "needs quotes"),
        ("{title: {as: constant, value: ab}}", "title.value", "at least 3"),
        ("{year: {as: constant, value: 1800}}", "year.value", "1886"),
        ("{year: {as: constant, value: soon}}", "year.value", "a whole number"),
        ("{year: {as: constant, value: true}}", "year.value", "a whole number"),
        ("{year: {as: integer, column: c, default: 1800}}", "year.default", "1886"),
        ("{doors: {as: integer, column: c, default: 12.5}}", "doors.default", "whole number"),
        ("{doors: {as: integer, column: c, default: many}}", "doors.default", "many"),
        ("{price_minor: {as: money, column: c, default: 0}}", "price_minor.default", "more than"),
        ("{mileage: {as: distance, column: c, unit: km, default: -5}}", "mileage.default", "0"),
        ("{currency: {as: constant, value: euros}}", "currency.value", "euros"),
        ("{currency: {as: constant, value: eur}}", "currency.value", "eur"),
        ("{date_in_stock: {as: constant, value: 86400}}", "date_in_stock.value", "2026-01-31"),
        ("{first_registration: {as: constant, value: 2004-13}}", "first_registration", "2004-13"),
        ("{vin: {as: constant, value: short}}", "vin.value", "short"),
        (
            "{features: {as: list, column: c, separator: ',', default: ['']}}",
            "features.default",
            "",
        ),
        ("{body_type: {as: word, column: c, words: {a: null}}}", "body_type.words", "never filled"),
        ("{geo: {as: text, column: c}}", "geo.as", "use as: geo"),
        ("{year: {as: text, column: c}}", "year.as", "integer"),
        (
            "{title: {as: template, template: 'a {geo}'}, geo: {as: geo, column: c}}",
            "title.template",
            "{geo}",
        ),
        (
            "{make: {as: template, template: '{price_minor}'}, price_minor: {as: money, column: c}}",
            "make.template",
            "{price_minor}",
        ),
    ],
)
def test_what_can_never_fill_its_field_is_told_with_line_place_and_cure(
    text: str, place: str, told: str
) -> None:
    with pytest.raises(MappingError) as error:
        rule(text)
    said = str(error.value)
    assert said.startswith("line 4: fields.")
    assert place in said
    assert told in said


@pytest.mark.parametrize("choice", [name for name, kind in FIELDS.items() if kind is Kind.CHOICE])
def test_a_choice_that_the_field_does_not_have_lists_those_it_has(choice: str) -> None:
    assert VALUES[choice] in str(fault_of(choice, "nothing such"))
    assert fault_of(choice, VALUES[choice]) is None


def test_all_faults_are_told_at_once_in_the_order_of_their_lines() -> None:
    with pytest.raises(MappingError) as error:
        parse_mapping(
            "version: 1\nsource: A B\nkey: row\nfile: {delimiter: ab}\nmarket: mars\n"
            "fields:\n  year: {as: constant, value: 1800}\n  doors: {as: integer}\n"
            "  doors: {as: integer, column: c}\n  prize: {as: text, column: c}\n"
            "  geo: {as: text, column: c}\n  body_type: {as: word, column: c, words: {a: b, c: d}}\n"
        )
    lines = str(error.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        f"line {n}" for n in (2, 4, 5, 7, 8, 9, 10, 11, 12, 12)
    ]


def test_a_number_is_a_text_where_a_text_is_meant() -> None:
    mapping = rule(
        "{model: {as: text, column: c, words: {3er: 3}}, trim: {as: constant, value: 7}}"
    )
    assert fields(one(mapping, c="3er")) == {"model": "3", "trim": "7"}


@pytest.mark.parametrize("cell", ["0", "86400", "20260131", "31.01.2026", "2026-01-31T00:00:00"])
def test_a_date_is_never_guessed_from_a_number(cell: str) -> None:
    found = one(rule("{date_in_stock: {as: text, column: c}}"), c=cell)
    assert not isinstance(found, CommandEnvelope)
    assert (found.reason, found.field, found.column) == ("invalid_field", "date_in_stock", "c")


@pytest.mark.parametrize(
    ("options", "cells", "place"),
    [
        ("lat: a, lon: o", {"a": "6.9271", "o": "79.8612"}, (6.9271, 79.8612)),
        ("lat: a, lon: o", {"a": "-33.9", "o": "\u221218"}, (-33.9, -18.0)),
        ("lat: a, lon: o, decimal: ','", {"a": "6,9271", "o": "79,8612"}, (6.9271, 79.8612)),
        ("lat: a, lon: o", {"a": "", "o": ""}, None),
        ("lat: a, lon: o, absent: ['0']", {"a": "0", "o": "0"}, None),
        ("column: c", {"c": "6.9271, 79.8612"}, (6.9271, 79.8612)),
        ("column: c, order: lon_lat, separator: ' '", {"c": "79.8612 6.9271"}, (6.9271, 79.8612)),
        ("column: c, separator: ;, decimal: ','", {"c": "6,9;79,8"}, (6.9, 79.8)),
        ("lat: a, lon: o", {"a": "6.9", "o": ""}, "not_a_place"),
        ("lat: a, lon: o", {"a": "6.9 N", "o": "79.8"}, "not_a_place"),
        ("lat: a, lon: o", {"a": "6.927.100", "o": "79.8"}, "not_a_place"),
        ("lat: a, lon: o", {"a": "1e1", "o": "79.8"}, "not_a_place"),
        ("lat: a, lon: o", {"a": "nan", "o": "79.8"}, "not_a_place"),
        ("lat: a, lon: o, decimal: ','", {"a": "6.9", "o": "79,8"}, "not_a_place"),
        ("column: c", {"c": "6.9271"}, "not_a_place"),
        ("column: c", {"c": "1,2,3"}, "not_a_place"),
        ("lat: a, lon: o", {"a": "91", "o": "0"}, "invalid_field"),
    ],
)
def test_a_place_comes_from_two_columns_or_one(
    options: str, cells: dict[str, str], place: object
) -> None:
    found = one(rule(f"{{geo: {{as: geo, {options}}}}}"), **cells)
    if isinstance(place, str):
        assert not isinstance(found, CommandEnvelope)
        assert found.reason == place
    else:
        expected = place and {"lat": place[0], "lon": place[1]}  # type: ignore[index]
        assert fields(found).get("geo") == expected


@pytest.mark.parametrize(
    "options", ["lat: a", "lat: a, lon: o, column: c", "column: c, separator: '.'"]
)
def test_a_place_that_is_told_twice_or_by_halves_is_a_fault(options: str) -> None:
    with pytest.raises(MappingError, match=r"fields\.geo"):
        rule(f"{{geo: {{as: geo, {options}}}}}")
