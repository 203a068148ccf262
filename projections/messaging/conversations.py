"""Conversations as their two people list them. Postgres, one row per conversation, which holds
both sides: what either of them does changes one row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, assert_never, get_args

from sqlalchemy import Index, MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads, Slice, fetch_slice
from schemas.log.recorded import Recorded
from schemas.messaging import (
    ConversationHidden,
    ConversationOpened,
    MessageSent,
    MessagesRead,
    MessagingEvent,
)


@dataclass(frozen=True, slots=True)
class Conversation:
    """Who talks about what: a listing, or an item of a campus, by its id. `…_sent` counts
    somebody's messages, `…_read` how many of the other one's they have read or put away with the
    conversation: those wait no more when it comes back. `active_at` is when it last moved: what lists go by.
    `asked_at` is the buyer's first message, `answered_at` the seller's first after it.

    Before the first message the seller does not see it: there is nothing to answer.
    """

    listing_id: str
    buyer_id: str
    seller_id: str
    opened_at: datetime
    active_at: datetime
    version: int
    last_message_at: datetime | None = None
    last_message_id: str | None = None
    buyer_sent: int = 0
    seller_sent: int = 0
    buyer_read: int = 0
    seller_read: int = 0
    buyer_hidden: bool = False
    seller_hidden: bool = True
    asked_at: datetime | None = None
    answered_at: datetime | None = None


def key(recorded: Recorded[MessagingEvent]) -> str:
    """The conversation's id."""
    return str(recorded.event.conversation_id)


def fold(row: Conversation | None, recorded: Recorded[MessagingEvent]) -> Conversation | None:
    """The conversation after the event."""
    event = recorded.event
    if isinstance(event, ConversationOpened):
        return Conversation(
            listing_id=str(event.listing_id),
            buyer_id=str(event.buyer_id),
            seller_id=str(event.seller_id),
            opened_at=event.opened_at,
            active_at=event.opened_at,
            version=recorded.version,
        )
    return row and replace(row, version=recorded.version, **_changes(row, event))


def _changes(
    row: Conversation, event: MessageSent | MessagesRead | ConversationHidden
) -> dict[str, Any]:
    match event:
        case MessageSent(message_id=message_id, sender_number=number, sent_at=at):
            own = _side(row, event.sender_id)
            return {
                f"{own}_sent": number,
                **_answering(row, own, at),
                "buyer_hidden": False,
                "seller_hidden": False,
                "last_message_id": str(message_id),
                "last_message_at": at,
                "active_at": at,
            }
        case MessagesRead(reader_id=reader_id, up_to=up_to):
            return _seen(row, _side(row, reader_id), up_to)
        case ConversationHidden(user_id=user_id):
            own = _side(row, user_id)
            everything = row.seller_sent if own == "buyer" else row.buyer_sent
            return {f"{own}_hidden": True, **_seen(row, own, everything)}
        case _:
            assert_never(event)


def _answering(row: Conversation, own: str, at: datetime) -> dict[str, datetime | None]:
    """Whoever was not asked anything has answered nothing."""
    if own == "buyer":
        return {"asked_at": row.asked_at or at}
    return {"answered_at": row.answered_at or (row.asked_at and at)}


def _seen(row: Conversation, own: str, up_to: int) -> dict[str, int]:
    """So many of the other one's messages wait no more; what was put away is not taken out."""
    before = row.buyer_read if own == "buyer" else row.seller_read
    return {f"{own}_read": max(before, up_to)}


def _side(row: Conversation, user_id: object) -> str:
    return "buyer" if str(user_id) == row.buyer_id else "seller"


table = Table("conversations", MetaData(), *columns_of(Conversation))
Index("of_buyer", table.c.buyer_id, table.c.active_at.desc(), table.c.key.desc())
Index("of_seller", table.c.seller_id, table.c.active_at.desc(), table.c.key.desc())

conversations = Projection(
    name="conversations",
    version=3,
    hears=get_args(MessagingEvent),
    key=key,
    fold=fold,
    row=Conversation,
    target=PostgresTable(table),
)

# Each side has an index of its own, so each is asked by itself.
_SIDE = """
    SELECT *, {other}_sent - {own}_read AS unread FROM reads.conversations
    WHERE {own}_id = $1 AND NOT {own}_hidden {after}
"""
_BUYER = _SIDE.replace("{own}", "buyer").replace("{other}", "seller")
_SELLER = _SIDE.replace("{own}", "seller").replace("{other}", "buyer")
_LIST = f"""
    SELECT own.key, own.listing_id, own.buyer_id, own.seller_id, own.opened_at, own.active_at,
           own.last_message_at, own.unread, last.key AS last_id, last.sender_id AS last_sender_id,
           last.content_sealed AS last_content_sealed, last.notice_kind AS last_notice_kind,
           last.notice_booking_id AS last_notice_booking_id,
           last.notice_reason AS last_notice_reason, listing.title, listing.price_minor,
           listing.currency, listing.status AS listing_status,
           listing.seller_id AS listing_seller_id, item.title AS item_title,
           item.price_minor AS item_price_minor, item.currency AS item_currency,
           item.status AS item_status
    FROM (
        ({_BUYER} ORDER BY active_at DESC, key DESC LIMIT $2::bigint + $3::bigint)
        UNION ALL
        ({_SELLER} ORDER BY active_at DESC, key DESC LIMIT $2::bigint + $3::bigint)
    ) AS own
    LEFT JOIN reads.messages AS last ON last.key = own.last_message_id
    LEFT JOIN reads.listing_page AS listing ON listing.key = own.listing_id
    LEFT JOIN reads.items AS item ON item.key = own.listing_id
    ORDER BY own.active_at DESC, own.key DESC {{limit}}
"""  # noqa: S608 - our own names
_OFFER = """
    SELECT about.listing_id, listing.title, listing.price_minor, listing.currency,
           listing.status AS listing_status, listing.seller_id AS listing_seller_id,
           item.title AS item_title, item.price_minor AS item_price_minor,
           item.currency AS item_currency, item.status AS item_status
    FROM (SELECT $1::text AS listing_id) AS about
    LEFT JOIN reads.listing_page AS listing ON listing.key = about.listing_id
    LEFT JOIN reads.items AS item ON item.key = about.listing_id
"""
_UNREAD = f"""
    SELECT key, unread FROM ({_BUYER} UNION ALL {_SELLER}) AS own
    WHERE unread > 0 ORDER BY active_at DESC, key DESC LIMIT $2
""".replace("{after}", "")  # noqa: S608 - our own names
_BY_ID = """
    SELECT key, listing_id, buyer_id, seller_id, buyer_sent, seller_sent
    FROM reads.conversations WHERE key = $1
"""

