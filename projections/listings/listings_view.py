"""The table `listings` as the source design names its columns (LI-16): a view over the page
and the view counter, which are two projections because they hear two topics.
"""

from __future__ import annotations

# Either projection may be built first, and a changed page takes the views over it away, so
# both (re)make this one as soon as both are there.
LISTINGS_VIEW = """
    DO $make$ BEGIN
    IF to_regclass('reads.listing_page') IS NOT NULL
       AND to_regclass('reads.listing_views') IS NOT NULL THEN
        CREATE OR REPLACE VIEW reads.listings AS
        SELECT page.key AS id, page.seller_id AS user_id, page.title, page.description,
               page.price_minor AS price, page.currency, page.year, page.make, page.model,
               page.mileage, page.mileage_unit, page.fuel_type, page.transmission,
               page.location, page.lat, page.lon, page.condition, page.status,
               coalesce(counted.views, 0) AS views, page.version, page.created_at
        FROM reads.listing_page AS page LEFT JOIN reads.listing_views AS counted USING (key);
    END IF;
    END $make$
"""
