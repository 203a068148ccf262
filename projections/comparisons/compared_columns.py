"""The facts by which listings are compared, and the columns that a query of them reads."""

from __future__ import annotations

from typing import Final

# In the order in which a table shows them.
FACTS: Final = (
    "price_minor",
    "currency",
    "year",
    "mileage_km",
    "condition",
    "fuel_type",
    "transmission",
    "drivetrain",
    "body_type",
    "engine_cc",
    "power_kw",
    "doors",
    "seats",
    "exterior_color",
    "interior_color",
    "owners",
    "first_registration",
    "registered",
    "import_year",
    "accident_free",
    "damaged",
    "warranty",
    "finance",
    "negotiable",
    "availability",
    "features",
)
_BESIDES = (
    "seller_id",
    "status",
    "title",
    "make",
    "model",
    "location",
    "published_at",
    "sold_at",
    "thumbnail_keys",
)
COLUMNS: Final = ", ".join(f"page.{name}" for name in (*_BESIDES, *FACTS))
