"""Avatars: a picture in, two squares out. The object store keeps them, the log says whose."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Path, Request
from starlette.datastructures import UploadFile
from starlette.responses import Response

from api.auth import SignedIn
from api.commands import CommandSender, Sending, answer, fingerprint_of
from api.machines import Machines, Mesh
from api.problems import Problem, problem_responses
from api.profile_bodies import AVATAR, AvatarAnswer
from api.routing import new_router
from api.successes import ok
from infra.pictures import PictureError
from schemas.messages import Fault
from schemas.profiles import Avatar, ChangeAvatar, RemoveAvatar

FIELD = "avatar"
LARGE, SMALL = 512, 128
# Its address holds the hash of its bytes: what is there never changes.
FOREVER = "public, max-age=31536000, immutable"

_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {FIELD: {"type": "string", "format": "binary"}},
                },
                "example": {FIELD: "(the bytes of a JPEG, PNG or WebP)"},
            }
        },
    }
}

router = new_router("profiles")


def avatar_urls(large: str | None, small: str | None) -> dict[str, str | None]:
    """Where the squares with these keys are."""
    return {"avatar_url": _url(large), "avatar_small_url": _url(small)}


def _url(key: str | None) -> str | None:
    return None if key is None else f"/api/{key}"


@router.post(
    "/api/users/{user_id:uuid}/avatar",
    operation_id="upload_avatar",
    response_model=AvatarAnswer,
    responses={
        **ok("Done", AVATAR),
        **problem_responses(400, 401, 403, 410, 412, 415),
    },
    openapi_extra=_BODY,
)
async def upload_avatar(
    user_id: UUID, request: Request, sending: Sending, mesh: Mesh, caller: SignedIn
) -> Response:
    """Show this picture, a JPEG, PNG or WebP of at most 5 MiB, cut to squares of 512 and 128
    pixels. What else the file holds, its place and camera, is not kept.
    """
    if caller.user_id != str(user_id):
        raise Problem(403, "not_owner", "This is somebody else's")
    if await mesh.vault.person(user_id) is None:
        raise Problem(410, "user_deleted", "This person has left")
    data = await _sent_file(request)
    # The form's boundary is another one at every try: a repeat is known by the file.
    path = request.url.path
    sending = replace(sending, fingerprint=fingerprint_of(mesh.settings, "POST", path, data))
    avatar = await _kept(mesh, sending, user_id, data)
    command = ChangeAvatar(user_id=user_id, avatar=avatar, **sending.asked)
    reply = await sending.send(command, if_match=True)
    return answer(reply, 200, avatar_urls(avatar.large, avatar.small))


@router.delete(
    "/api/users/{user_id:uuid}/avatar",
    operation_id="remove_avatar",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "Done"}, **problem_responses(400, 401, 403, 412)},
)
async def remove_avatar(user_id: UUID, sending: Sending, _caller: SignedIn) -> Response:
    """Show no picture. Removing what is not there changes nothing."""
    command = RemoveAvatar(user_id=user_id, **sending.asked)
    return answer(await sending.send(command, if_match=True), 204)


@router.get(
    "/api/avatars/{user_id:uuid}/{upload_id:uuid}/{name}",
    operation_id="read_avatar",
    response_class=Response,
    responses={
        200: {"description": "The square", "content": {"image/webp": {"example": "(bytes)"}}},
        **problem_responses(401, 404),
    },
)
async def read_avatar(
    user_id: UUID,
    upload_id: UUID,
    name: Annotated[str, Path(pattern=r"^[0-9a-f]{64}\.webp$", examples=[f"{'0' * 64}.webp"])],
    mesh: Mesh,
) -> Response:
    """One square of a picture, at an address that never shows another one."""
    data = await mesh.objects.get(f"avatars/{user_id}/{upload_id}/{name}")
    if data is None:
        raise Problem(404, "picture_unknown", "There is no such picture")
    return Response(data, headers={"Cache-Control": FOREVER}, media_type="image/webp")


async def _sent_file(request: Request) -> bytes:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "multipart/form-data":
        raise Problem(415, "media_type", "Send `multipart/form-data` with a file named `avatar`")
    async with request.form(max_files=1, max_fields=1) as form:
        names = sorted(form.keys())
        file = form.get(FIELD)
        if names != [FIELD] or not isinstance(file, UploadFile):
            raise _invalid("is required: send one file under this name, and nothing else")
        return await file.read()


async def _kept(mesh: Machines, sending: CommandSender, user_id: UUID, data: bytes) -> Avatar:
    """The squares, in the store. A folder an upload: taking an earlier picture away can never
    take away a later one that looks the same.
    """
    try:
        squares = await mesh.pictures.squares(data, (LARGE, SMALL))
    except PictureError as error:
        raise _invalid(str(error)) from None
    folder = f"avatars/{user_id}/{sending.new_id('avatar')}"
    keys = {
        side: f"{folder}/{hashlib.sha256(square).hexdigest()}.webp"
        for side, square in squares.items()
    }
    for side, square in squares.items():
        await mesh.objects.put(keys[side], square)
    return Avatar(large=keys[LARGE], small=keys[SMALL])


def _invalid(detail: str) -> Problem:
    faults = [Fault(pointer=f"/{FIELD}", detail=detail)]
    return Problem(422, "invalid", "1 field is not as it should be", faults=faults)
