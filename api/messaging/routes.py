"""Messages over HTTP: what a buyer and a seller write to each other about a listing. To others
no conversation exists. `/api/chat` is the same by another name.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import Request
from starlette.responses import Response

from api.backends.machines import Machines, Mesh, machines_of
from api.entry.auth import Caller, SignedIn
from api.entry.commands import Sending, judged
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import CHANGES, SEARCHES, SIGNED_IN, Door
from api.entry.paging import Page, Paging
from api.entry.routing import new_router
from api.items.sight import item_offer, item_unknown
from api.listings.sight import Offer, hidden, listing_offer
from api.messaging.bodies import (
    CONVERSATION,
    MESSAGE,
    OPENED,
    SENT,
    UNREAD,
    ConversationsAnswer,
    MessagesAnswer,
    NewConversation,
    NewMessage,
    OpenedAnswer,
    SentAnswer,
    UnreadAnswer,
)
from api.messaging.realtime import READING, SENDING, realtime_of
from api.messaging.sight import against_dealing
from api.messaging.templates import words_of
from api.messaging.views import (
    Row,
    conversation_for,
    conversation_shown,
    conversation_soon,
    message_shown,
    other_of,
    sealed_content,
    unknown,
)
from api.profiles.sight import people_of
from api.wire.changes import answer
from api.wire.problems import Problem, problem_responses
from api.wire.successes import CREATED, NO_STORE, ok, private_json
from projections.identity.users import users
from projections.items.items import items
from projections.listings.listing_page import listing_page
from projections.messaging import conversations, messages
from projections.messaging.message_reads import message_reads
from schemas.messaging import (
    HideConversation,
    MarkRead,
    OpenConversation,
    SendMessage,
    conversation_id_of,
)

ONE = "/api/messages/{conversation_id:uuid}"
UNREAD_MAX = 1_000  # conversations that are told one by one

OFFER = CaughtUp(listing_page, items, users)
LIST = CaughtUp(conversations.conversations, messages.messages, listing_page, items, users)
MESSAGES = CaughtUp(conversations.conversations, messages.messages, message_reads, users)

_READS = problem_responses(400, 401, 403)

router = new_router("messaging")


@router.post(
    "/api/messages/conversations",
    operation_id="open_conversation",
    status_code=201,
    response_model=OpenedAnswer,
    responses={
        **ok("It was there already", OPENED, headers=CREATED),
        **ok("Opened", OPENED, 201, headers=CREATED),
        **problem_responses(400, 401, 403, 404, 409, 410, 415),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, CHANGES)
async def open_conversation(
    body: NewConversation, request: Request, sending: Sending, mesh: Mesh, caller: SignedIn
) -> Response:
    """Begin to talk with the seller of a listing, or with the owner of an item of your campus.
    There is one conversation of a buyer and what it is about, however often it is opened.
    """
    _, offer_id = body.about
    seller_id, against = await _seller(request, body, caller)
    against = against or await against_dealing(mesh, caller.user_id, str(seller_id))
    ids = {"buyer_id": UUID(caller.user_id), "seller_id": seller_id}
    conversation_id = conversation_id_of(offer_id, **ids)
    command = OpenConversation(
        conversation_id=conversation_id, listing_id=offer_id, **ids, **sending.asked
    )
    reply = await sending.send(command, unless=against)
    shown = {"id": conversation_id, **body.model_dump(), **ids}
    status = 201 if reply.event_count else 200
    told = {name: value and str(value) for name, value in shown.items()}
    return answer(reply, status, told, location=f"/api/messages/{conversation_id}")


async def _seller(
    request: Request, body: NewConversation, caller: Caller
) -> tuple[UUID, Problem | None]:
    """Whom the buyer would talk with, and what stands against that. Where the thing can't be shown
    now, who talks about it already is known: a repeat of that gets its first answer.
    """
    mesh = machines_of(request)
    try:
        await OFFER.wait(request)
        offer, against = await _offer(mesh, body, caller)
    except Problem as problem:
        row = await conversations.about(mesh.postgres, caller.user_id, str(body.about[1]))
        if row is None:
            raise
        return UUID(row["seller_id"]), problem
    return offer.seller_id, against


async def _offer(
    mesh: Machines, body: NewConversation, caller: Caller
) -> tuple[Offer, Problem | None]:
    """What the buyer would talk about, and what stands against beginning it now; raises problems
    where there never was such a thing.
    """
    kind, offer_id = body.about
    if kind == "item_id":
        offer, unseen = await item_offer(mesh, caller, offer_id), item_unknown()
        own = Problem(409, "own_item", "This item is yours: nobody talks with themselves")
    else:
        offer, unseen = await listing_offer(mesh, offer_id), hidden()
        own = Problem(409, "own_listing", "This listing is yours: nobody talks with themselves")
    if caller.user_id == str(offer.seller_id):
        return offer, offer.gone or own
    return offer, offer.gone or (None if offer.public else unseen)


@router.get(
    "/api/messages/conversations",
    operation_id="list_conversations",
    response_model=ConversationsAnswer,
    responses={**ok("A page", {"items": [CONVERSATION], "next_cursor": None}), **_READS},
    openapi_extra=OPENAPI_EXTRA,
)
@router.get(
    "/api/chat",
    operation_id="list_chats",
    response_model=ConversationsAnswer,
    responses={**ok("A page", {"items": [CONVERSATION], "next_cursor": None}), **_READS},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, SEARCHES)
async def list_conversations(
    request: Request, mesh: Mesh, page: Paging, caller: SignedIn
) -> Response:
    """The caller's conversations, the last moved first, each with its listing, the other one
    and how many messages wait.
    """
    await LIST.wait(request)
    found = await conversations.of_person(mesh.postgres, caller.user_id, page.part)
    rows, last = page.shown(found, "active_at", "key")
    sides = [row[side] for row in rows for side in ("buyer_id", "seller_id")]
    people = await people_of(mesh, sides)
    items = [conversation_shown(row, people, caller.user_id) for row in rows]
    return page.response(items, last, headers=NO_STORE)


@router.get(
    "/api/messages/unread",
    operation_id="count_unread",
    response_model=UnreadAnswer,
    responses={**ok("What waits", UNREAD), **_READS},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, SEARCHES)
async def count_unread(request: Request, mesh: Mesh, caller: SignedIn) -> Response:
    """How many messages the caller has not read, in all and by conversation."""
    await LIST.wait(request)
    rows = await conversations.unread(mesh.postgres, caller.user_id, UNREAD_MAX)
    body = {
        "total": sum(row["unread"] for row in rows),
        "conversations": [{"id": row["key"], "unread": row["unread"]} for row in rows],
    }
    return private_json(body)


@router.get(
    ONE,
    operation_id="read_messages",
    response_model=MessagesAnswer,
    responses={
        **ok("A page", {"items": [MESSAGE], "next_cursor": None}),
        **problem_responses(400, 401, 403, 404),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@router.get(
    "/api/chat/{conversation_id:uuid}/messages",
    operation_id="read_chat_messages",
    response_model=MessagesAnswer,
    responses={
        **ok("A page", {"items": [MESSAGE], "next_cursor": None}),
        **problem_responses(400, 401, 403, 404),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@READING
async def read_messages(
    conversation_id: UUID, request: Request, mesh: Mesh, page: Paging, caller: SignedIn
) -> Response:
    """A conversation's messages, the last first; following `next_cursor` leads back to the
    first, whatever is said meanwhile.
    """
    await MESSAGES.wait(request)
    row = await conversation_for(mesh, conversation_id, caller.user_id)
    return await _messages(mesh, row, page)


async def _messages(mesh: Mesh, conversation: Any, page: Page) -> Response:
    found = await messages.latest(mesh.postgres, conversation["key"], page.part)
    rows, last = page.shown(found, "number")
    people = await people_of(mesh, (conversation["buyer_id"], conversation["seller_id"]))
    items = [message_shown(row, people) for row in rows]
    return page.response(items, last, headers=NO_STORE)


@router.post(
    ONE,
    operation_id="send_message",
    status_code=201,
    response_model=SentAnswer,
    responses={
        **ok("Sent", SENT, 201),
        **problem_responses(400, 401, 403, 404, 409, 410, 415),
    },
)
@SENDING
async def send_message(
    conversation_id: UUID,
    body: NewMessage,
    request: Request,
    sending: Sending,
    mesh: Mesh,
    caller: SignedIn,
) -> Response:
    """Say something to the other one: words, or a quick reply, whose placeholders are filled with
    what you may see. Whom they have blocked is refused with 403.
    """
    row = await conversation_soon(mesh, conversation_id, caller.user_id)
    against = row and await against_dealing(mesh, caller.user_id, other_of(row, caller.user_id))
    content, unfilled = await judged(_content(mesh, caller, body, row))
    message_id = sending.new_id("message")
    command = SendMessage(
        conversation_id=conversation_id,
        message_id=message_id,
        **await sealed_content(mesh, caller.user_id, conversation_id, content or ""),
        **sending.asked,
    )
    reply = await sending.send(command, unless=against or unfilled)
    if content is not None and not reply.repeated:
        realtime_of(request).message_was_sent(command, content, reply)
    shown = {"id": str(message_id), "conversation_id": str(conversation_id)}
    return answer(reply, 201, shown)


async def _content(mesh: Machines, caller: Caller, body: NewMessage, row: Row | None) -> str:
    """What is said; raises problems where a template says nothing here."""
    if body.words is not None:
        return body.words
    if row is None:
        raise unknown()
    return await words_of(mesh, caller.user_id, body.template_id, row)


@router.put(
    "/api/messages/{message_id:uuid}/read",
    operation_id="mark_messages_read",
    status_code=204,
    response_class=Response,
    responses={
        204: {"description": "Read"},
        **problem_responses(400, 401, 403, 404, 409),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, CHANGES)
async def mark_messages_read(
    message_id: UUID, request: Request, sending: Sending, mesh: Mesh, caller: SignedIn
) -> Response:
    """Say that one has read this message and all before it."""
    await MESSAGES.wait(request)
    row = await messages.by_id(mesh.postgres, str(message_id))
    if row is None or caller.user_id not in (row["sender_id"], row["recipient_id"]):
        raise Problem(404, "message_unknown", "There is no such message")
    # Before one's own message stand all of the other one's that are not one's own.
    own = row["sender_id"] == caller.user_id
    up_to = row["number"] - row["sender_number"] if own else row["sender_number"]
    command = MarkRead(conversation_id=UUID(row["conversation_id"]), up_to=up_to, **sending.asked)
    reply = await sending.send(command)
    if reply.event_count and not reply.repeated:
        other = row["recipient_id"] if own else row["sender_id"]
        await realtime_of(request).fanout.messages_read(command, str(message_id), other)
    return answer(reply, 204)


@router.delete(
    ONE,
    operation_id="hide_conversation",
    status_code=204,
    response_class=Response,
    responses={
        204: {"description": "Gone from the caller's list"},
        **problem_responses(400, 401, 403, 404, 409),
    },
)
@Door(SIGNED_IN, CHANGES)
async def hide_conversation(conversation_id: UUID, sending: Sending, _caller: SignedIn) -> Response:
    """Take a conversation off one's list. The other one still has it; a new message brings it
    back.
    """
    command = HideConversation(conversation_id=conversation_id, **sending.asked)
    return answer(await sending.send(command), 204)
