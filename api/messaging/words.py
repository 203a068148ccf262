"""The words of messages: their marks, by which the index finds them (projections.messaging.message_search),
and what is shown of a message around them once it is unsealed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from uuid import UUID

from infra.vault.vault import PersonKey
from projections.search.spelling import asked, prose
from schemas.messaging import MARK_LENGTH, MARKS_MAX

ASKED_MAX = 8  # words of one search
SPELLINGS_MAX = 9  # of one of them, as in a search for listings
BEFORE = 60  # characters that are shown before the first hit
SNIPPET_MAX = 200  # characters
_CHUNK = re.compile(r"\S+")


def marks_of(key: PersonKey, conversation_id: UUID, content: str) -> tuple[str, ...]:
    """The marks of what somebody says in a conversation: of its first words, each once. Sorted, they
    tell nothing of their words' order.
    """
    words = list(dict.fromkeys(prose(content).split()))[:MARKS_MAX]
    return tuple(sorted(_marks(key, conversation_id, words)))


def marks_asked(key: PersonKey, conversation_id: UUID, spellings: list[str]) -> list[str]:
    """The marks that one word has if this person has said it in this conversation."""
    return _marks(key, conversation_id, spellings)


def _marks(key: PersonKey, conversation_id: UUID, words: list[str]) -> list[str]:
    return [each[:MARK_LENGTH] for each in key.marks(f"words in {conversation_id}", words)]


def words_asked(text: str) -> list[list[str]]:
    """The words that a text asks for, each with the longer ones that it may be a part of."""
    return [[each.word, *each.parts_of][:SPELLINGS_MAX] for each in asked(text)[:ASKED_MAX]]


@dataclass(frozen=True)
class Snippet:
    """A part of a message; `hits` are the places of the words that were asked for, in characters from
    its beginning: first, and the one after the last.
    """

    text: str
    hits: tuple[tuple[int, int], ...]


def snippet_of(content: str, wanted: AbstractSet[str]) -> Snippet:
    """What is shown of a message that was found."""
    found = list(_found(content, wanted))
    begin = _beginning(content, found[0][0]) if found else 0
    end = min(len(content), begin + SNIPPET_MAX)
    inside = [(max(first, begin), min(last, end)) for first, last in found]
    hits = tuple((first - begin, last - begin) for first, last in inside if first < last)
    return Snippet(content[begin:end], hits)


def _found(content: str, wanted: AbstractSet[str]) -> Iterator[tuple[int, int]]:
    for chunk in _CHUNK.finditer(content):
        if not wanted.isdisjoint(prose(chunk[0]).split()):
            yield chunk.span()


def _beginning(content: str, first: int) -> int:
    """A word's beginning, a little before the first hit."""
    if first <= BEFORE:
        return 0
    starts = (each.start() for each in _CHUNK.finditer(content, first - BEFORE, first + 1))
    return next((start for start in starts if content[start - 1].isspace()), first)
