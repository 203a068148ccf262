"""Media: pictures and videos that people upload, and what is made of them: of a picture variants,
of a video a file that is written anew and the variants of a picture of it.

The log holds where the bytes lie in the object store, never the bytes. What a client called its
file is text about a person, so it is sealed with the owner's key.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Literal, Self, TypeAlias, get_args
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from schemas.identity import Sealed
from schemas.log.contexts import Context
from schemas.log.messages import Command, Event, category_of
from schemas.values.texts import Form

ORIGINAL_BYTES_MAX = 10 * 1024 * 1024  # of a picture
VIDEO_BYTES_MAX = 100 * 1024 * 1024
VIDEO_SECONDS_MAX = 120
VIDEO_SIDE_MAX = 3_840  # in pixels, either way
SEGMENTS_MAX = 64
TRIES_MAX = 3  # to draw a picture

# media/<owner>/<media>/…: everything of one person in one folder, everything of one upload in
# one below it. An original's name is a keyed hash, a variant's the hash of its bytes, so that
# what is under a key never changes.
_FOLDER = r"^media/[0-9a-f-]{36}/[0-9a-f-]{36}/"
OriginalKey = Annotated[str, StringConstraints(pattern=_FOLDER + r"original-[0-9a-f]{64}$")]
VariantKey = Annotated[str, StringConstraints(pattern=_FOLDER + r"[0-9a-f]{64}\.webp$")]
VideoKey = Annotated[str, StringConstraints(pattern=_FOLDER + r"video/[0-9a-f]{64}\.mp4$")]
KEY_FORM = Form(r"^[a-z0-9/._-]+$", "is no key of the object store")
ObjectKey = Annotated[str, StringConstraints(min_length=1, max_length=300)]
# Which of 8 x 8 places of a picture are lighter than those beside them: pictures that look alike
# differ in few of these bits.
Look = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
# The stream of what a picture is for: `listing/0b7c…`.
Subject = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}/[0-9a-f-]{36}$")]


class MediaType(StrEnum):
    """What the bytes of an upload are, whatever its name says."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    WEBP = "image/webp"
    MP4 = "video/mp4"


class VariantName(StrEnum):
    """The sizes that are drawn of every picture, the smallest first."""

    THUMBNAIL = "thumbnail"
    MEDIUM = "medium"
    LARGE = "large"


class FailureReason(StrEnum):
    """Why there are no variants of an upload."""

    UNREADABLE = "unreadable"  # its bytes are no picture that can be drawn, or no video
    TOO_LARGE = "too_large"  # it has more pixels than are drawn, or more bytes than are taken
    TOO_LONG = "too_long"  # it lasts longer than a video may
    NO_VIDEO = "no_video"  # nothing in it can be seen
    CODEC_UNKNOWN = "codec_unknown"  # not every browser can show it
    ORIGINAL_MISSING = "original_missing"  # the object store has lost it
    GAVE_UP = "gave_up"  # every attempt failed for reasons of ours
    ADDRESS_REFUSED = "address_refused"  # it leads to where nothing is fetched from
    NOT_FETCHED = "not_fetched"  # it could not be had from its address, at any try


class Variant(BaseModel):
    """One size of a picture: where it lies, its sides in pixels and its bytes. The smallest says what
    the picture looks like.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: VariantName
    key: VariantKey
    width: Annotated[int, Field(ge=1)]
    height: Annotated[int, Field(ge=1)]
    size: Annotated[int, Field(ge=1)]
    look: Look | None = None


class Segment(BaseModel):
    """A part of a video's file that can be played by itself after what the file begins with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    begins: Annotated[int, Field(ge=1, description="bytes from the file's beginning")]
    size: Annotated[int, Field(ge=1, description="bytes")]
    duration_ms: Annotated[int, Field(ge=0)]


