"""Items: something offered on a campus, seen by that campus alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request
from starlette.datastructures import UploadFile
from starlette.responses import Response

from api.backends.machines import Machines, Mesh
from api.backends.rate_limits import Limit, spend
from api.entry.auth import SignedIn
from api.entry.campus import CampusPerson, FromCampus, OnCampus
from api.entry.commands import CommandSender, Sending, SendingFiles, fingerprint_of
from api.entry.consistency import HEADER_PARAMETER, OPENAPI_EXTRA, CaughtUp
from api.entry.doors import ITEMS, SIGNED_IN, Door
from api.entry.paging import Page, Paging
from api.entry.repeats import first_event_of
from api.entry.routing import new_router
from api.entry.uploads import Aim, Refused, Taken, refused_all, take_image
from api.items.bodies import (
    CHANGED,
    FORM,
    ITEM,
    NEW_ITEM,
    CategoriesAnswer,
    CreatedAnswer,
    ItemChangedAnswer,
    ItemsAnswer,
    ItemUpdate,
    OneItemAnswer,
    shown,
)
from api.items.form import SentItem, sent_item
from api.items.sight import item_for, item_seen
from api.profiles.sight import key_of
from api.wire.changes import answer, changed
from api.wire.emitted import json_of
from api.wire.etags import UNCHANGED, json_response
from api.wire.forms import cleared
from api.wire.problems import Problem, problem_responses, refusal
from api.wire.successes import CREATED, ok
from projections.identity.users import users
from projections.image_columns import NOT_DRAWN
from projections.items import items
from schemas.items import (
    CreateItem,
    DeleteItem,
    ImageProcessing,
    ItemCategory,
    ItemStatus,
    UpdateItem,
    item_stream,
)
from schemas.log.messages import Fault
from schemas.log.recorded import Reply
from schemas.values.texts import Line

# The id is matched by its form, so that no other path under /api/items can be taken for one.
ONE = "/api/items/{item_id:uuid}"
PAGES = CaughtUp(items.items, users)
AT_ONCE_MAX = 4  # files of one form in memory
PRIVATE = {"Cache-Control": "private, no-cache"}
MESSAGE = "Your item is taken; it is shown as soon as its images are drawn"

_CHANGED = ok("Done; `version` is the item's version now", CHANGED)
_REFUSALS = problem_responses(400, 401, 403, 404, 409, 410, 412)

router = new_router("items")


@router.post(
    "/api/items",
    operation_id="create_item",
    status_code=201,
    response_model=CreatedAnswer,
    responses={
        **ok(
            "Taken",
            {"success": True, "item": NEW_ITEM, "message": MESSAGE},
            201,
            headers=CREATED,
        ),
        **problem_responses(400, 401, 403, 409, 415),
    },
    openapi_extra=FORM,
)
# Images are counted by the file.
@Door(SIGNED_IN, (*ITEMS, Limit("images", cost=0)), within_s=15.0)
async def create_item(
    request: Request, mesh: Mesh, campus: FromCampus, sending: SendingFiles, _caller: SignedIn
) -> Response:
    """Offer something to your campus, with one to ten images of at most 10 MiB each. The answer
    does not wait for the images to be drawn: until they are, nobody else sees the item.
    """
    async with sent_item(request) as sent:
        await spend(mesh.rate_limits, request, "images", len(sent.files))
        item_id = sending.new_id("item")
        images = await _taken(mesh, sending, campus, item_stream(item_id), sent.files)
    # What a repeat must send again; that its images are the same is seen by their own commands.
    asked = f"{len(images)} {sent.terms.model_dump_json()}".encode()
    fingerprint = fingerprint_of(mesh.settings, "POST", request.url.path, asked)
    command = CreateItem(
        item_id=item_id,
        email_domain=campus.email_domain,
        terms=sent.terms,
        images=images,
        images_until=sending.asked_at + timedelta(seconds=mesh.settings.item_images_wait_s),
        **sending.asked,
    )
    sending = replace(sending, fingerprint=fingerprint)
    reply = await sending.send(command, unless=campus.against)
    began = await _began(mesh, command, reply)
    body = {"success": True, "item": _new(command, sent, reply, began), "message": MESSAGE}
    return answer(reply, 201, body, location=f"/api/items/{item_id}")


@router.get(
    "/api/items",
    operation_id="list_items",
    response_model=ItemsAnswer,
    responses={
        **ok("A page", {"success": True, "items": [ITEM], "next_cursor": None}),
        **problem_responses(400, 401, 403),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, ITEMS)
async def list_items(
    request: Request,
    mesh: Mesh,
    page: Paging,
    campus: OnCampus,
    category: ItemCategory | None = None,
    search: Annotated[
        str | None,
        Line(100, 0),
        Query(description="A part of the title or the description, in any case"),
    ] = None,
) -> Response:
    """What is on offer on your campus, the newest first."""
    await PAGES.wait(request)
    wanted = items.Wanted(campus.email_domain, category, search or None)
    return _page(page, await items.newest(mesh.postgres, wanted, page.part))


@router.get(
    "/api/items/categories",
    operation_id="list_item_categories",
    response_model=CategoriesAnswer,
    responses={
        **ok(
            "Every category",
            {"success": True, "categories": [{"category": "books", "count": 12}]},
        ),
        **problem_responses(400, 401, 403),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, ITEMS)
async def list_item_categories(request: Request, mesh: Mesh, campus: OnCampus) -> Response:
    """Every category, and how many items your campus sees in it."""
    await PAGES.wait(request)
    found = await items.categories(mesh.postgres, campus.email_domain)
    counts = [{"category": name, "count": count} for name, count in found.items()]
    return _json({"success": True, "categories": counts})


@router.get(
    ONE,
    operation_id="read_item",
    response_model=OneItemAnswer,
    responses={
        **ok("The item", {"success": True, "item": ITEM}, headers=["ETag"]),
        **UNCHANGED,
        **problem_responses(400, 401, 403, 404, 410),
    },
    openapi_extra={"parameters": [HEADER_PARAMETER]},
)
@Door(SIGNED_IN, ITEMS)
async def read_item(item_id: UUID, request: Request, campus: OnCampus) -> Response:
    """One item of your campus. Before its images are drawn only its owner finds it."""
    await PAGES.wait(request)
    row = await item_for(request, campus, item_id)
    body = json_of({"success": True, "item": shown(row)})
    return json_response(request, body, row["version"], cache_control=PRIVATE["Cache-Control"])


@router.put(
    ONE,
    operation_id="replace_item_fields",
    response_model=ItemChangedAnswer,
    responses={**_CHANGED, **_REFUSALS, **problem_responses(415, 428)},
)
@router.patch(
    ONE,
    operation_id="update_item",
    response_model=ItemChangedAnswer,
    responses={**_CHANGED, **_REFUSALS, **problem_responses(415, 428)},
)
@Door(SIGNED_IN, ITEMS)
async def update_item(
    item_id: UUID, body: ItemUpdate, campus: FromCampus, sending: Sending, _caller: SignedIn
) -> Response:
    """Change the fields that are sent; null empties the description. PUT and PATCH do the same,
    as with listings. Needs `If-Match`.
    """
    command = UpdateItem(
        item_id=item_id,
        email_domain=campus.email_domain,
        changes=body.changes,
        clear=_clear(body),
        **sending.asked,
    )
    reply = await _sent(sending, command, required=True, unless=campus.against)
    return changed(reply, item_id, success=True)


@router.delete(
    ONE,
    operation_id="delete_item",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "Deleted"}, **_REFUSALS},
)
@Door(SIGNED_IN, ITEMS)
async def delete_item(
    item_id: UUID, campus: FromCampus, sending: Sending, _caller: SignedIn
) -> Response:
    """Take the item away for good. Its history stays."""
    command = DeleteItem(item_id=item_id, email_domain=campus.email_domain, **sending.asked)
    reply = await _sent(sending, command, required=False, unless=campus.against)
    return answer(reply, 204)


async def _sent(
    sending: CommandSender,
    command: UpdateItem | DeleteItem,
    *,
    required: bool,
    unless: Problem | None,
) -> Reply:
    """The reply to a change; with `required` it must name the version. What is not one's own, of
    somebody who is away, nobody else sees: that it is refused must not say that it is there.
    """
    reply = await sending.reply_to(
        command, if_match=True, if_match_required=required, unless=unless
    )
    if reply.outcome == "accepted":
        return reply
    if reply.reason == "not_owner":
        row = await items.by_id(sending.way.machines.postgres, str(command.item_id))
        if row is not None and not item_seen(row):
            raise refusal(reply.model_copy(update={"reason": "item_unknown", "status": 404}))
    raise refusal(reply)


async def _taken(
    mesh: Machines,
    sending: CommandSender,
    campus: CampusPerson,
    subject: str,
    files: Sequence[UploadFile],
) -> tuple[UUID, ...]:
    """The files' ids, kept and waiting to be drawn; raises a 422 problem when one can't be."""
    key = await key_of(mesh, UUID(campus.user_id))
    turn = asyncio.Semaphore(AT_ONCE_MAX)

    async def take(place: int, file: UploadFile) -> Taken | Refused:
        async with turn:
            aim = Aim(place, len(files), subject, campus.against)
            return await take_image(mesh, sending, key, file, aim)

    # All come to an end before the first failure is told: their files are closed then.
    asked = (take(place, file) for place, file in enumerate(files))
    found = await asyncio.gather(*asked, return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException):
            raise each
    told = [each for each in found if not isinstance(each, BaseException)]
    taken = [each.media_id for each in told if isinstance(each, Taken)]
    if len(taken) < len(told):
        raise refused_all(told)
    return tuple(taken)


async def _began(mesh: Machines, command: CreateItem, reply: Reply) -> datetime:
    """When the item began: a repeat is told of the first time."""
    first = await first_event_of(mesh, reply)
    return command.asked_at if first is None else first.created_at


def _new(command: CreateItem, sent: SentItem, reply: Reply, began: datetime) -> dict[str, Any]:
    """The item as it begins; the read model may not have it yet."""
    blank = [NOT_DRAWN] * len(command.images)
    return shown(
        {
            **sent.terms.model_dump(exclude={"price"}),
            "key": str(command.item_id),
            "price_minor": sent.price_minor,
            "owner_id": command.asked_by,
            "email_domain": command.email_domain,
            "status": ItemStatus.PROCESSING,
            "image_processing_status": ImageProcessing.PENDING,
            "image_ids": [str(each) for each in command.images],
            **dict.fromkeys(("thumbnail_keys", "medium_keys", "large_keys"), blank),
            **dict.fromkeys(("created_at", "updated_at"), began),
            "version": reply.version,
        }
    )


def _clear(body: ItemUpdate) -> tuple[Any, ...]:
    nulls = cleared(body)
    faults = [
        Fault(pointer=f"/{name}", detail="can't be emptied: leave it out, or state another")
        for name in nulls
        if name != "description"
    ]
    if faults:
        raise Problem(422, "invalid_field", "Only a description can be empty", faults=faults)
    return nulls


def _page(page: Page, found: Sequence[Any]) -> Response:
    rows, last = page.shown(found, "created_at", "key")
    return page.response([shown(row) for row in rows], last, headers=PRIVATE, success=True)


def _json(body: Any) -> Response:
    return Response(json_of(body), headers=PRIVATE, media_type="application/json")
