"""Whether a price is a fair one, and beside which others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.listings import insight
from api.listings.fair_price import (
    COMPARED_MIN,
    Label,
    label_of,
    middle_of,
    mileages_like,
    percent_of,
)
from api.wire.problems import WriteUnavailableError
from projections.listings.asking_days import asking_days
from schemas.log.positions import parse_token
from tests.api.acting.selling import Seller, path_of, pointers_of, reason_of
from tests.api.parking import parked
from tests.api.running import Mesh
from tests.waiting import eventually


@pytest.fixture(scope="module")
async def seller(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("seller"))


@pytest.fixture(scope="module")
async def rival(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("seller"))


@pytest.mark.parametrize(
    ("price", "label"),
    [
        (700, Label.VERY_GOOD),
        (701, Label.GOOD),
        (850, Label.GOOD),
        (851, Label.FAIR),
        (1_150, Label.FAIR),
        (1_151, Label.SLIGHTLY_HIGH),
        (1_350, Label.SLIGHTLY_HIGH),
        (1_351, Label.HIGH),
    ],
)
def test_BY_10_a_label_says_how_far_from_the_middle_a_price_is(price: int, label: Label) -> None:
    assert label_of(price, [1, 2, 1_000, 10**9, 10**9]) is label


@given(st.integers(1, 10**12), st.integers(1, 10**12))
def test_BY_10_the_percent_told_never_contradicts_the_label(price: int, middle: int) -> None:
    label = label_of(price, [middle] * COMPARED_MIN)
    bounds = zip((70, 85, 115, 135), Label, strict=False)
    percent = percent_of(price, middle)
    assert label is next((each for bound, each in bounds if percent <= bound), Label.HIGH)
    assert 0 <= percent * middle - 100 * price < middle


def test_BY_10_a_price_just_above_a_bound_is_not_told_as_at_it() -> None:
    assert (label_of(8_540, [10_000] * COMPARED_MIN), percent_of(8_540, 10_000)) == (Label.FAIR, 86)


def test_BY_10_fewer_than_the_stated_number_give_no_label() -> None:
    prices = [1_000] * (COMPARED_MIN - 1)
    assert (label_of(1_000, prices), middle_of(prices)) == (Label.NONE, None)
    assert label_of(1_000, [*prices, 1_000]) is Label.FAIR


def test_mileages_are_compared_within_a_quarter_and_ten_thousand() -> None:
    assert mileages_like(100_000) == (65_000, 135_000)
    assert mileages_like(3_000) == (0, 13_750)


async def offered(rival: Seller, prices: list[int], **fields: Any) -> list[str]:
    return [(await rival.offer(price_minor=price, **fields)).json()["id"] for price in prices]


async def insight_of(reader: Seller, listing: httpx.Response, **params: Any) -> Any:
    answer = await reader.read(f"{path_of(listing)}/price-insight", listing, **params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_BY_10_the_label_comes_with_its_comparables(seller, rival) -> None:
    make = f"Make {uuid4().hex}"
    ids = await offered(rival, [900, 1_000, 1_100, 1_200, 2_000], make=make)
    await offered(rival, [1], make=make, model="another")
    await offered(rival, [1], make=make, currency="EUR")
    await offered(rival, [1], make=make, year=2012)
    await offered(rival, [1], make=make, mileage={"value": 300_000, "unit": "KMT"})
    await seller.offer(make=make, price_minor=1)  # one's own, which is no measure
    found = await insight_of(seller, await seller.offer(make=make.upper(), price_minor=900))
    assert {each["listing_id"] for each in found["comparables"]} == set(ids)
    assert (found["label"], found["median_minor"]) == ("good", 1_100)
    assert (found["percent_of_median"], found["reason"], found["final"]) == (82, None, False)


async def test_BY_10_with_too_few_there_is_no_label_and_it_says_why(seller, rival) -> None:
    make = f"Make {uuid4().hex}"
    await offered(rival, [900] * (COMPARED_MIN - 1), make=make)
    found = await insight_of(seller, await seller.offer(make=make, price_minor=900))
    assert (found["label"], found["reason"], found["median_minor"]) == ("none", "too_few", None)
    assert len(found["comparables"]) == COMPARED_MIN - 1 < found["comparables_min"]


async def test_BY_10_what_was_not_on_offer_that_day_has_no_label(seller) -> None:
    listing = await seller.offer()
    for past in ("2020-02-29", str(datetime.now(UTC).date() - timedelta(days=2))):
        found = await insight_of(seller, listing, as_of=past)
        assert (found["label"], found["reason"]) == ("none", "not_on_offer")
        assert (found["as_of"], found["final"]) == (past, True)


async def test_BY_10_a_day_to_come_is_refused(seller) -> None:
    listing = await seller.offer()
    path = f"{path_of(listing)}/price-insight"
    answer = await seller.read(path, listing, as_of="9999-12-31")
    assert (reason_of(answer), pointers_of(answer)) == ((422, "invalid"), ["?as_of"])


@pytest.mark.parametrize(
    "sent",
    ["0", "1700006400", "2026-03-01T00:00:00Z", "20260301", "2026-02-30", "２０２６-03-01", ""],
)
async def test_BY_10_what_is_no_day_is_refused(seller, sent: str) -> None:
    listing = await seller.offer()
    answer = await seller.read(f"{path_of(listing)}/price-insight", listing, as_of=sent)
    assert (reason_of(answer), pointers_of(answer)) == ((422, "invalid"), ["?as_of"])


def partition_of(answer: httpx.Response) -> int:
    (position,) = parse_token(answer.headers["Consistency-Token"])
    return position.partition


async def test_BY_10_a_day_is_not_final_while_anything_of_any_listing_waits(mesh, seller) -> None:
    listing = await seller.offer()
    other, later = await seller.offer(), await seller.offer()
    while partition_of(later) != partition_of(other):  # of which the last event waits for nothing
        later = await seller.offer()
    async with parked(mesh, asking_days, f"listing/{other.json()['id']}", other):
        found = await insight_of(seller, listing, as_of="2020-02-29")
        assert (found["reason"], found["final"]) == ("not_on_offer", False)

    async def final() -> bool:
        return (await insight_of(seller, listing, as_of="2020-02-29"))["final"]

    await eventually(final, 30, "the day is final again")


async def test_BY_10_a_day_is_not_final_while_nobody_can_tell_what_the_log_has(
    mesh, seller, monkeypatch
) -> None:
    async def away(_places: object) -> Any:
        raise WriteUnavailableError

    monkeypatch.setattr(mesh.machines.writes, "ends_of", away)
    found = await insight_of(seller, await seller.offer(), as_of="2020-02-29")
    assert found["final"] is False


async def test_BY_10_a_dayis_final_some_minutes_after_its_end(mesh) -> None:
    last = datetime(2020, 2, 29, tzinfo=UTC).date()
    midnight = datetime(2020, 3, 1, tzinfo=UTC)
    soon, later = (midnight + timedelta(minutes=each) for each in (4, 6))
    assert not await insight.is_final(mesh.machines, last, soon)
    # What others wrote just now must be read first, and that may take longer than it waits.
    await eventually(lambda: insight.is_final(mesh.machines, last, later), 30, "the day is final")
