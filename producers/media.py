"""What may happen to an upload: it is drawn or it is not, after as many tries as it takes within
bounds, and its owner may take it away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias, assert_never
from uuid import UUID

from producers.decider import Decider, Rejected
from schemas.log.messages import Command, Role
from schemas.media import (
    TRIES_MAX,
    BeginDrawing,
    DeleteMedia,
    DeleteUnused,
    FailureReason,
    FetchMedia,
    KeepMedia,
    MarkUnused,
    MediaBegun,
    MediaCommand,
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
    RecordFailed,
    RecordFetched,
    RecordProcessed,
    RecordTryFailed,
    RetryDrawing,
    UploadMedia,
    media_folder,
)

PAUSE_FIRST = timedelta(seconds=2)  # doubled after each try
# Between tries to fetch: whoever keeps the picture may be down for a while.
FETCH_PAUSES = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=2))
UNUSED_WAIT = timedelta(days=7)


@dataclass(frozen=True)
class Unknown:
    """Nothing has happened yet."""


@dataclass(frozen=True)
class Wanted:
    """The original is to be fetched; the try of this number is under way, or went wrong and the next
    waits for its time.
    """

    owner_id: UUID
    subject: str | None
    address_sealed: str
    attempt: int
    put_off: bool = False


@dataclass(frozen=True)
class Waiting:
    """The original is there, the variants are not; the next try has this number."""

    owner_id: UUID
    subject: str | None
    original: str
    media_type: MediaType
    attempt: int


@dataclass(frozen=True)
class Drawing:
    """A try is under way: the one of this number."""

    owner_id: UUID
    subject: str | None
    original: str
    media_type: MediaType
    attempt: int


@dataclass(frozen=True)
class PutOff:
    """The try of this number went wrong, and the next waits for its time."""

    owner_id: UUID
    subject: str | None
    original: str
    media_type: MediaType
    attempt: int


@dataclass(frozen=True)
class Processed:
    """Everybody can see it. `delete_at`: it is marked as shown by nothing, and goes then."""

    owner_id: UUID
    subject: str | None
    delete_at: datetime | None = None


@dataclass(frozen=True)
class Failed:
    """There are no variants; should some come after all, they are welcome."""

    owner_id: UUID
    subject: str | None
    delete_at: datetime | None = None


@dataclass(frozen=True)
class Deleted:
    """The end."""

    owner_id: UUID


Unfinished: TypeAlias = Wanted | Waiting | Drawing | PutOff
Media: TypeAlias = Unknown | Unfinished | Processed | Failed | Deleted


def decide(command: MediaCommand, media: Media) -> Sequence[MediaEvent]:
    """The events that the command leads to; none when it asks for what already is."""
    match command:
        case UploadMedia():
            return upload(command, media)
        case FetchMedia() | RecordFetched():
            return fetch(command, media)
        case BeginDrawing():
            return begin(command, media)
        case RecordTryFailed():
            return record_try_failed(command, media)
        case RetryDrawing():
            return retry(command, media)
        case RecordProcessed():
            return record_processed(command, media)
        case RecordFailed():
            return record_failed(command, media)
        case DeleteMedia():
            return delete(command, media)
        case MarkUnused() | KeepMedia() | DeleteUnused():
            return tidy(command, media)
        case _:
            assert_never(command)


def upload(command: UploadMedia, media: Media) -> Sequence[MediaEvent]:
    """An original of one's own, in one's own folder."""
    if not isinstance(media, Unknown):
        raise Rejected("media_exists")
    if command.asked_by != str(command.owner_id):
        raise Rejected("not_owner", 403)
    _refuse_elsewhere([command.original], command.owner_id, command.media_id)
    return [
        MediaUploaded(
            media_id=command.media_id,
            owner_id=command.owner_id,
            subject=command.subject,
            media_type=command.media_type,
            size=command.size,
            original=command.original,
            filename_sealed=command.filename_sealed,
            uploaded_at=command.asked_at,
        )
    ]


def fetch(command: FetchMedia | RecordFetched, media: Media) -> Sequence[MediaEvent]:
    """An original of one's own, from elsewhere. Once it is here, it is an upload like any other."""
    if isinstance(command, RecordFetched):
        return record_fetched(command, media)
    if not isinstance(media, Unknown):
        raise Rejected("media_exists")
    if command.asked_by != str(command.owner_id):
        raise Rejected("not_owner", 403)
    wanted = Wanted(command.owner_id, command.subject, command.address_sealed, 1)
    return [_wanted(command, wanted)]


