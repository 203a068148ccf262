"""Quick replies: what somebody says often, kept as templates. Said in the context of messaging.

All of one person's are one stream, so that how many they are is judged in its order. Their words are
sealed with that person's key.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from pydantic import AwareDatetime, StringConstraints

from schemas.log.messages import Command, Event
from schemas.values.texts import SEALED

QUICK_REPLIES_MAX = 50  # of one person
TEMPLATE_LENGTH_MAX = 1_000  # characters

# 1,000 characters of any script: 4,000 bytes, and a third more in base64.
SealedTemplate = Annotated[str, StringConstraints(max_length=5_600), SEALED]


def quick_replies_stream(user_id: UUID | str) -> str:
    """The stream of one person's quick replies."""
    return f"quick_replies/{user_id}"


class _QuickReplyCommand(Command):
    user_id: UUID
    template_id: UUID

    @property
    def stream_id(self) -> str:
        return quick_replies_stream(self.user_id)


class AddQuickReply(_QuickReplyCommand):
    """Keep a template."""

    kind: Literal["quick_reply.add"] = "quick_reply.add"
    content_sealed: SealedTemplate


class RemoveQuickReply(_QuickReplyCommand):
    """Keep it no longer."""

    kind: Literal["quick_reply.remove"] = "quick_reply.remove"


QuickReplyCommand: TypeAlias = AddQuickReply | RemoveQuickReply


class QuickReplyAdded(Event):
    """Somebody keeps a template of what they say often."""

    kind: Literal["quick_reply.added"] = "quick_reply.added"
    user_id: UUID
    template_id: UUID
    content_sealed: str
    added_at: AwareDatetime


class QuickReplyRemoved(Event):
    """They keep it no longer."""

    kind: Literal["quick_reply.removed"] = "quick_reply.removed"
    user_id: UUID
    template_id: UUID
    removed_at: AwareDatetime


QuickReplyEvent: TypeAlias = QuickReplyAdded | QuickReplyRemoved