SEARCHED_MAX = 300  # conversations in which somebody looks for words
_SEARCHED = f"""
    SELECT key, buyer_id, seller_id FROM (
        ({_BUYER} ORDER BY active_at DESC, key DESC LIMIT $2)
        UNION ALL ({_SELLER} ORDER BY active_at DESC, key DESC LIMIT $2)
    ) AS own ORDER BY active_at DESC, key DESC LIMIT $2
""".replace("{after}", "")  # noqa: S608 - our own names
PARTNERS_MAX = 1_000  # conversations on either side, the last moved
_WITH = """
    (SELECT seller_id AS other FROM reads.conversations
     WHERE buyer_id = $1 AND last_message_at IS NOT NULL
     ORDER BY active_at DESC, key DESC LIMIT $2)
    UNION
    (SELECT buyer_id FROM reads.conversations
     WHERE seller_id = $1 AND last_message_at IS NOT NULL
     ORDER BY active_at DESC, key DESC LIMIT $2)
"""

RESPONSES_DAYS = 90
RESPONSES_MIN = 5  # fewer tell nothing of somebody's habits
RESPONSES_MAX = 1_000  # the last ones stand for the others
# Who was asked less than a day ago may still answer.
_RESPONSES = f"""
    WITH recent AS (
        SELECT asked_at, answered_at FROM reads.conversations
        WHERE seller_id = $1 AND active_at > $2::timestamptz - interval '{RESPONSES_DAYS} days'
        ORDER BY active_at DESC, key DESC LIMIT {RESPONSES_MAX}
    )
    SELECT count(*) AS asked, count(answered_at) AS answered,
           percentile_cont(0.5) WITHIN GROUP (
               ORDER BY greatest(extract(epoch FROM answered_at - asked_at), 0)
           ) FILTER (WHERE answered_at IS NOT NULL) AS median_s
    FROM recent WHERE asked_at > $2::timestamptz - interval '{RESPONSES_DAYS} days'
        AND (answered_at IS NOT NULL OR asked_at <= $2::timestamptz - interval '1 day')
"""  # noqa: S608 - our own figures
_ABOUT = "SELECT key, seller_id FROM reads.conversations WHERE buyer_id = $1 AND listing_id = $2"


@dataclass(frozen=True)
class Responses:
    """How a seller answers those who ask: which share of them (0 to 1), and in how many seconds, the
    median; None where they are too few to tell.
    """

    rate: float | None = None
    median_s: float | None = None


async def responses_of(reads: Reads, seller_id: str, now: datetime) -> Responses:
    """Of the conversations of the last RESPONSES_DAYS that somebody else has begun."""
    row = await reads.fetchrow(_RESPONSES, seller_id, now)
    if row is None or row["asked"] < RESPONSES_MIN:
        return Responses()
    return Responses(row["answered"] / row["asked"], row["median_s"])


async def about(reads: Reads, buyer_id: str, offer_id: str) -> Mapping[str, Any] | None:
    """The conversation that somebody has begun about something on offer."""
    return await reads.fetchrow(_ABOUT, buyer_id, offer_id)


async def by_id(reads: Reads, conversation_id: str) -> Mapping[str, Any] | None:
    """Who talks about what in one conversation."""
    return await reads.fetchrow(_BY_ID, conversation_id)


async def offer_of(reads: Reads, listing_id: str) -> Mapping[str, Any]:
    """What is talked about, as a conversation in a list has it; its columns are null where there is
    no such thing.
    """
    row = await reads.fetchrow(_OFFER, listing_id)
    assert row is not None  # it selects from one row
    return row


async def of_person(reads: Reads, user_id: str, part: Slice) -> Sequence[Mapping[str, Any]]:
    """Somebody's conversations with their listing and last message, the last moved first."""
    return await fetch_slice(reads, _LIST, "active_at, key", part, user_id)


async def searched(reads: Reads, user_id: str) -> Sequence[Mapping[str, Any]]:
    """Somebody's conversations that are not put away, the last moved first: one more than are
    searched, so that it can be told.
    """
    return await reads.fetch(_SEARCHED, user_id, SEARCHED_MAX + 1)


async def partners(reads: Reads, user_id: str) -> frozenset[str]:
    """Whom somebody has exchanged words with, in the last PARTNERS_MAX conversations."""
    rows = await reads.fetch(_WITH, user_id, PARTNERS_MAX)
    return frozenset(row["other"] for row in rows)


async def unread(reads: Reads, user_id: str, limit: int) -> Sequence[Mapping[str, Any]]:
    """The conversations in which somebody has not read everything, and how many messages."""
    return await reads.fetch(_UNREAD, user_id, limit)
