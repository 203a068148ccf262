"""What may happen to somebody's quick replies, rule by rule."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from producers.quick_replies import quick_replies
from schemas.log.messages import Role
from schemas.messaging.quick_replies import (
    QUICK_REPLIES_MAX,
    AddQuickReply,
    QuickReplyAdded,
    QuickReplyRemoved,
    RemoveQuickReply,
    quick_replies_stream,
)
from tests.producers.spec import Spec

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID = UUID(int=1)

spec = Spec(quick_replies)


def of(number: int, who: object = ID, role: Role = Role.BUYER) -> dict[str, Any]:
    asked = {"asked_at": NOW, "asked_by": str(who), "asked_role": role}
    return {"user_id": ID, "template_id": UUID(int=100 + number), **asked}


def add(number: int = 1) -> AddQuickReply:
    return AddQuickReply(content_sealed="1x", **of(number))


def added(number: int = 1) -> QuickReplyAdded:
    template_id = UUID(int=100 + number)
    return QuickReplyAdded(user_id=ID, template_id=template_id, content_sealed="1x", added_at=NOW)


REMOVED = QuickReplyRemoved(user_id=ID, template_id=UUID(int=101), removed_at=NOW)
FULL = [added(number) for number in range(QUICK_REPLIES_MAX)]


def test_MS_10_a_template_is_kept_once() -> None:
    assert add().stream_id == quick_replies_stream(ID)
    spec.given().when(add()).then(added())
    spec.given(added()).when(add()).refused("quick_reply_exists")


def test_MS_10_one_that_is_kept_is_removed_once() -> None:
    remove = RemoveQuickReply(**of(1))
    spec.given(added()).when(remove).then(REMOVED)
    spec.given(added(), REMOVED).when(remove).refused("quick_reply_unknown", 404)


def test_MS_10_there_are_so_many_and_no_more() -> None:
    spec.given(*FULL[1:]).when(add(0)).then(added(0))
    spec.given(*FULL).when(add(QUICK_REPLIES_MAX)).refused("quick_replies_full")
    spec.given(*FULL, REMOVED).when(add(1)).then(added(1))


@pytest.mark.parametrize("role", [Role.BUYER, Role.ADMIN, Role.SYSTEM])
def test_MS_10_nobody_else_touches_them(role: Role) -> None:
    others = of(1, UUID(int=7), role)
    spec.given(added()).when(RemoveQuickReply(**others)).refused("not_yours", 403)
    spec.given().when(AddQuickReply(content_sealed="1x", **others)).refused("not_yours", 403)
