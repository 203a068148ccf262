"""What clients send of an item and what they get, in the words of the campus design."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.entry.pictures import PictureAnswer, pictures_of
from schemas.items import (
    IMAGES_MAX,
    ImageProcessing,
    ItemCategory,
    ItemChanges,
    ItemCondition,
    ItemStatus,
)
from schemas.values.money import major_units

IMAGES = "images"  # the name of each file in the form
_OWNER = "01980000-0000-7000-8000-00000000000a"
_MEDIA = "01980000-0000-7000-8000-0000000000b1"


def _url(digit: str) -> str:
    return f"/api/media/{_OWNER}/{_MEDIA}/{digit * 64}.webp"


ITEM_ID = "01980000-0000-7000-8000-000000000011"
_TERMS: dict[str, Any] = {
    "title": "Casio fx-991 calculator",
    "description": "Used for two terms",
    "price": 4500.5,
    "currency": "LKR",
    "category": "electronics",
    "condition": "good",
}
ITEM: dict[str, Any] = {
    **_TERMS,
    "id": ITEM_ID,
    "priceMinor": 450_050,
    "userId": _OWNER,
    "emailDomain": "cs.uni.example",
    "status": "active",
    "imageProcessingStatus": "completed",
    "images": [
        {"id": _MEDIA, "thumbnail": _url("1"), "medium": _url("2"), "large": _url("3")},
    ],
    "createdAt": "2026-03-01T12:00:00Z",
    "updatedAt": "2026-03-01T12:00:10Z",
    "version": 4,
}
_BLANK = {"id": _MEDIA, "thumbnail": None, "medium": None, "large": None}
NEW_ITEM = {
    **ITEM,
    "status": "processing",
    "imageProcessingStatus": "pending",
    "images": [_BLANK],
    "updatedAt": ITEM["createdAt"],
    "version": 1,
}
CHANGED = {"success": True, "id": ITEM_ID, "version": 5}

FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["title", "price", "category", "condition", IMAGES],
                    "additionalProperties": False,
                    "properties": {
                        "title": {"type": "string", "minLength": 3, "maxLength": 160},
                        "description": {"type": "string", "minLength": 1, "maxLength": 5_000},
                        "price": {"type": "string", "description": "in major units: 4500.50"},
                        "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "default": "LKR"},
                        "category": {"type": "string", "enum": [*ItemCategory]},
                        "condition": {"type": "string", "enum": [*ItemCondition]},
                        IMAGES: {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": IMAGES_MAX,
                            "items": {"type": "string", "format": "binary"},
                        },
                    },
                },
                "example": {**_TERMS, "price": "4500.50", IMAGES: ["(the bytes of a JPEG)"]},
            }
        },
    }
}


class ItemUpdate(ItemChanges):
    """What shall be different: a field that is left out stays; null empties the description.
    Another currency needs a price in it.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"price": "4000.00", "description": None}]}
    )

    @property
    def changes(self) -> ItemChanges:
        """What is stated."""
        return ItemChanges(**dict(self))


class ItemAnswer(BaseModel):
    """An item."""

    id: str
    title: str
    description: str | None
    price: float = Field(description="In major units; priceMinor is the exact one")
    priceMinor: int  # noqa: N815 - the campus design's spelling, here and below
    currency: str
    category: ItemCategory
    condition: ItemCondition
    userId: str  # noqa: N815
    emailDomain: str  # noqa: N815
    status: ItemStatus
    imageProcessingStatus: ImageProcessing  # noqa: N815
    images: list[PictureAnswer]
    createdAt: AwareDatetime  # noqa: N815
    updatedAt: AwareDatetime  # noqa: N815
    version: int


class CreatedAnswer(BaseModel):
    """A new item, as it is while its images are being drawn."""

    success: Literal[True]
    item: ItemAnswer
    message: str


class OneItemAnswer(BaseModel):
    """One item."""

    success: Literal[True]
    item: ItemAnswer


class ItemsAnswer(BaseModel):
    """A page of a campus' items."""

    success: Literal[True]
    items: list[ItemAnswer]
    next_cursor: str | None


class CategoryCount(BaseModel):
    """How many items of a category are on offer."""

    category: ItemCategory
    count: int


class CategoriesAnswer(BaseModel):
    """Every category there is."""

    success: Literal[True]
    categories: list[CategoryCount]


class ItemChangedAnswer(BaseModel):
    """The item and the version that it has now."""

    success: Literal[True]
    id: str
    version: int


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the items as clients see it."""
    price: Decimal = major_units(row["price_minor"], row["currency"])
    return {
        "id": row["key"],
        "title": row["title"],
        "description": row["description"],
        "price": float(price),
        "priceMinor": row["price_minor"],
        "currency": row["currency"],
        "category": row["category"],
        "condition": row["condition"],
        "userId": row["owner_id"],
        "emailDomain": row["email_domain"],
        "status": row["status"],
        "imageProcessingStatus": row["image_processing_status"],
        "images": pictures_of(row),
        "createdAt": row["created_at"],
        "updatedAt": row["updated_at"],
        "version": row["version"],
    }
