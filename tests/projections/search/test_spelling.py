"""Every way of writing a car's name finds it: by words, as a filter and as a suggestion."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import orjson
import pytest

from infra.settings import Settings
from projections.search.query import Sort, search_body
from projections.search.spelling import compact, folded, spellings, words
from projections.search.suggestions import suggestions_body, suggestions_of
from schemas.log.messages import Market
from schemas.search import Filters
from schemas.values.vehicles import Mileage, VehicleFields
from tests.projections.cars import created, published
from tests.projections.search import names
from tests.projections.search.index import SearchedIndex, index_of

AT_ONCE = 200
EVERY = 3  # of the pairs of a name and a spelling one in three is asked: no kind is left out
BASE: dict[str, Any] = {
    "title": "For sale", "price_minor": 100, "currency": "USD", "year": 2020,
    "mileage": Mileage(value=1),
}  # fmt: skip


@pytest.fixture(scope="module")
def index(stack: Settings) -> Iterator[SearchedIndex]:
    lives = []
    for number, (make, model) in enumerate(names.NAMES, 1):
        fields = VehicleFields(**BASE, make=make, model=model)
        lives.append((UUID(int=number), [created(fields, 0, UUID(int=number)),
                                         published(0, UUID(int=number))]))  # fmt: skip
    with index_of(stack, lives) as opened:
        yield opened


def asked_at_once(index: SearchedIndex, bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    headers = {"Content-Type": "application/x-ndjson"}
    for start in range(0, len(bodies), AT_ONCE):
        lines = b"".join(
            b"{}\n" + orjson.dumps(body, default=str) + b"\n"
            for body in bodies[start : start + AT_ONCE]
        )
        answer = index.client.post("/_msearch", content=lines, headers=headers)
        assert answer.status_code == 200, answer.text
        found += answer.json()["responses"]
    return found


def missed(index: SearchedIndex, asked: list[tuple[int, str, Filters]]) -> list[str]:
    """Which of (listing, what is typed, the filters that say it) do not find their listing."""
    bodies = [search_body(filters, Sort.NEWEST, size=100) for _, _, filters in asked]
    bodies = [{**body, "aggs": {}} for body in bodies]
    return [
        f"{names.NAMES[number - 1]} by {typed!r}"
        for (number, typed, _), answer in zip(asked, asked_at_once(index, bodies), strict=True)
        if str(UUID(int=number)) not in [hit["_id"] for hit in answer["hits"]["hits"]]
    ]


def typed_names() -> list[tuple[int, str]]:
    return [
        (number, typed)
        for number, name in enumerate(names.NAMES, 1)
        for text in (name[0], name[1], " ".join(name))
        for typed in names.spellings(text)
    ]


def test_every_spelling_of_a_name_finds_it_by_words(index: SearchedIndex) -> None:
    assert (
        missed(index, [(n, typed, Filters(q=typed)) for n, typed in typed_names()[::EVERY]]) == []
    )


@pytest.mark.parametrize("place", [0, 1], ids=["make", "model"])
def test_every_spelling_of_a_name_chooses_it(index: SearchedIndex, place: int) -> None:
    facet = ("make", "model")[place]
    asked = [
        (number, typed, Filters(**{facet: [typed]}))
        for number, name in enumerate(names.NAMES, 1)
        for typed in names.spellings(name[place])
    ]
    assert missed(index, asked[::EVERY]) == []


def test_every_spelling_of_a_name_suggests_it(index: SearchedIndex) -> None:
    asked = [
        (name, typed)
        for name in names.NAMES
        for text in (name[0], " ".join(name))
        for typed in names.spellings(text)
    ][::EVERY]
    bodies = [suggestions_body(typed, Market.EXOTICS, 10) for _, typed in asked]
    wrong = []
    for (name, typed), answer in zip(asked, asked_at_once(index, bodies), strict=True):
        told = {compact(each["text"]) for each in suggestions_of(answer, 10)}
        if not told & {compact(name[0]), compact(" ".join(name))}:
            wrong.append((name, typed))
    assert wrong == []


def test_the_spellings_of_one_name_are_one_value_of_a_facet(index: SearchedIndex) -> None:
    body = search_body(Filters(), Sort.NEWEST, size=0)
    (answer,) = asked_at_once(index, [body])
    makes = [each["key"] for each in answer["aggregations"]["make"]["values"]["buckets"]]
    assert makes.count("mercedesbenz") == 1
    assert len(makes) == len({compact(make) for make, _ in names.NAMES})


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
@pytest.mark.parametrize(
    "text", ["Citroën ë-C4", "ශ්‍රී ලංකා", "கொழும்பு", "Ｆ－１５０ ﬁne", "Йошкар", "서울", "Łódź"]
)
def test_a_text_is_the_same_words_in_every_form_of_unicode(text: str, form: str) -> None:
    assert words(unicodedata.normalize(form, text)) == words(text)


@pytest.mark.parametrize("text", ["ශ්‍රී", "ක්‍ෂ", "க்‌ஷ"])
def test_joiners_make_no_difference_and_no_letter_is_lost(text: str) -> None:
    bare = text.replace("\u200d", "").replace("\u200c", "")
    assert folded(text) == folded(bare) == bare


def test_a_decimal_point_parts_no_words() -> None:
    assert words("Seat Leon 2.0 TDI, 1.6") == ["seat", "leon", "2.0", "tdi", "1.6"]


@pytest.mark.parametrize(
    "same",
    [("Lynk & Co", "lynk and co", "LYNK+CO"), ("4×4", "4x4", "4X4"), ("Jeep 4 × 4", "jeep 4 x 4")],
)
def test_what_is_read_the_same_is_the_same(same: tuple[str, ...]) -> None:
    assert len({tuple(words(each)) for each in same}) == 1
    assert len({compact(each) for each in same}) == 1


def test_a_word_that_stands_alone_is_asked_for() -> None:
    assert words("and") == ["and"]


def test_words_that_stand_together_count_as_one_too() -> None:
    assert spellings("C-H R") == ["c", "h", "r", "ch", "chr", "hr"]


@pytest.mark.parametrize("text", ["*", "!!!", "🏎️", "\u200d"])
def test_what_has_no_words_is_a_value_of_its_own(text: str) -> None:
    assert folded(text) == compact(text) == text
