"""What may happen to the list of whom somebody has blocked, rule by rule."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from producers.blocks import blocks
from schemas.log.messages import Role
from schemas.messaging.blocks import (
    BLOCKED_MAX,
    BlockUser,
    UnblockEverybody,
    UnblockUser,
    UserBlocked,
    UserUnblocked,
    blocks_stream,
)
from tests.producers.spec import Spec

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID = UUID(int=1)

spec = Spec(blocks)


def other(number: int) -> UUID:
    return UUID(int=1_000 + number)


def by(who: object = ID, role: Role = Role.BUYER) -> dict[str, Any]:
    return {"blocker_id": ID, "asked_at": NOW, "asked_by": str(who), "asked_role": role}


def blocked(number: int = 1) -> UserBlocked:
    return UserBlocked(blocker_id=ID, blocked_id=other(number), blocked_at=NOW)


def unblocked(number: int = 1) -> UserUnblocked:
    return UserUnblocked(blocker_id=ID, blocked_id=other(number), unblocked_at=NOW)


BLOCK = BlockUser(blocked_id=other(1), **by())
UNBLOCK = UnblockUser(blocked_id=other(1), **by())
FULL = [blocked(number) for number in range(BLOCKED_MAX)]


def test_MS_08_somebody_is_blocked_once() -> None:
    assert BLOCK.stream_id == blocks_stream(ID)
    spec.given().when(BLOCK).then(blocked())
    spec.given(blocked()).when(BLOCK).then()
    spec.given(blocked(), unblocked()).when(BLOCK).then(blocked())


def test_MS_08_whoever_is_not_blocked_stays_so() -> None:
    spec.given(blocked()).when(UNBLOCK).then(unblocked())
    spec.given().when(UNBLOCK).then()
    spec.given(blocked(), unblocked()).when(UNBLOCK).then()


def test_MS_08_nobody_blocks_themselves() -> None:
    spec.given().when(BlockUser(blocked_id=ID, **by())).refused("about_oneself", 403)


def test_MS_08_there_are_so_many_and_no_more() -> None:
    more = BlockUser(blocked_id=other(BLOCKED_MAX), **by())
    spec.given(*FULL[1:]).when(more).then(blocked(BLOCKED_MAX))
    spec.given(*FULL).when(more).refused("blocked_full")
    spec.given(*FULL).when(BLOCK).then()
    spec.given(*FULL, unblocked()).when(more).then(blocked(BLOCKED_MAX))


@pytest.mark.parametrize("role", [Role.BUYER, Role.ADMIN, Role.SYSTEM])
@pytest.mark.parametrize("command", [BlockUser, UnblockUser])
def test_MS_08_ones_list_is_ones_own(command: Any, role: Role) -> None:
    asked = command(blocked_id=other(1), **by(other(7), role))
    spec.given(blocked()).when(asked).refused("not_yours", 403)


def test_PR_10_with_whoever_leaves_their_list_is_emptied_by_the_mesh_alone() -> None:
    asked = UnblockEverybody(**by("reaction/x", Role.SYSTEM))
    spec.given(blocked(2), blocked(1)).when(asked).then(unblocked(1), unblocked(2))
    spec.given(blocked(1), unblocked(1)).when(asked).then()
    forged = UnblockEverybody(**by(other(7), Role.ADMIN))
    spec.given(blocked()).when(forged).refused("not_yours", 403)
