"""Marks of words, and what is shown of a message around them."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from api.messaging.words import (
    ASKED_MAX,
    SNIPPET_MAX,
    marks_asked,
    marks_of,
    snippet_of,
    words_asked,
)
from infra.vault.vault import PersonKey
from projections.search.spelling import prose
from schemas.messaging import MARK_LENGTH, MARKS_MAX

CHAT, OTHER_CHAT = UUID(int=1), UUID(int=2)
ONE, TWO = (PersonKey(UUID(int=number), bytes([number]) * 32) for number in (10, 11))


def found(content: str, text: str, key: PersonKey = ONE, chat: UUID = CHAT) -> bool:
    """Whether a message of the first one in the first conversation is found by this key there."""
    marks = set(marks_of(ONE, CHAT, content))
    words = words_asked(text)
    missing = [each for each in words if marks.isdisjoint(marks_asked(key, chat, each))]
    return bool(words) and not missing


def test_MS_07_capitals_accents_and_hyphens_make_no_difference() -> None:
    content = "Müller has an F-150, café-racer style"
    for text in ("müller", "MULLER", "cafe", "f150", "F-150", "f 150", "café racer style"):
        assert found(content, text), text
    for text in ("mull", "style2", "porsche", "muller porsche", "?!", "is"):
        assert not found(content, text), text


def test_MS_07_a_mark_is_of_one_person_one_conversation_and_one_word() -> None:
    assert found("Hello there", "hello")
    assert not found("Hello there", "hello", key=TWO)
    assert not found("Hello there", "hello", chat=OTHER_CHAT)
    marks = [
        marks_of(key, chat, word)[0]
        for key in (ONE, TWO)
        for chat in (CHAT, OTHER_CHAT)
        for word in ("hello", "there")
    ]
    assert len(set(marks)) == len(marks)


def test_MS_07_marks_have_one_form_and_no_order_and_are_bounded() -> None:
    words = [f"word{number}" for number in range(MARKS_MAX + 50)]
    marks = marks_of(ONE, CHAT, " ".join([*words, *words]))
    assert len(set(marks)) == len(marks) == MARKS_MAX
    assert list(marks) == sorted(marks)
    assert {len(each) for each in marks} == {MARK_LENGTH}
    assert marks == marks_of(ONE, CHAT, " ".join(reversed(words[:MARKS_MAX])))
    assert len(words_asked(" ".join(words))) == ASKED_MAX


def test_MS_07_no_other_key_tells_what_a_mark_is_of() -> None:
    """Somebody's marks are not those that seal, nor those of any other purpose of their key."""
    (mark,) = marks_of(ONE, CHAT, "hello")
    assert not ONE.mark("content", "hello").startswith(mark)
    assert not ONE.mark(f"words in {OTHER_CHAT}", "hello").startswith(mark)


@given(st.text("ab \n-é.", max_size=600), st.sampled_from(["a", "ab", "b", "e"]))
def test_MS_07_a_snippet_is_a_part_of_the_message_and_its_hits_are_the_words(text, word) -> None:
    shown = snippet_of(text, {word})
    assert shown.text in text
    assert len(shown.text) <= SNIPPET_MAX
    places = [place for hit in shown.hits for place in hit]
    assert places == sorted(places)
    assert [hit for hit in shown.hits if not 0 <= hit[0] < hit[1] <= len(shown.text)] == []
    if len(text) <= SNIPPET_MAX:
        words = [shown.text[first:last] for first, last in shown.hits]
        assert [each for each in words if word not in prose(each).split()] == []


def test_MS_07_a_snippet_begins_a_little_before_the_first_hit() -> None:
    content = "one " * 100 + "porsche " + "two " * 100
    shown = snippet_of(content, {"porsche"})
    ((first, last),) = shown.hits
    assert shown.text[first:last] == "porsche"
    assert 0 < first < SNIPPET_MAX / 2
    assert shown.text.startswith("one ")


def test_MS_07_a_word_as_long_as_a_message_is_cut() -> None:
    shown = snippet_of("x" * 4_000, {("x" * 4_000)[:100]})
    assert shown.text == "x" * SNIPPET_MAX
    assert shown.hits == ((0, SNIPPET_MAX),)


def test_MS_07_where_no_word_can_be_shown_the_message_begins() -> None:
    assert snippet_of("New York it is", {"somewhere"}).hits == ()
    assert snippet_of("New York it is", {"somewhere"}).text == "New York it is"
