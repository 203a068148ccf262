"""Why hits stand where they do: the parts that the engine names are the whole score."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from infra.settings import Settings
from projections.search.explaining import SCORED, explained_body, parts_of
from projections.search.query import Sort
from schemas.search import Filters
from tests.projections.search.golden import catalogue, name_of
from tests.projections.search.index import SearchedIndex, index_of


@pytest.fixture(scope="module")
def index(stack: Settings) -> Iterator[SearchedIndex]:
    with index_of(stack, catalogue()) as opened:
        yield opened


def explained(
    index: SearchedIndex, filters: Filters, sort: Sort = Sort.RELEVANCE, *, typos: bool = False
) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    body, parts = explained_body(filters, sort, size=20, typos=typos)
    answer = index.client.post("/_search", json=body, params=SCORED)
    assert answer.status_code == 200, answer.text
    return [(hit, parts_of(hit, parts)) for hit in answer.json()["hits"]["hits"]]


@pytest.mark.parametrize(
    ("text", "typos"),
    [("golf", False), ("porsche dies", False), ("ටොයොටා", False), ("mercedes e class", False),
     ("porshe", True), ("volkswagon golf", True)],
)  # fmt: skip
def test_SE_01_the_parts_are_the_whole_score_and_the_order_is_that_of_the_search(
    index: SearchedIndex, text: str, typos: bool
) -> None:
    filters = Filters(q=text)
    found = explained(index, filters, typos=typos)
    assert [hit["_id"] for hit, _ in found] == index.ids(filters, Sort.RELEVANCE, typos=typos)
    assert found
    for hit, parts in found:
        assert sum(part["score"] for part in parts) == pytest.approx(hit["_score"], abs=0.001)


def test_SE_01_the_parts_tell_which_words_met_which_field(index: SearchedIndex) -> None:
    (hit, parts), *_ = explained(index, Filters(q="golf gti"))
    assert name_of(hit["_id"]) == "golfgti"
    met = {(part["field"], part["way"], *part["words"]) for part in parts}
    assert ("words", "term", "golf") in met
    assert ("words", "term", "gti") in met
    assert ("title_words", "match", "golf", "gti") in met
    assert any(field == "model_key" and "golf" in words for field, _, *words in met)
    assert not any(field == "make_key" for field, *_ in met)


def test_SE_01_what_is_sorted_otherwise_still_tells_its_score(index: SearchedIndex) -> None:
    found = explained(index, Filters(q="porsche"), Sort.PRICE)
    assert [name_of(hit["_id"]) for hit, _ in found] == ["cayenne", "911", "taycan"]
    assert all(parts and hit["_score"] > 0 for hit, parts in found)


def test_SE_01_without_words_there_is_nothing_to_weigh(index: SearchedIndex) -> None:
    found = explained(index, Filters(make=("Porsche",)), Sort.NEWEST)
    assert [parts for _, parts in found] == [[], [], []]


def test_SE_01_a_text_without_words_is_explained_by_no_hits(index: SearchedIndex) -> None:
    assert explained(index, Filters(q="!!")) == []
