"""What a search would have found, equal to counting every event of the log by hand."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import httpx
import orjson
import pytest

from infra.settings import Settings
from processors.stores.rows import plain_row, row_of
from projections.search import listing_search
from projections.search.listing_search import ListingDocument
from projections.searches.listing_moments import (
    LOOKED_BACK,
    MOMENTS_MAX,
    ListingMoments,
    LookedBack,
    listing_moments,
    looked_back,
    looking_back,
)
from schemas.listings import (
    ListingDeleted,
    ListingHidden,
    ListingPriceChanged,
    ListingPublished,
    ListingShown,
    ListingStatus,
    listing_stream,
    seller_account,
)
from schemas.log.messages import Event
from schemas.log.recorded import Recorded
from schemas.search import Filters
from schemas.values.vehicles import VehicleFields
from tests.projections.cars import SELLER, STREAM, created, day, published, repriced, updated
from tests.projections.history import history, rows_of
from tests.projections.search.many_ads import some_ads, wanted
from tests.projections.searches.many_searches import some_filters

NOW = day(60)
SINCE = NOW - LOOKED_BACK
# Words that can be judged by hand: test_filter_sets has the others.
BY_HAND = {
    "",
    "golf",
    "Gol",
    "bmw m3",
    "skoda",
    "diesel",
    "tow bar",
    "price call",
    "m",
    "911 sport",
}
STRANGER = str(UUID(int=77))


def lives() -> Iterator[tuple[UUID, list[Event]]]:
    """The generated ads, each with a life after it came on offer."""
    chance = random.Random(3)
    for listing_id, events in some_ads():
        price, begun = chance.randint(1, 40) * 50_000, chance.randint(10, 58)
        life = [*events[:1], published(begun, listing_id)]
        for step in range(chance.randint(0, 5)):
            on = min(begun + 1 + 2 * step, 60)
            price = max(50_000, price + chance.randint(-8, 4) * 10_000)
            life += chance.choice([
                [_priced(listing_id, price, on)],
                [ListingHidden(listing_id=listing_id, hidden_at=day(on)),
                 ListingShown(listing_id=listing_id, shown_at=day(on + 1))],
                [ListingHidden(listing_id=listing_id, hidden_at=day(on)),
                 _priced(listing_id, price, on),
                 ListingShown(listing_id=listing_id, shown_at=day(on + 1))],
            ])  # fmt: skip
        if chance.random() < 0.05:
            life.append(ListingDeleted(listing_id=listing_id, deleted_at=day(60)))
        elif chance.random() < 0.1:
            life.append(ListingHidden(listing_id=listing_id, hidden_at=day(60)))
        yield listing_id, life


def _priced(listing_id: UUID, price_minor: int, on: float) -> ListingPriceChanged:
    return ListingPriceChanged(
        listing_id=listing_id, price_minor=price_minor, currency="USD", changed_at=day(on)
    )


def log() -> list[list[Recorded]]:
    return [history(listing_stream(listing_id), *life) for listing_id, life in lives()]


News = list[tuple[str, ListingDocument]]  # of one listing: why it is told, and what it is then


def by_hand(news: list[News], filters: Filters) -> LookedBack:
    """What is told of every listing to whoever looks for this; each reason once."""
    found: Counter[str] = Counter()
    for told in news:
        found.update({reason for reason, document in told if wanted([document], filters)})
    return LookedBack(found["new"], found["drop"], found["back"])


def news_of(life: list[Recorded]) -> News:
    """Of every event of a listing, one after another; no rule of ours but the words in the
    mission: new, a price lower by 3 % than when it was last news, on offer again.
    """
    told: News = []
    if isinstance(life[-1].event, ListingDeleted | ListingHidden):
        return told
    document, news = None, None
    for each in life:
        was = document
        document = listing_search.fold(document, each)
        assert document is not None
        if document.status is not ListingStatus.ACTIVE or document.price_minor is None:
            continue
        before = news
        reason = _why(each.event, was is not None and was.status == "active", before, document)
        if reason or (before and before[1] != document.currency):
            news = (document.price_minor, document.currency)
        if reason and each.recorded_at >= SINCE:
            told.append((reason, document))
    return told


def _why(event: Event, was_active: bool, told, document) -> str:
    if isinstance(event, ListingPublished | ListingShown) and not was_active:
        return "back" if told else "new"
    if not isinstance(event, ListingPriceChanged) or told is None or told[1] != document.currency:
        return ""
    return "drop" if document.price_minor <= told[0] * 0.97 + 1e-6 else ""


@pytest.fixture(scope="module")
def index(stack: Settings) -> Iterator[httpx.Client]:
    target = listing_moments.target
    url = f"{stack.opensearch_url}/test-{uuid4().hex}"
    with httpx.Client(base_url=url, timeout=60) as client:
        made = client.put("", json={"settings": target.settings, "mappings": target.mappings})
        assert made.status_code == 200, made.text
        try:
            lines = b"".join(
                orjson.dumps({"index": {"_id": key}}) + b"\n" + orjson.dumps(plain_row(row)) + b"\n"
                for life in log()
                for key, row in rows_of(listing_moments, life).items()
            )
            headers = {"Content-Type": "application/x-ndjson"}
            loaded = client.post("/_bulk?refresh=true", content=lines, headers=headers).json()
            assert loaded["errors"] is False, loaded
            yield client
        finally:
            client.delete("").raise_for_status()


def counted(index: httpx.Client, filters: Filters, user_id: str = STRANGER) -> LookedBack:
    body = orjson.dumps(looking_back(filters, SINCE, user_id), default=str)
    headers = {"Content-Type": "application/json"}
    answer = index.post("/_search", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return looked_back(answer.json())


def test_SE_04_BY_04_a_look_back_equals_a_count_over_the_log(index: httpx.Client) -> None:
    news, total = [news_of(life) for life in log()], Counter[str]()
    for filters in (each for each in some_filters(200) if each.q in BY_HAND):
        found = counted(index, filters)
        assert found == by_hand(news, filters), filters
        total += Counter(vars(found))
    assert min(total[name] for name in ("new", "price_drops", "back_on_market")) > 100


def test_SE_04_ones_own_listings_are_not_counted(index: httpx.Client) -> None:
    assert counted(index, Filters()).new > 50
    assert counted(index, Filters(), SELLER) == LookedBack(0, 0, 0)


def _row(*life: Event, seller_id: str = SELLER) -> ListingMoments:
    """What is kept of the car of tests.projections.cars."""
    begun = created(on=0).model_copy(update={"seller_id": seller_id})
    (row,) = rows_of(listing_moments, history(STREAM, begun, *life)).values()
    assert isinstance(row, ListingMoments)
    return row


def test_SE_04_an_imported_listing_is_the_own_one_of_its_sources_account() -> None:
    source = "import:some-dealer"
    assert _row(published(1), seller_id=source).seller == str(seller_account(source))


def test_SE_04_words_that_were_taken_out_of_a_description_are_found_in_no_moment() -> None:
    told = _row(
        published(1),
        updated(VehicleFields(description="Call my aunt Esmeralda"), on=2),
        repriced(1, on=3),
    )
    assert [each.reason for each in told.moments] == ["new", "price_drop"]
    assert all("esmeralda" in each.words.split() for each in told.moments)
    taken_out = _row(
        published(1), updated(VehicleFields(description="Call my aunt Esmeralda"), on=2), repriced(1, on=3),
        updated(VehicleFields(description="Call me"), on=4),
    )  # fmt: skip
    assert [each.price for each in taken_out.moments] == [85_000, 0.01]
    assert not any("esmeralda" in each.words.split() for each in taken_out.moments)
    assert all("call" in each.words.split() for each in taken_out.moments)


def test_what_is_kept_of_a_listing_has_a_bound() -> None:
    listing_id = UUID(int=5)
    life: list[Event] = [created(listing_id=listing_id), published(1, listing_id)]
    for step in range(3 * MOMENTS_MAX):
        at = day(2) + timedelta(minutes=2 * step)
        life += [
            ListingHidden(listing_id=listing_id, hidden_at=at),
            ListingShown(listing_id=listing_id, shown_at=at + timedelta(minutes=1)),
        ]
    (row,) = rows_of(listing_moments, history(listing_stream(listing_id), *life)).values()
    assert len(row.moments) == MOMENTS_MAX
    assert row.moments[-1].at == _last(life)
    assert row_of(ListingMoments, plain_row(row)) == row


def _last(life: list[Event]) -> datetime:
    assert isinstance(life[-1], ListingShown)
    return life[-1].shown_at
