"""What events change of a listing's images, in every read model that shows them; and the table
`listing_images` as the source design names its columns (LI-17), a view over the page.
"""

from __future__ import annotations

from typing import Any

from projections.image_columns import (
    WithImages,
    image_columns,
    in_order,
    with_images,
    with_variants,
    without_image,
)
from schemas.listings import (
    ListingDeleted,
    ListingEvent,
    ListingImageDrawn,
    ListingImageFailed,
    ListingImageRemoved,
    ListingImagesAdded,
    ListingImagesReordered,
)

LISTING_IMAGES_VIEW = """
    CREATE OR REPLACE VIEW reads.listing_images AS
    SELECT image.id, page.key AS listing_id, '/api/' || nullif(image.large_key, '') AS url,
           '/api/' || nullif(image.thumbnail_key, '') AS thumbnail_url,
           image.place AS "order", image.place = 1 AS is_primary
    FROM {view} AS page
    CROSS JOIN LATERAL unnest(page.image_ids, page.large_keys, page.thumbnail_keys)
        WITH ORDINALITY AS image (id, large_key, thumbnail_key, place)
"""


def image_changes(row: WithImages, event: ListingEvent) -> dict[str, Any]:
    """The columns that the event changes; none unless it is about images."""
    match event:
        case ListingImagesAdded(images=images):
            return with_images(row, images)
        case ListingImagesReordered(media_ids=media_ids):
            return in_order(row, media_ids)
        case ListingImageDrawn(media_id=media_id, variants=variants):
            return with_variants(row, media_id, variants)
        case ListingImageRemoved(media_id=media_id) | ListingImageFailed(media_id=media_id):
            return without_image(row, media_id)
        case ListingDeleted():
            return image_columns(())
        case _:
            return {}
