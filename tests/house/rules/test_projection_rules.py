from __future__ import annotations

from projections import PROJECTIONS
from tests.house.rules.projection_rules import made, unlisted, untested
from tests.house.sources import Source, sources

PLANTED = [Source("projections/a/b.py", "b: Projection[Row] = Projection(name='b')")]
LISTED = {projection.name for projection in PROJECTIONS}


def test_every_projection_is_listed() -> None:
    found = sources("projections")
    assert len(list(made(found))) >= len(LISTED)
    assert list(unlisted(found, LISTED)) == []


def test_an_unlisted_projection_is_caught() -> None:
    assert len(list(unlisted(PLANTED, {"a"}))) == 1
    assert not list(unlisted(PLANTED, {"b"}))


def test_every_projection_has_a_test() -> None:
    tests = {source.path for source in sources("tests")}
    assert list(untested(sources("projections"), tests)) == []


def test_an_untested_projection_is_caught() -> None:
    (caught,) = untested(PLANTED, {"tests/projections/a/test_a.py"})
    assert "write tests/projections/a/test_b.py" in caught
    assert not list(untested(PLANTED, {"tests/projections/a/test_b.py"}))


def test_every_projection_is_known_by_one_name() -> None:
    assert len(LISTED) == len(PROJECTIONS)
