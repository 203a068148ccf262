"""A view all around a listing: frames in, in the order in which they turn, and told of in that order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from fastapi import Request
from pydantic import BaseModel, Field
from starlette.datastructures import UploadFile
from starlette.responses import Response

from api.backends.machines import Mesh
from api.backends.rate_limits import Limit
from api.entry.auth import Caller, SignedIn
from api.entry.commands import CommandSender, Sending, SendingFiles
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import ANYONE, CHANGES, SIGNED_IN, UNLIMITED, Door
from api.entry.pictures import PictureAnswer, form_of, pictures_of, sent_files
from api.entry.routing import new_router
from api.entry.uploads import Aim, Refused, Taken, take_back, take_image
from api.listings.bodies import CHANGED, LISTING_ID, PICTURE, ListingChangedAnswer
from api.listings.sight import PUBLIC, hidden, listing_for
from api.profiles.sight import key_of
from api.wire.changes import answer, changed
from api.wire.etags import versioned
from api.wire.problems import Problem, invalid, problem_responses
from api.wire.successes import ok
from infra.pictures import media_type_of
from projections.identity.users import users
from projections.image_columns import NOT_DRAWN
from projections.listings import listing_spins
from projections.listings.listing_page import listing_page
from projections.media.media_files import media_files
from schemas.listings import (
    FRAMES_MAX,
    FRAMES_MIN,
    ListingStatus,
    RemoveListingSpin,
    SetListingSpin,
    listing_stream,
)
from schemas.log.messages import Fault
from schemas.log.recorded import Reply

PATH = "/api/listings/{listing_id:uuid}/spin"
FIELD = "frames"
FRAME_BYTES_MAX: Final = 2 * 1024 * 1024
SIGNATURE_BYTES = 16  # by so many a picture is known
SPINS = CaughtUp(users, media_files, listing_page, listing_spins.listing_spins)
_REFUSALS = problem_responses(400, 401, 403, 404, 409, 410, 412)

router = new_router("listings")


class SpinAnswer(BaseModel):
    """A view all around a listing: as many frames as `count`, in the order in which it turns, each in
    three sizes.
    """

    listing_id: UUID
    count: int
    degrees: float = Field(description="from one frame to the next")
    frames: list[PictureAnswer]


_SPIN: dict[str, Any] = {
    "listing_id": LISTING_ID,
    "count": FRAMES_MIN,
    "degrees": 30.0,
    "frames": [PICTURE] * FRAMES_MIN,
}


@router.post(
    PATH,
    operation_id="set_listing_spin",
    status_code=201,
    response_model=ListingChangedAnswer,
    responses={
        **ok("Every frame was taken", CHANGED, 201, headers=["ETag", "Consistency-Token"]),
        **problem_responses(400, 401, 403, 404, 409, 410, 415, 429),
    },
    openapi_extra=form_of(FIELD, FRAMES_MAX),
)
# Counted as ten pictures, and before a byte of them is read.
@Door(SIGNED_IN, (*CHANGES, Limit("images", cost=10)), within_s=30.0)
async def set_listing_spin(
    listing_id: UUID, request: Request, sending: SendingFiles, mesh: Mesh, caller: SignedIn
) -> Response:
    """Show 12 to 48 JPEG, PNG or WebP files of at most 2 MiB each as a view all around a listing of yours,
    in the order of the form; another one takes its place. If one can't be taken none is. They are
    drawn soon after: until then, and should one fail, `GET` answers 409.
    """
    key = await key_of(mesh, UUID(caller.user_id))
    async with sent_files(request, FIELD, FRAMES_MAX) as files:
        await _refuse_unfit(files)
        against = await _against(request, listing_id, caller)
        found: list[Taken | Refused] = []
        try:
            for place, file in enumerate(files):
                aim = Aim(place, len(files), listing_stream(listing_id), against)
                found.append(await take_image(mesh, sending, key, file, aim))
            reply = await _set(sending, listing_id, found, against)
        except Problem:
            await take_back(sending, found)
            raise
    return changed(reply, listing_id, 201)


async def _refuse_unfit(files: Sequence[UploadFile]) -> None:
    """Raise a 422 problem for too few files and for those that are no frames, before any is kept."""
    if len(files) < FRAMES_MIN:
        detail = f"at least {FRAMES_MIN} frames make a view all around: send more"
        raise invalid([Fault(pointer=f"/{FIELD}", detail=detail)])
    faults = []
    for place, file in enumerate(files):
        start = await file.read(SIGNATURE_BYTES)
        await file.seek(0)
        if (file.size or 0) > FRAME_BYTES_MAX:
            detail = f"is larger than {FRAME_BYTES_MAX >> 20} MiB"
        elif media_type_of(start) is None:
            detail = "is no JPEG, PNG or WebP, whatever its name says"
        else:
            continue
        faults.append(Fault(pointer=f"/{FIELD}/{place}", detail=detail))
    if faults:
        raise invalid(faults)


async def _set(
    sending: CommandSender,
    listing_id: UUID,
    found: Sequence[Taken | Refused],
    against: Problem | None,
) -> Reply:
    """The listing's reply, once every frame was taken."""
    refused = next((each for each in found if isinstance(each, Refused)), None)
    if refused is not None:  # all the same, as of pictures: their storage is full
        raise Problem(409, refused.reason, refused.detail)
    media_ids = tuple(each.media_id for each in found if isinstance(each, Taken))
    command = SetListingSpin(listing_id=listing_id, media_ids=media_ids, **sending.asked)
    return await sending.send(command, step=f"spin/{len(media_ids)}", unless=against)


