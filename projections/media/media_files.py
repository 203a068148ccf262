"""Uploads and what was drawn of them. Postgres, one row per upload; the view image_variants
has one per variant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, assert_never, get_args

from sqlalchemy import Index, MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads
from schemas.log.recorded import Recorded
from schemas.media import (
    FailureReason,
    MediaBegun,
    MediaDeleted,
    MediaEvent,
    MediaFailed,
    MediaKept,
    MediaMarkedUnused,
    MediaProcessed,
    MediaPutOff,
    MediaRetried,
    MediaType,
    MediaUploaded,
    MediaWanted,
    Video,
)


class MediaStatus(StrEnum):
    """How far an upload has come."""

    PROCESSING = "processing"
    PROCESSED = "processed"
    FAILED = "failed"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class MediaFile:
    """An upload, or what is to be fetched from an address. Keys are those of the object store; sides are
    in pixels, sizes in bytes. `drawing`: a try to draw it is under way. `delete_at`: nothing shows it,
    and it goes then.

    The n-th entries of the `variant_…` columns tell of one variant, the smallest first. Of a
    deleted upload only whose it was is left: a link to it may still be opened. `video_…`: of a video,
    whose variants are those of a picture of it; the n-th entries tell of one segment.
    """

    user_id: str
    status: MediaStatus
    created_at: datetime
    updated_at: datetime
    version: int
    drawing: bool = False
    subject: str | None = None
    filename_sealed: str | None = None
    address_sealed: str | None = None
    type: MediaType | None = None
    size: int | None = None
    original: str | None = None
    failure: FailureReason | None = None
    delete_at: datetime | None = None
    variant_types: tuple[str, ...] = ()
    variant_keys: tuple[str, ...] = ()
    variant_widths: tuple[int, ...] = ()
    variant_heights: tuple[int, ...] = ()
    variant_sizes: tuple[int, ...] = ()
    video_key: str | None = None
    video_width: int | None = None
    video_height: int | None = None
    video_size: int | None = None
    video_sound: bool | None = None
    video_init: int | None = None
    video_begins: tuple[int, ...] = ()
    video_sizes: tuple[int, ...] = ()
    video_ms: tuple[int, ...] = ()


def key(recorded: Recorded[MediaEvent]) -> str:
    """The upload's id."""
    return str(recorded.event.media_id)


def fold(row: MediaFile | None, recorded: Recorded[MediaEvent]) -> MediaFile | None:
    """The upload after the event."""
    event, version = recorded.event, recorded.version
    match event:
        case MediaWanted():
            return _wanted(row, event, version)
        case MediaUploaded():
            return _uploaded(row, event, version)
        case MediaBegun() | MediaPutOff() | MediaRetried():
            return row and replace(row, version=version, **_underway(event))
        case MediaProcessed():
            return row and replace(row, version=version, **_variants(event))
        case MediaFailed(reason=reason, failed_at=at):
            failed = MediaStatus.FAILED
            return row and replace(
                row, version=version, status=failed, drawing=False, failure=reason, updated_at=at
            )
        case MediaMarkedUnused(marked_at=at, delete_at=delete_at):
            return row and replace(row, version=version, delete_at=delete_at, updated_at=at)
        case MediaKept(kept_at=at):
            return row and replace(row, version=version, delete_at=None, updated_at=at)
        case MediaDeleted(deleted_at=at):
            return row and MediaFile(
                user_id=row.user_id,
                status=MediaStatus.DELETED,
                created_at=row.created_at,
                updated_at=at,
                version=version,
            )
        case _:
            assert_never(event)


def _wanted(row: MediaFile | None, event: MediaWanted, version: int) -> MediaFile:
    if row is not None:
        return replace(row, version=version, updated_at=event.wanted_at)
    return MediaFile(
        user_id=str(event.owner_id),
        status=MediaStatus.PROCESSING,
        created_at=event.wanted_at,
        updated_at=event.wanted_at,
        version=version,
        subject=event.subject,
        address_sealed=event.address_sealed,
    )


