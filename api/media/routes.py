"""Images: files in, each on its own; variants out, once they are drawn. The object store keeps
them, the log says whose they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fastapi import Request
from starlette.responses import Response

from api.backends.machines import Mesh
from api.backends.rate_limits import Limit, spend
from api.entry.auth import SignedIn
from api.entry.commands import Sending, SendingFiles
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import (
    ANYONE,
    CHANGES,
    OPERATORS,
    SEARCHES,
    SIGNED_IN,
    UNLIMITED,
    Door,
)
from api.entry.pictures import SHOWN, PictureName, form_of, sent_files, shown, url_of
from api.entry.routing import new_router
from api.entry.uploads import FIELD, Aim, Taken, refused_all, take_image, told
from api.media import sight
from api.media.bodies import (
    FAILURES,
    IMAGE,
    QUEUE,
    SENT,
    ImageAnswer,
    QueueAnswer,
    SentImages,
)
from api.media.resizing import resized_of
from api.profiles.sight import key_of
from api.wire.changes import answer
from api.wire.etags import versioned
from api.wire.problems import IMAGES_MAX, Problem, problem_responses
from api.wire.successes import ok, private_json
from infra.vault.vault import PersonKey
from projections.identity.users import users
from projections.items.items import items
from projections.media import media_files
from projections.media.media_files import MediaStatus
from schemas.log.positions import format_token
from schemas.media import DeleteMedia, media_folder

UPLOADS = CaughtUp(users, media_files.media_files, items)

router = new_router("media")


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
    body = {"success": True, "images": [told(each) for each in found]}
    return private_json(body, 201, headers=headers)


@router.get(
    "/api/images/queue-stats",
    operation_id="read_image_queue",
    response_model=QueueAnswer,
    responses={**ok("How many", QUEUE), **problem_responses(400, 401, 403)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(OPERATORS, SEARCHES)
async def read_image_queue(request: Request, mesh: Mesh, _caller: SignedIn) -> Response:
    """How many uploads wait to be drawn, for another try too, how many are being drawn, and how
    many of those that are still there are drawn or can't be.
    """
    await UPLOADS.wait(request)
    return private_json({"success": True, **await media_files.queue(mesh.postgres)})


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
        "resized": resized_of(mesh.settings, row),
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


# Anyone who has the address (ADR 0043): pages show pictures with no token to send along.
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


def variants_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Where each size is shown, by its name; from a row of media_files."""
    columns = ("types", "keys", "widths", "heights", "sizes")
    drawn = zip(*(row[f"variant_{name}"] for name in columns), strict=True)
    return {
        name: {"url": url_of(key), "width": width, "height": height, "size": size}
        for name, key, width, height, size in drawn
    }


def _failure(row: Mapping[str, Any]) -> dict[str, str] | None:
    reason = row["failure"]
    return None if reason is None else {"reason": reason, "detail": FAILURES[reason]}


def _filename(row: Mapping[str, Any], key: PersonKey) -> str | None:
    sealed = row["filename_sealed"]
    return None if sealed is None else key.unseal("filename", sealed)
