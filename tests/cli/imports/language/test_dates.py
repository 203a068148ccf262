"""Dates in stated forms: read digit by digit or refused, never guessed."""

from __future__ import annotations

import pytest

from cli.imports.cells import TypedDate
from cli.imports.language.mapping_file import MappingError
from cli.imports.outcomes import Refusal
from schemas.log.recorded import CommandEnvelope
from tests.cli.imports.reading import fields, one, rule


def read(name: str, options: str, cell: str) -> object:
    found = one(rule(f"{{{name}: {{as: date, column: c, {options}}}}}"), c=cell)
    return found if isinstance(found, Refusal) else fields(found).get(name)


@pytest.mark.parametrize(
    ("name", "options", "cell", "expected"),
    [
        ("date_in_stock", "forms: DD.MM.YYYY", "31.01.2026", "2026-01-31"),
        ("date_in_stock", "forms: D.M.YYYY", "1.2.2026", "2026-02-01"),
        ("date_in_stock", "forms: M/D/YYYY", "1/31/2026", "2026-01-31"),
        ("date_in_stock", "forms: YYYY-MM-DD hh:mm:ss", "2016-03-26 17:47:46", "2016-03-26"),
        ("date_in_stock", "forms: YYYYMMDD", "20260131", "2026-01-31"),
        ("date_in_stock", "forms: [DD.MM.YYYY, YYYY-MM-DD]", "2026-01-31", "2026-01-31"),
        ("date_in_stock", "forms: DD.MM.YYYY, absent: ['-']", "-", None),
        ("date_in_stock", "forms: DD.MM.YYYY, default: 01.02.2026", "", "2026-02-01"),
        ("first_registration", "forms: [MM/YYYY, DD.MM.YYYY]", "03/2004", "2004-03"),
        ("first_registration", "forms: [MM/YYYY, DD.MM.YYYY]", "07.03.2004", "2004-03"),
        ("first_registration", "forms: MM/YY, years_from: 1950", "03/04", "2004-03"),
        ("first_registration", "forms: MM/YY, years_from: 1950", "03/50", "1950-03"),
        ("first_registration", "forms: MM/YY, years_from: 1950", "03/49", "2049-03"),
        ("year", "forms: [YYYY, MM/YYYY]", "2004", 2004),
        ("year", "forms: [YYYY, MM/YYYY]", "03/2004", 2004),
        ("year", "forms: [D.M.YYYY, DD.MM.YYYY, MM/YYYY]", "1.2.2004", 2004),
        ("year", "forms: [YYYYMM, YYYYMMDD, YYYY]", "20040301", 2004),
        ("year", "forms: [DD.MM.YY, DD.MM.YYYY], years_from: 1950", "01.02.04", 2004),
        ("import_year", "forms: YYYY-MM-DD", "2010-12-01", 2010),
    ],
)
def test_a_date_is_read_in_the_forms_that_are_stated(
    name: str, options: str, cell: str, expected: object
) -> None:
    assert read(name, options, cell) == expected


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("1.2.2026", "is not written like DD.MM.YYYY"),
        ("2026-01-31", "is not written like DD.MM.YYYY"),
        ("31.01.2026 ca.", "is not written like"),
        ("30.02.2026", "there is no such day"),
        ("00.01.2026", "there is no such day"),
        ("31.13.2026", "there is no such day"),
        ("46053", "a spreadsheet's number of a day"),
        ("٣١.٠١.٢٠٢٦", "is not written like"),
    ],
)
def test_what_has_no_stated_form_is_refused_with_the_cure(cell: str, told: str) -> None:
    found = read("date_in_stock", "forms: DD.MM.YYYY", cell)
    assert isinstance(found, Refusal)
    assert (found.reason, found.column) == ("not_a_date", "c")
    assert told in found.detail


def test_a_day_that_the_file_holds_as_a_day_needs_no_form() -> None:
    mapping = rule("{date_in_stock: {as: date, column: c, forms: DD/MM/YYYY}}")
    assert fields(one(mapping, c=TypedDate("2026-01-31")))["date_in_stock"] == "2026-01-31"
    assert not isinstance(one(mapping, c="2026-01-31"), CommandEnvelope)


@pytest.mark.parametrize(
    ("text", "place", "told"),
    [
        ("date_in_stock: {as: date, column: c, forms: MM/YYYY}", "forms", "states no day"),
        ("first_registration: {as: date, column: c, forms: YYYY}", "forms", "states no month"),
        ("year: {as: date, column: c, forms: DD.MM}", "forms", "states no date"),
        ("year: {as: date, column: c, forms: DD.YYYY}", "forms", "states no date"),
        ("year: {as: date, column: c, forms: YYYY YY}", "forms", "states a part of the date twice"),
        ("year: {as: date, column: c, forms: jjjj}", "forms", "is no form of a date"),
        ("year: {as: date, column: c, forms: [YYYY, YYYY]}", "forms", "stands twice"),
        ("year: {as: date, column: c, forms: [D.M.YYYY, MM.DD.YYYY]}", "forms", "as two dates"),
        ("year: {as: date, column: c, forms: [YYYY-MM-DD, YYYY-DD-MM]}", "forms", "as two dates"),
        ("year: {as: date, column: c, forms: DMYYYY}", "forms", "D is one digit or two: write DD"),
        ("year: {as: date, column: c, forms: YYYYMD}", "forms", "M is one digit or two: write MM"),
        ("year: {as: date, column: c, forms: YYYY-MM-Dhh}", "forms", "D is one digit or two"),
        (
            "first_registration: {as: date, column: c, forms: [YYYYMM, DDMMYY], years_from: 1950}",
            "forms",
            "as two dates",
        ),
        ("year: {as: date, column: c, forms: [YYYYMMDD, DDMMYYYY]}", "forms", "as two dates"),
        ("year: {as: date, column: c, forms: [YYYYMM, YYYYhh]}", "forms", "as two dates"),
        ("year: {as: date, column: c, forms: [M/YYYY, hh/YYYY]}", "forms", "as two dates"),
        ("year: {as: date, column: c, forms: MM/YY}", "", "YY needs years_from"),
        ("year: {as: date, column: c, forms: YYYY, years_from: 1950}", "", "take it out"),
        ("year: {as: date, column: c, forms: YYYY, default: soon}", "default", "soon"),
        ("year: {as: date, column: c, forms: YYYY, default: 1800}", "default", "1886"),
        ("title: {as: date, column: c, forms: YYYY}", "as", "use as: text"),
    ],
)
def test_a_form_that_cannot_work_is_told_when_the_mapping_is_read(
    text: str, place: str, told: str
) -> None:
    with pytest.raises(MappingError) as error:
        rule(f"{{{text}}}")
    said = str(error.value)
    assert said.startswith(f"line 4: fields.{text.partition(':')[0]}{place and f'.{place}'}")
    assert told in said
