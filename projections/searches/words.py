"""Whether a listing has the words that somebody looks for, without asking the search engine.

What is stored and what is asked are made by the same rules (projections.search.spelling), so that
the engine only compares words and beginnings: here the same comparison is made of one document.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from projections.search.listing_search import ListingDocument
from projections.search.query import PREFIX_LENGTH_MIN
from projections.search.spelling import Asked, asked, begun_names


class Words:
    """The words of one listing."""

    def __init__(self, document: ListingDocument) -> None:
        self.document = document
        texts = (document.words or "", document.description or "")
        self._sorted = sorted({word for text in texts for word in text.split()})
        self._known = frozenset(self._sorted)

    def fit(self, text: str) -> bool:
        """Whether all words of a text occur, the last perhaps unfinished. No text asks for none;
        one that has no words for what nothing has.
        """
        wanted = asked(text)
        return not text or (bool(wanted) and all(self._has(each, wanted) for each in wanted))

    def _has(self, wanted: Asked, text: Sequence[Asked]) -> bool:
        if wanted.word in self._known or not self._known.isdisjoint(wanted.parts_of):
            return True
        begun = [*wanted.unfinished, *([wanted.word] if wanted is text[-1] else [])]
        long = [each for each in begun if len(each) >= PREFIX_LENGTH_MIN]
        return any(map(self._begins, long)) or not self._known.isdisjoint(begun_names(long))

    def _begins(self, beginning: str) -> bool:
        place = bisect_left(self._sorted, beginning)
        return place < len(self._sorted) and self._sorted[place].startswith(beginning)
