"""Uploaded pictures are drawn in every size, and go when they are deleted.

Both are one effect: an upload and its end stand in one stream and so in one lane, one after the
other. Nothing is stored behind the back of what takes everything away.
"""

from __future__ import annotations

from asyncio import sleep
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from infra.objects import Objects
from infra.pictures import PictureError, PictureTooLargeError, webp_key
from processors.reacting.effects import Effect, Tools
from processors.reactions.pictures import object_store
from schemas.media import (
    FailureReason,
    MediaDeleted,
    MediaUploaded,
    RecordFailed,
    RecordProcessed,
    Variant,
    VariantName,
    media_folder,
)
from schemas.messages import Role
from schemas.recorded import Recorded

NAME = "process_media"
ASKED_BY = f"effect/{NAME}"
# Width and height in pixels; a picture fits inside and is never enlarged.
BOXES = {
    VariantName.THUMBNAIL: (300, 300),
    VariantName.MEDIUM: (800, 600),
    VariantName.LARGE: (1200, 900),
}
ATTEMPTS_MAX = 3
PAUSE_FIRST_S = 2.0  # doubled after each attempt

log = structlog.get_logger()

Outcome = tuple[Variant, ...] | FailureReason


async def process_media(recorded: Recorded[MediaUploaded | MediaDeleted], tools: Tools) -> None:
    """Draw what was uploaded and tell the log how that went; drop what was deleted."""
    event = recorded.event
    if isinstance(event, MediaDeleted):
        with object_store(tools.settings) as objects:
            await objects.delete_folder(media_folder(event.owner_id, event.media_id))
        return
    outcome = None if await _left(event, tools) else await _outcome(event, tools)
    # Again, for whoever left meanwhile: what is stored from here on, nobody would take away.
    if outcome is None or await _left(event, tools):
        with object_store(tools.settings) as objects:
            await objects.delete_folder(media_folder(event.owner_id))
        return
    asked_at = recorded.recorded_at
    await tools.commands.send(NAME, recorded, [_command(event.media_id, outcome, asked_at)])
    failure = outcome if isinstance(outcome, FailureReason) else None
    said = "media_failed" if failure else "media_processed"
    log.info(said, media_id=str(event.media_id), reason=failure)


async def _left(event: MediaUploaded, tools: Tools) -> bool:
    return await tools.vault.person(event.owner_id) is None


async def _outcome(event: MediaUploaded, tools: Tools) -> Outcome:
    """The variants, stored; or why there are none, once trying again is of no use."""
    for attempt in range(1, ATTEMPTS_MAX + 1):
        try:
            with object_store(tools.settings) as objects:
                return await _variants(event, tools, objects)
        except PictureTooLargeError:
            return FailureReason.TOO_LARGE
        except PictureError:
            return FailureReason.UNREADABLE
        except Exception as error:  # noqa: BLE001 - whatever it is, its owner must be told
            log.warning(
                "media_attempt_failed",
                media_id=str(event.media_id),
                attempt=attempt,
                error=type(error).__name__,
            )
        if attempt < ATTEMPTS_MAX:
            await sleep(PAUSE_FIRST_S * 2 ** (attempt - 1))
    return FailureReason.GAVE_UP


async def _variants(event: MediaUploaded, tools: Tools, objects: Objects) -> Outcome:
    original = await objects.get(event.original)
    if original is None:
        return FailureReason.ORIGINAL_MISSING
    drawn = await tools.pictures.fitted(original, BOXES)
    folder = media_folder(event.owner_id, event.media_id)
    variants = []
    for name, picture in drawn.items():
        key = webp_key(folder, picture.data)
        await objects.put(key, picture.data)
        width, height = picture.size
        variants.append(
            Variant(
                name=name,
                key=key,
                width=width,
                height=height,
                size=len(picture.data),
                look=picture.look if name is VariantName.THUMBNAIL else None,
            )
        )
    return tuple(variants)


def _command(
    media_id: UUID, outcome: Outcome, asked_at: datetime
) -> RecordProcessed | RecordFailed:
    asked: dict[str, Any] = {
        "media_id": media_id,
        "asked_at": asked_at,
        "asked_by": ASKED_BY,
        "asked_role": Role.SYSTEM,
    }
    if isinstance(outcome, FailureReason):
        return RecordFailed(reason=outcome, **asked)
    return RecordProcessed(variants=outcome, **asked)


PROCESS_MEDIA = Effect(NAME, (MediaUploaded, MediaDeleted), process_media)
