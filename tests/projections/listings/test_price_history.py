"""What a listing cost for everyone to see, and the lowest of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.listings.price_history import (
    ListingPrices,
    PublicPrice,
    Return,
    days_at_price,
    last_return,
    lowest_before_change,
    lowest_lately,
    price_history,
    public_prices,
)
from projections.listings.price_stretches import EXACT_MAX, MERGED_MAX, Low, Stretch, lowest
from schemas.log.messages import Event
from schemas.values.vehicles import VehicleFields
from tests.projections.cars import (
    STREAM,
    created,
    day,
    expired,
    hidden,
    published,
    renewed,
    repriced,
    shown,
    sold,
    unpublished,
)
from tests.projections.history import history, rows_of

MONTH = timedelta(days=30)
MINUTE = 1 / 24 / 60  # in days


def kept(*events: Event) -> ListingPrices:
    (row,) = rows_of(price_history, history(STREAM, *events)).values()
    assert isinstance(row, ListingPrices)
    return row


def prices(*events: Event) -> list[PublicPrice]:
    return public_prices(kept(*events), EXACT_MAX).items


def low(*events: Event, until: float) -> Low | None:
    return lowest_lately(kept(*events), day(until))


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


def test_BY_02_the_low_is_the_lowest_public_price_of_the_last_30_days() -> None:
    found = low(created(), published(0), repriced(700, on=10), repriced(900, on=20), until=39)
    assert found == Low(700, "USD", observed_since=day(9), complete=True)


def test_a_price_older_than_30_days_is_not_the_low() -> None:
    found = low(created(), published(0), repriced(700, on=1), repriced(900, on=2), until=32)
    assert found is not None
    assert found.price_minor == 900


def test_BY_02_a_low_observed_for_less_than_30_days_says_so() -> None:
    found = low(created(), published(5), until=10)
    assert found == Low(8_500_000, "USD", observed_since=day(5), complete=False)


def test_BY_02_a_low_with_a_gap_in_it_is_not_complete() -> None:
    found = low(created(), published(0), unpublished(20), published(21), until=40)
    assert found is not None
    assert (found.observed_since, found.complete) == (day(10), False)


def test_prices_in_another_currency_are_not_compared() -> None:
    found = low(created(), published(0), repriced(100, "LKR", on=3), until=4)
    assert found == Low(100, "LKR", observed_since=day(3), complete=False)


def test_what_was_never_public_has_no_low() -> None:
    assert low(created(), repriced(900, on=2), until=40) is None


def before_change(*events: Event) -> Low | None:
    return lowest_before_change(kept(*events))


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


def test_LI_21_no_price_is_claimed_once_a_listing_has_expired() -> None:
    found = prices(created(), published(1, until=90), renewed(2, until=95), expired(95))
    assert [(each.since, each.until) for each in found] == [(day(1), day(95))]


def test_BY_02_days_at_a_price_are_those_on_which_it_was_seen() -> None:
    row = kept(created(), published(0), repriced(900, on=5), unpublished(8), published(20))
    assert days_at_price(row, day(22.9)) == 5


def test_BY_02_another_price_begins_at_no_days() -> None:
    row = kept(created(), published(0), repriced(900, on=5), repriced(8_500_000, on=7))
    assert days_at_price(row, day(7.5)) == 0
    assert days_at_price(kept(created(), published(0), unpublished(3)), day(4)) is None


def test_BY_02_what_was_away_is_back_on_the_market() -> None:
    row = kept(created(), published(0), hidden(2), shown(3), expired(90), published(95))
    assert last_return(row) == Return(away_since=day(90), back_since=day(95), times=2)


def test_BY_02_what_was_never_away_is_not_back() -> None:
    assert last_return(kept(created(), published(0), repriced(900, on=2), unpublished(5))) is None


def test_BY_02_however_often_it_was_away_each_time_counts() -> None:
    events: list[Event] = [created(), published(0)]
    for number in range(3_000):
        events += [unpublished(1 + number * MINUTE), published(1 + (number + 0.5) * MINUTE)]
    row, until = kept(*events), 1 + 2_999.5 * MINUTE
    found = last_return(row)
    assert found is not None
    assert (found.times, found.back_since) == (3_000, day(until))
    assert days_at_price(row, day(until + 0.5)) == 2


def many(number: int, cents: Sequence[int], *, first: float, apart: float) -> Iterator[Event]:
    """So many changes of the price, through these amounts again and again."""
    for place in range(number):
        yield repriced(1_000 + cents[place % len(cents)] + place, on=first + place * apart)


@pytest.mark.parametrize("number", [1_100, 6_000])
def test_no_number_of_changes_hides_the_low_of_30_days(number: int) -> None:
    changes = many(number, [7, 3], first=2, apart=MINUTE)
    row = kept(created(), published(0), repriced(500, on=1), *changes)
    found = lowest_lately(row, day(30.5))
    assert found == Low(500, "USD", observed_since=day(0.5), complete=True)


def test_no_number_of_showings_hides_the_low_of_30_days() -> None:
    events: list[Event] = [created(), published(0), repriced(500, on=1), repriced(900, on=1.5)]
    for number in range(6_000):
        events += [unpublished(2 + number * MINUTE), published(2 + (number + 0.5) * MINUTE)]
    found = lowest_lately(kept(*events), day(20))
    assert found is not None
    assert (found.price_minor, found.complete) == (500, False)


def test_no_number_of_showings_hides_the_low_before_an_old_change() -> None:
    events: list[Event] = [created(), published(0), repriced(500, on=10), repriced(900, on=20)]
    for number in range(6_000):
        events += [unpublished(400 + number * MINUTE), published(400 + (number + 0.5) * MINUTE)]
    found = lowest_before_change(kept(*events))
    assert found == Low(500, "USD", observed_since=day(0), complete=False)


def test_the_price_at_publication_is_told_after_any_number_of_changes() -> None:
    row = kept(created(), published(1), *many(5_000, [1], first=2, apart=MINUTE))
    found = public_prices(row, 100)
    assert found.first == PublicPrice(8_500_000, "USD", day(1), day(2))
    assert (found.truncated, len(found.items)) == (True, 100)
    assert found.observed_since == found.items[0].since


def test_BY_02_prices_that_are_all_told_are_observed_since_the_first() -> None:
    found = public_prices(kept(created(), published(1), repriced(900, on=2)), 2)
    assert (found.truncated, found.observed_since) == (False, day(1))


def test_a_row_stays_small_however_often_the_price_changes() -> None:
    row = kept(created(), published(0), *many(6_000, [9, 1, 5], first=1, apart=6 * MINUTE))
    assert row.merged > 0
    assert len(row.past_prices) <= EXACT_MAX + MERGED_MAX


def test_prices_older_than_any_answer_needs_are_let_go() -> None:
    early = many(1_500, [1], first=1, apart=MINUTE)
    late = many(1_500, [1], first=100, apart=MINUTE)
    row = kept(created(), published(0), *early, *late)
    assert row.past_ended[0] >= day(70)


@st.composite
def lives(draw: st.DrawFn) -> list[Event]:
    """A listing's life in steps of minutes to days."""
    steps = draw(st.lists(st.sampled_from([MINUTE, 20 * MINUTE, 0.2, 3, 20]), max_size=30))
    events, on, public = [created()], 0.0, False
    for step in steps:
        on += step
        kind = draw(st.integers(0, 4))
        if kind:
            currency = "LKR" if kind == 1 else "USD"
            events.append(repriced(draw(st.integers(1, 9)), currency, on=on))
        else:
            events.append(unpublished(on) if public else published(on))
            public = not public
    return events


