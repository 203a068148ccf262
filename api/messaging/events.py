"""What people ask over the socket. Whom they talk with follows from what is offered and from
who they are; nothing that a client says of the other one is believed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field

from api.backends.machines import Machines
from api.entry.auth import Caller
from api.entry.commands import (
    IDEMPOTENCY_KEY,
    CommandSender,
    Way,
    command_id_of,
    fingerprint_of,
    judged,
    new_command_id,
)
from api.items.sight import item_offer
from api.listings.sight import Offer, hidden, offered
from api.messaging.bodies import Content
from api.messaging.fanout import Fanout, Said, chat_room
from api.messaging.sight import against_dealing, against_reaching
from api.messaging.templates import words_of
from api.messaging.views import Row, said_of, sealed_content, unknown
from api.profiles.sight import People, people_of
from api.wire.emitted import moment
from api.wire.forms import Body
from api.wire.problems import Problem
from infra.heartbeats import Heart
from projections.messaging import conversations, messages
from projections.reads import Slice
from schemas.log.messages import Fault, Market
from schemas.log.positions import format_token
from schemas.log.recorded import Reply
from schemas.messaging import OpenConversation, SendMessage, conversation_id_of
from schemas.values.texts import Form

HISTORY_MAX = 50
CHATS_MAX = 50  # that one socket listens to; the first joined makes room for the next
TYPING_S = 5.0  # after which nobody types any more who does not say so again

Id = Annotated[UUID, Field(strict=False)]  # JSON has no ids but texts


# What a client calls a message by, before we do.
ClientId = Annotated[
    str,
    Form(IDEMPOTENCY_KEY, "takes 1 to 255 letters, digits and signs of ASCII, no spaces"),
]


class _Asked(Body):
    model_config = ConfigDict(strict=True)


class JoinChat(_Asked):
    """About which listing or campus item to talk. Its seller names the buyer. Or a conversation by its id.

    `sellerId` is what clients of the source design send; the mesh knows whose it is.
    """

    itemId: Id | None = None  # noqa: N815 - the source design's names
    sellerId: Id | None = None  # noqa: N815
    buyerId: Id | None = None  # noqa: N815
    chatId: Id | None = None  # noqa: N815


class SayInChat(_Asked):
    """What to say: words, or one of one's quick replies. With `itemId` a buyer's first words open the conversation. `recipientId` is
    what clients of the source design send; the conversation says who it is. With a `clientId` (or
    `id`) of the client's own making a message may be sent again: it is said once, and every time
    acknowledged as the first.
    """

    chatId: Id  # noqa: N815
    content: Content | None = None
    templateId: Id | None = None  # noqa: N815
    clientId: ClientId | None = None  # noqa: N815
    id: ClientId | None = None
    itemId: Id | None = None  # noqa: N815
    recipientId: Id | None = None  # noqa: N815

    @property
    def said(self) -> str:
        """What a repeat must say again."""
        return f"template {self.templateId}" if self.content is None else self.content


class InChat(_Asked):
    """Something that happens in a conversation which the socket has joined."""

    chatId: Id  # noqa: N815


@dataclass
class Chat:
    """A conversation as its two people derive it; `opened` once it is known to be in the log."""

    chat_id: UUID
    listing_id: UUID
    buyer_id: UUID
    seller_id: UUID
    opened: bool
    against: Problem | None = None  # what stands against talking now

    def other(self, user_id: str) -> str:
        """Whom this one of the two talks with."""
        buyer, seller = str(self.buyer_id), str(self.seller_id)
        return seller if user_id == buyer else buyer


@dataclass
class Connection:
    """One socket of somebody who was let in."""

    sid: str
    token: str
    caller: Caller
    origin: str  # the network that it came from
    chats: dict[str, Chat] = field(default_factory=dict)
    typing: dict[str, asyncio.TimerHandle] = field(default_factory=dict)
    name: str = ""
    heart: Heart | None = None  # by which others know that somebody is there


@dataclass(frozen=True)
class Events:
    """The handlers: each raises Problem and what stores raise; answers are acknowledgements."""

    machines: Machines
    fanout: Fanout
    later: Callable[[Awaitable[None]], None]

    async def join_chat(self, connection: Connection, asked: JoinChat) -> dict[str, Any]:
        """Listen to a conversation, and get what was said last, the first of it first."""
        chat, user_id = await self._chat(connection.caller, asked), connection.caller.user_id
        against = chat.against or await against_reaching(
            self.machines, user_id, chat.other(user_id)
        )
        if against is not None:
            raise against
        people = await people_of(self.machines, (str(chat.buyer_id), str(chat.seller_id)))
        connection.name = people.name(user_id)
        chat_id = str(chat.chat_id)
        connection.chats.pop(chat_id, None)
        if len(connection.chats) >= CHATS_MAX:
            first = next(iter(connection.chats))
            del connection.chats[first]
            await self.fanout.server.leave_room(connection.sid, chat_room(first))
        connection.chats[chat_id] = chat
        # First the room, then the history: what is said meanwhile may be in both, by one id.
        await self.fanout.server.enter_room(connection.sid, chat_room(chat_id))
        rows = await messages.latest(self.machines.postgres, chat_id, Slice(HISTORY_MAX))
        history = [_shown(row, chat, people) for row in reversed(rows)]
        told = {"chatId": chat_id, "messages": history}
        await self.fanout.server.emit("chat-history", told, to=connection.sid)
        return {"chatId": chat_id}

    async def send_message(self, connection: Connection, asked: SayInChat) -> dict[str, Any]:
        """Append, and only then tell the others."""
        user_id = connection.caller.user_id
        if (asked.content is None) == (asked.templateId is None):
            fault = Fault(pointer="/content", detail="is required, or `templateId` instead of it")
            raise Problem(422, "invalid", "Say something", faults=[fault])
        chat = connection.chats.get(str(asked.chatId))
        if chat is None:
            named = JoinChat(chatId=asked.chatId, itemId=asked.itemId)
            chat = await self._chat(connection.caller, named)
        against = chat.against or await against_dealing(self.machines, user_id, chat.other(user_id))
        content, unfilled = await judged(self._content(user_id, asked, chat))
        against = against or unfilled
        if not chat.opened and against is None and user_id == str(chat.buyer_id):
            opening = self._sending(connection, asked).fresh()
            await opening.send(_opening(chat, opening))
        sending = self._sending(connection, asked)
        command = SendMessage(
            conversation_id=chat.chat_id,
            message_id=sending.new_id("message"),
            **await sealed_content(self.machines, user_id, chat.chat_id, content or ""),
            **sending.asked,
        )
        reply = await sending.send(command, unless=against)
        acknowledged = {"messageId": str(command.message_id), "chatId": str(chat.chat_id)}
        if content is None or reply.repeated:
            return acknowledged
        chat.opened = True
        if not connection.name:
            connection.name = (await people_of(self.machines, (user_id,))).name(user_id)
        said = Said(
            command=command,
            content=content,
            listing_id=str(chat.listing_id),
            recipient_id=chat.other(user_id),
            sender_name=connection.name,
            token=token_of(reply),
        )
        self._quiet(connection, str(chat.chat_id))
        await self.fanout.message_sent(said)
        return acknowledged

    async def _content(self, user_id: str, asked: SayInChat, chat: Chat) -> str:
        """What is said; raises problems where a template says nothing here."""
        if asked.content is not None:
            return asked.content
        assert asked.templateId is not None  # one of the two is sent
        return await words_of(self.machines, user_id, asked.templateId, vars(chat))

    async def typing(self, connection: Connection, asked: InChat) -> None:
        """Tell the others that somebody types, for a while. It is nowhere but on the wire."""
        chat_id, user_id = await self._joined(connection, asked), connection.caller.user_id
        self._quiet(connection, chat_id)

        def over() -> None:
            connection.typing.pop(chat_id, None)
            self.later(self.fanout.stop_typing(chat_id, user_id, connection.sid))

        connection.typing[chat_id] = asyncio.get_running_loop().call_later(TYPING_S, over)
        await self.fanout.typing(chat_id, user_id, connection.name, connection.sid)

    async def stop_typing(self, connection: Connection, asked: InChat) -> None:
        """Tell the others that nobody types any more."""
        chat_id = await self._joined(connection, asked)
        self._quiet(connection, chat_id)
        await self.fanout.stop_typing(chat_id, connection.caller.user_id, connection.sid)

    async def left(self, connection: Connection) -> None:
        """Whoever has gone types no more."""
        for chat_id in list(connection.typing):
            self._quiet(connection, chat_id)
            await self.fanout.stop_typing(chat_id, connection.caller.user_id, connection.sid)

    def _quiet(self, connection: Connection, chat_id: str) -> None:
        timer = connection.typing.pop(chat_id, None)
        if timer is not None:
            timer.cancel()

    async def _joined(self, connection: Connection, asked: InChat) -> str:
        chat_id, user_id = str(asked.chatId), connection.caller.user_id
        chat = connection.chats.get(chat_id)
        if chat is None:
            raise Problem(409, "not_joined", "Join the chat first")
        against = await against_dealing(self.machines, user_id, chat.other(user_id))
        if against is not None:
            raise against
        return chat_id

    async def _chat(self, caller: Caller, asked: JoinChat) -> Chat:
        """The conversation that is meant, if this is one of its two people; raises problems."""
        if asked.itemId is None and asked.chatId is None:
            fault = Fault(pointer="/chatId", detail="is required, or `itemId` to talk about")
            raise Problem(422, "invalid", "Name the chat, or the item", faults=[fault])
        if asked.chatId is not None:
            row = await conversations.by_id(self.machines.postgres, str(asked.chatId))
            if row is not None:
                return _known(row, caller.user_id)
        if asked.itemId is None:
            raise unknown()
        offer = await _offer_of(self.machines, caller, asked.itemId)
        buyer_id = UUID(caller.user_id)
        if buyer_id == offer.seller_id:
            if asked.buyerId is None or asked.buyerId == offer.seller_id:
                raise Problem(409, "own_listing", "This is yours: say who asks about it")
            buyer_id = asked.buyerId
        chat_id = conversation_id_of(asked.itemId, buyer_id, offer.seller_id)
        if asked.chatId not in (None, chat_id):
            raise unknown()
        opened = await conversations.by_id(self.machines.postgres, str(chat_id)) is not None
        against = offer.gone or (None if opened or offer.public else hidden())
        return Chat(chat_id, asked.itemId, buyer_id, offer.seller_id, opened, against)

    def _sending(self, connection: Connection, asked: SayInChat) -> CommandSender:
        """For what follows from these words: under the same client's id the same commands."""
        settings, place = self.machines.settings, f"send-message/{asked.chatId}"
        sending = CommandSender(
            way=Way(self.machines, "SOCKET", place, connection.origin),
            caller=connection.caller,
            key=asked.clientId or asked.id,
            command_id=new_command_id(),
            fingerprint="",
            asked_at=datetime.now(UTC),
        )
        if sending.key is None:
            return sending
        scope = f"{connection.caller.user_id}\nsocket {place}"
        return replace(
            sending,
            command_id=command_id_of(settings, sending.key, scope),
            fingerprint=fingerprint_of(settings, "SOCKET", place, asked.said.encode()),
        )