async def _against(request: Request, listing_id: UUID, caller: Caller) -> Problem | None:
    """What stands against a view of this listing, before its bytes are kept. The listing's own rules
    have the last word.
    """
    try:
        await SPINS.wait(request)
        row = await listing_for(request, listing_id)
    except Problem as problem:
        return problem
    if caller.user_id != row["seller_id"]:  # not the staff's either: see the rules
        if row["status"] not in PUBLIC:
            return hidden()
        return Problem(403, "not_owner", "This listing is somebody else's")
    if row["status"] == ListingStatus.SOLD:
        return Problem(409, "listing_sold", "A listing that is sold changes no more")
    return None


@router.get(
    PATH,
    operation_id="read_listing_spin",
    response_model=SpinAnswer,
    responses={
        **ok("The frames in their order", _SPIN, headers=[]),
        **problem_responses(400, 401, 403, 404, 409, 410),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ANYONE, UNLIMITED, keys=True)
async def read_listing_spin(listing_id: UUID, request: Request, mesh: Mesh) -> Response:
    """The view all around a listing, to whoever sees the listing: every frame in its order. While one
    is not drawn yet, or where one is missing, there is none: 409 tells which.
    """
    await SPINS.wait(request)
    await listing_for(request, listing_id)
    row = await listing_spins.by_id(mesh.postgres, str(listing_id))
    if row is None:
        raise Problem(404, "spin_unknown", "This listing has no view all around")
    _refuse_gaps(row)
    frames = pictures_of(row)
    body = {
        "listing_id": str(listing_id),
        "count": len(frames),
        "degrees": round(360 / len(frames), 3),
        "frames": frames,
    }
    return versioned(body, None)


def _refuse_gaps(row: Mapping[str, Any]) -> None:
    """Raise a 409 problem that names the frames that can't be shown, the first is 1."""
    lost = set(row["lost"])
    missing = [place for place, each in enumerate(row["image_ids"], 1) if each in lost]
    if missing:
        detail = f"Of {len(row['image_ids'])} frames these are missing: {_told(missing)}"
        raise Problem(409, "frame_missing", f"{detail}. Its seller can send all of them again")
    waiting = [place for place, each in enumerate(row["large_keys"], 1) if each == NOT_DRAWN]
    if waiting:
        detail = f"Of {len(row['image_ids'])} frames these are not drawn yet: {_told(waiting)}"
        raise Problem(409, "spin_not_ready", f"{detail}. Ask again soon")


def _told(places: Sequence[int]) -> str:
    return ", ".join(map(str, places))


@router.delete(
    PATH,
    operation_id="remove_listing_spin",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "Removed, or there was none"}, **_REFUSALS},
)
@Door(SIGNED_IN, CHANGES, keys=True)
async def remove_listing_spin(listing_id: UUID, sending: Sending, _caller: SignedIn) -> Response:
    """Take the view all around a listing away for good, with its frames."""
    command = RemoveListingSpin(listing_id=listing_id, **sending.asked)
    return answer(await sending.send(command, if_match=True), 204)
