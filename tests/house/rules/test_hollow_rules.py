from __future__ import annotations

import pytest

from tests.house.rules.hollow_rules import hollow, vague
from tests.house.sources import Source, sources


def planted(body: str) -> list[Source]:
    return [Source("tests/test_a.py", f"def test_a():\n    {body}\n")]


def test_no_test_would_pass_with_nothing_there() -> None:
    assert list(hollow(sources("tests"))) == []


@pytest.mark.parametrize(
    "body",
    ["assert all(each.ok for each in found)", "assert not any(each.bad for each in found)",
     "assert all([each.ok for each in found.values()])", "assert other and all(x for x in found)"],
)  # fmt: skip
def test_a_claim_about_none_is_caught(body: str) -> None:
    (found,) = hollow(planted(body))
    assert found == (
        "tests/test_a.py:2: test_a would pass with no found at all: assert that there is one"
    )


@pytest.mark.parametrize(
    "body",
    ["assert found and all(each.ok for each in found)",
     "assert len(found) == 3; assert all(each.ok for each in found.values())",
     "assert all(word in text for word in ('a', 'b'))", "assert any(each.ok for each in found)"],
)  # fmt: skip
def test_a_claim_about_some_is_none_to_mend(body: str) -> None:
    assert list(hollow(planted(body))) == []


def test_every_test_knows_the_status_that_it_asks_for() -> None:
    assert list(vague(sources("tests"))) == []


def test_a_status_out_of_several_is_caught() -> None:
    (found,) = vague(planted("assert answer.status_code in (200, 204)"))
    assert "takes any of several statuses" in found
    assert list(vague(planted("assert answer.status_code == 200"))) == []
    assert list(vague(planted("assert answer.status_code not in (401, 403)"))) == []
