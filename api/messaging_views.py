"""Conversations and messages as their people see them: unsealed, and without whoever has left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from api.listing_sight import PUBLIC, hidden
from api.machines import Machines
from api.problems import Problem
from infra.vault import PersonKey
from projections.listings import listing_page
from projections.messaging import conversations
from projections.profiles import user_profiles
from schemas.identity import UserStatus
from schemas.listings import ListingStatus

DELETED_NAME = "deleted user"

Row = Mapping[str, Any]


@dataclass(frozen=True)
class People:
    """Names and keys of those who take part and are still there."""

    names: Mapping[str, str]
    keys: Mapping[str, PersonKey]

    def name(self, user_id: str) -> str:
        """By what name somebody goes; one for all who have left."""
        return self.names.get(user_id, DELETED_NAME)

    def said(self, user_id: str, content_sealed: str) -> str | None:
        """What somebody said; None once they have left, for nobody can read it any more."""
        key = self.keys.get(user_id)
        return None if key is None else key.unseal("content", content_sealed)


async def people_of(mesh: Machines, user_ids: Iterable[str]) -> People:
    """These people, as far as they are still there."""
    wanted = sorted(set(user_ids))
    found = await mesh.vault.people(UUID(each) for each in wanted)
    keys = {str(user_id): key for user_id, key in found.items()}
    names = {}
    for row in await user_profiles.names_of(mesh.postgres, wanted):
        user_id = row["key"]
        if row["status"] == UserStatus.DELETED:
            keys.pop(user_id, None)
        elif user_id in keys:
            names[user_id] = _name(row, keys[user_id])
    return People(names, keys)


def _name(row: Row, key: PersonKey) -> str:
    if row["full_name_sealed"] is not None:
        return key.unseal("full_name", row["full_name_sealed"])
    return key.unseal("name", row["name_sealed"])


async def sealed_content(mesh: Machines, user_id: str, content: str) -> str:
    """What somebody says, sealed with their own key; raises a 410 problem for the erased."""
    key = await mesh.vault.person(UUID(user_id))
    if key is None:
        raise Problem(410, "user_deleted", "This person has left")
    return key.seal("content", content)


def unknown() -> Problem:
    """The answer about what is not there, or is of others: nobody can tell which."""
    return Problem(404, "conversation_unknown", "There is no such conversation")


async def conversation_for(mesh: Machines, conversation_id: UUID, user_id: str) -> Row:
    """The conversation's row, for one of its two people; raises a 404 problem for others."""
    row = await conversations.by_id(mesh.postgres, str(conversation_id))
    if row is None or user_id not in (row["buyer_id"], row["seller_id"]):
        raise unknown()
    return row


async def seller_of(mesh: Machines, listing_id: UUID) -> tuple[UUID, bool]:
    """Who sells a listing, and whether everybody may ask about it; raises a 404 problem where
    there is none and a 410 problem where it was taken away.
    """
    row = await listing_page.by_id(mesh.postgres, str(listing_id))
    if row is None:
        raise hidden()
    if row["status"] == ListingStatus.DELETED and row["published_at"] is not None:
        raise Problem(410, "listing_deleted", "This listing was taken away")
    try:
        seller_id = UUID(row["seller_id"])
    except ValueError:  # offered by a tool: there is nobody to talk with
        raise hidden() from None
    return seller_id, row["status"] in PUBLIC


def message_shown(row: Row, people: People) -> dict[str, Any]:
    """A row of messages as its people see it."""
    return {
        "id": row["key"],
        **{name: row[name] for name in ("conversation_id", "number", "sender_id")},
        "sender_name": people.name(row["sender_id"]),
        "recipient_id": row["recipient_id"],
        "content": people.said(row["sender_id"], row["content_sealed"]),
        **{name: row[name] for name in ("created_at", "read_at")},
    }


def conversation_shown(row: Row, people: People, user_id: str) -> dict[str, Any]:
    """A row of conversations as this one of its two people sees it."""
    side = "buyer" if row["buyer_id"] == user_id else "seller"
    other = row["seller_id"] if side == "buyer" else row["buyer_id"]
    last = None
    if row["last_id"] is not None:
        sender = row["last_sender_id"]
        content = people.said(sender, row["last_content_sealed"])
        last = {"id": row["last_id"], "sender_id": sender, "content": content}
    return {
        "id": row["key"],
        "side": side,
        "listing": _card(row, side),
        "other": {"id": other, "name": people.name(other)},
        **{name: row[name] for name in ("unread", "opened_at", "last_message_at")},
        "last_message": last,
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
