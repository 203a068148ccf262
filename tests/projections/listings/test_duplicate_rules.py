"""What speaks for two listings being of one vehicle, sign by sign."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.listings.duplicate_rules import (
    LOOK_APART_MAX,
    SKETCH,
    Evidence,
    evidence,
    signs_of,
    similarity,
    sketch_of,
    telling,
)
from projections.listings.listing_signs import ListingSigns

WORDS = (
    "the car was driven by one careful owner who kept every bill and had it serviced each spring"
)
STORY = f"{WORDS} and washed it by hand on most sundays in the shade of an old mango tree"
LOOK = "0f0f33335555aaaa"


def signs(**more: Any) -> ListingSigns:
    facts: dict[str, Any] = {"make": "m", "model": "o", "year": 2019, "mileage_km": 42_000}
    return ListingSigns(seller_id="s", **facts | more)


def kinds(one: ListingSigns, other: ListingSigns) -> list[str]:
    return [each.kind for each in evidence(one, other)]


def pictured(*looks: str, **more: Any) -> ListingSigns:
    ids = tuple(f"i{place}" for place in range(len(looks)))
    return signs(image_ids=ids, looks=looks, **more)


def test_BY_17_the_same_vin_is_evidence_whatever_else_is_said() -> None:
    one, other = signs(vin="V1"), signs(vin="V1", make="x", year=1990)
    assert evidence(one, other) == [Evidence("vin", 1.0)]
    assert kinds(one, signs(vin="V2")) == []
    assert kinds(signs(), signs()) == []


def test_BY_17_a_picture_that_looks_the_same_is_evidence_and_is_named() -> None:
    near = f"{int(LOOK, 16) ^ 0b101:016x}"
    found = evidence(pictured("", LOOK), pictured(near))
    assert found == [Evidence("picture", 0.969, ("i1",))]


def test_BY_17_pictures_that_look_otherwise_are_none() -> None:
    far = f"{int(LOOK, 16) ^ (2 ** (LOOK_APART_MAX + 1) - 1):016x}"
    assert kinds(pictured(LOOK), pictured(far)) == []
    assert kinds(pictured(LOOK), pictured(LOOK, make="x")) == []


@pytest.mark.parametrize("flat", ["", "0" * 16, "f" * 16, "0000000000000003"])
def test_flat_pictures_say_nothing(flat: str) -> None:
    assert not telling(flat)
    assert kinds(pictured(flat), pictured(flat)) == []


def test_BY_17_nearly_the_same_words_are_evidence_between_like_cars() -> None:
    one = signs(sketch=sketch_of(STORY))
    near = sketch_of(STORY.replace("sundays", "mondays"))
    assert kinds(one, signs(sketch=near, mileage_km=42_500)) == ["text"]
    for other in ({"model": "x"}, {"year": 2018}, {"mileage_km": 60_000}, {"mileage_km": None}):
        assert kinds(one, signs(sketch=near, **other)) == []


def test_other_or_few_words_are_none() -> None:
    one = signs(sketch=sketch_of(STORY))
    assert kinds(one, signs(sketch=sketch_of(" ".join(reversed(STORY.split()))))) == []
    assert sketch_of("a nice car at a good price") == sketch_of(None) == ()


@given(st.lists(st.sampled_from("abcdefghij"), min_size=20, max_size=200))
def test_a_text_is_like_itself_and_its_sketch_is_bounded(words: list[str]) -> None:
    sketch = sketch_of(" ".join(words))
    assert similarity(sketch, sketch) == 1.0
    assert len(sketch) <= SKETCH
    assert max(sketch) < 2**63


def test_what_has_a_sign_in_common_is_found_by_it() -> None:
    near = f"{int(LOOK, 16) ^ 0b101:016x}"
    alike = [
        (signs(vin="V1"), signs(vin="V1", make="x")),
        (pictured(LOOK), pictured(near)),
        (signs(sketch=sketch_of(STORY)), signs(sketch=sketch_of(f"{STORY} call me"))),
    ]
    for one, other in alike:
        assert set(signs_of(one)) & set(signs_of(other))
    assert signs_of(signs()) == ()
