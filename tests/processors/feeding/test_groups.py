from __future__ import annotations

from collections import Counter

from processors.feeding.groups import GROUPS
from processors.stores.opening import store_name
from projections import PROJECTIONS
from tests.processors.tally import Fold, tally


def test_every_projection_is_fed_by_exactly_one_group() -> None:
    fed = Counter(each.name for group in GROUPS.values() for each in group.projections)
    assert fed == {each.name: 1 for each in PROJECTIONS}


def test_a_store_in_trouble_holds_up_its_own_readers_only() -> None:
    stores = {name: {store_name(each) for each in g.projections} for name, g in GROUPS.items()}
    assert stores == {
        "journal": {"postgres"},
        "pages": {"postgres"},
        "search": {"opensearch"},
        "analytics": {"clickhouse"},
    }


def test_a_projection_is_kept_where_its_target_says() -> None:
    for name in ("postgres", "opensearch", "clickhouse"):
        assert store_name(tally(name, Fold())) == name
