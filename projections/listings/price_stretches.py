"""Stretches of time with one public price: the lowest of a span, and fewer of them where they
are too many. Pure.

A seller may change a price as often as they like, and the lowest of the last 30 days must still be
told. So nothing within that span is ever dropped: where more than `EXACT_MAX` stretches are
kept, the oldest are merged into one for each hour and currency, which keeps its lowest price.
What is lost by it is where in its hour a price stood, so a low may be told for up to an hour
longer than 30 days. Past `MERGED_MAX` the same is done by the day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

EXACT_MAX = 1_000
MERGED_AT_ONCE = EXACT_MAX // 2
MERGED_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Stretch:
    """A public price, or the lowest of those that stood from `since` until `until`. `whole`:
    at every moment of it there was one.
    """

    price_minor: int
    currency: str
    since: datetime
    until: datetime
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Low:
    """The lowest public price of a span. `observed_since` is the first moment in it at which
    there was one; `complete` says whether there was one at every moment of it.
    """

    price_minor: int
    currency: str
    observed_since: datetime
    complete: bool


def lowest(prices: Sequence[Stretch], until: datetime, span: timedelta) -> Low | None:
    """The lowest price that stood within `span` before `until`, in the last one's currency:
    others can't be compared with it. None where nothing was public.
    """
    start = until - span
    within = [price for price in prices if price.since < until and price.until > start]
    within = [price for price in within if price.currency == within[-1].currency]
    if not within:
        return None
    no_gap = all(each.whole for each in within) and all(
        one.until == next_one.since for one, next_one in pairwise(within)
    )
    return Low(
        price_minor=min(price.price_minor for price in within),
        currency=within[-1].currency,
        observed_since=max(start, within[0].since),
        complete=no_gap and within[0].since <= start and within[-1].until >= until,
    )


def compacted(
    prices: Sequence[Stretch], merged: int, needed: Callable[[Stretch], bool]
) -> tuple[list[Stretch], int]:
    """Fewer stretches, and how many of them are merged ones. Of the oldest those go that no
    answer needs.
    """
    old = prices[: merged + MERGED_AT_ONCE]
    kept = list(_merged([each for each in old if needed(each)], hours=1))
    if len(kept) > MERGED_MAX:
        kept = list(_merged(kept, hours=24))
    return [*kept, *prices[len(old) :]], len(kept)


def _merged(prices: Sequence[Stretch], hours: int) -> Iterator[Stretch]:
    """Those within one hour, or day, as one a currency; those that last beyond it as they are."""
    span_s = hours * 3600
    held: dict[str, Stretch] = {}
    hour = None
    for each in prices:
        began, ended = (int(at.timestamp() // span_s) for at in (each.since, each.until))
        if began != hour:
            yield from held.values()
            held, hour = {}, began
        if began != ended:
            yield from held.values()
            held = {}
            yield each
        else:
            same = held.pop(each.currency, None)
            held[each.currency] = each if same is None else _joined(same, each)
    yield from held.values()


def _joined(one: Stretch, other: Stretch) -> Stretch:
    whole = one.whole and other.whole and one.until == other.since
    lowest_price = min(one.price_minor, other.price_minor)
    return Stretch(lowest_price, one.currency, one.since, other.until, whole)
