"""Pictures into the books: each file of a form with a command of its own. The object store keeps
them, the log says whose they are and of what.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel
from starlette.datastructures import UploadFile

from api.backends.machines import Machines
from api.entry.commands import CommandSender, fingerprint_of
from api.wire.problems import Problem
from infra.pictures import media_type_of
from infra.vault.vault import PersonKey
from projections.journal.answers import any_answered
from projections.media import media_files
from schemas.log.messages import Fault
from schemas.log.recorded import Reply
from schemas.media import (
    ORIGINAL_BYTES_MAX,
    DeleteMedia,
    MediaType,
    UploadMedia,
    media_folder,
)
from schemas.values.texts import shown_of

FIELD = "images"
FILENAME_LENGTH_MAX = 200


@dataclass(frozen=True)
class Aim:
    """Which of how many files of a request it is, what it is for, and what stands against taking
    it now.
    """

    place: int
    count: int
    subject: str | None = None
    against: Problem | None = None


@dataclass(frozen=True)
class Taken:
    """A file that is in the books from now on."""

    media_id: UUID
    reply: Reply


@dataclass(frozen=True)
class Refused:
    """A file that is not, and why."""

    reason: str
    detail: str


class FileError(BaseModel):
    """Why one file was not taken; `reason` is a stable code."""

    reason: str
    detail: str


class SentImage(BaseModel):
    """One file of the form: what it is from now on, or why it was not taken."""

    id: str | None
    status: Literal["processing", "refused"]
    url: str | None
    error: FileError | None


async def take_image(
    mesh: Machines,
    sending: CommandSender,
    key: PersonKey,
    file: UploadFile,
    aim: Aim,
) -> Taken | Refused:
    """Keep a file of a request and have it drawn, for the aim's `subject` if it is for a stream.
    Raises the problem of a refused command.
    """
    if (file.size or 0) > ORIGINAL_BYTES_MAX:
        return Refused("file_too_large", f"is larger than {ORIGINAL_BYTES_MAX >> 20} MiB")
    data = await file.read()
    media_type = media_type_of(data)
    if media_type is None:
        detail = "is no JPEG, PNG or WebP, whatever its name says"
        return Refused("media_type_unknown", detail)
    step = f"image/{aim.place}"
    media_id = sending.new_id(f"media/{aim.place}")
    # With more or fewer files it is another request, of which none repeats this one.
    path = f"{sending.way.path} {aim.place}/{aim.count}"
    fingerprint = fingerprint_of(mesh.settings, "POST", path, data)
    # Its name is keyed: nobody may find out from the log, for ever, who had which picture.
    original = f"{media_folder(key.user_id, media_id)}/original-{fingerprint}"
    command = UploadMedia(
        media_id=media_id,
        owner_id=key.user_id,
        media_type=MediaType(media_type),
        size=len(data),
        original=original,
        subject=aim.subject,
        filename_sealed=sealed_name(key, file.filename),
        **sending.asked,
    )
    sending = replace(sending, fingerprint=fingerprint)
    full = None if aim.against else await storage_full(mesh, key.user_id, len(data))
    against = aim.against or full
    if against is None and not await is_kept(mesh, sending, step):
        await mesh.objects.put(original, data)
    try:
        reply = await sending.send(command, step=step, unless=against)
    except Problem as problem:
        if problem is not full:
            raise
        return Refused(problem.reason, problem.detail)
    return Taken(media_id, reply)


async def storage_full(mesh: Machines, owner_id: UUID, size: int) -> Problem | None:
    """Why so many bytes more are too many. What was sent a moment ago may not be counted yet:
    that is no more than is taken in five minutes.
    """
    most = mesh.settings.storage_per_person_mb
    if await media_files.bytes_of(mesh.postgres, str(owner_id)) + size <= most << 20:
        return None
    detail = f"would be more than the {most} MiB of pictures and videos that one person may have: delete some"
    return Problem(409, "storage_full", detail)


async def is_kept(mesh: Machines, sending: CommandSender, step: str) -> bool:
    """Whether this is a repeat of what is in the books: its bytes may be gone for good by now,
    and nobody would take them away a second time.
    """
    if sending.key is None:
        return False
    return await any_answered(mesh.postgres, [str(sending.new_id(step))])


async def take_back(sending: CommandSender, found: Sequence[Taken | Refused]) -> None:
    """What was kept for a thing that then refused it is nothing's picture. What came before is left
    alone: it may be the thing's from then.
    """
    for place, each in enumerate(found):
        if isinstance(each, Taken) and not each.reply.repeated:
            command = DeleteMedia(media_id=each.media_id, **sending.asked)
            await sending.reply_to(command, step=f"back/{place}")


def told(found: Taken | Refused) -> dict[str, Any]:
    """What has become of one file, as a SentImage."""
    if isinstance(found, Refused):
        error = {"reason": found.reason, "detail": found.detail}
        return {"id": None, "status": "refused", "url": None, "error": error}
    image_id = str(found.media_id)
    url = f"/api/images/{image_id}"
    return {"id": image_id, "status": "processing", "url": url, "error": None}


def refused_all(found: Sequence[Taken | Refused]) -> Problem:
    """422: no file was taken, for these reasons."""
    faults = [
        Fault(pointer=f"/{FIELD}/{place}", detail=each.detail)
        for place, each in enumerate(found)
        if isinstance(each, Refused)
    ]
    return Problem(422, "no_image_taken", "None of the files can be taken", faults=faults)


def sealed_name(key: PersonKey, filename: str | None) -> str | None:
    """What a client calls its file, sealed."""
    # A browser names files as their disks do: what can't be told of it is left out.
    shown = shown_of(filename or "", FILENAME_LENGTH_MAX)
    return key.seal("filename", shown) if shown else None
