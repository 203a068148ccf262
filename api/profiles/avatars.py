"""Avatars: a picture in, two squares out. The object store keeps them, the log says whose."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from fastapi import Request
from starlette.responses import Response

from api.backends.machines import Machines, Mesh
from api.backends.rate_limits import Limit
from api.entry.auth import SignedIn
from api.entry.commands import CommandSender, Sending, SendingFiles, fingerprint_of
from api.entry.doors import ANYONE, CHANGES, SIGNED_IN, UNLIMITED, Door
from api.entry.pictures import SHOWN, PictureName, form_of, sent_files, shown, url_of
from api.entry.routing import new_router
from api.profiles.bodies import AVATAR, AvatarAnswer
from api.wire.changes import answer
from api.wire.problems import Problem, invalid, problem_responses
from api.wire.successes import ok
from infra.pictures import PictureError, webp_key
from schemas.log.messages import Fault
from schemas.profiles import Avatar, ChangeAvatar, RemoveAvatar

FIELD = "avatar"
LARGE, SMALL = 512, 128

router = new_router("profiles")


def avatar_urls(large: str | None, small: str | None) -> dict[str, str | None]:
    """Where the squares with these keys are."""
    return {"avatar_url": _url(large), "avatar_small_url": _url(small)}


def _url(key: str | None) -> str | None:
    return None if key is None else url_of(key)


@router.post(
    "/api/users/{user_id:uuid}/avatar",
    operation_id="upload_avatar",
    response_model=AvatarAnswer,
    responses={
        **ok("Done", AVATAR),
        **problem_responses(400, 401, 403, 410, 412, 415),
    },
    openapi_extra=form_of(FIELD),
)
@Door(SIGNED_IN, (Limit("images"),), within_s=15.0)
async def upload_avatar(
    user_id: UUID, request: Request, sending: SendingFiles, mesh: Mesh, caller: SignedIn
) -> Response:
    """Show this picture, a JPEG, PNG or WebP of at most 5 MiB, cut to squares of 512 and 128
    pixels. What else the file holds, its place and camera, is not kept.
    """
    if caller.user_id != str(user_id):
        raise Problem(403, "not_owner", "This is somebody else's")
    if await mesh.vault.person(user_id) is None:
        raise Problem(410, "user_deleted", "This person has left")
    async with sent_files(request, FIELD) as (file,):
        data = await file.read()
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
@Door(SIGNED_IN, CHANGES)
async def remove_avatar(user_id: UUID, sending: Sending, _caller: SignedIn) -> Response:
    """Show no picture. Removing what is not there changes nothing."""
    command = RemoveAvatar(user_id=user_id, **sending.asked)
    return answer(await sending.send(command, if_match=True), 204)


@router.get(
    "/api/avatars/{user_id:uuid}/{upload_id:uuid}/{name}",
    operation_id="read_avatar",
    response_class=Response,
    responses=SHOWN,
)
@Door(ANYONE, UNLIMITED)
async def read_avatar(user_id: UUID, upload_id: UUID, name: PictureName, mesh: Mesh) -> Response:
    """One square of a picture, at an address that never shows another one."""
    return await shown(mesh, f"avatars/{user_id}/{upload_id}/{name}")


async def _kept(mesh: Machines, sending: CommandSender, user_id: UUID, data: bytes) -> Avatar:
    """The squares, in the store. A folder an upload: taking an earlier picture away can never
    take away a later one that looks the same.
    """
    try:
        squares = await mesh.pictures.squares(data, (LARGE, SMALL))
    except PictureError as error:
        raise invalid([Fault(pointer=f"/{FIELD}", detail=str(error))]) from None
    folder = f"avatars/{user_id}/{sending.new_id('avatar')}"
    keys = {side: webp_key(folder, square) for side, square in squares.items()}
    for side, square in squares.items():
        await mesh.objects.put(keys[side], square)
    return Avatar(large=keys[LARGE], small=keys[SMALL])
