"""What clients get to know of their uploads, with examples."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from api.entry.uploads import FileError, SentImage
from api.media.resizing import PATH, ResizedAnswer
from schemas.media import FailureReason, MediaType

_ID = "01980000-0000-7000-8000-000000000005"
_OWNER = "01980000-0000-7000-8000-000000000001"


class SentImages(BaseModel):
    """Every file of the form, in the order sent. At least one was taken."""

    success: Literal[True]
    images: list[SentImage]


class ShownVariant(BaseModel):
    """One size of a picture; its address never shows another one."""

    url: str
    width: int
    height: int
    size: int = Field(description="bytes")


class ImageAnswer(BaseModel):
    """An upload. `resized` tells where it is shown in other sizes and formats, which are drawn when they
    are first asked for. `failure`, `filename`, `type`, `size` and `version` are for its owner only.
    """

    id: str
    status: Literal["processing", "processed", "failed"]
    variants: dict[str, ShownVariant]
    resized: list[ResizedAnswer]
    created_at: AwareDatetime
    failure: FileError | None = None
    filename: str | None = None
    type: MediaType | None = None
    size: int | None = None
    version: int | None = None


class QueueAnswer(BaseModel):
    """The queue of uploads; those that wait for another try are among `waiting`."""

    success: Literal[True]
    waiting: int
    active: int
    completed: int
    failed: int


FAILURES = {
    FailureReason.UNREADABLE: "It is no picture that can be read: send a JPEG, PNG or WebP",
    FailureReason.TOO_LARGE: "It has too many pixels or bytes: make it smaller and send it again",
    FailureReason.ORIGINAL_MISSING: "It was lost here: send it again",
    FailureReason.GAVE_UP: "It could not be drawn here: send it again",
    FailureReason.ADDRESS_REFUSED: "Its address leads to where nothing is fetched from: send the file",
    FailureReason.NOT_FETCHED: "It could not be had from its address: send the file",
}

SENT: dict[str, Any] = {
    "success": True,
    "images": [
        {"id": _ID, "status": "processing", "url": f"/api/images/{_ID}", "error": None},
        {
            "id": None,
            "status": "refused",
            "url": None,
            "error": {
                "reason": "media_type_unknown",
                "detail": "is no JPEG, PNG or WebP, whatever its name says",
            },
        },
    ],
}
IMAGE: dict[str, Any] = {
    "id": _ID,
    "status": "processed",
    "variants": {
        name: {
            "url": f"/api/media/{_OWNER}/{_ID}/{digit * 64}.webp",
            "width": width,
            "height": width * 3 // 4,
            "size": width * 100,
        }
        for name, digit, width in (
            ("thumbnail", "1", 300),
            ("medium", "2", 800),
            ("large", "3", 1200),
        )
    },
    "resized": [
        {
            "url": f"{PATH}?media={_ID}&w=320&h=240&fmt=webp&sig={'0' * 32}",
            "width": 320,
            "height": 240,
            "format": "webp",
        }
    ],
    "created_at": "2026-03-01T12:00:00Z",
    "failure": None,
    "filename": "desk.jpg",
    "type": "image/jpeg",
    "size": 2_400_000,
    "version": 2,
}
QUEUE: dict[str, Any] = {
    "success": True,
    "waiting": 2,
    "active": 1,
    "completed": 5,
    "failed": 1,
}
