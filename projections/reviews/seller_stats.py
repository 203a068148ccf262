"""What is said of a seller, in figures: counted when asked, from the reviews that stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from projections.reads import Reads
from schemas.reviews import RATING_MAX

MONTH, QUARTER = timedelta(days=30), timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of `count` reviews' stars; None of none."""

    mean: float | None
    count: int


@dataclass(frozen=True, slots=True)
class SellerStats:
    """All reviews and those of the last 30 and 90 days, how many have how many stars, and the
    share of those whose writer bought what they speak of.
    """

    whole: Mean
    distribution: Mapping[int, int]
    verified_share: float | None
    last_30_days: Mean
    last_90_days: Mean


# At most a row for each number of stars: what is added up of them is exact.
_BY_STARS = """
    SELECT rating, count(*) AS all_reviews, count(*) FILTER (WHERE verified_buyer) AS verified,
           count(*) FILTER (WHERE created_at > $2) AS of_month,
           count(*) FILTER (WHERE created_at > $3) AS of_quarter
    FROM reads.reviews WHERE seller_id = $1 AND NOT deleted GROUP BY rating
"""


async def of_seller(reads: Reads, seller_id: str, now: datetime) -> SellerStats:
    """One seller's figures at this moment; zeros for whoever nobody has reviewed."""
    rows = await reads.fetch(_BY_STARS, seller_id, now - MONTH, now - QUARTER)
    whole = _mean(rows, "all_reviews")
    verified = sum(row["verified"] for row in rows)
    by_stars = {row["rating"]: row["all_reviews"] for row in rows}
    return SellerStats(
        whole=whole,
        distribution={stars: by_stars.get(stars, 0) for stars in range(1, RATING_MAX + 1)},
        verified_share=verified / whole.count if whole.count else None,
        last_30_days=_mean(rows, "of_month"),
        last_90_days=_mean(rows, "of_quarter"),
    )


def _mean(rows: Sequence[Mapping[str, Any]], counted: str) -> Mean:
    count = sum(row[counted] for row in rows)
    stars = sum(row["rating"] * row[counted] for row in rows)
    return Mean(stars / count if count else None, count)
