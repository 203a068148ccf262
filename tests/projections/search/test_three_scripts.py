"""One search in three scripts: whatever way a name is written in, it finds the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from infra.settings import Settings
from projections.search.query import Sort, facets_of
from projections.search.spelling import begun_names, compact, folded, slipped_names, words
from projections.search.suggestions import suggestions_body, suggestions_of
from projections.search.vocabulary import PLACES, lines
from projections.searches.words import Words
from schemas.log.messages import Market
from schemas.search import Filters
from schemas.values.vehicles import Mileage, VehicleFields
from tests.projections.cars import created, published
from tests.projections.search.index import SearchedIndex, index_of

BASE: dict[str, Any] = {
    "title": "For sale", "price_minor": 100, "currency": "LKR", "year": 2020,
    "mileage": Mileage(value=1),
}  # fmt: skip
# One way of each name to write a listing in: where of a listing it stands.
WHERE: tuple[dict[str, str], ...] = (
    {"location": "Colombo", "make": "Toyota", "exterior_color": "Grey"},
    {"location": "කොළඹ", "make": "ටොයොටා", "exterior_color": "අළු"},
    {"location": "கொழும்பு", "make": "டொயோட்டா", "exterior_color": "சாம்பல்"},
    {"location": "Kolomba", "make": "TOYOTA", "exterior_color": "Gray"},
    {"title": "Cultus, sold in කොළඹ", "make": "Suzuki"},
    {"description": "கொழும்பு இல் பார்க்கலாம்", "make": "සුසුකි"},
    {"location": "Colombo 07", "make": "VW", "model": "Golf"},
    {"location": "කොළඹ 7", "make": "Volkswagen", "model": "Golf"},
    {"location": "Maha Nuwara", "make": "Merc", "model": "C200"},
    {"location": "Kandy", "make": "Mercedes-Benz", "model": "C 200"},
    {"description": "Used in Maha Nuwara only", "make": "மெர்சிடிஸ்-பென்ஸ்"},
    {"location": "நுவரெலியா", "make": "Citroën", "model": "ë-C4"},
    {"location": "Nuwara Eliya", "make": "Citroen", "model": "e-C4"},
    {"location": "Yarlpanam", "make": "Ford", "model": "F-150"},
    {"location": "යාපනය", "make": "ෆෝඩ්", "model": "f150"},
)
NAMES = [line for line in lines() if line[0] in ("Colombo", "Kandy", "Nuwara Eliya", "Jaffna", "Toyota", "Suzuki",
         "Volkswagen", "Mercedes-Benz", "Citroën", "Ford", "Grey", "Colombo 7")]  # fmt: skip
PAIRS = [(line[0], other) for line in NAMES for other in line[1:]] + [
    ("Citroën", "Citroen"), ("VW Golf", "වොක්ස්වැගන් golf"),
    ("Mercedes C200 Kandy", "මහනුවර benz c200"), ("Colombo Toyota", "டொயோட்டா கொழும்பு"),
]  # fmt: skip


@pytest.fixture(scope="module")
def index(stack: Settings) -> Iterator[SearchedIndex]:
    lives = []
    for number, fields in enumerate(WHERE, 1):
        car = VehicleFields(**(BASE | fields))
        listing_id = UUID(int=number)
        lives.append((listing_id, [created(car, 0, listing_id), published(0, listing_id)]))
    with index_of(stack, lives) as opened:
        yield opened


def found(index: SearchedIndex, filters: Filters, **more: Any) -> list[int]:
    return [UUID(each).int for each in index.ids(filters, Sort.RELEVANCE, **more)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Colombo", {1, 2, 3, 4, 5, 6, 7, 8}),
        ("Colombo 7", {7, 8}),
        ("Kandy", {9, 10, 11}),
        ("Toyota", {1, 2, 3, 4}),
        ("Suzuki", {5, 6}),
        ("VW", {7, 8}),
        ("Mercedes", {9, 10, 11}),
        ("Jaffna", {14, 15}),
        ("f150", {14, 15}),
        ("F-150", {14, 15}),
        ("Citroen", {12, 13}),
        ("நுவரெ", {12, 13}),  # unfinished
        ("කොළඹ toy", {1, 2, 3, 4}),
        ("maha nuw", {9, 10, 11}),
        ("gray", {1, 2, 3, 4}),
    ],
)
def test_BY_24_a_name_finds_the_listings_of_all_its_spellings(
    index: SearchedIndex, text: str, expected: set[int]
) -> None:
    assert set(found(index, Filters(q=text))) == expected
    # And so do the saved searches, which compare words by themselves.
    fitting = {UUID(each.listing_id).int for each in index.documents if Words(each).fit(text)}
    assert fitting == expected


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_BY_24_words_in_three_scripts_give_the_same_hits_in_the_same_order(
    index: SearchedIndex, one: str, other: str
) -> None:
    hits = found(index, Filters(q=one))
    assert hits
    assert found(index, Filters(q=other)) == hits
    assert suggested(index, other) == suggested(index, one)


@pytest.mark.parametrize(
    ("facet", "names", "expected"),
    [
        ("location", ("Colombo", "කොළඹ", "கொழும்பு", "Kolomba"), {1, 2, 3, 4, 7, 8}),
        ("location", ("Colombo 7", "colombo-07", "කොළඹ 07", "கொழும்பு 7"), {7, 8}),
        ("location", ("Kandy", "මහනුවර", "கண்டி", "mahanuwara"), {9, 10}),
        ("location", ("Nuwara-Eliya", "නුවරඑළිය", "නුවර එළිය", "NuwaraEliya"), {12, 13}),
        ("make", ("Toyota", "ටොයෝටා", "டொயோட்டா"), {1, 2, 3, 4}),
        ("make", ("Benz", "Mercedes", "mercedesbenz", "බෙන්ස්", "பென்ஸ்"), {9, 10, 11}),
        ("make", ("VW", "v.w.", "volkswagen", "வோக்ஸ்வேகன்"), {7, 8}),
        ("color", ("gray", "Grey", "අළු", "சாம்பல்"), {1, 2, 3, 4}),
    ],
)
def test_BY_24_facets_in_three_scripts_choose_the_same(
    index: SearchedIndex, facet: str, names: tuple[str, ...], expected: set[int]
) -> None:
    for name in names:
        assert set(found(index, Filters.model_validate({facet: [name]}))) == expected, name


def test_BY_24_all_spellings_are_one_value_of_a_facet_with_one_label(index: SearchedIndex) -> None:
    facets = facets_of(index.search(Filters()))
    for facet, field in (("make", "make"), ("color", "exterior_color"), ("location", "location")):
        told = {each["value"]: each for each in facets[facet]}
        assert len(told) == len(facets[facet])
        key = compact if facet == "make" else folded
        counted = Counter(key(fields[field]) for fields in WHERE if field in fields)
        counted["colombo"] += counted["colombo 7"]
        assert {value: each["count"] for value, each in told.items()} == +counted
        labels = [each["label"] for each in facets[facet]]
        assert [key(label) for label in labels] == [each["value"] for each in facets[facet]]
    assert {each["value"] for each in facets["color"]} == {"grey"}


def test_BY_24_a_value_chosen_in_one_script_is_counted_with_the_other_facets_of_all(
    index: SearchedIndex,
) -> None:
    facets = facets_of(index.search(Filters(make=("ටොයොටා",), location=("Kandy",))))
    assert {each["value"]: each["count"] for each in facets["location"]} == {"colombo": 4}
    assert {each["value"]: each["count"] for each in facets["make"]} == {"mercedesbenz": 2}


def suggested(index: SearchedIndex, text: str) -> list[tuple[str, str, int]]:
    answer = index.ask(suggestions_body(text, Market.EXOTICS, 10))
    return [(each["kind"], each["text"], each["count"]) for each in suggestions_of(answer, 10)]


@pytest.mark.parametrize("typed", ["ටො", "டொயோ", "toy", "ටොයොටා"])
def test_BY_24_a_beginning_in_any_script_suggests_the_make(
    index: SearchedIndex, typed: str
) -> None:
    (kind, text, count), *_ = suggested(index, typed)
    assert (kind, compact(text), count) == ("make", "toyota", 4)


@pytest.mark.parametrize("typed", ["කොළඹ", "கொழு", "colo", "Kolomba"])
def test_BY_24_a_beginning_in_any_script_suggests_the_city(
    index: SearchedIndex, typed: str
) -> None:
    told = {folded(text): count for kind, text, count in suggested(index, typed)}
    assert told == {"colombo": 6, "colombo 7": 2}


def test_BY_24_a_slip_in_any_script_suggests_what_was_meant(index: SearchedIndex) -> None:
    (kind, text, count), *_ = suggested(index, "ටොයොතා")
    assert (kind, compact(text), count) == ("make", "toyota", 4)


@pytest.mark.parametrize(
    ("typed", "expected"), [("ටොයොතා", {1, 2, 3, 4}), ("kolmba", {1, 2, 3, 4, 5, 6, 7, 8})]
)
def test_BY_24_a_slip_in_any_script_is_tolerated(
    index: SearchedIndex, typed: str, expected: set[int]
) -> None:
    assert found(index, Filters(q=typed)) == []
    assert set(found(index, Filters(q=typed), typos=True)) == expected


# The vocabulary itself.


@pytest.mark.parametrize("line", lines(), ids=lambda line: line[0])
def test_BY_24_every_spelling_is_the_same_words(line: list[str]) -> None:
    for spelling in line:
        assert words(spelling) == words(line[0]), spelling
        assert compact(spelling) == compact(line[0]) == compact(compact(spelling))
        assert folded(folded(spelling)) == folded(spelling) == folded(line[0])


def test_BY_24_no_spelling_means_two_things() -> None:
    counted = Counter(each.casefold() for line in lines() for each in line)
    assert [each for each, times in counted.items() if times > 1] == []


@pytest.mark.parametrize("line", PLACES.strip().splitlines())
@pytest.mark.parametrize("script", [("\u0b80", "\u0bff"), ("\u0d80", "\u0dff")], ids=["ta", "si"])
def test_BY_24_every_city_is_known_in_each_script(line: str, script: tuple[str, str]) -> None:
    first, last = script
    assert any(first <= letter <= last for letter in line)


def test_BY_24_the_names_of_others_are_left_alone() -> None:
    for text in (
        "Golf Variant",
        "Mercury Cougar",
        "BMWs",
        "Galleria",
        "benzin",
        "Colombo Street 7",
    ):
        assert words(text) == text.casefold().split()


def test_BY_24_a_beginning_tells_only_names_that_begin_otherwise() -> None:
    assert begun_names(["kol"]) == ["colombo"]
    assert begun_names(["col"]) == begun_names(["xyz"]) == []


@pytest.mark.parametrize(
    ("typed", "name"),
    [("kolmba", "colombo"), ("kolombba", "colombo"), ("koloma", "colombo"), ("koolmba", "colombo"),
     ("මීගමව", "negombo"), ("merc", "mercedesbenz")],
)  # fmt: skip
def test_BY_24_one_wrong_letter_still_names_it(typed: str, name: str) -> None:
    assert slipped_names(typed) == [name]


@pytest.mark.parametrize("typed", ["olomba", "klmba", "vb", "kollomaba"])
def test_BY_24_two_wrong_letters_or_the_first_name_nothing(typed: str) -> None:
    assert slipped_names(typed) == []
