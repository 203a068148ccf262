"""The images of a listing: files in, in an order of the seller's choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import Request
from pydantic import ConfigDict, Field
from starlette.responses import Response

from api.backends.machines import Mesh
from api.backends.rate_limits import Limit, spend
from api.entry.auth import Caller, SignedIn
from api.entry.commands import CommandSender, Sending, SendingFiles
from api.entry.consistency import CaughtUp
from api.entry.doors import CHANGES, SIGNED_IN, Door
from api.entry.pictures import form_of, sent_files
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
from api.listings.bodies import CHANGED, IMAGE_ID, LISTING_ID, ListingChangedAnswer
from api.listings.sight import PUBLIC, hidden, listing_for
from api.profiles.sight import key_of
from api.wire.changes import answer, changed
from api.wire.forms import Body
from api.wire.problems import IMAGES_MAX, Problem, problem_responses
from api.wire.successes import ok
from projections.identity.users import users
from projections.listings.listing_page import listing_page
from projections.media.media_files import media_files
from schemas import listings
from schemas.listings import (
    AddListingImages,
    ListingStatus,
    RemoveListingImage,
    ReorderListingImages,
    listing_stream,
)
from schemas.log.messages import Fault
from schemas.log.recorded import Reply

ALL = "/api/listings/{listing_id:uuid}/images"
UPLOADS = CaughtUp(users, media_files, listing_page)

_REFUSALS = problem_responses(400, 401, 403, 404, 409, 410, 412)
_SENT = {
    "images": [
        {
            "id": IMAGE_ID,
            "status": "processing",
            "url": f"/api/images/{IMAGE_ID}",
            "error": None,
        }
    ],
    "id": LISTING_ID,
    "version": 3,
}

router = new_router("listings")


class AddedImagesAnswer(ListingChangedAnswer):
    """What has become of each file, in their order, and the listing's version now."""

    images: list[SentImage]


class ImageOrder(Body):
    """The listing's images, all of them, in the order in which they are to be shown."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"order": [IMAGE_ID]}]})

    order: Annotated[list[UUID], Field(max_length=listings.IMAGES_MAX)]


@router.post(
    ALL,
    operation_id="add_listing_images",
    status_code=201,
    response_model=AddedImagesAnswer,
    responses={
        **ok("At least one file was taken", _SENT, 201, headers=["ETag", "Consistency-Token"]),
        **problem_responses(400, 401, 403, 404, 409, 410, 415, 429),
    },
    openapi_extra=form_of(FIELD, IMAGES_MAX),
)
# Images are counted by the file.
@Door(SIGNED_IN, (*CHANGES, Limit("images", cost=0)), keys=True, within_s=15.0)
async def add_listing_images(
    listing_id: UUID, request: Request, sending: SendingFiles, mesh: Mesh, caller: SignedIn
) -> Response:
    """Put up to 10 JPEG, PNG or WebP files of at most 10 MiB each behind the listing's images, of
    which there are at most 15: more than fit are none taken. They are drawn in three sizes soon
    after. A file that can't be taken is told in its place and keeps no other back.
    """
    key = await key_of(mesh, UUID(caller.user_id))
    async with sent_files(request, FIELD, IMAGES_MAX) as files:
        await spend(mesh.rate_limits, request, "images", len(files))
        against = await _against(request, listing_id, caller)
        subject = listing_stream(listing_id)
        found: list[Taken | Refused] = []
        try:
            for place, file in enumerate(files):
                aim = Aim(place, len(files), subject, against)
                found.append(await take_image(mesh, sending, key, file, aim))
            reply = await _added(sending, listing_id, found, against)
        except Problem:
            await take_back(sending, found)
            raise
    body = {
        "images": [told(each) for each in found],
        "id": str(listing_id),
        "version": reply.version,
    }
    return answer(reply, 201, body)


async def _added(
    sending: CommandSender,
    listing_id: UUID,
    found: Sequence[Taken | Refused],
    against: Problem | None,
) -> Reply:
    """The listing's reply to those that were taken. A repeat that takes one more, for which there was
    no room before, asks for another thing and is no repeat.
    """
    media_ids = tuple(each.media_id for each in found if isinstance(each, Taken))
    if not media_ids:
        raise refused_all(found)
    step = " ".join(("images", *map(str, media_ids)))
    command = AddListingImages(listing_id=listing_id, media_ids=media_ids, **sending.asked)
    return await sending.send(command, step=step, unless=against)


async def _against(request: Request, listing_id: UUID, caller: Caller) -> Problem | None:
    """What stands against any image more, before its bytes are kept. The listing's own rules have
    the last word.
    """
    try:
        await UPLOADS.wait(request)
        row = await listing_for(request, listing_id)
    except Problem as problem:
        return problem
    if caller.user_id != row["seller_id"]:  # not the staff's either: see the rules
        if row["status"] not in PUBLIC:
            return hidden()
        return Problem(403, "not_owner", "This listing is somebody else's")
    if row["status"] == ListingStatus.SOLD:
        return Problem(409, "listing_sold", "A listing that is sold changes no more")
    if len(row["image_ids"]) >= listings.IMAGES_MAX:
        detail = f"a listing has at most {listings.IMAGES_MAX} images: take one away first"
        return Problem(
            422,
            "too_many_images",
            "That is more than fits",
            faults=[Fault(pointer=f"/{FIELD}", detail=detail)],
        )
    return None


@router.put(
    ALL,
    operation_id="reorder_listing_images",
    response_model=ListingChangedAnswer,
    responses={
        **ok("Done; `version` is the listing's version now", CHANGED),
        **_REFUSALS,
        **problem_responses(415),
    },
)
@Door(SIGNED_IN, CHANGES, keys=True)
async def reorder_listing_images(
    listing_id: UUID, body: ImageOrder, sending: Sending, _caller: SignedIn
) -> Response:
    """Show the listing's images in this order; the first stands for the listing. Each must be named
    once.
    """
    command = ReorderListingImages(
        listing_id=listing_id, media_ids=tuple(body.order), **sending.asked
    )
    return changed(await sending.send(command, if_match=True), listing_id)


@router.delete(
    f"{ALL}/{{image_id:uuid}}",
    operation_id="remove_listing_image",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "Removed"}, **_REFUSALS},
)
@Door(SIGNED_IN, CHANGES, keys=True)
async def remove_listing_image(
    listing_id: UUID, image_id: UUID, mesh: Mesh, sending: Sending, _caller: SignedIn
) -> Response:
    """Take an image away for good. If it was the first, the next one stands for the listing."""
    command = RemoveListingImage(
        listing_id=listing_id,
        media_id=image_id,
        images_min=mesh.settings.listing_images_min,
        **sending.asked,
    )
    return answer(await sending.send(command, if_match=True), 204)
