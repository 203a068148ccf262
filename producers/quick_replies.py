"""What may happen to somebody's quick replies: they alone keep and remove them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never
from uuid import UUID

from producers.decider import Decider, Rejected
from schemas.messaging.quick_replies import (
    QUICK_REPLIES_MAX,
    AddQuickReply,
    QuickReplyAdded,
    QuickReplyCommand,
    QuickReplyEvent,
    QuickReplyRemoved,
    RemoveQuickReply,
)


@dataclass(frozen=True)
class QuickReplies:
    """Which templates somebody keeps."""

    kept: frozenset[UUID] = frozenset()


def decide(command: QuickReplyCommand, replies: QuickReplies) -> Sequence[QuickReplyEvent]:
    """The events that the command leads to."""
    if command.asked_by != str(command.user_id):
        raise Rejected("not_yours", 403)
    match command:
        case AddQuickReply():
            return add(command, replies)
        case RemoveQuickReply():
            return remove(command, replies)
        case _:
            assert_never(command)


def add(command: AddQuickReply, replies: QuickReplies) -> Sequence[QuickReplyEvent]:
    """While there is room. A template is never changed: what it says is said of it once."""
    if command.template_id in replies.kept:
        raise Rejected("quick_reply_exists")
    if len(replies.kept) >= QUICK_REPLIES_MAX:
        raise Rejected("quick_replies_full")
    return [
        QuickReplyAdded(
            user_id=command.user_id,
            template_id=command.template_id,
            content_sealed=command.content_sealed,
            added_at=command.asked_at,
        )
    ]


def remove(command: RemoveQuickReply, replies: QuickReplies) -> Sequence[QuickReplyEvent]:
    """One of their own."""
    if command.template_id not in replies.kept:
        raise Rejected("quick_reply_unknown", 404)
    return [
        QuickReplyRemoved(
            user_id=command.user_id, template_id=command.template_id, removed_at=command.asked_at
        )
    ]


def evolve(replies: QuickReplies, event: QuickReplyEvent) -> QuickReplies:
    """The quick replies after the event."""
    match event:
        case QuickReplyAdded(template_id=template_id):
            return QuickReplies(replies.kept | {template_id})
        case QuickReplyRemoved(template_id=template_id):
            return QuickReplies(replies.kept - {template_id})
        case _:
            assert_never(event)


quick_replies: Decider[QuickReplyCommand, QuickReplies, QuickReplyEvent] = Decider(
    initial=QuickReplies(), decide=decide, evolve=evolve
)
