"""Pictures for an item that is there: the campus design's own way in for files, kept beside the one
that items begin with. What becomes of them is told by events: nobody is called.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal, NoReturn
from uuid import UUID

from fastapi import Request
from pydantic import BaseModel
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from api.backends.machines import Mesh
from api.backends.rate_limits import Limit, spend
from api.entry.auth import SignedIn
from api.entry.campus import CampusPerson, FromCampus
from api.entry.commands import CommandSender, SendingFiles
from api.entry.consistency import CaughtUp
from api.entry.doors import ITEMS, SIGNED_IN, Door
from api.entry.pictures import form_of, sent_form
from api.entry.routing import new_router
from api.entry.uploads import (
    FIELD,
    Aim,
    Refused,
    SentImage,
    Taken,
    refused_all,
    take_back,
    take_image,
    told,
)
from api.items.bodies import ITEM_ID
from api.items.sight import item_for
from api.profiles.sight import key_of
from api.wire.changes import answer
from api.wire.problems import Problem, invalid, problem_responses
from api.wire.successes import ok
from projections.identity.users import users
from projections.items import items
from projections.media.media_files import media_files
from schemas.items import IMAGES_MAX, AddItemImages, item_stream
from schemas.log.messages import Fault
from schemas.log.recorded import Reply

ITEM_FIELD, CALLBACK_FIELD = "itemId", "callbackUrl"
FIELDS_MAX = 3  # one more than there are, to name what is not taken
UPLOADS = CaughtUp(users, items.items, media_files)
MESSAGE = "Your pictures are taken; the item shows each as soon as it is drawn"

_MEDIA = "01980000-0000-7000-8000-000000000005"
_SENT: dict[str, Any] = {
    "success": True,
    "jobId": "01980000-0000-7000-8000-000000000006",
    "message": MESSAGE,
    "id": ITEM_ID,
    "version": 5,
    "images": [
        {"id": _MEDIA, "status": "processing", "url": f"/api/images/{_MEDIA}", "error": None}
    ],
}

router = new_router("items")


class JobAnswer(BaseModel):
    """What has become of each file, in their order, and the item's version now. `jobId` names all of
    them together.
    """

    success: Literal[True]
    jobId: str  # noqa: N815 - the campus design's spelling
    message: str
    id: str
    version: int
    images: list[SentImage]


@router.post(
    "/api/images/process",
    operation_id="process_images",
    status_code=202,
    response_model=JobAnswer,
    responses={
        **ok("At least one file was taken", _SENT, 202, headers=["ETag", "Consistency-Token"]),
        **problem_responses(400, 401, 403, 404, 409, 410, 415, 429),
    },
    openapi_extra=form_of(FIELD, IMAGES_MAX, {ITEM_FIELD: ITEM_ID}),
)
# Images are counted by the file.
@Door(SIGNED_IN, (*ITEMS, Limit("images", cost=0)), within_s=15.0)
async def process_images(
    request: Request, mesh: Mesh, campus: FromCampus, sending: SendingFiles, caller: SignedIn
) -> Response:
    """Put up to 10 JPEG, PNG or WebP files of at most 10 MiB each behind the images of an item of
    yours, which has at most 10. They are drawn soon after. A file that can't be taken is told in its
    place and keeps no other back. There is no callback: `GET /api/items/{id}` and
    `GET /api/images/{id}` tell how far they are.
    """
    async with _sent(request) as (item_id, files):
        key = await key_of(mesh, UUID(caller.user_id))
        await spend(mesh.rate_limits, request, "images", len(files))
        sending = sending.about(item_id)
        against = campus.against or await _against(request, campus, item_id)
        subject = item_stream(item_id)
        found: list[Taken | Refused] = []
        try:
            for place, file in enumerate(files):
                aim = Aim(place, len(files), subject, against)
                found.append(await take_image(mesh, sending, key, file, aim))
            reply = await _added(sending, campus, item_id, found, against)
        except Problem:
            await take_back(sending, found)
            raise
    body = {
        "success": True,
        "jobId": str(sending.new_id("batch")),
        "message": MESSAGE,
        "id": str(item_id),
        "version": reply.version,
        "images": [told(each) for each in found],
    }
    return answer(reply, 202, body)


@asynccontextmanager
async def _sent(request: Request) -> AsyncIterator[tuple[UUID, list[UploadFile]]]:
    """The item that the form names, and its files."""
    detail = f"This is no form with at most {IMAGES_MAX} files and the id of an item"
    async with sent_form(
        request, FIELD, detail, files_max=IMAGES_MAX, fields_max=FIELDS_MAX
    ) as form:
        item_id = _item_id(form)
        sent = form.getlist(FIELD)
        files = [each for each in sent if isinstance(each, UploadFile)]
        if not files or len(files) < len(sent):
            _refuse(FIELD, "at least one image is required: send it as a file")
        yield item_id, files


def _item_id(form: FormData) -> UUID:
    if CALLBACK_FIELD in form:
        _refuse(
            CALLBACK_FIELD,
            "is not taken, as nobody is called: leave it out, and ask GET /api/items/{id}",
        )
    for name in form:
        if name not in (ITEM_FIELD, FIELD):
            _refuse(name, "is not known here: leave it out")
    texts = form.getlist(ITEM_FIELD)
    try:
        (text,) = texts
        return UUID(text if isinstance(text, str) else "")
    except ValueError:
        _refuse(ITEM_FIELD, "must be the id of an item of yours, sent once")


def _refuse(field: str, detail: str) -> NoReturn:
    raise invalid([Fault(pointer=f"/{field}", detail=detail)])


async def _against(request: Request, campus: CampusPerson, item_id: UUID) -> Problem | None:
    """What stands against any image more, before its bytes are kept. The item's own rules have the
    last word.
    """
    try:
        await UPLOADS.wait(request)
        row = await item_for(request, campus, item_id)
    except Problem as problem:
        return problem
    if row["owner_id"] != campus.user_id:  # not the staff's either: see the rules
        return Problem(403, "not_owner", "This item is somebody else's")
    if len(row["image_ids"]) >= IMAGES_MAX:
        detail = f"an item has at most {IMAGES_MAX} images: delete one first"
        faults = [Fault(pointer=f"/{FIELD}", detail=detail)]
        return Problem(422, "too_many_images", "That is more than fits", faults=faults)
    return None


async def _added(
    sending: CommandSender,
    campus: CampusPerson,
    item_id: UUID,
    found: Sequence[Taken | Refused],
    against: Problem | None,
) -> Reply:
    """The item's reply to those that were taken, as `add_listing_images` has a listing's."""
    media_ids = tuple(each.media_id for each in found if isinstance(each, Taken))
    if not media_ids:
        raise refused_all(found)
    command = AddItemImages(
        item_id=item_id,
        email_domain=campus.email_domain,
        media_ids=media_ids,
        **sending.asked,
    )
    step = " ".join(("images", *map(str, media_ids)))
    return await sending.send(command, step=step, unless=against)
