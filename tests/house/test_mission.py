from __future__ import annotations

import pytest

from tests.house.mission import (
    PAGE,
    Row,
    by_row,
    idle_parts,
    ids_in,
    page,
    parts,
    rows,
    today,
    unknown_ids,
)
from tests.house.rules.claim_rules import names_of_tests
from tests.house.sources import Source, sources

ROW = Row("LI-08", "Listings", "publish | show")


def test_the_page_of_the_mission_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == today(), "run `python -m tests.house.mission`"


def test_every_row_has_an_id_of_its_own() -> None:
    ids = [row.id for row in rows()]
    assert len(ids) > 300
    assert len(set(ids)) == len(ids)


def test_no_test_names_a_row_that_is_not_there() -> None:
    assert list(unknown_ids(rows(), by_row(names_of_tests(sources("tests"))))) == []


def test_a_name_of_no_row_is_caught() -> None:
    planted = [Source("tests/test_a.py", "def test_" + "LI_99_is_nowhere(): assert 1")]
    found = by_row(names_of_tests(planted))
    assert list(unknown_ids(rows(), found)) == [
        "tests/test_a.py: test_" + "LI_99_is_nowhere: no row LI-99 in the mission"
    ]


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("test_" + "LI_08_publish_names_each_missing_field", ["LI-08"]),
        ("test_" + "X_49_money", ["X-49"]),
        ("test_" + "ID_01_ID_02_both", ["ID-01", "ID-02"]),
        ("test_" + "GW_14", ["GW-14"]),
        ("test_UTF_8_is_no_row", []),
        ("test_li_08_in_small_letters", []),
        ("test_LI_080_is_too_long", []),
    ],
)
def test_rows_are_told_by_the_names_of_tests(name: str, ids: list[str]) -> None:
    assert ids_in(name) == ids


def test_a_row_links_its_tests_or_says_not_yet() -> None:
    text = page([ROW, Row("LI-09", "Listings", "hide")], {"LI-08": [("tests/a.py", "test_b")]}, {})
    assert "| LI-08 | publish \\| show | [`test_b`](../tests/a.py) |" in text
    assert "| LI-09 | hide | not yet |" in text
    assert "**1 of 2 rows are held, 0 more in part.**" in text


def test_a_row_that_is_held_in_part_says_what_is_missing_and_does_not_count() -> None:
    text = page([ROW], {"LI-08": [("tests/a.py", "test_b")]}, {"LI-08": "a | b"})
    assert "| **part of it**; missing: a \\| b<br>[`test_b`](../tests/a.py) |" in text
    assert "**0 of 1 rows are held, 1 more in part.**" in text


def test_nothing_is_missing_of_a_row_that_is_not_begun() -> None:
    assert list(idle_parts(parts(), by_row(names_of_tests(sources("tests"))))) == []
    (found,) = idle_parts({"LI-99": "all of it"}, {})
    assert found == "LI-99 has no test: take it out of mission-parts.csv"


def test_what_is_missing_is_missing_of_a_row() -> None:
    assert parts().keys() <= {row.id for row in rows()}
