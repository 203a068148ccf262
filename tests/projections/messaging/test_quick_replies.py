from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from projections.messaging.quick_replies import QuickReplies, quick_replies
from schemas.identity import UserDeleted
from schemas.messaging.quick_replies import QuickReplyAdded, QuickReplyRemoved, quick_replies_stream
from tests.projections.history import BEGINNING, history, rows_of

ID = UUID(int=1)
MINUTE = timedelta(minutes=1)
DELETED = UserDeleted(user_id=ID, email_hash="0" * 64, deleted_at=BEGINNING)


def added(number: int) -> QuickReplyAdded:
    return QuickReplyAdded(
        user_id=ID,
        template_id=UUID(int=number),
        content_sealed=f"1{number}",
        added_at=BEGINNING + number * MINUTE,
    )


def removed(number: int) -> QuickReplyRemoved:
    return QuickReplyRemoved(user_id=ID, template_id=UUID(int=number), removed_at=BEGINNING)


def after(*events: Any) -> QuickReplies:
    found: QuickReplies = rows_of(quick_replies, history(quick_replies_stream(ID), *events))[
        str(ID)
    ]
    return found


def test_MS_10_a_person_has_one_row_with_each_template_once() -> None:
    row = after(added(2), added(3), added(2), removed(9))
    assert row.template_ids == (str(UUID(int=3)), str(UUID(int=2)))
    assert row.contents_sealed == ("13", "12")
    assert row.added_at == (BEGINNING + 3 * MINUTE, BEGINNING + 2 * MINUTE)


def test_MS_10_what_is_removed_goes_with_its_words() -> None:
    row = after(added(2), added(3), removed(2))
    assert (row.contents_sealed, row.added_at) == (("13",), (BEGINNING + 3 * MINUTE,))


def test_PR_10_of_a_deleted_person_nothing_is_left_whatever_comes() -> None:
    assert after(added(2), DELETED, added(3)) == QuickReplies(deleted=True)
    assert after(DELETED, added(3)) == QuickReplies(deleted=True)