def _uploaded(row: MediaFile | None, event: MediaUploaded, version: int) -> MediaFile:
    return MediaFile(
        user_id=str(event.owner_id),
        status=MediaStatus.PROCESSING,
        created_at=event.uploaded_at if row is None else row.created_at,
        updated_at=event.uploaded_at,
        version=version,
        subject=event.subject,
        filename_sealed=event.filename_sealed,
        address_sealed=None if row is None else row.address_sealed,
        type=event.media_type,
        size=event.size,
        original=event.original,
    )


def _underway(event: MediaBegun | MediaPutOff | MediaRetried) -> dict[str, Any]:
    match event:
        case MediaBegun(begun_at=at):
            return {"drawing": True, "updated_at": at}
        case MediaPutOff(put_off_at=at) | MediaRetried(retried_at=at):
            return {"drawing": False, "updated_at": at}
        case _:
            assert_never(event)


def _variants(event: MediaProcessed) -> dict[str, Any]:
    drawn = event.variants
    return {
        "status": MediaStatus.PROCESSED,
        "drawing": False,
        "delete_at": None,
        "failure": None,
        "updated_at": event.processed_at,
        "variant_types": tuple(each.name.value for each in drawn),
        "variant_keys": tuple(each.key for each in drawn),
        "variant_widths": tuple(each.width for each in drawn),
        "variant_heights": tuple(each.height for each in drawn),
        "variant_sizes": tuple(each.size for each in drawn),
        **_video(event.video),
    }


def _video(video: Video | None) -> dict[str, Any]:
    if video is None:
        return {}
    return {
        "video_key": video.file,
        "video_width": video.width,
        "video_height": video.height,
        "video_size": video.size,
        "video_sound": video.sound,
        "video_init": video.init,
        "video_begins": tuple(each.begins for each in video.segments),
        "video_sizes": tuple(each.size for each in video.segments),
        "video_ms": tuple(each.duration_ms for each in video.segments),
    }


table = Table("media_files", MetaData(), *columns_of(MediaFile))
Index("media_of_person", table.c.user_id, table.c.key)
Index("media_to_delete", table.c.key, postgresql_where=table.c.delete_at.isnot(None))
Index(
    "videos_by_subject", table.c.subject, table.c.key, postgresql_where=table.c.type == "video/mp4"
)
Index("media_by_status", table.c.status, table.c.drawing)

IMAGE_VARIANTS_VIEW = """
    CREATE OR REPLACE VIEW reads.image_variants AS
    SELECT file.key || '/' || drawn.variant_type AS id, file.key AS media_file_id,
           drawn.variant_type, '/api/' || drawn.object_key AS url,
           drawn.width, drawn.height, drawn.size
    FROM {view} AS file
    CROSS JOIN LATERAL unnest(
        file.variant_types, file.variant_keys, file.variant_widths, file.variant_heights,
        file.variant_sizes
    ) AS drawn (variant_type, object_key, width, height, size)
"""

media_files = Projection(
    name="media_files",
    version=4,
    hears=get_args(MediaEvent),
    key=key,
    fold=fold,
    erased_by=(MediaDeleted,),
    row=MediaFile,
    target=PostgresTable(table, extras=(IMAGE_VARIANTS_VIEW,)),
)

_BY_ID = """
    SELECT file.*, owner.status = 'deleted' AS owner_deleted
    FROM reads.media_files AS file LEFT JOIN reads.users AS owner ON owner.key = file.user_id
    WHERE file.key = $1
"""


async def by_id(reads: Reads, media_id: str) -> Mapping[str, Any] | None:
    """One upload; `owner_deleted` tells that whoever sent it has left, and its bytes too."""
    return await reads.fetchrow(_BY_ID, media_id)


_BYTES_OF = """
    SELECT coalesce(sum(size), 0)::bigint AS bytes FROM reads.media_files WHERE user_id = $1
"""


