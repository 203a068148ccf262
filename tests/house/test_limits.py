from __future__ import annotations

from tests.house.limits import PAGE, page


def test_V2_3_2_V6_3_1_the_limits_in_the_documents_are_those_of_the_code() -> None:
    assert PAGE.read_text("utf-8") == page(), "run `python -m tests.house.limits`"
