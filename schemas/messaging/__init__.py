"""Messaging: what a buyer and a seller write to each other about one listing.

A conversation's id follows from the listing and its two people, so whoever opens it first, and
however often, there is one. Words are sealed with the key of whoever wrote them: they go with
that person, and the rest of the conversation stays.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, TypeAlias, get_args
from uuid import UUID, uuid5

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from schemas.bookings import BookingReason
from schemas.log.contexts import Context
from schemas.log.messages import Command, Event
from schemas.messaging.blocks import BlocksCommand, BlocksEvent
from schemas.messaging.quick_replies import QuickReplyCommand, QuickReplyEvent
from schemas.values.texts import SEALED, Form

CONTENT_LENGTH_MAX = 4_000  # characters
CONVERSATIONS = UUID("9d0f3c52-6a7e-5b0e-8f43-2f4f6c1f7a10")  # the namespace of their ids

# 4,000 characters of any script: 16,000 bytes, and a third more in base64.
SealedContent = Annotated[str, StringConstraints(max_length=22_000), SEALED]
MARK_LENGTH = 16  # hex digits
MARKS_MAX = 256  # of one message
# What tells to whoever has its sender's key whether a message has a word, and nobody else.
Mark = Annotated[str, Form(r"^[0-9a-f]{16}$", "is no mark of a word")]
Marks = Annotated[tuple[Mark, ...], Field(max_length=MARKS_MAX)]
Count = Annotated[int, Field(ge=0)]
Number = Annotated[int, Field(ge=1)]


class NoticeKind(StrEnum):
    """What the mesh itself says in a conversation."""

    BOOKING_REQUESTED = "booking_requested"
    BOOKING_ACCEPTED = "booking_accepted"
    BOOKING_REJECTED = "booking_rejected"
    BOOKING_CANCELLED = "booking_cancelled"
    BOOKING_COMPLETED = "booking_completed"
    BOOKING_EXPIRED = "booking_expired"


class Notice(BaseModel):
    """What has happened between the two, in no language: whoever shows it finds the words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: NoticeKind
    booking_id: UUID
    reason: BookingReason | None = None


def conversation_id_of(listing_id: UUID, buyer_id: UUID, seller_id: UUID) -> UUID:
    """The one conversation of these two about this listing."""
    return uuid5(CONVERSATIONS, f"{listing_id}/{buyer_id}/{seller_id}")


def conversation_stream(conversation_id: UUID | str) -> str:
    """The stream of one conversation."""
    return f"conversation/{conversation_id}"


class _MessagingCommand(Command):
    conversation_id: UUID

    @property
    def stream_id(self) -> str:
        return conversation_stream(self.conversation_id)


class OpenConversation(_MessagingCommand):
    """Begin to talk with a listing's seller; nothing happens where that was done before."""

    kind: Literal["conversation.open"] = "conversation.open"
    listing_id: UUID
    buyer_id: UUID
    seller_id: UUID


class SendMessage(_MessagingCommand):
    """Say something to the other one."""

    kind: Literal["message.send"] = "message.send"
    message_id: UUID
    content_sealed: SealedContent
    marks: Marks = ()


class PostNotice(_MessagingCommand):
    """Tell in the conversation of these two, and open it where there is none, what one of them
    (`by_id`) has done, or what has become of it.
    """

    kind: Literal["conversation.post_notice"] = "conversation.post_notice"
    message_id: UUID
    listing_id: UUID
    buyer_id: UUID
    seller_id: UUID
    by_id: UUID
    notice: Notice


class MarkRead(_MessagingCommand):
    """The first `up_to` messages of the other one have been read."""

    kind: Literal["messages.mark_read"] = "messages.mark_read"
    up_to: Count


class HideConversation(_MessagingCommand):
    """Show the conversation no more to whoever asks; the other one still has it."""

    kind: Literal["conversation.hide"] = "conversation.hide"


MessagingCommand: TypeAlias = (
    OpenConversation | SendMessage | PostNotice | MarkRead | HideConversation
)


class _MessagingEvent(Event):
    conversation_id: UUID


class ConversationOpened(_MessagingEvent):
    """A buyer and a seller may talk about a listing."""

    kind: Literal["conversation.opened"] = "conversation.opened"
    listing_id: UUID
    buyer_id: UUID
    seller_id: UUID
    opened_at: AwareDatetime


class MessageSent(_MessagingEvent):
    """One of the two said something: the `number`th message of the conversation and the
    `sender_number`th of its sender. With a `notice` they said nothing, but did something, which the
    mesh tells.
    """

    kind: Literal["message.sent"] = "message.sent"
    message_id: UUID
    sender_id: UUID
    recipient_id: UUID
    number: Number
    sender_number: Number
    content_sealed: str
    marks: Annotated[tuple[str, ...], Field(max_length=MARKS_MAX)] = ()
    sent_at: AwareDatetime
    notice: Notice | None = None


class MessagesRead(_MessagingEvent):
    """One of the two has read the first `up_to` messages of the other one."""

    kind: Literal["messages.read"] = "messages.read"
    reader_id: UUID
    up_to: Number
    read_at: AwareDatetime


class ConversationHidden(_MessagingEvent):
    """One of the two wants to see it no more, until something new is said."""

    kind: Literal["conversation.hidden"] = "conversation.hidden"
    user_id: UUID
    hidden_at: AwareDatetime


MessagingEvent: TypeAlias = ConversationOpened | MessageSent | MessagesRead | ConversationHidden

CONTEXT = Context(
    "messaging",
    (*get_args(MessagingCommand), *get_args(BlocksCommand), *get_args(QuickReplyCommand)),
    (*get_args(MessagingEvent), *get_args(BlocksEvent), *get_args(QuickReplyEvent)),
)
