"""Whether a price is a fair one: a pure function of what like vehicles cost on the same day.

The bounds come from 14,600 used-car ads: of prices over the median of their like, a tenth lay below
0.54, half between 0.8 and 1.2, and a tenth above 1.65. What costs 30 % less than its like is rare
enough to be called very good, and what costs a third more to be called high.

A changed bound would change what was said of days long past: give it a new RULE that begins on a day,
and leave this one to the days before.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from statistics import median_low
from typing import Final

RULE: Final = 1
COMPARED_MIN: Final = 5
MILEAGE_PERCENT: Final = 25
MILEAGE_SPARE_KM: Final = 10_000  # so that a car of 3,000 km is compared with one of 8,000


class Label(StrEnum):
    """What is said of a price."""

    VERY_GOOD = "very_good"
    GOOD = "good"
    FAIR = "fair"
    SLIGHTLY_HIGH = "slightly_high"
    HIGH = "high"
    NONE = "none"


_UP_TO_PERCENT: Final = (
    (70, Label.VERY_GOOD),
    (85, Label.GOOD),
    (115, Label.FAIR),
    (135, Label.SLIGHTLY_HIGH),
)


def mileages_like(mileage_km: int) -> tuple[int, int]:
    """The mileages with which a vehicle is compared, the least and the greatest."""
    apart = mileage_km * MILEAGE_PERCENT // 100 + MILEAGE_SPARE_KM
    return max(0, mileage_km - apart), mileage_km + apart


def middle_of(prices: Sequence[int]) -> int | None:
    """The price in the middle; None: too few to say."""
    return median_low(prices) if len(prices) >= COMPARED_MIN else None


def label_of(price: int, prices: Sequence[int]) -> Label:
    """What is said of a price beside those of its like."""
    middle = middle_of(prices)
    if middle is None:
        return Label.NONE
    found = (label for percent, label in _UP_TO_PERCENT if 100 * price <= percent * middle)
    return next(found, Label.HIGH)


def percent_of(price: int, middle: int) -> int:
    """How much of the middle a price is, in percent, rounded up as the bounds of the labels need
    it: what is said to be 85 % is never above 85.
    """
    return -(-100 * price // middle)
