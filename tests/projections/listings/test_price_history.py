"""What a listing cost for everyone to see, and the lowest of it."""

from __future__ import annotations

from datetime import timedelta

from projections.listings.price_history import (
    Low,
    PriceFact,
    PublicPrice,
    lowest,
    lowest_before_change,
    price_history,
    public_prices,
)
from schemas.messages import Event
from schemas.vehicles import VehicleFields
from tests.projections.cars import (
    ID,
    STREAM,
    created,
    day,
    deleted,
    hidden,
    published,
    repriced,
    shown,
    sold,
    unpublished,
    updated,
)
from tests.projections.history import history, rows_of

MONTH = timedelta(days=30)


def facts(*events: Event) -> list[PriceFact]:
    rows = rows_of(price_history, history(STREAM, *events))
    return sorted(rows.values(), key=lambda fact: fact.version)


def prices(*events: Event) -> list[PublicPrice]:
    return public_prices(facts(*events))


def low(*events: Event, until: float) -> Low | None:
    return lowest(prices(*events), day(until), MONTH)


def test_every_price_and_every_appearance_is_a_fact() -> None:
    found = facts(created(), published(1), repriced(900, on=2), updated(), deleted(3))
    assert found == [
        PriceFact(str(ID), 1, day(0), price_minor=8_500_000, currency="USD"),
        PriceFact(str(ID), 2, day(1), shown=True),
        PriceFact(str(ID), 3, day(2), price_minor=900, currency="USD"),
        PriceFact(str(ID), 5, day(3), shown=False),
    ]


def test_before_the_first_fact_is_read_nothing_was_public() -> None:
    assert prices() == []


def test_a_price_is_public_from_publication_until_it_changes() -> None:
    assert prices(created(), published(1), repriced(900, on=2)) == [
        PublicPrice(8_500_000, "USD", day(1), day(2)),
        PublicPrice(900, "USD", day(2), None),
    ]


def test_a_draft_price_was_never_asked() -> None:
    assert prices(created(), repriced(1, on=1), repriced(900, on=2), published(3)) == [
        PublicPrice(900, "USD", day(3), None)
    ]


def test_no_price_is_claimed_while_a_listing_is_hidden_or_sold() -> None:
    found = prices(created(), published(1), unpublished(2), published(5), sold(6))
    assert [(each.since, each.until) for each in found] == [(day(1), day(2)), (day(5), day(6))]


def test_a_draft_without_a_price_has_no_public_price() -> None:
    assert prices(created(VehicleFields()), published(1)) == []


def test_the_low_is_the_lowest_public_price_of_the_last_30_days() -> None:
    found = low(created(), published(0), repriced(700, on=10), repriced(900, on=20), until=39)
    assert found == Low(700, "USD", observed_since=day(9), complete=True)


def test_a_price_older_than_30_days_is_not_the_low() -> None:
    found = low(created(), published(0), repriced(700, on=1), repriced(900, on=2), until=32)
    assert found is not None
    assert found.price_minor == 900


def test_a_low_observed_for_less_than_30_days_says_so() -> None:
    found = low(created(), published(5), until=10)
    assert found == Low(8_500_000, "USD", observed_since=day(5), complete=False)


def test_a_low_with_a_gap_in_it_is_not_complete() -> None:
    found = low(created(), published(0), unpublished(20), published(21), until=40)
    assert found is not None
    assert (found.observed_since, found.complete) == (day(10), False)


def test_prices_in_another_currency_are_not_compared() -> None:
    found = low(created(), published(0), repriced(100, "LKR", on=3), until=4)
    assert found == Low(100, "LKR", observed_since=day(3), complete=False)


def test_what_was_never_public_has_no_low() -> None:
    assert low(created(), repriced(900, on=2), until=40) is None


def before_change(*events: Event) -> Low | None:
    return lowest_before_change(prices(*events), MONTH)


def test_the_low_before_a_change_leaves_the_present_price_out() -> None:
    found = before_change(created(), published(0), repriced(700, on=40), repriced(600, on=50))
    assert found == Low(700, "USD", observed_since=day(20), complete=True)


def test_a_price_that_never_changed_has_no_low_before() -> None:
    assert before_change(created(), published(0), unpublished(1), published(2)) is None
    assert before_change(created()) is None


def test_showing_a_listing_again_is_no_change_of_its_price() -> None:
    found = before_change(
        created(), published(0), repriced(700, on=40), unpublished(50), published(55)
    )
    assert found == Low(8_500_000, "USD", observed_since=day(10), complete=True)


def test_PR_09_no_price_is_claimed_while_the_seller_is_away() -> None:
    found = prices(created(), published(1), hidden(2), shown(5))
    assert [(each.since, each.until) for each in found] == [(day(1), day(2)), (day(5), None)]
