from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from projections.messaging.conversations import Conversation, conversations
from schemas.log.messages import Event
from schemas.messaging import conversation_stream
from tests.projections.history import BEGINNING, history, rows_of
from tests.projections.messaging.talks import (
    BUYER,
    ID,
    LISTING,
    OPENED,
    SELLER,
    hidden,
    read,
    said,
)


def after(*events: Event) -> Conversation:
    rows = rows_of(conversations, history(conversation_stream(ID), OPENED, *events))
    found: Conversation = rows[str(ID)]
    return found


def test_MS_12_the_row_has_every_column_of_the_source() -> None:
    columns = {column.name for column in conversations.target.table.columns}
    assert columns >= {"key", "listing_id", "buyer_id", "seller_id", "last_message_at"}
    row = after()
    assert (row.listing_id, row.buyer_id, row.seller_id) == (str(LISTING), str(BUYER), str(SELLER))
    assert row.last_message_at is None


def test_MS_12_it_moves_with_its_last_message() -> None:
    row = after(said(BUYER, 1, 1), said(SELLER, 2, 1), read(BUYER, 1))
    assert row.active_at == row.last_message_at == BEGINNING + timedelta(minutes=2)
    assert row.last_message_id == str(UUID(int=102))


def test_MS_06_what_was_sent_and_read_is_counted_for_each_side() -> None:
    row = after(said(BUYER, 1, 1), said(BUYER, 2, 2), said(SELLER, 3, 1), read(SELLER, 1))
    assert (row.buyer_sent, row.seller_sent) == (2, 1)
    assert (row.buyer_read, row.seller_read) == (0, 1)


def test_MS_05_a_new_message_brings_a_hidden_one_back() -> None:
    assert after(said(BUYER, 1, 1), hidden(BUYER)).buyer_hidden
    assert not after(said(BUYER, 1, 1), hidden(BUYER)).seller_hidden
    back = after(said(BUYER, 1, 1), hidden(BUYER), said(SELLER, 2, 1))
    assert (back.buyer_hidden, back.seller_hidden) == (False, False)


def test_MS_06_what_was_put_away_waits_no_more_when_the_conversation_comes_back() -> None:
    row = after(said(BUYER, 1, 1), said(BUYER, 2, 2), hidden(SELLER), said(BUYER, 3, 3))
    assert row.buyer_sent - row.seller_read == 1
    later = after(said(BUYER, 1, 1), said(BUYER, 2, 2), hidden(SELLER), read(SELLER, 1))
    assert later.seller_read == 2


def test_MS_02_a_seller_sees_nothing_before_something_is_said() -> None:
    assert (after().buyer_hidden, after().seller_hidden) == (False, True)
    assert not after(said(BUYER, 1, 1)).seller_hidden


def test_MS_12_what_was_never_opened_has_no_row() -> None:
    assert rows_of(conversations, history(conversation_stream(ID), said(BUYER, 1, 1))) == {}


def test_BY_13_the_first_question_and_the_first_answer_to_it_count() -> None:
    row = after(said(BUYER, 1, 1), said(BUYER, 2, 2), said(SELLER, 5, 1), said(SELLER, 9, 2))
    assert (row.asked_at, row.answered_at) == (
        BEGINNING + timedelta(minutes=1),
        BEGINNING + timedelta(minutes=5),
    )


def test_BY_13_who_was_not_asked_has_answered_nothing() -> None:
    row = after(said(SELLER, 1, 1), said(BUYER, 2, 1))
    assert (row.asked_at, row.answered_at) == (BEGINNING + timedelta(minutes=2), None)
