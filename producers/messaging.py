"""What may happen to a conversation: its two people write, read and hide; to everybody else it
does not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, TypeAlias, assert_never

from producers.decider import Decider, Rejected
from schemas.log.messages import Role
from schemas.messaging import (
    ConversationHidden,
    ConversationOpened,
    HideConversation,
    MarkRead,
    MessageSent,
    MessagesRead,
    MessagingCommand,
    MessagingEvent,
    OpenConversation,
    PostNotice,
    SendMessage,
    conversation_id_of,
)


@dataclass(frozen=True)
class Unopened:
    """Nobody has asked the seller anything yet."""


@dataclass(frozen=True)
class Side:
    """One of the two: how many messages they sent, how many of the other one's they have read,
    and whether they want to see the conversation no more. Its size does not grow with it.
    """

    user_id: str
    sent: int = 0
    read: int = 0
    hidden: bool = False


@dataclass(frozen=True)
class Opened:
    """Two people, one listing."""

    buyer: Side
    seller: Side


Conversation: TypeAlias = Unopened | Opened


def decide(command: MessagingCommand, conversation: Conversation) -> Sequence[MessagingEvent]:
    """The events that the command leads to; none when it asks for what already is."""
    match command:
        case OpenConversation():
            return open_conversation(command, conversation)
        case SendMessage():
            return send(command, conversation)
        case PostNotice():
            return post_notice(command, conversation)
        case MarkRead():
            return mark_read(command, conversation)
        case HideConversation():
            return hide(command, conversation)
        case _:
            assert_never(command)


def open_conversation(
    command: OpenConversation, conversation: Conversation
) -> Sequence[MessagingEvent]:
    """The buyer begins, and only they: nobody is written to who has not asked."""
    if command.asked_by != str(command.buyer_id):
        raise Rejected("not_yours", 403)
    return _opening(command, conversation)


def _opening(
    command: OpenConversation | PostNotice, conversation: Conversation
) -> list[MessagingEvent]:
    if command.buyer_id == command.seller_id:
        raise Rejected("own_listing")
    known = conversation_id_of(command.listing_id, command.buyer_id, command.seller_id)
    if command.conversation_id != known:
        raise Rejected("conversation_unknown", 404)
    if isinstance(conversation, Opened):
        return []
    return [
        ConversationOpened(
            conversation_id=command.conversation_id,
            listing_id=command.listing_id,
            buyer_id=command.buyer_id,
            seller_id=command.seller_id,
            opened_at=command.asked_at,
        )
    ]


def send(command: SendMessage, conversation: Conversation) -> Sequence[MessagingEvent]:
    """The log's order is the conversation's: the writer numbers what comes."""
    own, other = _sides(command.asked_by, conversation)
    return [
        _sent(
            command,
            own,
            other,
            content_sealed=command.content_sealed,
            marks=command.marks,
        )
    ]


def post_notice(command: PostNotice, conversation: Conversation) -> Sequence[MessagingEvent]:
    """The mesh alone tells what has happened, as one more message of whoever did it."""
    if command.asked_role is not Role.SYSTEM:
        raise Rejected("role_not_allowed", 403)
    opening = _opening(command, conversation)
    opened = reduce(evolve, opening, conversation)
    own, other = _sides(str(command.by_id), opened)
    return [*opening, _sent(command, own, other, content_sealed="", notice=command.notice)]


def _sent(command: SendMessage | PostNotice, own: Side, other: Side, **said: Any) -> MessageSent:
    return MessageSent(
        conversation_id=command.conversation_id,
        message_id=command.message_id,
        sender_id=own.user_id,
        recipient_id=other.user_id,
        number=own.sent + other.sent + 1,
        sender_number=own.sent + 1,
        sent_at=command.asked_at,
        **said,
    )


def mark_read(command: MarkRead, conversation: Conversation) -> Sequence[MessagingEvent]:
    """Reading goes forward only, and never past what was sent."""
    own, other = _sides(command.asked_by, conversation)
    up_to = min(command.up_to, other.sent)
    if up_to <= own.read:
        return []
    return [
        MessagesRead(
            conversation_id=command.conversation_id,
            reader_id=own.user_id,
            up_to=up_to,
            read_at=command.asked_at,
        )
    ]


def hide(command: HideConversation, conversation: Conversation) -> Sequence[MessagingEvent]:
    """For whoever asks; the other one sees nothing of it."""
    own, _ = _sides(command.asked_by, conversation)
    if own.hidden:
        return []
    return [
        ConversationHidden(
            conversation_id=command.conversation_id,
            user_id=own.user_id,
            hidden_at=command.asked_at,
        )
    ]


def _sides(user_id: str, conversation: Conversation) -> tuple[Side, Side]:
    """Somebody of the two and the other one; raises Rejected for others: there is nothing for them."""
    if isinstance(conversation, Opened):
        if user_id == conversation.buyer.user_id:
            return conversation.buyer, conversation.seller
        if user_id == conversation.seller.user_id:
            return conversation.seller, conversation.buyer
    raise Rejected("conversation_unknown", 404)


def evolve(conversation: Conversation, event: MessagingEvent) -> Conversation:
    """The conversation after the event."""
    if isinstance(event, ConversationOpened):
        return Opened(Side(str(event.buyer_id)), Side(str(event.seller_id)))
    if isinstance(conversation, Unopened):
        return conversation
    match event:
        case MessageSent(sender_id=sender_id):
            shown = Opened(
                replace(conversation.buyer, hidden=False),
                replace(conversation.seller, hidden=False),
            )
            own = _own(shown, str(sender_id))
            return _with(shown, replace(own, sent=own.sent + 1))
        case MessagesRead(reader_id=reader_id, up_to=up_to):
            return _with(conversation, replace(_own(conversation, str(reader_id)), read=up_to))
        case ConversationHidden(user_id=user_id):
            return _with(conversation, replace(_own(conversation, str(user_id)), hidden=True))
        case _:
            assert_never(event)


def _own(conversation: Opened, user_id: str) -> Side:
    return conversation.buyer if user_id == conversation.buyer.user_id else conversation.seller


def _with(conversation: Opened, side: Side) -> Opened:
    if side.user_id == conversation.buyer.user_id:
        return replace(conversation, buyer=side)
    return replace(conversation, seller=side)


conversations: Decider[MessagingCommand, Conversation, MessagingEvent] = Decider(
    initial=Unopened(), decide=decide, evolve=evolve
)
