"""Images: files in, each on its own; variants out, once they are drawn. The object store keeps
them, the log says whose they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.responses import Response

from api.backends.machines import Machines, Mesh
from api.backends.rate_limits import Limit, spend
from api.entry.auth import SignedIn
from api.entry.commands import CommandSender, Sending, SendingFiles, fingerprint_of
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import ANYONE, CHANGES, SIGNED_IN, UNLIMITED, Door
from api.entry.routing import new_router
from api.media import sight
from api.media.bodies import FAILURES, IMAGE, SENT, ImageAnswer, SentImages
from api.media.pictures import SHOWN, PictureName, form_of, sent_files, shown, url_of
from api.profiles.routes import key_of, versioned
from api.wire.changes import answer
from api.wire.problems import IMAGES_MAX, Problem, problem_responses
from api.wire.successes import ok, private_json
from infra.pictures import media_type_of
from infra.vault import PersonKey
from projections.identity.users import users
from projections.items.items import items
from projections.journal.answers import any_answered
from projections.media import media_files
from projections.media.media_files import MediaStatus
from schemas.media import ORIGINAL_BYTES_MAX, DeleteMedia, MediaType, UploadMedia, media_folder
from schemas.messages import Fault
from schemas.positions import format_token
from schemas.recorded import Reply
from schemas.texts import shown_of

FIELD = "images"
FILENAME_LENGTH_MAX = 200
UPLOADS = CaughtUp(users, media_files.media_files, items)

router = new_router("media")


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


@router.post(
    "/api/images",
    operation_id="upload_images",
    status_code=201,
    response_model=SentImages,
    responses={
        **ok("At least one file was taken", SENT, 201, headers=["Consistency-Token"]),
        **problem_responses(400, 401, 403, 410, 415, 429),
    },
    openapi_extra=form_of(FIELD, IMAGES_MAX),
)
@router.post(
    "/api/media/images",
    operation_id="upload_media_images",
    status_code=201,
    response_model=SentImages,
    responses={
        **ok("At least one file was taken", SENT, 201, headers=["Consistency-Token"]),
        **problem_responses(400, 401, 403, 410, 415, 429),
    },
    openapi_extra=form_of(FIELD, IMAGES_MAX),
)
# Images are counted by the file.
@Door(SIGNED_IN, (Limit("images", cost=0),), within_s=15.0)
async def upload_images(
    request: Request, sending: SendingFiles, mesh: Mesh, caller: SignedIn
) -> Response:
    """Up to 10 JPEG, PNG or WebP files of at most 10 MiB each. They are drawn in three sizes
    soon after. A file that can't be taken is told in its place and keeps no other back.
    """
    key = await key_of(mesh, UUID(caller.user_id))
    async with sent_files(request, FIELD, IMAGES_MAX) as files:
        await spend(mesh.rate_limits, request, "images", len(files))
        found = [
            await take_image(mesh, sending, key, file, Aim(place, len(files)))
            for place, file in enumerate(files)
        ]
    taken = [each for each in found if isinstance(each, Taken)]
    if not taken:
        raise refused_all(found)
    positions = [each.reply.position for each in taken if each.reply.position is not None]
    headers = {"Consistency-Token": format_token(positions)}
    body = {"success": True, "images": [_told(each) for each in found]}
    return private_json(body, 201, headers=headers)


@router.get(
    "/api/images/{image_id:uuid}",
    operation_id="read_image",
    response_model=ImageAnswer,
    response_model_exclude_unset=True,
    responses={
        **ok("The image", IMAGE, headers=["ETag"]),
        **problem_responses(400, 401, 403, 404, 410),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, UNLIMITED)
async def read_image(image_id: UUID, request: Request, mesh: Mesh, caller: SignedIn) -> Response:
    """An image and where its sizes are shown. Its owner sees how far it has come. Whoever sees what
    it is a picture of finds it when it is processed; one of nothing is its owner's alone.
    Moderators see all.
    """
    await UPLOADS.wait(request)
    row = await media_files.by_id(mesh.postgres, str(image_id))
    own = row is not None and row["user_id"] == caller.user_id
    if row is None or not (own or await sight.sees(request, caller, row)):
        raise Problem(404, "media_unknown", "There is no such image")
    if row["owner_deleted"] or row["status"] == MediaStatus.DELETED:
        raise Problem(410, "media_deleted", "This image is no longer there")
    body = {
        "id": row["key"],
        "status": row["status"],
        "variants": variants_of(row),
        "created_at": row["created_at"],
    }
    if own:
        key = await key_of(mesh, UUID(caller.user_id))
        body |= {name: row[name] for name in ("type", "size", "version")}
        body |= {"failure": _failure(row), "filename": _filename(row, key)}
    return versioned(body, row["version"] if own else None)


@router.delete(
    "/api/media/{media_id:uuid}",
    operation_id="delete_media",
    status_code=204,
    response_class=Response,
    responses={
        204: {"description": "Done"},
        **problem_responses(400, 401, 403, 404, 409, 410, 412),
    },
)
@Door(SIGNED_IN, CHANGES)
async def delete_media(media_id: UUID, sending: Sending, _caller: SignedIn) -> Response:
    """Take an upload of one's own and all its sizes away for good."""
    command = DeleteMedia(media_id=media_id, **sending.asked)
    return answer(await sending.send(command, if_match=True), 204)


