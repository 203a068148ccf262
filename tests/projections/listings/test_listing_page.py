"""The page of a listing: what each event does to it."""

from __future__ import annotations

from typing import Any

import pytest

from projections.listings.listing_page import ListingPage, listing_page
from schemas.listings import ListingStatus
from schemas.log.messages import Event
from schemas.values.vehicles import DistanceUnit, Mileage, VehicleFields
from tests.projections.cars import (
    FULL,
    ID,
    SELLER,
    STREAM,
    created,
    day,
    deleted,
    expired,
    hidden,
    published,
    renewed,
    repriced,
    shown,
    sold,
    unpublished,
    updated,
)
from tests.projections.history import history, rows_of


def page(*events: Event) -> ListingPage:
    found: Any = rows_of(listing_page, history(STREAM, *events))[str(ID)]
    return found


def test_LI_16_a_created_listing_has_a_page_with_every_stated_field() -> None:
    found = page(created())
    assert (found.seller_id, found.status, found.version) == (SELLER, ListingStatus.DRAFT, 1)
    assert (found.title, found.price_minor, found.currency) == (FULL.title, 8_500_000, "USD")
    assert (found.mileage, found.mileage_unit, found.mileage_km) == (42_000, "KMT", 42_000)
    assert (found.lat, found.lon) == (6.9271, 79.8612)
    assert found.features == ("Sunroof", "Sport Chrono")
    assert found.accident_free is False
    assert found.damaged is None


def test_LI_16_a_mileage_in_miles_is_kept_and_converted() -> None:
    miles = VehicleFields(mileage=Mileage(value=100, unit=DistanceUnit.SMI))
    found = page(created(miles))
    assert (found.mileage, found.mileage_unit, found.mileage_km) == (100, "SMI", 161)


def test_LI_02_an_update_changes_what_it_states_and_nothing_else() -> None:
    before, after = page(created()), page(created(), updated(VehicleFields(make="RUF"), on=1))
    assert (after.make, after.version, after.updated_at) == ("RUF", 2, day(1))
    assert (after.model, after.created_at) == (before.model, before.created_at)


def test_LI_02_clearing_empties_all_columns_of_a_field() -> None:
    found = page(created(), updated(None, "mileage", "geo", "trim"))
    emptied = (found.mileage, found.mileage_unit, found.mileage_km, found.lat, found.lon)
    assert emptied == (None,) * 5
    assert found.trim is None


def test_clearing_a_field_that_only_a_newer_writer_knows_changes_nothing_else() -> None:
    assert page(created(), updated(None, "smell")).title == FULL.title


def test_LI_02_a_new_price_is_shown() -> None:
    found = page(created(), repriced(900, "LKR", on=2))
    assert (found.price_minor, found.currency, found.updated_at) == (900, "LKR", day(2))


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (published(1), ListingStatus.ACTIVE),
        (unpublished(1), ListingStatus.DRAFT),
        (expired(1), ListingStatus.EXPIRED),
        (renewed(1, until=90), ListingStatus.ACTIVE),
        (sold(1), ListingStatus.SOLD),
        (deleted(1), ListingStatus.DELETED),
    ],
    ids=lambda each: getattr(each, "kind", each),
)
def test_LI_21_each_step_of_a_life_shows_in_the_status(event, status) -> None:
    found = page(created(), published(0), event)
    assert (found.status, found.version) == (status, 3)


@pytest.mark.parametrize(
    ("event", "ends"),
    [
        (updated(VehicleFields(title="Another")), day(90)),
        (hidden(1), day(90)),
        (renewed(30, until=120), day(120)),
        (expired(90), day(90)),
        (unpublished(1), None),
        (sold(1), None),
        (deleted(1), None),
    ],
    ids=lambda each: getattr(each, "kind", each),
)
def test_LI_21_the_page_says_until_when_it_is_on_offer(event, ends) -> None:
    assert page(created(), published(0, until=90), event).expires_at == ends
    assert page(created(), published(0), published(1)).expires_at is None


def test_LI_05_showing_again_does_not_make_a_listing_new() -> None:
    found = page(created(), published(1), unpublished(2), published(3))
    assert (found.published_at, found.updated_at) == (day(1), day(3))


def test_LI_03_a_deleted_listing_keeps_its_row_so_that_links_can_answer_410() -> None:
    assert page(created(), deleted()).seller_id == SELLER


def test_events_before_a_creation_make_no_page() -> None:
    assert rows_of(listing_page, history(STREAM, published(), updated(), sold())) == {}


def test_PR_09_a_hidden_page_keeps_its_place_among_the_newest() -> None:
    assert page(created(), published(1), hidden(2)).status is ListingStatus.HIDDEN
    found = page(created(), published(1), hidden(2), shown(3))
    assert (found.status, found.published_at, found.updated_at) == ("active", day(1), day(3))
