"""What a person has done, in figures: counted when asked, from what is kept of listings, favourites
and reviews.
"""

from __future__ import annotations

from dataclasses import dataclass

from projections.reads import Reads


@dataclass(frozen=True, slots=True)
class UserStats:
    """Listings created ever, on offer now and sold ever; views of all of them together; how often
    one of them is kept in mind; and the reviews that stand about the person.
    """

    listings: int
    active: int
    sold: int
    views: int
    favorites: int
    reviews: int


_OF_SELLER = """
    SELECT count(*) AS listings, count(*) FILTER (WHERE status = 'active') AS active,
           count(sold_at) AS sold, coalesce(sum(views), 0)::bigint AS views,
           (SELECT count(*) FROM reads.listing_page AS own
            JOIN reads.favorites AS kept ON kept.listing_ids @> ARRAY[own.key]
            WHERE own.seller_id = $1) AS favorites,
           (SELECT count(*) FROM reads.reviews WHERE seller_id = $1 AND NOT deleted) AS reviews
    FROM reads.listing_page LEFT JOIN reads.listing_views USING (key)
    WHERE seller_id = $1
"""


async def of_seller(reads: Reads, user_id: str) -> UserStats:
    """One person's figures; zeros for whoever never sold."""
    row = await reads.fetchrow(_OF_SELLER, user_id)
    assert row is not None  # an aggregate always has a row
    return UserStats(**row)
