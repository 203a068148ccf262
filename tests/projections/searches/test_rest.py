"""What is public of filters and what is private of them say together what the whole says."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest

from projections.search.listing_search import ListingDocument, listing_search
from projections.searches.canonical import (
    filters_hash,
    filters_of,
    filters_text,
    private_text,
    public_part,
    whole_of,
    whole_text,
)
from projections.searches.rest import fits_rest
from projections.searches.words import Words
from schemas.listings import ListingStatus, listing_stream
from schemas.log.messages import Market
from schemas.search import RADIUS_KM_MAX, Filters
from schemas.values.vehicles import GeoPoint
from tests.producers.searches.looking import NOW
from tests.projections.history import history, rows_of
from tests.projections.search.many_ads import distance_km, some_ads, wanted
from tests.projections.searches.many_searches import some_filters
from tests.sizes import FULL_SIZE

ANY = ListingDocument(
    listing_id="1", seller_id="1", market=Market.EXOTICS, status=ListingStatus.ACTIVE,
    created_at=NOW,
)  # fmt: skip
ODD = ["BMW (Kamala's own)", "!!", "a" * 25, "€"]


@pytest.fixture(scope="module")
def ads() -> list[ListingDocument]:
    found: list[ListingDocument] = []
    for listing_id, events in some_ads():
        found += rows_of(listing_search, history(listing_stream(listing_id), *events)).values()
    return found


def searches() -> Iterator[Filters]:
    """Some with a place anywhere around, and with makes and models that can't be told."""
    chance = random.Random(11)
    for filters in some_filters(600 if FULL_SIZE else 200):
        more: dict[str, Any] = {}
        if chance.random() < 0.4:
            more |= {"lat": chance.uniform(5.5, 8), "lon": chance.uniform(79.5, 81.5)}
            more["radius_km"] = chance.choice([1, 7.5, 30, 90, 1_999])
        for name in ("make", "model"):
            if chance.random() < 0.2:
                more[name] = (*getattr(filters, name), chance.choice(ODD))
        yield filters.model_copy(update=more)


def test_SE_04_the_public_and_the_private_part_find_what_the_whole_finds(ads) -> None:
    words = {each.listing_id: Words(each) for each in ads}
    hits = 0
    for filters in searches():
        # The words are proved against the engine in test_filter_sets.
        others = wanted(ads, filters.model_copy(update={"q": ""}))
        whole = {each.listing_id for each in others if words[each.listing_id].fit(filters.q)}
        public = wanted(ads, filters_of(filters_text(public_part(filters))))
        private = private_text(filters)
        found = {
            each.listing_id
            for each in public
            if not private or fits_rest(private, words[each.listing_id])
        }
        assert found == whole, filters
        hits += len(found)
    assert hits > 1_000


def test_SE_04_the_parts_are_the_whole_again() -> None:
    for filters in searches():
        public, private = filters_text(public_part(filters)), private_text(filters)
        again = Filters.model_validate(whole_of(public, private))
        assert whole_text(again) == whole_text(filters)


@pytest.mark.parametrize("seed", range(5))
def test_SE_04_wherever_somebody_looks_the_public_place_leaves_nothing_out(seed) -> None:
    chance, near = random.Random(seed), 0
    for _ in range(2_000):
        lat = chance.choice([chance.uniform(-90, 90), 0, 90, -90, 0.25, 7.75])
        lon = chance.choice([chance.uniform(-180, 180), 180, -180, 0.25, -179.9])
        filters = Filters(lat=lat, lon=lon, radius_km=chance.choice([0.1, 10, 60, 500, 1_990]))
        other = GeoPoint(
            lat=max(-90, min(90, lat + chance.uniform(-1, 1))),
            lon=(lon + chance.uniform(-2, 2) + 180) % 360 - 180,
        )
        ad = replace(ANY, place=other)
        assert filters.radius_km is not None
        fits = distance_km(ad, filters) <= filters.radius_km
        assert fits_rest(private_text(filters), Words(ad)) == fits
        public = public_part(filters)
        if fits and public.radius_km is not None:
            near += 1
            assert distance_km(ad, public) <= public.radius_km
    assert near > 100


def test_SE_04_the_public_part_tells_neither_a_home_nor_what_is_written_freely() -> None:
    filters = Filters(
        q="present", make=("Porsche",), model=("911 of Kamala, who lives in Kandy",), color=("Guards Red",),
        location=("12 Flower Road",), features=("for Kamala",), lat=6.9271, lon=79.8612,
        radius_km=7.5, price_max="90000",
    )  # fmt: skip
    assert orjson.loads(filters_text(public_part(filters))) == {
        "market": "exotics",
        "make": ["porsche"],
        "price_max": 90_000,
        "lat": 7,
        "lon": 80,
        "radius_km": 50,
    }


@pytest.mark.parametrize("name", ["make", "model"])
@pytest.mark.parametrize("odd", ["a" * 25, "!!", "කාරය", "Kamala 0771234567"])
def test_SE_04_a_vehicle_whose_name_can_t_be_told_takes_the_others_with_it(name, odd) -> None:
    public = public_part(Filters.model_validate({name: ["BMW", odd]}))
    assert getattr(public, name) == ()
    assert public_part(Filters.model_validate({name: ["B-M W"]})).model_dump()[name] == ("bmw",)


def test_SE_04_a_radius_too_large_to_grow_is_private_as_a_whole() -> None:
    public = public_part(Filters(lat=1, lon=1, radius_km=RADIUS_KM_MAX))
    assert (public.lat, public.lon, public.radius_km) == (None, None, None)


def test_SE_04_neighbours_with_other_tastes_share_what_is_public() -> None:
    one = Filters(lat=6.93, lon=79.86, radius_km=5, color=("red",), make=("BMW",))
    other = Filters(lat=6.91, lon=79.9, radius_km=8, features=("Sunroof",), make=("b m w",))
    assert filters_hash(public_part(one)) == filters_hash(public_part(other))
    assert whole_text(one) != whole_text(other)


def test_SE_04_nothing_private_is_no_text() -> None:
    assert private_text(Filters(price_max="5", lat=1, lon=1)) == ""
