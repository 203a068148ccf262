"""Videos of listings: a file in, and what is told of it until and after it can be played. How it is
played stands in api.media.streaming.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final, NoReturn
from uuid import UUID

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from api.backends.machines import Machines, Mesh, machines_of
from api.backends.rate_limits import Limit
from api.entry.auth import Caller, MaybeCaller, SignedIn
from api.entry.commands import CommandSender, SendingFiles, fingerprint_of_file
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import ANYONE, CHANGES, SIGNED_IN, UNLIMITED, Door
from api.entry.pictures import form_of, sent_form
from api.entry.routing import new_router
from api.entry.uploads import is_kept, sealed_name, storage_full
from api.listings.sight import PUBLIC, hidden, listing_for
from api.media import sight
from api.media.bodies import (
    LISTING_ID,
    VIDEO,
    VIDEO_FAILURES,
    VIDEO_SENT,
    VIDEOS,
    VideoAnswer,
    VideosAnswer,
    VideoSentAnswer,
)
from api.media.routes import variants_of
from api.profiles.sight import key_of
from api.wire.changes import answer
from api.wire.etags import versioned
from api.wire.problems import Problem, invalid, problem_responses
from api.wire.successes import ok, private_json
from infra.vault.vault import PersonKey
from infra.videos import is_video
from projections.identity.users import users
from projections.listings.listing_page import listing_page
from projections.media import media_files
from projections.media.media_files import MediaStatus
from schemas.listings import ListingStatus, listing_stream
from schemas.log.messages import Fault
from schemas.log.recorded import Reply
from schemas.media import (
    VIDEO_BYTES_MAX,
    MediaType,
    UploadMedia,
    media_folder,
    subject_id,
)

FIELD, LISTING_FIELD = "video", "listing_id"
FIELDS_MAX = 3  # one more than there are, to name what is not taken
SHOWN_MAX: Final = 10  # of one listing, the newest
START_BYTES = 12  # by so many a video is known
FILES = CaughtUp(users, media_files.media_files, listing_page)
_NO_VIDEO = "is no MP4, whatever its name says: send H.264 with AAC in an MP4; WebM and others are not taken"

router = new_router("media")


@router.post(
    "/api/media/videos",
    operation_id="upload_video",
    status_code=201,
    response_model=VideoSentAnswer,
    responses={
        **ok("It was taken", VIDEO_SENT, 201),
        **problem_responses(400, 401, 403, 404, 409, 410, 415, 429),
    },
    openapi_extra=form_of(FIELD, 1, {LISTING_FIELD: LISTING_ID}, bytes_of="an MP4"),
)
# Counted as five pictures, and before a byte of it is read.
@Door(SIGNED_IN, (*CHANGES, Limit("images", cost=5)), within_s=30.0)
async def upload_video(
    request: Request, sending: SendingFiles, mesh: Mesh, caller: SignedIn
) -> Response:
    """One MP4 of at most 100 MiB and 120 s for a listing of yours: H.264 (8 bits, 4:2:0), at most 3,840 by
    2,160 pixels, with AAC for its sound or none. Soon after it can be played, or `GET` of its `url` tells
    why not. Where it was taken and by what is left out of what others see.
    """
    async with _sent(request) as (listing_id, file):
        key = await key_of(mesh, UUID(caller.user_id))
        against = await _against(request, listing_id, caller)
        media_id, reply = await _taken(mesh, sending.about(listing_id), key, file, against)
    url = f"/api/media/videos/{media_id}"
    video = {"id": str(media_id), "status": "processing", "url": url}
    return answer(reply, 201, {"success": True, "video": video})


@asynccontextmanager
async def _sent(request: Request) -> AsyncIterator[tuple[UUID, UploadFile]]:
    """The listing that the form names, and its file, which says that it is a video."""
    detail = "This is no form with one file and the id of a listing"
    async with sent_form(request, FIELD, detail, files_max=1, fields_max=FIELDS_MAX) as form:
        listing_id = _listing_id(form)
        file = form.get(FIELD)
        if not isinstance(file, UploadFile):
            _refuse(FIELD, "is required: send one MP4 as a file")
        if (file.size or 0) > VIDEO_BYTES_MAX:
            _refuse(FIELD, f"is larger than {VIDEO_BYTES_MAX >> 20} MiB")
        start = await file.read(START_BYTES)
        await file.seek(0)
        if not is_video(start):
            _refuse(FIELD, _NO_VIDEO)
        yield listing_id, file


def _listing_id(form: FormData) -> UUID:
    for name in form:
        if name not in (LISTING_FIELD, FIELD):
            _refuse(name, "is not known here: leave it out")
    try:
        (text,) = form.getlist(LISTING_FIELD)
        return UUID(text if isinstance(text, str) else "")
    except ValueError:
        _refuse(LISTING_FIELD, "must be the id of a listing of yours, sent once")


def _refuse(field: str, detail: str) -> NoReturn:
    raise invalid([Fault(pointer=f"/{field}", detail=detail)])


async def _against(request: Request, listing_id: UUID, caller: Caller) -> Problem | None:
    """What stands against a video of this listing, before its bytes are kept."""
    try:
        await FILES.wait(request)
        row = await listing_for(request, listing_id)
    except Problem as problem:
        return problem
    if caller.user_id != row["seller_id"]:  # not the staff's either: it is in its sender's folder
        if row["status"] not in PUBLIC:
            return hidden()
        return Problem(403, "not_owner", "This listing is somebody else's")
    if row["status"] == ListingStatus.SOLD:
        return Problem(409, "listing_sold", "A listing that is sold changes no more")
    return None


async def _taken(
    mesh: Machines,
    sending: CommandSender,
    key: PersonKey,
    file: UploadFile,
    against: Problem | None,
) -> tuple[UUID, Reply]:
    """Keep the file and have it made ready, as api.entry.uploads does with pictures; never all of it in
    memory.
    """
    media_id, way = sending.new_id("media"), sending.way
    fingerprint = await asyncio.to_thread(
        fingerprint_of_file, mesh.settings, way.method, way.path, file.file
    )
    original = f"{media_folder(key.user_id, media_id)}/original-{fingerprint}"
    size = file.size or 0
    command = UploadMedia(
        media_id=media_id,
        owner_id=key.user_id,
        media_type=MediaType.MP4,
        size=size,
        original=original,
        subject=listing_stream(UUID(way.path.rpartition("/")[2])),
        filename_sealed=sealed_name(key, file.filename),
        **sending.asked,
    )
    sending = replace(sending, fingerprint=fingerprint)
    against = against or await storage_full(mesh, key.user_id, size)
    if against is None and not await is_kept(mesh, sending, ""):
        await file.seek(0)
        await mesh.objects.put_file(original, file.file)
    return media_id, await sending.send(command, unless=against)


@router.get(
    "/api/media/videos/{video_id:uuid}",
    operation_id="read_video",
    response_model=VideoAnswer,
    response_model_exclude_unset=True,
    responses={
        **ok("The video", VIDEO, headers=["ETag"]),
        **problem_responses(400, 401, 403, 404, 410),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ANYONE, UNLIMITED)
async def read_video(video_id: UUID, request: Request, mesh: Mesh, caller: MaybeCaller) -> Response:
    """A video and where it is played. Its owner sees how far it has come; whoever sees its listing finds
    it when it is processed. Moderators see all.
    """
    row = await video_for(request, caller, video_id)
    own = row["user_id"] == caller.user_id
    key = await key_of(mesh, UUID(caller.user_id)) if own else None
    return versioned(shown(row, key), row["version"] if own else None)


@router.get(
    "/api/listings/{listing_id:uuid}/videos",
    operation_id="list_listing_videos",
    response_model=VideosAnswer,
    response_model_exclude_unset=True,
    responses={
        **ok("The newest ten", VIDEOS, headers=[]),
        **problem_responses(400, 401, 403, 404, 410),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ANYONE, UNLIMITED)
async def list_listing_videos(
    listing_id: UUID, request: Request, mesh: Mesh, caller: MaybeCaller
) -> Response:
    """The newest ten videos of a listing that can be played, and its seller's own however far they are."""
    await FILES.wait(request)
    await listing_for(request, listing_id)
    subject = listing_stream(listing_id)
    rows = await media_files.videos_of(mesh.postgres, subject, caller.user_id, SHOWN_MAX)
    own = any(row["user_id"] == caller.user_id for row in rows)
    key = await key_of(mesh, UUID(caller.user_id)) if own else None
    return private_json({"items": [shown(row, key) for row in rows]})


