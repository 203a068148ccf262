from __future__ import annotations

from pathlib import Path

from schemas.log.contexts import Context
from schemas.topics import CONTEXTS
from tests.house.rules.context_rules import ELSEWHERE, RECIPE, missing
from tests.house.sources import ROOT

FAVOURITES = Context("favourites", (), ())


def test_every_context_is_in_every_room() -> None:
    assert list(missing(CONTEXTS, ELSEWHERE, ROOT)) == []


def test_every_reason_is_of_a_context_that_is_there() -> None:
    assert {name for name, _ in ELSEWHERE} <= {each.name for each in CONTEXTS}


def test_the_next_step_of_a_new_context_is_named(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas/favourites.py").touch()
    first, *rest = missing([FAVOURITES], {}, tmp_path)
    assert first == (
        f"favourites: make producers/favourites.py or producers/favourites/: step 2 of {RECIPE}"
    )
    assert len(rest) == 5


def test_a_reason_that_is_out_of_date_is_named(tmp_path: Path) -> None:
    (tmp_path / "api/favourites").mkdir(parents=True)
    reasons = {("favourites", "api"): "nobody asks"}
    found = list(missing([FAVOURITES], reasons, tmp_path))
    assert "favourites: is in api: take it out of ELSEWHERE" in found
    assert not any("make api" in each for each in found)


def test_the_recipe_names_every_step() -> None:
    text = (ROOT / RECIPE).read_text("utf-8")
    assert [number for number in range(1, 8) if f"\n{number}. " not in text] == []
