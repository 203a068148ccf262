from __future__ import annotations

from uuid import UUID

from projections.messaging.message_search import (
    MarkedMessage,
    hits_of,
    message_search,
    search_body,
)
from schemas.messaging import conversation_stream
from tests.projections.history import history, rows_of
from tests.projections.messaging.talks import BUYER, ID, OPENED, said


def test_MS_07_a_document_has_the_marks_and_no_word_of_a_message() -> None:
    event = said(BUYER, 1, 1).model_copy(update={"marks": ("0" * 16, "1" * 16)})
    rows = rows_of(message_search, history(conversation_stream(ID), OPENED, event))
    assert rows == {
        str(event.message_id): MarkedMessage(
            message_id=str(event.message_id),
            conversation_id=str(ID),
            sent_at=event.sent_at,
            marks=("0" * 16, "1" * 16),
        )
    }


def test_MS_07_what_was_sent_before_there_were_marks_has_none() -> None:
    rows = rows_of(message_search, history(conversation_stream(ID), OPENED, said(BUYER, 1, 1)))
    assert rows[str(UUID(int=101))].marks == ()


def test_MS_07_every_word_must_be_there_in_one_of_its_spellings() -> None:
    body = search_body(["a", "b"], [["1", "2"], ["3"]], size=5, offset=10)
    assert body["query"]["bool"]["filter"] == [
        {"terms": {"conversation_id": ["a", "b"]}},
        {"terms": {"marks": ["1", "2"]}},
        {"terms": {"marks": ["3"]}},
    ]
    assert (body["size"], body["from"]) == (5, 10)
    later = search_body(["a"], [["1"]], size=5, after=(7, "x"))
    assert (later["search_after"], "from" in later) == ([7, "x"], False)


def test_MS_07_hits_come_in_the_order_of_the_engine() -> None:
    found = {"hits": {"hits": [{"_id": "x", "sort": [2, "x"]}, {"_id": "y", "sort": [1, "y"]}]}}
    assert hits_of(found) == [("x", (2, "x")), ("y", (1, "y"))]
