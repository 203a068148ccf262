from __future__ import annotations

from tests.house.asvs import PAGE, Row, by_id, faults, page, rows, today
from tests.house.sources import Source, sources

HELD = Row("V1.2.3", "1", "texts are short", "")
NOT_HELD = Row("V1.2.4", "2", "texts are nice", "the nice ones")


def test_the_page_of_the_asvs_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == today(), "run `python -m tests.house.asvs`"


def test_every_row_of_the_asvs_is_proved_or_says_what_is_missing() -> None:
    assert list(faults(rows(), by_id(sources("tests")))) == []


def test_there_are_94_rows_of_the_asvs() -> None:
    assert len({row.id for row in rows()}) == len(rows()) == 94


def test_a_row_that_nothing_proves_is_caught() -> None:
    assert list(faults([HELD, NOT_HELD], {})) == [
        "V1.2.3: no test proves it: name one, or say what is missing"
    ]


def test_a_test_tells_what_it_proves_by_its_name_or_its_mark() -> None:
    text = (
        "@pytest.mark.asvs('V1.2.3', 'V1.2.4')\ndef test_a(): assert 1\n"
        "def test_V1_2_3_b(): assert 1\ndef test_ID_01_V1_2_4_c(): assert 1\n"
        "@pytest.mark.asvs('V1.2.3')\ndef no_test(): assert 1\n"
    )
    assert by_id([Source("tests/test_a.py", text)]) == {
        "V1.2.3": {("tests/test_a.py", "test_a"), ("tests/test_a.py", "test_V1_2_3_b")},
        "V1.2.4": {("tests/test_a.py", "test_a"), ("tests/test_a.py", "test_ID_01_V1_2_4_c")},
    }


def test_what_is_missing_keeps_a_row_from_being_held() -> None:
    text = page([HELD, NOT_HELD], {"V1.2.4": {("tests/a.py", "test_b")}})
    assert "**1 of 2 rows are held.**" in text
    assert "| **not held**; missing: the nice ones<br>[`test_b`](../tests/a.py) |" in text
