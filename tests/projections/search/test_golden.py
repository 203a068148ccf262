"""Thirty searches and some suggestions with known answers, on the real OpenSearch."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

import pytest

from infra.settings import Settings
from projections.search.query import Sort
from projections.search.suggestions import suggestions_body, suggestions_of
from schemas.log.messages import Market
from schemas.search import Filters
from tests.projections.search.golden import GOLDEN, catalogue, name_of
from tests.projections.search.index import SearchedIndex, index_of
from tests.waiting import quick_once

SUGGESTION_BUDGET_S = 0.1


@pytest.fixture(scope="module")
def index(stack: Settings) -> Iterator[SearchedIndex]:
    with index_of(stack, catalogue()) as opened:
        yield opened


def test_SE_01_the_golden_set_has_thirty_queries() -> None:
    assert len(GOLDEN) >= 30


@pytest.mark.parametrize(
    ("query", "expected"), [each[1:] for each in GOLDEN], ids=[each[0] for each in GOLDEN]
)
def test_SE_01_golden(index: SearchedIndex, query: dict[str, Any], expected: list[str]) -> None:
    filters = Filters(**{name: value for name, value in query.items() if name != "sort"})
    found = [name_of(each) for each in index.ids(filters, Sort(query.get("sort", "newest")))]
    if "sort" in query:
        assert found == expected
    else:
        assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("porshe", ["911", "cayenne", "taycan"]),
        ("volkswagon golf", ["golf7", "golfgti", "golfplus"]),
        ("octvia", ["octavia"]),
        ("mercedez benz", ["eclass"]),
        ("camry", []),
    ],
)
def test_SE_01_one_typo_a_word_is_tolerated(
    index: SearchedIndex, typed: str, expected: list[str]
) -> None:
    assert index.ids(Filters(q=typed)) == []
    found = [name_of(each) for each in index.ids(Filters(q=typed), typos=True)]
    assert sorted(found) == sorted(expected)


def suggested(index: SearchedIndex, text: str) -> list[str]:
    answer = index.ask(suggestions_body(text, Market.EXOTICS, 10))
    return [each["text"] for each in suggestions_of(answer, 10)]


@pytest.mark.parametrize("typed", ["pors", "Pors", "p", "porsche", "porc", "prosche", "porshe"])
def test_SE_03_porsche_is_suggested_first_with_one_typo_at_most(
    index: SearchedIndex, typed: str
) -> None:
    assert suggested(index, typed)[0] == "Porsche"


def test_SE_03_models_are_suggested_with_their_make(index: SearchedIndex) -> None:
    assert suggested(index, "911") == ["Porsche 911"]
    assert suggested(index, "golf p") == ["volkswagen Golf Plus"]
    assert suggested(index, "porsche ca") == ["Porsche Cayenne"]


def test_SE_03_a_slip_suggests_what_was_meant(index: SearchedIndex) -> None:
    assert suggested(index, "gold") == ["Volkswagen Golf", "volkswagen Golf Plus"]


def test_SE_03_drafts_and_sold_listings_suggest_nothing(index: SearchedIndex) -> None:
    answer = index.ask(suggestions_body("porsche", Market.EXOTICS, 10))
    found = {each["text"]: each["count"] for each in suggestions_of(answer, 10)}
    assert found["Porsche"] == 3


async def test_SE_03_suggestions_answer_within_their_budget(index: SearchedIndex) -> None:
    async def median() -> float:
        times = []
        for _ in range(20):
            began = time.perf_counter()
            suggested(index, "pors")
            times.append(time.perf_counter() - began)
        return statistics.median(times)

    await quick_once(median, SUGGESTION_BUDGET_S)
