"""Uploaded pictures are drawn in every size, and go when they are deleted.

Both are one effect: an upload and its end stand in one stream and so in one lane, one after the
other. Nothing is stored behind the back of what takes everything away. A try that goes wrong is put
off by its decider and comes back as an event, so that no pause holds up the pictures behind it.
Videos go the same way in lanes of their own: processors.reactions.videos.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from infra.clients.objects import Objects
from infra.pictures import Fitted, PictureError, PictureTooLargeError, webp_key
from processors.reacting.effects import Effect, OutsideDownError, Tools
from processors.reactions.pictures import object_store
from schemas.log.messages import Role
from schemas.log.recorded import Recorded
from schemas.media import (
    TRIES_MAX,
    BeginDrawing,
    FailureReason,
    MediaDeleted,
    MediaRetried,
    MediaType,
    MediaUploaded,
    RecordFailed,
    RecordProcessed,
    RecordTryFailed,
    Variant,
    VariantName,
    Video,
    media_folder,
)

NAME = "process_media"
BEGIN = "begin_media"  # its commands' ids are others than those that tell how it went
# Width and height in pixels; a picture fits inside and is never enlarged.
BOXES = {
    VariantName.THUMBNAIL: (300, 300),
    VariantName.MEDIUM: (800, 600),
    VariantName.LARGE: (1200, 900),
}
# Both together are less than a lane gives one event (RUN_TIMEOUT_S of processors.reacting.lanes).
TURN_WAIT_S = 20.0
TRY_TIMEOUT_S = 30.0

log = structlog.get_logger()

Heard = MediaUploaded | MediaRetried


@dataclass(frozen=True)
class Drawn:
    """What was made of an upload, and is in the object store."""

    variants: tuple[Variant, ...]
    video: Video | None = None


Outcome = Drawn | FailureReason | None


@dataclass(frozen=True)
class Work:
    """What is done with one kind of upload, the names that its commands' ids are made of, and how long a
    turn and a try may take.
    """

    name: str
    begin: str
    make: Callable[[Heard, Tools, Objects], Awaitable[Outcome]]
    turn_wait_s: float
    timeout_s: float


async def process_media(recorded: Recorded[Heard | MediaDeleted], tools: Tools) -> None:
    """Draw what waits to be drawn and tell the log how that went; drop what was deleted."""
    event = recorded.event
    if isinstance(event, MediaDeleted):
        await drop(event, tools)
    elif event.media_type is not MediaType.MP4:
        work = Work(NAME, BEGIN, _pictures, TURN_WAIT_S, TRY_TIMEOUT_S)
        async with turn(tools.pictures.jobs, work.turn_wait_s):
            await attempt_at(recorded, work, tools)


async def drop(event: MediaDeleted, tools: Tools) -> None:
    """Take everything of an upload away."""
    with object_store(tools.settings) as objects:
        await objects.delete_folder(media_folder(event.owner_id, event.media_id))


@asynccontextmanager
async def turn(jobs: asyncio.Semaphore, wait_s: float) -> AsyncIterator[None]:
    """Be one of the few who draw; while they take long, others wait without its being a try."""
    try:
        async with asyncio.timeout(wait_s):
            await jobs.acquire()
    except TimeoutError as error:
        message = "as many uploads are being drawn as may be at once"
        raise OutsideDownError(message) from error
    try:
        yield
    finally:
        jobs.release()


async def attempt_at(recorded: Recorded[Any], work: Work, tools: Tools) -> None:
    """Make a try, and tell the log how it went."""
    event: Heard = recorded.event
    if await _left(event, tools):
        await _drop_all(event, tools)
        return
    attempt = event.attempt if isinstance(event, MediaRetried) else 1
    asked_by = f"effect/{work.name}"
    about = {"media_id": event.media_id, "asked_by": asked_by, "asked_role": Role.SYSTEM}
    begin = BeginDrawing(attempt=attempt, asked_at=recorded.recorded_at, **about)
    await tools.commands.send(work.begin, recorded, [begin])
    outcome = await _outcome(event, attempt, work, tools)
    # Again, for whoever left meanwhile: what is stored from here on, nobody would take away.
    if await _left(event, tools):
        await _drop_all(event, tools)
        return
    command: RecordTryFailed | RecordFailed | RecordProcessed
    if outcome is None:
        # By the clock, and not by the event: the pause begins when the try has ended.
        command = RecordTryFailed(attempt=attempt, asked_at=datetime.now(UTC), **about)
    elif isinstance(outcome, FailureReason):
        command = RecordFailed(reason=outcome, asked_at=recorded.recorded_at, **about)
    else:
        command = RecordProcessed(
            variants=outcome.variants,
            video=outcome.video,
            asked_at=recorded.recorded_at,
            **about,
        )
    await tools.commands.send(work.name, recorded, [command])
    _tell(event, attempt, outcome)


async def _left(event: Heard, tools: Tools) -> bool:
    return await tools.vault.person(event.owner_id) is None


async def _drop_all(event: Heard, tools: Tools) -> None:
    with object_store(tools.settings) as objects:
        await objects.delete_folder(media_folder(event.owner_id))


def _tell(event: Heard, attempt: int, outcome: Outcome) -> None:
    about = {"media_id": str(event.media_id), "attempt": attempt}
    if outcome is None and attempt < TRIES_MAX:
        log.warning("media_put_off", **about)
    elif outcome is None:
        log.warning("media_failed", reason=FailureReason.GAVE_UP, **about)
    elif isinstance(outcome, FailureReason):
        log.info("media_failed", reason=outcome, **about)
    else:
        log.info("media_processed", reason=None, **about)


async def _outcome(event: Heard, attempt: int, work: Work, tools: Tools) -> Outcome:
    """What was made, stored; or why there is nothing. None: another try may do better."""
    try:
        async with asyncio.timeout(work.timeout_s):
            with object_store(tools.settings) as objects:
                return await work.make(event, tools, objects)
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
        return None


async def _pictures(event: Heard, tools: Tools, objects: Objects) -> Outcome:
    original = await objects.get(event.original)
    if original is None:
        return FailureReason.ORIGINAL_MISSING
    drawn = await tools.pictures.fitted(original, BOXES)
    return Drawn(await stored(drawn, media_folder(event.owner_id, event.media_id), objects))


async def stored(
    drawn: Mapping[VariantName, Fitted], folder: str, objects: Objects
) -> tuple[Variant, ...]:
    """Keep what was drawn of a picture, every size of it."""
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


PROCESS_MEDIA = Effect(NAME, (MediaUploaded, MediaRetried, MediaDeleted), process_media)