async def bytes_of(reads: Reads, user_id: str) -> int:
    """The bytes that all uploads of a person take, as they were sent. What was deleted has none."""
    row = await reads.fetchrow(_BYTES_OF, user_id)
    return int(row["bytes"]) if row is not None else 0


_QUEUE = """
    SELECT count(*) FILTER (WHERE status = 'processing' AND NOT drawing) AS waiting,
           count(*) FILTER (WHERE status = 'processing' AND drawing) AS active,
           count(*) FILTER (WHERE status = 'processed') AS completed,
           count(*) FILTER (WHERE status = 'failed') AS failed
    FROM reads.media_files
"""


async def queue(reads: Reads) -> Mapping[str, int]:
    """How many uploads wait to be drawn, are being drawn, are drawn, and can't be."""
    row = await reads.fetchrow(_QUEUE)
    return dict(row or {})


_VIDEOS = """
    SELECT * FROM reads.media_files
    WHERE subject = $1 AND type = 'video/mp4' AND (status = 'processed' OR user_id = $2)
    ORDER BY created_at DESC, key LIMIT $3
"""


async def videos_of(
    reads: Reads, subject: str, owner_id: str, limit: int
) -> Sequence[Mapping[str, Any]]:
    """The videos of a thing that can be shown, and their owner's own however far they are."""
    return await reads.fetch(_VIDEOS, subject, owner_id, limit)


# What an upload is for, by its subject: each kind of thing that shows pictures has a row here, and a
# listing shows each of its videos that can be. What has no row, because it waits to be mended or is not
# read yet, is taken to show it.
_THING = """
    LEFT JOIN LATERAL (
        SELECT status = 'deleted' OR NOT (
            file.key = ANY(page.image_ids) OR file.key = ANY(coalesce(spin.image_ids, '{}'))
            OR (file.type = 'video/mp4' AND file.status = 'processed')
        ) AS without
        FROM reads.listing_page AS page LEFT JOIN reads.listing_spins AS spin ON spin.key = page.key
        WHERE file.subject LIKE 'listing/%' AND page.key = split_part(file.subject, '/', 2)
        UNION ALL
        SELECT status = 'deleted' OR NOT file.key = ANY(image_ids)
        FROM reads.items
        WHERE file.subject LIKE 'item/%' AND key = split_part(file.subject, '/', 2)
    ) AS thing ON true
"""
_UNUSED = f"""
    SELECT file.key FROM reads.media_files AS file {_THING}
    WHERE file.status IN ('processed', 'failed') AND file.delete_at IS NULL
      AND file.created_at < $1::timestamptz - interval '1 day'
      AND (file.subject IS NULL OR thing.without) AND file.key > $2
    ORDER BY file.key LIMIT $3
"""  # noqa: S608 - our own names
_MARKED = f"""
    SELECT file.key FROM reads.media_files AS file {_THING}
    WHERE file.delete_at <= $1 AND (file.subject IS NULL OR thing.without) AND file.key > $2
    ORDER BY file.key LIMIT $3
"""  # noqa: S608 - our own names
_USED = f"""
    SELECT file.key FROM reads.media_files AS file {_THING}
    WHERE file.delete_at IS NOT NULL AND $1::timestamptz IS NOT NULL AND NOT thing.without
      AND file.key > $2
    ORDER BY file.key LIMIT $3
"""  # noqa: S608 - our own names


async def unused(reads: Reads, now: datetime, after: str, limit: int) -> Sequence[str]:
    """The next uploads that nothing shows, a day after they came, and that are not marked yet."""
    return [row["key"] for row in await reads.fetch(_UNUSED, now, after, limit)]


async def used_again(reads: Reads, now: datetime, after: str, limit: int) -> Sequence[str]:
    """The next uploads that are marked and that something shows."""
    return [row["key"] for row in await reads.fetch(_USED, now, after, limit)]


async def unused_for_long(reads: Reads, now: datetime, after: str, limit: int) -> Sequence[str]:
    """The next uploads that are marked, whose time has come, and that still nothing shows."""
    return [row["key"] for row in await reads.fetch(_MARKED, now, after, limit)]
