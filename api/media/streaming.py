"""How a video is played: its file, whole or in parts, and a playlist of its segments (RFC 8216), each of
which is a part of the same file.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Path, Request
from starlette.responses import Response, StreamingResponse

from api.backends.machines import Machines, Mesh
from api.entry.auth import MaybeCaller
from api.entry.consistency import OPENAPI_EXTRA
from api.entry.doors import ANYONE, UNLIMITED, Door
from api.entry.middleware import ASKED_BY_HEAD
from api.entry.pictures import forever, url_of
from api.entry.routing import new_router
from api.media.videos import video_for
from api.wire.etags import REVALIDATE, names
from api.wire.problems import Problem, problem_responses
from api.wire.ranges import Asked, Part, WantedPart, part_of, told_of
from projections.media.media_files import MediaStatus
from schemas.media import media_folder
from schemas.values.texts import Form

PLAYLIST_TYPE: Final = "application/vnd.apple.mpegurl"
VIDEO_TYPE: Final = "video/mp4"
PART_BYTES: Final = 512 * 1024  # in memory at once, of each file that is being sent
_TO_SOME: Final = {"Cache-Control": f"private, {REVALIDATE}"}  # who may see it may change
_EXAMPLE = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:4
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-INDEPENDENT-SEGMENTS
"""
_REFUSALS = problem_responses(400, 401, 403, 404, 409, 410, 416)

VideoName = Annotated[
    str,
    Form(r"^[0-9a-f]{64}\.mp4$", "is no name of a video"),
    Path(examples=[f"{'0' * 64}.mp4"]),
]

router = new_router("media")


@router.get(
    "/api/media/{video_id:uuid}/stream",
    operation_id="stream_video",
    response_class=Response,
    responses={**told_of(VIDEO_TYPE), **_REFUSALS},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ANYONE, UNLIMITED)
async def stream_video(
    video_id: UUID,
    request: Request,
    mesh: Mesh,
    caller: MaybeCaller,
    wanted: WantedPart,
) -> Response:
    """The video's file, or the part of it that `Range` asks for, to whoever sees its listing."""
    row = await _ready(request, caller, video_id)
    file = _File(row["video_key"], row["video_size"], _TO_SOME)
    return await _sent(request, mesh, file, wanted)


# Anyone who has the address, as with pictures (ADR 0043): players ask with no token.
@router.get(
    "/api/media/{owner_id:uuid}/{media_id:uuid}/video/{name}",
    operation_id="read_video_file",
    response_class=Response,
    responses={**told_of(VIDEO_TYPE), **problem_responses(401, 404, 416)},
)
@Door(ANYONE, UNLIMITED)
async def read_video_file(
    owner_id: UUID,
    media_id: UUID,
    name: VideoName,
    request: Request,
    mesh: Mesh,
    wanted: WantedPart,
) -> Response:
    """A video's file, or the part of it that `Range` asks for, at an address that never shows another
    one; playlists tell it.
    """
    key = f"{media_folder(owner_id, media_id)}/video/{name}"
    size = await mesh.objects.size(key)
    if size is None:
        raise _gone()
    return await _sent(request, mesh, _File(key, size, forever(mesh.settings)), wanted)


@router.get(
    "/api/media/{video_id:uuid}/playlist.m3u8",
    operation_id="read_video_playlist",
    response_class=Response,
    responses={
        200: {"description": "The playlist", "content": {PLAYLIST_TYPE: {"example": _EXAMPLE}}},
        **problem_responses(400, 401, 403, 404, 409, 410),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ANYONE, UNLIMITED)
async def read_video_playlist(video_id: UUID, request: Request, caller: MaybeCaller) -> Response:
    """The video for players of HLS: segments of a few seconds, which are parts of one file, to whoever
    sees its listing.
    """
    row = await _ready(request, caller, video_id)
    return Response(playlist_of(row), headers=_TO_SOME, media_type=PLAYLIST_TYPE)


async def _ready(request: Request, caller: Any, video_id: UUID) -> Mapping[str, Any]:
    row = await video_for(request, caller, video_id)
    if row["status"] != MediaStatus.PROCESSED:
        detail = f"It can not be played: `GET /api/media/videos/{video_id}` tells how far it is"
        raise Problem(409, "video_not_ready", detail)
    return row


def playlist_of(row: Mapping[str, Any]) -> str:
    """The playlist of a video, from its row of media_files."""
    url = url_of(row["video_key"])
    longest = max(row["video_ms"])
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{max(1, math.ceil(longest / 1000))}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f'#EXT-X-MAP:URI="{url}",BYTERANGE="{row["video_init"]}@0"',
    ]
    segments = zip(row["video_begins"], row["video_sizes"], row["video_ms"], strict=True)
    for begins, size, ms in segments:
        lines += [f"#EXTINF:{ms / 1000:.3f},", f"#EXT-X-BYTERANGE:{size}@{begins}", url]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


@dataclass(frozen=True)
class _File:
    """A video's file, its bytes, and what is told to caches of it."""

    key: str
    size: int
    caching: Mapping[str, str]

    @property
    def tag(self) -> str:
        """Its name is the hash of its bytes."""
        return f'"{self.key.rpartition("/")[2].removesuffix(".mp4")}"'


async def _sent(request: Request, mesh: Machines, file: _File, wanted: Asked) -> Response:
    """The file, or the part of it that is wanted."""
    headers = {"ETag": file.tag, "Accept-Ranges": "bytes", **file.caching}
    known = request.headers.get("if-none-match")
    if known is not None and names(known, file.tag):
        return Response(status_code=304, headers=headers)
    headers["Content-Disposition"] = f'inline; filename="{file.key.rpartition("/")[2]}"'
    if ASKED_BY_HEAD in request.scope:  # parts are a matter of GET alone: RFC 9110, 14.2
        headers["Content-Length"] = str(file.size)
        return Response(headers=headers, media_type=VIDEO_TYPE)
    part = part_of(wanted, file.size, file.tag)
    if part is not None:
        headers["Content-Range"] = part.content_range
    part, status = (Part(0, file.size, file.size), 200) if part is None else (part, 206)
    headers["Content-Length"] = str(part.ends - part.begins)
    # The first before anything is said: what is not there is a 404.
    first = await _read(mesh, file.key, part.begins, part.ends)
    return StreamingResponse(_pieces(mesh, file.key, part, first), status, headers, VIDEO_TYPE)


async def _pieces(mesh: Machines, key: str, wanted: Part, first: bytes) -> AsyncIterator[bytes]:
    """The bytes, a few at a time: as fast as they are taken."""
    yield first
    at = wanted.begins + len(first)
    while at < wanted.ends:
        piece = await _read(mesh, key, at, wanted.ends)
        yield piece
        at += len(piece)


async def _read(mesh: Machines, key: str, begins: int, ends: int) -> bytes:
    piece = await mesh.objects.part(key, begins, min(begins + PART_BYTES, ends))
    if not piece:
        raise _gone()
    return piece


def _gone() -> Problem:
    return Problem(404, "video_unknown", "There is no such video")
