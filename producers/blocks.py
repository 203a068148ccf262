"""What may happen to the list of whom somebody has blocked: they alone put people on it and take
them off. With somebody who leaves for good it is emptied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never
from uuid import UUID

from producers.decider import Decider, Rejected
from schemas.log.messages import Role
from schemas.messaging.blocks import (
    BLOCKED_MAX,
    BlocksCommand,
    BlocksEvent,
    BlockUser,
    UnblockEverybody,
    UnblockUser,
    UserBlocked,
    UserUnblocked,
)


@dataclass(frozen=True)
class Blocks:
    """Whom somebody has blocked."""

    blocked: frozenset[UUID] = frozenset()


def decide(command: BlocksCommand, blocks: Blocks) -> Sequence[BlocksEvent]:
    """The events that the command leads to; none when it asks for what already is."""
    ends = isinstance(command, UnblockEverybody) and command.asked_role is Role.SYSTEM
    if command.asked_by != str(command.blocker_id) and not ends:
        raise Rejected("not_yours", 403)
    match command:
        case BlockUser():
            return block(command, blocks)
        case UnblockUser():
            return unblock(command, blocks)
        case UnblockEverybody():
            return [_unblocked(command, each) for each in sorted(blocks.blocked)]
        case _:
            assert_never(command)


def block(command: BlockUser, blocks: Blocks) -> Sequence[BlocksEvent]:
    """Anybody but oneself, while there is room."""
    if command.blocked_id == command.blocker_id:
        raise Rejected("about_oneself", 403)
    if command.blocked_id in blocks.blocked:
        return []
    if len(blocks.blocked) >= BLOCKED_MAX:
        raise Rejected("blocked_full")
    return [
        UserBlocked(
            blocker_id=command.blocker_id,
            blocked_id=command.blocked_id,
            blocked_at=command.asked_at,
        )
    ]


def unblock(command: UnblockUser, blocks: Blocks) -> Sequence[BlocksEvent]:
    """Whatever has become of the other one."""
    if command.blocked_id not in blocks.blocked:
        return []
    return [_unblocked(command, command.blocked_id)]


def _unblocked(command: BlocksCommand, blocked_id: UUID) -> UserUnblocked:
    return UserUnblocked(
        blocker_id=command.blocker_id, blocked_id=blocked_id, unblocked_at=command.asked_at
    )


def evolve(blocks: Blocks, event: BlocksEvent) -> Blocks:
    """The list after the event."""
    match event:
        case UserBlocked(blocked_id=blocked_id):
            return Blocks(blocks.blocked | {blocked_id})
        case UserUnblocked(blocked_id=blocked_id):
            return Blocks(blocks.blocked - {blocked_id})
        case _:
            assert_never(event)


blocks: Decider[BlocksCommand, Blocks, BlocksEvent] = Decider(
    initial=Blocks(), decide=decide, evolve=evolve
)
