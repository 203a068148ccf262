from __future__ import annotations

from projections.messaging.message_reads import MessageRead, message_reads
from schemas.messaging import conversation_stream
from tests.projections.history import BEGINNING, history, rows_of
from tests.projections.messaging.talks import BUYER, ID, OPENED, SELLER, read, said


def test_MS_04_every_reading_has_a_row() -> None:
    talk = history(
        conversation_stream(ID),
        OPENED,
        said(BUYER, 1, 1),
        read(SELLER, 1),
        said(BUYER, 2, 2),
        read(SELLER, 2),
    )
    assert sorted(row.up_to for row in rows_of(message_reads, talk).values()) == [1, 2]
    assert rows_of(message_reads, talk[:3])[talk[2].event_id] == MessageRead(
        conversation_id=str(ID), reader_id=str(SELLER), up_to=1, read_at=BEGINNING
    )