def _wanted(command: FetchMedia | RetryDrawing, media: Wanted) -> MediaWanted:
    return MediaWanted(
        media_id=command.media_id,
        owner_id=media.owner_id,
        subject=media.subject,
        address_sealed=media.address_sealed,
        attempt=media.attempt,
        wanted_at=command.asked_at,
    )


def record_fetched(command: RecordFetched, media: Media) -> Sequence[MediaEvent]:
    """What is over, or fetched already, stays so."""
    _require_ours(command, media)
    if not isinstance(media, Wanted):
        return []
    _refuse_elsewhere([command.original], media.owner_id, command.media_id)
    return [
        MediaUploaded(
            media_id=command.media_id,
            owner_id=media.owner_id,
            subject=media.subject,
            media_type=command.media_type,
            size=command.size,
            original=command.original,
            uploaded_at=command.asked_at,
        )
    ]


def begin(command: BeginDrawing, media: Media) -> Sequence[MediaEvent]:
    """The try that is waited for, once."""
    _require_ours(command, media)
    if not isinstance(media, Waiting) or media.attempt != command.attempt:
        return []
    return [
        MediaBegun(
            media_id=command.media_id,
            owner_id=media.owner_id,
            subject=media.subject,
            attempt=command.attempt,
            begun_at=command.asked_at,
        )
    ]


def record_try_failed(command: RecordTryFailed, media: Media) -> Sequence[MediaEvent]:
    """Another try is made after a pause; after the last one it has failed."""
    _require_ours(command, media)
    match media:
        case Wanted(put_off=False) if media.attempt == command.attempt:
            last, reason = len(FETCH_PAUSES) + 1, FailureReason.NOT_FETCHED
        case Waiting() | Drawing() if media.attempt == command.attempt:
            last, reason = TRIES_MAX, FailureReason.GAVE_UP
        case _:
            return []
    if command.attempt >= last:
        return [_failed(command, media, reason)]
    return [
        MediaPutOff(
            media_id=command.media_id,
            owner_id=media.owner_id,
            subject=media.subject,
            attempt=command.attempt,
            put_off_at=command.asked_at,
            until=command.asked_at + _pause(media),
        )
    ]


def _pause(media: Wanted | Waiting | Drawing) -> timedelta:
    if isinstance(media, Wanted):
        return FETCH_PAUSES[media.attempt - 1]
    pause: timedelta = PAUSE_FIRST * 2 ** (media.attempt - 1)
    return pause


def retry(command: RetryDrawing, media: Media) -> Sequence[MediaEvent]:
    """Only what was put off."""
    _require_ours(command, media)
    if isinstance(media, Wanted) and media.put_off:
        return [_wanted(command, replace(media, attempt=media.attempt + 1))]
    if not isinstance(media, PutOff):
        return []
    return [
        MediaRetried(
            media_id=command.media_id,
            owner_id=media.owner_id,
            subject=media.subject,
            attempt=media.attempt + 1,
            original=media.original,
            media_type=media.media_type,
            retried_at=command.asked_at,
        )
    ]


def record_processed(command: RecordProcessed, media: Media) -> Sequence[MediaEvent]:
    """Success after failure wins; whatever comes after the end changes nothing."""
    _require_system(command)
    match media:
        case Unknown():
            raise Rejected("media_unknown", 404)
        case Wanted() | Processed() | Deleted():
            return []
        case Waiting() | Drawing() | PutOff() | Failed():
            keys = [each.key for each in command.variants]
            if command.video is not None:
                keys.append(command.video.file)
            _refuse_elsewhere(keys, media.owner_id, command.media_id)
            return [
                MediaProcessed(
                    media_id=command.media_id,
                    owner_id=media.owner_id,
                    subject=media.subject,
                    variants=command.variants,
                    video=command.video,
                    processed_at=command.asked_at,
                )
            ]
        case _:
            assert_never(media)


def record_failed(command: RecordFailed, media: Media) -> Sequence[MediaEvent]:
    """Once, and only of what is still waited for."""
    _require_system(command)
    match media:
        case Unknown():
            raise Rejected("media_unknown", 404)
        case Processed() | Failed() | Deleted():
            return []
        case Wanted() | Waiting() | Drawing() | PutOff():
            return [_failed(command, media, command.reason)]
        case _:
            assert_never(media)


def _failed(
    command: RecordFailed | RecordTryFailed, media: Unfinished, reason: FailureReason
) -> MediaFailed:
    return MediaFailed(
        media_id=command.media_id,
        owner_id=media.owner_id,
        subject=media.subject,
        reason=reason,
        failed_at=command.asked_at,
    )