class Video(BaseModel):
    """A video, written anew: where its file lies, its sides in pixels as it is seen, its bytes, those that
    it begins with (`init`), and what follows them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: VideoKey
    width: Annotated[int, Field(ge=1, le=VIDEO_SIDE_MAX)]
    height: Annotated[int, Field(ge=1, le=VIDEO_SIDE_MAX)]
    size: Annotated[int, Field(ge=1)]
    sound: bool
    init: Annotated[int, Field(ge=1)]
    segments: Annotated[tuple[Segment, ...], Field(min_length=1, max_length=SEGMENTS_MAX)]


class ImageVariants(BaseModel):
    """Where the three variants of one image lie in the object store, and what it looks like."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    thumbnail: ObjectKey
    medium: ObjectKey
    large: ObjectKey
    look: Look | None = None

    @classmethod
    def of(cls, variants: Iterable[Variant]) -> Self:
        """Those of what was drawn."""
        drawn = list(variants)
        look = next((each.look for each in drawn if each.look is not None), None)
        return cls(**{each.name.value: each.key for each in drawn}, look=look)


Variants = Annotated[tuple[Variant, ...], Field(min_length=1, max_length=10)]
# Which try to draw it: the first is 1.
Attempt = Annotated[int, Field(ge=1, le=100)]


def media_stream(media_id: UUID | str) -> str:
    """The stream of one upload."""
    return f"media/{media_id}"


def subject_id(subject: str | None, category: str) -> UUID | None:
    """The id of what an upload is for, if that is of this category; None otherwise."""
    if subject is None or category_of(subject) != category:
        return None
    try:
        return UUID(subject.partition("/")[2])
    except ValueError:
        return None


def media_folder(owner_id: UUID | str, media_id: UUID | str | None = None) -> str:
    """Where in the object store everything of an upload lies, or everything of a person."""
    of_owner = f"media/{owner_id}"
    return of_owner if media_id is None else f"{of_owner}/{media_id}"


class _MediaCommand(Command):
    media_id: UUID

    @property
    def stream_id(self) -> str:
        return media_stream(self.media_id)


class UploadMedia(_MediaCommand):
    """Take this original, which is in the object store already, into the books."""

    kind: Literal["media.upload"] = "media.upload"
    owner_id: UUID
    media_type: MediaType
    size: Annotated[int, Field(ge=1, le=VIDEO_BYTES_MAX)]
    original: OriginalKey
    subject: Subject | None = None
    filename_sealed: Sealed | None = None

    @model_validator(mode="after")
    def _not_too_large(self) -> Self:
        if self.media_type is not MediaType.MP4 and self.size > ORIGINAL_BYTES_MAX:
            message = f"a picture has at most {ORIGINAL_BYTES_MAX} bytes"
            raise ValueError(message)
        return self


class FetchMedia(_MediaCommand):
    """Fetch an original from an address and take it into the books."""

    kind: Literal["media.fetch"] = "media.fetch"
    owner_id: UUID
    address_sealed: Sealed
    subject: Subject | None = None


class RecordFetched(_MediaCommand):
    """The original has been fetched, and is in the object store."""

    kind: Literal["media.record_fetched"] = "media.record_fetched"
    media_type: MediaType
    size: Annotated[int, Field(ge=1, le=ORIGINAL_BYTES_MAX)]
    original: OriginalKey


class BeginDrawing(_MediaCommand):
    """A try is under way."""

    kind: Literal["media.begin_drawing"] = "media.begin_drawing"
    attempt: Attempt


class RecordTryFailed(_MediaCommand):
    """A try went wrong, and another one may not."""

    kind: Literal["media.record_try_failed"] = "media.record_try_failed"
    attempt: Attempt


class RetryDrawing(_MediaCommand):
    """The pause after a try that went wrong is over."""

    kind: Literal["media.retry"] = "media.retry"


class RecordProcessed(_MediaCommand):
    """The variants are in the object store; of a video, its file is, too."""

    kind: Literal["media.record_processed"] = "media.record_processed"
    variants: Variants
    video: Video | None = None


class RecordFailed(_MediaCommand):
    """There will be no variants."""

    kind: Literal["media.record_failed"] = "media.record_failed"
    reason: FailureReason


