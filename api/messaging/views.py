"""Conversations and messages as their people see them: unsealed, and without whoever has left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from api.backends.machines import Machines
from api.listings.sight import PUBLIC
from api.messaging.words import marks_of
from api.profiles.sight import People, key_of
from api.wire.deadlines import left
from api.wire.problems import Problem
from projections.messaging import conversations
from schemas.items import SEEN as SEEN_ITEMS
from schemas.items import ItemStatus
from schemas.listings import ListingStatus, seller_account, source_name

SOON_S = 0.5  # a read model that works shows what was opened in less
POLL_S = 0.01

Row = Mapping[str, Any]


async def sealed_content(
    mesh: Machines, user_id: str, conversation_id: UUID, content: str
) -> dict[str, Any]:
    """What somebody says in a conversation, sealed with their own key, and the marks of its words;
    raises a 410 problem for the erased.
    """
    key = await key_of(mesh, UUID(user_id))
    marks = marks_of(key, conversation_id, content)
    return {"content_sealed": key.seal("content", content), "marks": marks}


def unknown() -> Problem:
    """The answer about what is not there, or is of others: nobody can tell which."""
    return Problem(404, "conversation_unknown", "There is no such conversation")


async def conversation_for(mesh: Machines, conversation_id: UUID, user_id: str) -> Row:
    """The conversation's row, for one of its two people; raises a 404 problem for others."""
    row = await conversations.by_id(mesh.postgres, str(conversation_id))
    if row is None or user_id not in (row["buyer_id"], row["seller_id"]):
        raise unknown()
    return row


async def conversation_soon(mesh: Machines, conversation_id: UUID, user_id: str) -> Row | None:
    """The same of one that was opened just now; None where there is none for this person. It is
    looked for as long whether others have it or nobody, so that nobody can tell which.
    """
    deadline = time.monotonic() + left(min(mesh.settings.read_wait_s, SOON_S))
    while True:
        row = await conversations.by_id(mesh.postgres, str(conversation_id))
        if row is not None and user_id in (row["buyer_id"], row["seller_id"]):
            return row
        if time.monotonic() > deadline:
            return None
        await asyncio.sleep(POLL_S)


def other_of(row: Row, user_id: str) -> str:
    """Whom this one of the two talks with."""
    found: str = row["seller_id" if user_id == row["buyer_id"] else "buyer_id"]
    return found


def message_shown(row: Row, people: People) -> dict[str, Any]:
    """A row of messages as its people see it."""
    return {
        "id": row["key"],
        **{name: row[name] for name in ("conversation_id", "number", "sender_id")},
        "sender_name": people.name(row["sender_id"]),
        "recipient_id": row["recipient_id"],
        **said_of(row, people),
        **{name: row[name] for name in ("created_at", "read_at")},
    }


def said_of(row: Row, people: People, of: str = "") -> dict[str, Any]:
    """What a message says: its words, or, in no language, what the mesh tells."""
    kind = row[f"{of}notice_kind"]
    if kind is None:
        content = people.said(row[f"{of}sender_id"], row[f"{of}content_sealed"])
        return {"content": content, "notice": None}
    params = {name: row[f"{of}notice_{name}"] for name in ("booking_id", "reason")}
    return {"content": None, "notice": {"kind": kind, "params": params}}


def conversation_shown(row: Row, people: People, user_id: str) -> dict[str, Any]:
    """A row of conversations as this one of its two people sees it."""
    side = "buyer" if row["buyer_id"] == user_id else "seller"
    other = row["seller_id"] if side == "buyer" else row["buyer_id"]
    last = None
    if row["last_id"] is not None:
        sender = row["last_sender_id"]
        last = {"id": row["last_id"], "sender_id": sender, **said_of(row, people, "last_")}
    return {
        "id": row["key"],
        "side": side,
        "listing": None if row["item_status"] else _card(row, side),
        "item": _item_card(row, side) if row["item_status"] else None,
        "other": {"id": other, "name": name_of(row, people, other)},
        **{name: row[name] for name in ("unread", "opened_at", "last_message_at")},
        "last_message": last,
    }


def offer_shown(row: Row, side: str) -> dict[str, Any]:
    """What this side sees of the listing or item that is talked about."""
    return _item_card(row, side) if row["item_status"] else _card(row, side)


def name_of(row: Row, people: People, user_id: str) -> str:
    """By what name the other one goes; a source that nobody has registered by its own."""
    source = row["listing_seller_id"]
    if source in {None, user_id} or user_id != str(seller_account(source)):
        return people.name(user_id)
    return people.names.get(user_id) or source_name(source)


def _item_card(row: Row, side: str) -> dict[str, Any]:
    """The item: a deleted one says so and no more, one that is not shown yet is its owner's."""
    status = row["item_status"]
    shown = status in SEEN_ITEMS or (side == "seller" and status != ItemStatus.DELETED)
    told = ("title", "price_minor", "currency")
    return {
        "id": row["listing_id"],
        **{name: row[f"item_{name}"] if shown else None for name in told},
        "status": status,
    }


def _card(row: Row, side: str) -> dict[str, Any]:
    """The listing: a deleted one says so and no more, a draft is its seller's."""
    status = row["listing_status"]
    shown = status in PUBLIC or (side == "seller" and status != ListingStatus.DELETED)
    told = ("title", "price_minor", "currency")
    return {
        "id": row["listing_id"],
        **{name: row[name] if shown else None for name in told},
        "status": status,
    }