# Anyone who has the address: pages show pictures with no token to send along. Nobody guesses it.
@router.get(
    "/api/media/{owner_id:uuid}/{media_id:uuid}/{name}",
    operation_id="read_variant",
    response_class=Response,
    responses=SHOWN,
)
@Door(ANYONE, UNLIMITED)
async def read_variant(owner_id: UUID, media_id: UUID, name: PictureName, mesh: Mesh) -> Response:
    """One size of an image, at an address that never shows another one."""
    return await shown(mesh, f"{media_folder(owner_id, media_id)}/{name}")


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
        filename_sealed=_sealed_name(key, file.filename),
        **sending.asked,
    )
    sending = replace(sending, fingerprint=fingerprint)
    full = None if aim.against else await _storage_full(mesh, key.user_id, len(data))
    against = aim.against or full
    if against is None and not await _is_kept(mesh, sending, step):
        await mesh.objects.put(original, data)
    try:
        reply = await sending.send(command, step=step, unless=against)
    except Problem as problem:
        if problem is not full:
            raise
        return Refused(problem.reason, problem.detail)
    return Taken(media_id, reply)


async def _storage_full(mesh: Machines, owner_id: UUID, size: int) -> Problem | None:
    """Why so many bytes more are too many. What was sent a moment ago may not be counted yet:
    that is no more than is taken in five minutes.
    """
    most = mesh.settings.storage_per_person_mb
    if await media_files.bytes_of(mesh.postgres, str(owner_id)) + size <= most << 20:
        return None
    detail = f"would be more than the {most} MiB of pictures that one person may have: delete some"
    return Problem(409, "storage_full", detail)


async def _is_kept(mesh: Machines, sending: CommandSender, step: str) -> bool:
    """Whether this is a repeat of what is in the books: its bytes may be gone for good by now,
    and nobody would take them away a second time.
    """
    if sending.key is None:
        return False
    return await any_answered(mesh.postgres, [str(sending.new_id(step))])


def refused_all(found: Sequence[Taken | Refused]) -> Problem:
    """422: no file was taken, for these reasons."""
    faults = [
        Fault(pointer=f"/{FIELD}/{place}", detail=each.detail)
        for place, each in enumerate(found)
        if isinstance(each, Refused)
    ]
    return Problem(422, "no_image_taken", "None of the files can be taken", faults=faults)


def variants_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Where each size is shown, by its name; from a row of media_files."""
    columns = ("types", "keys", "widths", "heights", "sizes")
    drawn = zip(*(row[f"variant_{name}"] for name in columns), strict=True)
    return {
        name: {"url": url_of(key), "width": width, "height": height, "size": size}
        for name, key, width, height, size in drawn
    }


def _told(found: Taken | Refused) -> dict[str, Any]:
    if isinstance(found, Refused):
        error = {"reason": found.reason, "detail": found.detail}
        return {"id": None, "status": "refused", "url": None, "error": error}
    image_id = str(found.media_id)
    url = f"/api/images/{image_id}"
    return {"id": image_id, "status": "processing", "url": url, "error": None}


def _failure(row: Mapping[str, Any]) -> dict[str, str] | None:
    reason = row["failure"]
    return None if reason is None else {"reason": reason, "detail": FAILURES[reason]}


def _sealed_name(key: PersonKey, filename: str | None) -> str | None:
    # A browser names files as their disks do: what can't be told of it is left out.
    shown = shown_of(filename or "", FILENAME_LENGTH_MAX)
    return key.seal("filename", shown) if shown else None


def _filename(row: Mapping[str, Any], key: PersonKey) -> str | None:
    sealed = row["filename_sealed"]
    return None if sealed is None else key.unseal("filename", sealed)