class DeleteMedia(_MediaCommand):
    """Take the upload and all its variants away for good."""

    kind: Literal["media.delete"] = "media.delete"


class MarkUnused(_MediaCommand):
    """Nothing shows it: take it away, unless something does before its time has come."""

    kind: Literal["media.mark_unused"] = "media.mark_unused"


class KeepMedia(_MediaCommand):
    """Something shows it after all."""

    kind: Literal["media.keep"] = "media.keep"


class DeleteUnused(_MediaCommand):
    """Take it away, if it has been marked for long enough."""

    kind: Literal["media.delete_unused"] = "media.delete_unused"


MediaCommand: TypeAlias = (
    UploadMedia
    | FetchMedia
    | RecordFetched
    | BeginDrawing
    | RecordTryFailed
    | RetryDrawing
    | RecordProcessed
    | RecordFailed
    | DeleteMedia
    | MarkUnused
    | KeepMedia
    | DeleteUnused
)


class _MediaEvent(Event):
    """Each says whose it is and what for: a reaction knows nothing but its event."""

    media_id: UUID
    owner_id: UUID
    subject: Subject | None = None


class MediaWanted(_MediaEvent):
    """Somebody's original lies at an address and waits to be fetched; `attempt` is the number of the
    try that is to come.
    """

    kind: Literal["media.wanted"] = "media.wanted"
    address_sealed: str
    attempt: int
    wanted_at: AwareDatetime


class MediaUploaded(_MediaEvent):
    """Somebody's original is in the object store and waits to be drawn."""

    kind: Literal["media.uploaded"] = "media.uploaded"
    media_type: MediaType
    size: int
    original: OriginalKey
    filename_sealed: str | None = None
    uploaded_at: AwareDatetime


class MediaBegun(_MediaEvent):
    """A try to draw it is under way."""

    kind: Literal["media.begun"] = "media.begun"
    attempt: int
    begun_at: AwareDatetime


class MediaPutOff(_MediaEvent):
    """A try went wrong; the next one is made after `until`."""

    kind: Literal["media.put_off"] = "media.put_off"
    attempt: int
    put_off_at: AwareDatetime
    until: AwareDatetime


class MediaRetried(_MediaEvent):
    """It waits to be drawn again; `attempt` is the number of the try that is to come."""

    kind: Literal["media.retried"] = "media.retried"
    attempt: int
    original: OriginalKey
    media_type: MediaType | None = None  # not told of what came before there were videos
    retried_at: AwareDatetime


class MediaProcessed(_MediaEvent):
    """Every variant can be shown; of a video, which they are a picture of, its file can be, too."""

    kind: Literal["media.processed"] = "media.processed"
    variants: Variants
    video: Video | None = None
    processed_at: AwareDatetime


class MediaFailed(_MediaEvent):
    """There are no variants, and nobody tries any more."""

    kind: Literal["media.failed"] = "media.failed"
    reason: FailureReason
    failed_at: AwareDatetime


class MediaMarkedUnused(_MediaEvent):
    """Nothing shows it; it goes after `delete_at`."""

    kind: Literal["media.marked_unused"] = "media.marked_unused"
    marked_at: AwareDatetime
    delete_at: AwareDatetime


class MediaKept(_MediaEvent):
    """It stays: something shows it after all."""

    kind: Literal["media.kept"] = "media.kept"
    kept_at: AwareDatetime


class MediaDeleted(_MediaEvent):
    """It is gone; nothing may show it."""

    kind: Literal["media.deleted"] = "media.deleted"
    deleted_at: AwareDatetime


MediaEvent: TypeAlias = (
    MediaWanted
    | MediaUploaded
    | MediaBegun
    | MediaPutOff
    | MediaRetried
    | MediaProcessed
    | MediaFailed
    | MediaMarkedUnused
    | MediaKept
    | MediaDeleted
)

CONTEXT = Context("media", get_args(MediaCommand), get_args(MediaEvent))
