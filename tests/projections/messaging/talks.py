"""A talk between two people, as events."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from schemas.messaging import (
    ConversationHidden,
    ConversationOpened,
    MessageSent,
    MessagesRead,
    conversation_id_of,
)
from tests.projections.history import BEGINNING

LISTING, BUYER, SELLER = UUID(int=1), UUID(int=2), UUID(int=3)
ID = conversation_id_of(LISTING, BUYER, SELLER)
OPENED = ConversationOpened(
    conversation_id=ID, listing_id=LISTING, buyer_id=BUYER, seller_id=SELLER, opened_at=BEGINNING
)


def said(sender: UUID, number: int, sender_number: int) -> MessageSent:
    """The nth message, n minutes after the beginning."""
    return MessageSent(
        conversation_id=ID,
        message_id=UUID(int=100 + number),
        sender_id=sender,
        recipient_id=SELLER if sender == BUYER else BUYER,
        number=number,
        sender_number=sender_number,
        content_sealed=f"1{number}",
        sent_at=BEGINNING + timedelta(minutes=number),
    )


def read(reader: UUID, up_to: int) -> MessagesRead:
    return MessagesRead(conversation_id=ID, reader_id=reader, up_to=up_to, read_at=BEGINNING)


def hidden(who: UUID) -> ConversationHidden:
    return ConversationHidden(conversation_id=ID, user_id=who, hidden_at=BEGINNING)