def recounted(events: Sequence[Event], until: datetime) -> list[Stretch]:
    """The public stretches of one price each, told by looking at every fact in turn."""
    facts = history(STREAM, *events)
    amount = currency = None
    public, found = False, list[Stretch]()
    for fact, end in zip(facts, [*(each.recorded_at for each in facts[1:]), until], strict=True):
        if fact.kind == "listing.price_changed":
            amount, currency = fact.event.price_minor, fact.event.currency
        elif fact.kind == "listing.created":
            amount, currency = fact.event.fields.price_minor, fact.event.fields.currency
        else:
            public = fact.kind == "listing.published"
        if public and end > fact.recorded_at:
            found.append(Stretch(amount, currency, fact.recorded_at, end))
    return found


@given(lives(), st.sampled_from([0.001, 1, 25, 40]))
def test_BY_02_the_low_equals_a_recount(events: list[Event], later: float) -> None:
    now = history(STREAM, *events)[-1].recorded_at + timedelta(days=later)
    assert lowest_lately(kept(*events), now) == lowest(recounted(events, now), now, MONTH)


def days_recounted(stretches: Sequence[Stretch], now: datetime) -> int | None:
    """Whole days of the last stretches that have one price, if one of them lasts until now."""
    if not stretches or stretches[-1].until < now:
        return None
    total, last = timedelta(), stretches[-1]
    for each in reversed(stretches):
        if (each.price_minor, each.currency) != (last.price_minor, last.currency):
            break
        total += each.until - each.since
    return total.days


def returns_recounted(stretches: Sequence[Stretch]) -> Return | None:
    gaps = [(one.until, two.since) for one, two in pairwise(stretches) if one.until < two.since]
    return Return(*gaps[-1], times=len(gaps)) if gaps else None


@given(lives(), st.sampled_from([0.001, 1, 25, 40]))
def test_BY_02_days_and_returns_equal_a_recount(events: list[Event], later: float) -> None:
    now = history(STREAM, *events)[-1].recorded_at + timedelta(days=later)
    stretches = recounted(events, now)
    assert days_at_price(kept(*events), now) == days_recounted(stretches, now)
    assert last_return(kept(*events)) == returns_recounted(stretches)


def test_a_price_that_begins_after_the_clock_that_is_asked_stood_for_no_day() -> None:
    row = kept(created(), published(1))
    assert days_at_price(row, day(1) - timedelta(milliseconds=3)) == 0


TIMES = st.lists(st.floats(0, 60), min_size=1, max_size=12)


@given(TIMES, st.data())
def test_BY_02_no_stretch_ends_before_it_begins_however_clocks_differ(
    times: list[float], data: st.DataObject
) -> None:
    """The order is the log's; the times are those of writers whose clocks fall and rise."""
    makers = (published, unpublished, lambda on: repriced(int(on * 100) + 1, on=on))
    events = [data.draw(st.sampled_from(makers))(on) for on in times]
    row = kept(created(), *events)
    moments = [at for each in zip(row.past_begun, row.past_ended, strict=True) for at in each]
    moments += [at for at in (row.public_since,) if at is not None]
    assert moments == sorted(moments)
    stretches = zip(row.past_begun, row.past_ended, strict=True)
    assert [each for each in stretches if each[0] >= each[1]] == []
    assert row.at_price_us >= 0
    assert (days_at_price(row, day(0)) or 0) >= 0


def test_BY_02_an_event_dated_back_ends_nothing_before_it_began() -> None:
    assert prices(created(), published(5), repriced(900, on=3), repriced(800, on=6)) == [
        PublicPrice(900, "USD", day(5), day(6)),
        PublicPrice(800, "USD", day(6), None),
    ]
