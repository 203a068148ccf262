"""What the last answers of a partition say of the commands that are done with."""

from __future__ import annotations

import pytest

from producers.writer.done import HEADER, DoneWith, first_undone
from producers.writer.tail import End

TOPIC = "8aLxghwqTHeM9Qm/LhG4+w"  # as librdkafka spells them


def end(*said: bytes | None) -> End:
    return End(10, [("writer_epoch", b"3"), *((HEADER, each) for each in said)])


def mark(epoch: int, offset: int, topic_id: str = TOPIC) -> bytes:
    return DoneWith(topic_id, epoch, offset).header[1]


@pytest.mark.parametrize(
    ("ends", "first"),
    [
        ([], 0),
        ([end(), end()], 0),
        ([end(mark(1, 5)), end()], 5),
        ([end(), end(mark(1, 5))], 5),
        ([end(mark(1, 5)), end(mark(1, 7))], 7),
        ([end(mark(2, 5)), end(mark(1, 7))], 5),  # the newest owner's word, though it says less
        ([end(mark(1, 5, "another"))], 0),
        ([end(mark(1, 5)), end(mark(9, 7, "another"))], 5),
        ([end(mark(1, 100))], 100),
        ([end(mark(1, 101))], 0),  # more than there is: those commands have been lost
    ],
)
def test_the_newest_owner_of_this_topic_is_believed(ends: list[End], first: int) -> None:
    assert first_undone(ends, TOPIC, 100) == first


@pytest.mark.parametrize(
    "said",
    [b"", b"\xff", None, b"5", b":5", b"::", f"{TOPIC}:5".encode(), f"{TOPIC}:1:x".encode(),
     f"{TOPIC}:1:-5".encode(), f"{TOPIC}:1:5\n".encode(), f"{TOPIC}:1:\u0665".encode()],
)  # fmt: skip
def test_what_is_no_such_word_says_nothing(said: bytes | None) -> None:
    assert first_undone([end(said)], TOPIC, 100) == 0


def test_of_two_the_first_counts() -> None:
    assert first_undone([end(mark(1, 5), mark(1, 9))], TOPIC, 100) == 5