async def _offer_of(mesh: Machines, caller: Caller, offer_id: UUID) -> Offer:
    """A listing or an item of the caller's campus: clients call both an item."""
    found = await offered(mesh, offer_id)
    if found is not None:
        return found
    if caller.market != Market.CAMPUS:
        raise hidden()
    return await item_offer(mesh, caller, offer_id)


def _opening(chat: Chat, sending: CommandSender) -> OpenConversation:
    return OpenConversation(
        conversation_id=chat.chat_id,
        listing_id=chat.listing_id,
        buyer_id=chat.buyer_id,
        seller_id=chat.seller_id,
        **sending.asked,
    )


def _known(row: Row, user_id: str) -> Chat:
    if user_id not in (row["buyer_id"], row["seller_id"]):
        raise unknown()
    return Chat(
        chat_id=UUID(row["key"]),
        listing_id=UUID(row["listing_id"]),
        buyer_id=UUID(row["buyer_id"]),
        seller_id=UUID(row["seller_id"]),
        opened=True,
    )


def _shown(row: Row, chat: Chat, people: People) -> dict[str, Any]:
    sender, read_at = row["sender_id"], row["read_at"]
    return {
        "id": row["key"],
        "chatId": row["conversation_id"],
        "itemId": str(chat.listing_id),
        "sender": {"id": sender, "name": people.name(sender)},
        "recipientId": row["recipient_id"],
        **said_of(row, people),
        "timestamp": moment(row["created_at"]),
        "readAt": None if read_at is None else moment(read_at),
    }


def token_of(reply: Reply) -> str:
    """The Consistency-Token of what a reply has accepted."""
    return "" if reply.position is None else format_token([reply.position])
