"""Blocks: whom somebody does not want to hear from. Said in the context of messaging.

All of one person's are one stream, so that how many they are is judged in its order.
"""

from __future__ import annotations

from typing import Literal, TypeAlias
from uuid import UUID

from pydantic import AwareDatetime

from schemas.log.messages import Command, Event

BLOCKED_MAX = 500  # by one person


def blocks_stream(user_id: UUID | str) -> str:
    """The stream of whom one person has blocked."""
    return f"blocks/{user_id}"


class _BlocksCommand(Command):
    blocker_id: UUID

    @property
    def stream_id(self) -> str:
        return blocks_stream(self.blocker_id)


class BlockUser(_BlocksCommand):
    """Hear nothing from somebody any more."""

    kind: Literal["user.block"] = "user.block"
    blocked_id: UUID


class UnblockUser(_BlocksCommand):
    """Hear from them again."""

    kind: Literal["user.unblock"] = "user.unblock"
    blocked_id: UUID


class UnblockEverybody(_BlocksCommand):
    """Whoever blocked them has left for good: their list is empty from now on."""

    kind: Literal["users.unblock_all"] = "users.unblock_all"


BlocksCommand: TypeAlias = BlockUser | UnblockUser | UnblockEverybody


class UserBlocked(Event):
    """One person does not want to hear from another, who is not told so."""

    kind: Literal["user.blocked"] = "user.blocked"
    blocker_id: UUID
    blocked_id: UUID
    blocked_at: AwareDatetime


class UserUnblocked(Event):
    """They may be reached by the other one again."""

    kind: Literal["user.unblocked"] = "user.unblocked"
    blocker_id: UUID
    blocked_id: UUID
    unblocked_at: AwareDatetime


BlocksEvent: TypeAlias = UserBlocked | UserUnblocked
