"""Who hears of what: events to the sockets in a conversation's room and to those of one person.

Nothing here is kept or repeated. What is said was appended to the log before; whoever was not
connected reads it from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import socketio

from api.wire.emitted import moment
from infra.sockets import person_room
from schemas.messaging import MarkRead, SendMessage


def chat_room(conversation_id: object) -> str:
    """Where those listen who have a conversation open."""
    return f"chat:{conversation_id}"


@dataclass(frozen=True)
class Said:
    """A message that is in the log. `token` is its Consistency-Token."""

    command: SendMessage
    content: str
    listing_id: str
    recipient_id: str
    sender_name: str
    token: str

    @property
    def told(self) -> dict[str, Any]:
        """What both kinds of event say of it."""
        return {
            "id": str(self.command.message_id),
            "chatId": str(self.command.conversation_id),
            "itemId": self.listing_id,
            "sender": {"id": self.command.asked_by, "name": self.sender_name},
            "content": self.content,
            "timestamp": moment(self.command.asked_at),
            "consistencyToken": self.token,
        }


@dataclass(frozen=True)
class Fanout:
    """Emits. The names of events and fields are the source design's."""

    server: socketio.AsyncServer

    async def message_sent(self, said: Said) -> None:
        """To all who have the conversation open, and to every device of the recipient."""
        room = chat_room(said.command.conversation_id)
        new = {**said.told, "recipientId": said.recipient_id}
        await self.server.emit("new-message", new, room=room)
        room = person_room(said.recipient_id)
        await self.server.emit("message-notification", said.told, room=room)

    async def messages_read(self, command: MarkRead, message_id: str, sender_id: str) -> None:
        """The receipt, to every device of whoever wrote."""
        receipt = {
            "chatId": str(command.conversation_id),
            "messageId": message_id,
            "readerId": command.asked_by,
            "readAt": moment(command.asked_at),
        }
        await self.server.emit("messages-read", receipt, room=person_room(sender_id))

    async def presence(
        self, user_id: str, at: datetime, witnesses: Sequence[str], *, online: bool
    ) -> None:
        """That somebody has come or gone, to every device of those who may know."""
        if witnesses:
            told = {"userId": user_id, "online": online, "lastSeen": moment(at)}
            await self.server.emit("presence", told, room=[person_room(each) for each in witnesses])

    async def typing(self, chat_id: str, user_id: str, name: str, but: str) -> None:
        """To all who have the conversation open `but` this socket."""
        told = {"chatId": chat_id, "userId": user_id, "name": name}
        await self.server.emit("user-typing", told, room=chat_room(chat_id), skip_sid=but)

    async def stop_typing(self, chat_id: str, user_id: str, but: str) -> None:
        """The same, when it is over."""
        told = {"chatId": chat_id, "userId": user_id}
        await self.server.emit("user-stop-typing", told, room=chat_room(chat_id), skip_sid=but)