def delete(command: DeleteMedia, media: Media) -> Sequence[MediaEvent]:
    """By its owner, or because what it was for is gone."""
    match media:
        case Unknown():
            raise Rejected("media_unknown", 404)
        case Wanted() | Waiting() | Drawing() | PutOff() | Processed() | Failed() | Deleted():
            own = command.asked_by == str(media.owner_id)
            if not own and command.asked_role is not Role.SYSTEM:
                # Others may not even learn that there is one.
                raise Rejected("media_unknown", 404)
            if isinstance(media, Deleted):
                raise Rejected("media_deleted", 410)
            return [
                MediaDeleted(
                    media_id=command.media_id,
                    owner_id=media.owner_id,
                    subject=media.subject,
                    deleted_at=command.asked_at,
                )
            ]
        case _:
            assert_never(media)


def tidy(command: MarkUnused | KeepMedia | DeleteUnused, media: Media) -> Sequence[MediaEvent]:
    """Marked first and taken away after a while, if it still is marked."""
    _require_ours(command, media)
    if not isinstance(media, Processed | Failed):
        return []
    at = command.asked_at
    said = {
        "media_id": command.media_id,
        "owner_id": media.owner_id,
        "subject": media.subject,
    }
    match command:
        case MarkUnused() if media.delete_at is None:
            return [MediaMarkedUnused(marked_at=at, delete_at=at + UNUSED_WAIT, **said)]
        case KeepMedia() if media.delete_at is not None:
            return [MediaKept(kept_at=at, **said)]
        case DeleteUnused() if media.delete_at is not None and media.delete_at <= at:
            return [MediaDeleted(deleted_at=at, **said)]
        case _:
            return []


def evolve(media: Media, event: MediaEvent) -> Media:
    """The upload after the event."""
    match event:
        case MediaWanted(owner_id=owner_id, subject=subject, address_sealed=address_sealed):
            return Wanted(owner_id, subject, address_sealed, event.attempt)
        case MediaUploaded(owner_id=owner_id, subject=subject, original=original):
            return Waiting(owner_id, subject, original, event.media_type, 1)
        case MediaBegun() | MediaPutOff() | MediaRetried():
            return _now(media, event)
        case MediaProcessed(owner_id=owner_id, subject=subject):
            return Processed(owner_id, subject)
        case MediaFailed(owner_id=owner_id, subject=subject):
            return Failed(owner_id, subject)
        case MediaMarkedUnused(delete_at=delete_at):
            return _marked(media, delete_at)
        case MediaKept():
            return _marked(media, None)
        case MediaDeleted(owner_id=owner_id):
            return Deleted(owner_id)
        case _:
            assert_never(event)


_AFTER: Final[Mapping[type[MediaEvent], type[Waiting | Drawing | PutOff]]] = {
    MediaBegun: Drawing,
    MediaPutOff: PutOff,
    MediaRetried: Waiting,
}


def _now(media: Media, event: MediaBegun | MediaPutOff | MediaRetried) -> Media:
    if isinstance(media, Wanted) and isinstance(event, MediaPutOff):
        return replace(media, put_off=True)
    if not isinstance(media, Waiting | Drawing | PutOff):
        return media
    told = event.owner_id, event.subject, media.original, media.media_type
    return _AFTER[type(event)](*told, event.attempt)


def _marked(media: Media, delete_at: datetime | None) -> Media:
    if not isinstance(media, Processed | Failed):
        return media
    return replace(media, delete_at=delete_at)


def _require_ours(command: Command, media: Media) -> None:
    """Follows from what becomes of something that there is."""
    _require_system(command)
    if isinstance(media, Unknown):
        raise Rejected("media_unknown", 404)


def _require_system(command: Command) -> None:
    """Follows from what was drawn, so nobody asks for it by hand."""
    if command.asked_role is not Role.SYSTEM:
        raise Rejected("role_not_allowed", 403)


def _refuse_elsewhere(keys: Iterable[str], owner_id: UUID, media_id: UUID) -> None:
    """What lies in another folder is not taken away with this one, or is somebody else's."""
    folder = media_folder(owner_id, media_id)
    if not all(key.startswith(f"{folder}/") for key in keys):
        raise Rejected("not_owner", 403)


media: Decider[MediaCommand, Media, MediaEvent] = Decider(
    initial=Unknown(), decide=decide, evolve=evolve
)
