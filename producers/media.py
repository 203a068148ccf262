"""What may happen to an upload: it is drawn or it is not, and its owner may take it away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never
from uuid import UUID

from producers.decider import Decider, Rejected
from schemas.media import (
    DeleteMedia,
    MediaCommand,
    MediaDeleted,
    MediaEvent,
    MediaFailed,
    MediaProcessed,
    MediaUploaded,
    RecordFailed,
    RecordProcessed,
    UploadMedia,
    media_folder,
)
from schemas.messages import Command, Role


@dataclass(frozen=True)
class Unknown:
    """Nothing has happened yet."""


@dataclass(frozen=True)
class Waiting:
    """The original is there, the variants are not."""

    owner_id: UUID
    subject: str | None


@dataclass(frozen=True)
class Processed:
    """Everybody can see it."""

    owner_id: UUID
    subject: str | None


@dataclass(frozen=True)
class Failed:
    """There are no variants; should some come after all, they are welcome."""

    owner_id: UUID
    subject: str | None


@dataclass(frozen=True)
class Deleted:
    """The end."""

    owner_id: UUID


Media: TypeAlias = Unknown | Waiting | Processed | Failed | Deleted


def decide(command: MediaCommand, media: Media) -> Sequence[MediaEvent]:
    """The events that the command leads to; none when it asks for what already is."""
    match command:
        case UploadMedia():
            return upload(command, media)
        case RecordProcessed():
            return record_processed(command, media)
        case RecordFailed():
            return record_failed(command, media)
        case DeleteMedia():
            return delete(command, media)
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


def record_processed(command: RecordProcessed, media: Media) -> Sequence[MediaEvent]:
    """Success after failure wins; whatever comes after the end changes nothing."""
    _require_system(command)
    match media:
        case Unknown():
            raise Rejected("media_unknown", 404)
        case Processed() | Deleted():
            return []
        case Waiting() | Failed():
            keys = [each.key for each in command.variants]
            _refuse_elsewhere(keys, media.owner_id, command.media_id)
            return [
                MediaProcessed(
                    media_id=command.media_id,
                    owner_id=media.owner_id,
                    subject=media.subject,
                    variants=command.variants,
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
        case Waiting():
            return [
                MediaFailed(
                    media_id=command.media_id,
                    owner_id=media.owner_id,
                    subject=media.subject,
                    reason=command.reason,
                    failed_at=command.asked_at,
                )
            ]
        case _:
            assert_never(media)


def delete(command: DeleteMedia, media: Media) -> Sequence[MediaEvent]:
    """By its owner, or because what it was for is gone."""
    match media:
        case Unknown():
            raise Rejected("media_unknown", 404)
        case Waiting() | Processed() | Failed() | Deleted():
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


def evolve(_media: Media, event: MediaEvent) -> Media:
    """The upload after the event."""
    match event:
        case MediaUploaded(owner_id=owner_id, subject=subject):
            return Waiting(owner_id, subject)
        case MediaProcessed(owner_id=owner_id, subject=subject):
            return Processed(owner_id, subject)
        case MediaFailed(owner_id=owner_id, subject=subject):
            return Failed(owner_id, subject)
        case MediaDeleted(owner_id=owner_id):
            return Deleted(owner_id)
        case _:
            assert_never(event)


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