async def video_for(request: Request, caller: Caller, video_id: UUID) -> Mapping[str, Any]:
    """The row of a video that this caller may know of; raises 404 and 410 problems."""
    await FILES.wait(request)
    row = await media_files.by_id(machines_of(request).postgres, str(video_id))
    own = row is not None and caller.signed_in and row["user_id"] == caller.user_id
    if row is None or not (own or await sight.sees(request, caller, row)):
        raise _unknown()
    if row["owner_deleted"] or row["status"] == MediaStatus.DELETED:
        raise Problem(410, "media_deleted", "This video is no longer there")
    if row["type"] != MediaType.MP4:
        raise _unknown()
    return row


def _unknown() -> Problem:
    return Problem(404, "media_unknown", "There is no such video")


def shown(row: Mapping[str, Any], key: PersonKey | None) -> dict[str, Any]:
    """A VideoAnswer, of a row of media_files; with its owner's key what is for them alone."""
    video_id, ready = row["key"], row["status"] == MediaStatus.PROCESSED
    body = {
        "id": video_id,
        "listing_id": str(subject_id(row["subject"], "listing")),
        "status": row["status"],
        "poster": variants_of(row),
        "stream": f"/api/media/{video_id}/stream" if ready else None,
        "playlist": f"/api/media/{video_id}/playlist.m3u8" if ready else None,
        "width": row["video_width"],
        "height": row["video_height"],
        "duration_ms": sum(row["video_ms"]) if ready else None,
        "sound": row["video_sound"],
        "created_at": row["created_at"],
    }
    if key is None:
        return body
    reason, sealed = row["failure"], row["filename_sealed"]
    failure = reason and {"reason": reason, "detail": VIDEO_FAILURES[reason]}
    filename = sealed and key.unseal("filename", sealed)
    told = {"failure": failure, "filename": filename}
    return {**body, **told, "size": row["size"], "version": row["version"]}
