"""The search document of a listing: what each event does to it."""

from __future__ import annotations

from projections.search.listing_search import ListingDocument, listing_search
from schemas.listings import ListingStatus
from schemas.log.messages import Event
from schemas.values.vehicles import GeoPoint, VehicleFields
from tests.projections.cars import (
    FULL,
    ID,
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


def document(*events: Event) -> ListingDocument:
    found: ListingDocument = rows_of(listing_search, history(STREAM, *events))[str(ID)]
    return found


def test_EV_01_a_draft_is_whole_already_so_that_publishing_needs_nothing_else() -> None:
    found = document(created())
    assert (found.listing_id, found.status, found.title) == (str(ID), "draft", FULL.title)
    assert found.place == GeoPoint(lat=6.9271, lon=79.8612)
    assert found.features == ("Sunroof", "Sport Chrono")


def test_LI_09_only_an_active_document_says_so() -> None:
    assert document(created(), published()).status is ListingStatus.ACTIVE
    assert document(created(), published(), unpublished()).status is ListingStatus.DRAFT
    assert document(created(), published(), sold()).status is ListingStatus.SOLD


def test_LI_03_a_deleted_listing_has_no_document() -> None:
    assert rows_of(listing_search, history(STREAM, created(), deleted())) == {}


def test_the_price_is_searched_in_major_units_of_its_currency() -> None:
    assert document(created()).price == 85_000
    assert document(created(), repriced(500_000, "JPY")).price == 500_000
    assert document(created(), repriced(1_500, "KWD")).price == 1.5


def test_half_a_price_is_none() -> None:
    assert document(created(VehicleFields(price_minor=5))).price is None
    assert document(created(), updated(None, "currency")).price is None


def test_SE_03_the_name_to_suggest_follows_make_and_model() -> None:
    assert document(created()).name == "Porsche 911"
    assert document(created(), updated(VehicleFields(model="Cayenne"))).name == "Porsche Cayenne"
    assert document(created(), updated(None, "model")).name == "Porsche"
    assert document(created(), updated(None, "model", "make")).name is None


def test_a_place_can_be_cleared() -> None:
    assert document(created(), updated(None, "geo")).place is None


def test_showing_again_does_not_make_a_listing_new() -> None:
    found = document(created(), published(1), unpublished(2), published(3))
    assert found.published_at == day(1)


def test_LI_21_an_expired_document_is_not_active_until_it_is_published_again() -> None:
    given = created(), published(1, until=90), renewed(2, until=95)
    assert document(*given).status is ListingStatus.ACTIVE
    assert document(*given, expired(95)).status is ListingStatus.EXPIRED
    again = document(*given, expired(95), published(96, until=180))
    assert (again.status, again.published_at) == (ListingStatus.ACTIVE, day(1))


def test_PR_09_a_hidden_document_is_not_active_until_it_is_shown() -> None:
    assert document(created(), published(), hidden()).status is ListingStatus.HIDDEN
    assert document(created(), published(), hidden(), shown()).status is ListingStatus.ACTIVE
