"""What clients get to know of their uploads, with examples."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from api.entry.uploads import FileError, SentImage
from api.media.resizing import PATH, ResizedAnswer
from schemas.media import VIDEO_SECONDS_MAX, VIDEO_SIDE_MAX, FailureReason, MediaType

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


class SentVideo(BaseModel):
    """A video that was taken; `url` tells how far it has come."""

    id: str
    status: Literal["processing"]
    url: str


class VideoSentAnswer(BaseModel):
    """It was taken."""

    success: Literal[True]
    video: SentVideo


class VideoAnswer(BaseModel):
    """A video of a listing. `poster` is a picture of its first seconds in three sizes; `stream` is the
    file, of which parts can be asked for, `playlist` the same for players of HLS. All of them are empty
    until it is processed. `failure`, `filename`, `size` and `version` are for its owner only.
    """

    id: str
    listing_id: UUID
    status: Literal["processing", "processed", "failed"]
    poster: dict[str, ShownVariant]
    stream: str | None
    playlist: str | None
    width: int | None
    height: int | None
    duration_ms: int | None
    sound: bool | None
    created_at: AwareDatetime
    failure: FileError | None = None
    filename: str | None = None
    size: int | None = Field(default=None, description="bytes, as it was sent")
    version: int | None = None


class VideosAnswer(BaseModel):
    """The newest videos of a listing."""

    items: list[VideoAnswer]


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
VIDEO_FAILURES = {
    **FAILURES,
    FailureReason.UNREADABLE: "It is no video that can be read whole: send an MP4",
    FailureReason.TOO_LARGE: f"It has more than {VIDEO_SIDE_MAX:,} pixels a side, or more than"
    " 3,840 by 2,160 in all: make it smaller and send it again",
    FailureReason.TOO_LONG: f"It lasts longer than {VIDEO_SECONDS_MAX} s: shorten it",
    FailureReason.NO_VIDEO: "There is nothing in it to be seen: send a video",
    FailureReason.CODEC_UNKNOWN: "Not every browser can show it: send H.264 (8 bits, 4:2:0), with AAC"
    " for its sound",
    FailureReason.GAVE_UP: "It could not be made ready here: send it again",
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
VIDEO_SENT: dict[str, Any] = {
    "success": True,
    "video": {"id": _ID, "status": "processing", "url": f"/api/media/videos/{_ID}"},
}
LISTING_ID = "01980000-0000-7000-8000-000000000001"
VIDEO: dict[str, Any] = {
    "id": _ID,
    "listing_id": LISTING_ID,
    "status": "processed",
    "poster": IMAGE["variants"],
    "stream": f"/api/media/{_ID}/stream",
    "playlist": f"/api/media/{_ID}/playlist.m3u8",
    "width": 1920,
    "height": 1080,
    "duration_ms": 42_000,
    "sound": True,
    "created_at": "2026-03-01T12:00:00Z",
    "failure": None,
    "filename": "round-the-car.mp4",
    "size": 34_000_000,
    "version": 3,
}
VIDEOS: dict[str, Any] = {"items": [VIDEO]}
