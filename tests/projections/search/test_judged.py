"""How good the search is over real ads: figures that must not fall."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from infra.settings import Settings
from tests.cli.imports.ads import ADS, Ads
from tests.projections.search.index import index_of
from tests.projections.search.judged import (
    JUDGED,
    NDCG_MIN,
    RECALL_MIN,
    Ad,
    Quality,
    grade,
    lives_of,
    quality_of,
    some_ads,
)


@dataclass(frozen=True)
class Asked:
    """All searches over one file's ads."""

    ads: list[Ad]
    quality: Quality


@pytest.fixture(scope="module", params=ADS, ids=lambda each: each.name)
def asked(stack: Settings, request: pytest.FixtureRequest) -> Iterator[Asked]:
    source: Ads = request.param
    ads = some_ads(source)
    with index_of(stack, lives_of(ads)) as index:
        yield Asked(ads, quality_of(index, ads))


def test_SE_01_at_least_120_different_searches_are_judged() -> None:
    assert len({str(each.parameters) for each in JUDGED}) == len(JUDGED) >= 120


def test_SE_01_what_is_asked_for_comes_first(asked: Asked) -> None:
    assert asked.quality.mean_ndcg >= NDCG_MIN


def test_SE_01_what_is_asked_for_is_found(asked: Asked) -> None:
    assert asked.quality.mean_recall >= RECALL_MIN


def test_SE_01_every_search_asks_for_something_that_is_there(asked: Asked) -> None:
    for each in JUDGED:
        assert any(grade(ad, each.want) == 2 for ad in asked.ads), each
