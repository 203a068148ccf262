"""One row of facts per listing."""

from __future__ import annotations

from projections.analytics.listing_facts import ListingFacts, listing_facts
from schemas.listings import ListingStatus
from schemas.log.messages import Market
from schemas.values.vehicles import VehicleFields
from tests.projections.cars import (
    ID,
    SELLER,
    STREAM,
    created,
    day,
    deleted,
    hidden,
    published,
    repriced,
    shown,
    sold,
    updated,
)
from tests.projections.history import history, rows_of


def test_a_life_ends_as_one_row_with_its_moments() -> None:
    life = history(
        STREAM,
        created(),
        published(1),
        repriced(8_000_000, on=2),
        updated(VehicleFields(make="RUF"), "location", on=3),
        sold(4, price_minor=7_900_000),
        deleted(5),
    )
    assert rows_of(listing_facts, life) == {
        str(ID): ListingFacts(
            seller_id=SELLER,
            market=Market.EXOTICS,
            status=ListingStatus.DELETED,
            created_at=day(0),
            published_at=day(1),
            sold_at=day(4),
            deleted_at=day(5),
            sold_minor=7_900_000,
            price_minor=8_000_000,
            currency="USD",
            price_changes=1,
            make="RUF",
            model="911",
            year=2019,
            mileage_km=42_000,
            body_type="coupe",
            fuel_type="petrol",
            location=None,
        )
    }


def test_PR_09_facts_tell_whether_the_seller_is_away() -> None:
    away = history(STREAM, created(), published(1), hidden(2))
    back = history(STREAM, created(), published(1), hidden(2), shown(3))
    assert rows_of(listing_facts, away)[str(ID)].status is ListingStatus.HIDDEN
    assert rows_of(listing_facts, back)[str(ID)].status is ListingStatus.ACTIVE
