"""What clients send of messages and what they get, with examples."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from api.wire.forms import Body
from schemas.bookings import BookingReason
from schemas.items import ItemStatus
from schemas.messaging import CONTENT_LENGTH_MAX, NoticeKind
from schemas.values.texts import Lines

Content = Annotated[str, Lines(CONTENT_LENGTH_MAX)]

_CONVERSATION_ID = "5c6f7a10-9d0f-5c52-8f43-2f4f6c1f7a10"
_LISTING_ID = "01980000-0000-7000-8000-000000000001"
_BUYER_ID = "01980000-0000-7000-8000-00000000000a"
_SELLER_ID = "01980000-0000-7000-8000-00000000000b"
OPENED = {
    "id": _CONVERSATION_ID,
    "listing_id": _LISTING_ID,
    "item_id": None,
    "buyer_id": _BUYER_ID,
    "seller_id": _SELLER_ID,
}
MESSAGE = {
    "id": "01980000-0000-7000-8000-0000000000c1",
    "conversation_id": _CONVERSATION_ID,
    "number": 1,
    "sender_id": _BUYER_ID,
    "sender_name": "Nimal Perera",
    "recipient_id": _SELLER_ID,
    "content": "Is it still there?",
    "notice": None,
    "created_at": "2026-03-01T12:00:00Z",
    "read_at": None,
}
CONVERSATION = {
    "id": _CONVERSATION_ID,
    "side": "seller",
    "listing": {
        "id": _LISTING_ID,
        "title": "Porsche 911 Carrera 4S",
        "price_minor": 8_500_000,
        "currency": "EUR",
        "status": "active",
    },
    "item": None,
    "other": {"id": _BUYER_ID, "name": "Nimal Perera"},
    "unread": 1,
    "opened_at": "2026-03-01T11:59:00Z",
    "last_message_at": "2026-03-01T12:00:00Z",
    "last_message": {
        "id": MESSAGE["id"],
        "sender_id": _BUYER_ID,
        "content": "Is it still there?",
        "notice": None,
    },
}
SENT = {"id": MESSAGE["id"], "conversation_id": _CONVERSATION_ID}
UNREAD = {"total": 1, "conversations": [{"id": _CONVERSATION_ID, "unread": 1}]}


class NewConversation(Body):
    """About what to talk with its seller: a listing, or an item of your campus."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"listing_id": _LISTING_ID}],
            "minProperties": 1,
            "maxProperties": 1,
        },
    )

    listing_id: UUID | SkipJsonSchema[None] = None
    item_id: UUID | SkipJsonSchema[None] = None

    @property
    def about(self) -> tuple[str, UUID]:
        """The one field that is sent, and what it names."""
        (named,) = self.model_dump(exclude_none=True).items()
        return named

    @model_validator(mode="after")
    def _is_about_one_thing(self) -> Self:
        named = [name for name in self.model_fields_set if getattr(self, name) is not None]
        if len(named) != 1 or len(self.model_fields_set) != 1:
            message = "name what to talk about: either `listing_id` or `item_id`"
            raise ValueError(message)
        return self


class NewMessage(Body):
    """What to say: words, or a quick reply."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"content": "Is it still there?"}],
            "minProperties": 1,
            "maxProperties": 1,
        }
    )

    # Neither is null: one of the two is left out.
    content: Content = Field(default_factory=str)
    template_id: UUID = Field(
        default_factory=lambda: UUID(int=0), description="One of your quick replies, to be filled"
    )

    @property
    def words(self) -> str | None:
        """What is said as it is; None: a template is to be filled."""
        return self.content if "content" in self.model_fields_set else None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if len(self.model_fields_set) != 1:
            message = "say something: send either `content` or `template_id`"
            raise ValueError(message)
        return self


class OpenedAnswer(BaseModel):
    """A conversation, its two people and what it is about."""

    id: UUID
    listing_id: UUID | None
    item_id: UUID | None
    buyer_id: UUID
    seller_id: UUID


class SentAnswer(BaseModel):
    """The new message."""

    id: UUID
    conversation_id: UUID


class NoticeParams(BaseModel):
    """What a notice is about."""

    booking_id: UUID
    reason: BookingReason | None


class NoticeAnswer(BaseModel):
    """What its sender has done, or has become of it, in no language: the client finds the words."""

    kind: NoticeKind
    params: NoticeParams


class MessageAnswer(BaseModel):
    """A message. `number` is its place in the conversation, from 1. `content` is null when its
    sender's account has been deleted, and where there is a `notice` instead.
    """

    id: UUID
    conversation_id: UUID
    number: int
    sender_id: UUID
    sender_name: str
    recipient_id: UUID
    content: str | None
    notice: NoticeAnswer | None
    created_at: AwareDatetime
    read_at: AwareDatetime | None


class MessagesAnswer(BaseModel):
    """A page of messages, the last first; `next_cursor` leads back in time."""

    items: list[MessageAnswer]
    next_cursor: str | None


class ListingCard(BaseModel):
    """The listing that is talked about; what is not on offer shows its id and status only."""

    id: UUID
    title: str | None
    price_minor: int | None
    currency: str | None
    status: str | None


class ItemCard(BaseModel):
    """The campus item that is talked about; what is not on offer shows its id and status only."""

    id: UUID
    title: str | None
    price_minor: int | None
    currency: str | None
    status: ItemStatus


class OtherPerson(BaseModel):
    """Whom one talks with."""

    id: UUID
    name: str


class LastMessage(BaseModel):
    """What was said last, or done."""

    id: UUID
    sender_id: UUID
    content: str | None
    notice: NoticeAnswer | None


class ConversationAnswer(BaseModel):
    """A conversation as one of its two people sees it; `side` is theirs. It is about a listing or
    about an item of their campus; the other of the two is null.
    """

    id: UUID
    side: Literal["buyer", "seller"]
    listing: ListingCard | None
    item: ItemCard | None
    other: OtherPerson
    unread: int = Field(ge=0)
    opened_at: AwareDatetime
    last_message_at: AwareDatetime | None
    last_message: LastMessage | None


class ConversationsAnswer(BaseModel):
    """A page of conversations, the last moved first."""

    items: list[ConversationAnswer]
    next_cursor: str | None


class UnreadConversation(BaseModel):
    """How many messages wait in one conversation."""

    id: UUID
    unread: int


class UnreadAnswer(BaseModel):
    """How many messages wait, in all and by conversation."""

    total: int
    conversations: list[UnreadConversation]
