"""How names and words are spelt, so that `F-150` and `f150` meet, and é however it was typed.

The same rules make what is stored and what is asked, so the search engine only compares. A text
becomes small plain words: one normal form of Unicode (NFKC), no capitals, no accents on Latin
letters, no joiners, which Sinhala and Tamil texts have or lack by chance. Whatever is neither letter
nor digit parts two words. And as nobody can know where a name is written apart, words that
stand beside each other count as one word, too: on both sides. `&` is no word, and neither is the
`and` that stands for it. What is called in several ways, and in several scripts, becomes the one name
that stands for it (projections.search.vocabulary).
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from projections.search.vocabulary import lines

RUN_MAX = 4  # words that may be one: `C - H - R`, `E 220 d`
WORD_LENGTH_MAX = 100
SLIP_LENGTH_MIN = (
    4  # short words have too many neighbours: `golf` and `gold` both mean what they say
)
AND = "and"
_POINT = "\x1f"  # stands for the point of 2.0, which parts no words

_DECIMAL = re.compile(r"(?<=\d)\.(?=\d)")
_ACCENTED = re.compile("([a-z])[\u0300-\u036f]+")
_LATIN = str.maketrans({"ø": "o", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "ł": "l", "\u0131": "i",
                        "þ": "th", "ħ": "h", "\u00d7": "x"})  # fmt: skip
# Written without spaces, each a word of its own.
_IDEOGRAPHS = ((0x3040, 0x309F), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF))


class _Characters(dict[int, str]):
    """What becomes of each character; worked out when it is met first."""

    def __missing__(self, code: int) -> str:
        self[code] = _plain(chr(code))
        return self[code]


def _plain(character: str) -> str:
    category = unicodedata.category(character)
    if character == _POINT:
        return "."
    if category == "Cf":  # joiners, soft hyphens, marks of direction
        return ""
    if category == "Nd":
        return str(unicodedata.digit(character))
    if category[0] not in "LNM":
        return " "
    alone = any(first <= ord(character) <= last for first, last in _IDEOGRAPHS)
    return f" {character} " if alone else character


_CHARACTERS = _Characters()


def words(text: str) -> list[str]:
    """The words of a text, in order, of names that are known the one spelling."""
    return _named(_typed(text))


def _typed(text: str) -> list[str]:
    """The words as they are, of whatever is known."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    if not text.isascii():
        bare = _ACCENTED.sub(r"\1", unicodedata.normalize("NFD", text))
        text = unicodedata.normalize("NFC", bare).translate(_LATIN)
    text = _DECIMAL.sub(_POINT, text).translate(_CHARACTERS)
    # Marks alone, as behind an emoji, are no word.
    found = [word[:WORD_LENGTH_MAX] for word in text.split() if any(map(str.isalnum, word))]
    return [*found[:1], *(word for word in found[1:] if word != AND)]


def folded(text: str) -> str:
    """A value of a facet by which all its spellings are one; what has no words stays as it is."""
    return " ".join(words(text)) or text.casefold()


def compact(text: str) -> str:
    """The same of a make or model, which differ in nothing but hyphens, points and spaces."""
    joined = "".join(map(_joinable, words(text)))
    return _NAME_OF.get(joined, joined) or text.casefold()


def wholes(text: str) -> list[str]:
    """A name as one word, and as the one that was typed."""
    typed = "".join(map(_joinable, _typed(text)))
    return list(dict.fromkeys([compact(text), *([typed] if typed else [])]))


def places(text: str) -> tuple[str, ...]:
    """The values that a location has: its own, and its city's where a number of the city follows."""
    *city, last = words(text) or [""]
    return (folded(text), " ".join(city)) if city and last.isdigit() else (folded(text),)


def _joinable(word: str) -> str:
    return word.replace(".", "")


def spellings(text: str) -> list[str]:
    """A short text's words, and each run of them as one, also as they were typed: what is stored of
    it.
    """
    typed = _typed(text)
    found = _named(typed)
    runs = [run for one in ((found,) if found == typed else (found, typed)) for run in _joined(one)]
    return [*found, *dict.fromkeys(run for run in runs if run not in found)]


def prose(text: str) -> str:
    """A long text's words; only those written together, as `F-150` is, count as one, too."""
    chunks = [_typed(chunk) for chunk in text.split()]
    found = _named([word for chunk in chunks for word in chunk])
    together = [run for chunk in chunks for run in _joined(chunk) if run not in chunk]
    return " ".join([*found, *together])


def _joined(found: Sequence[str]) -> list[str]:
    return [run for _, _, run in _runs(found)]


def _runs(found: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Each run of words as (first, last, joined), and joined as the name that it spells; of a single
    one where that is another word.
    """
    for first, word in enumerate(found):
        joined = _joinable(word)
        if joined != word:
            yield first, first, joined
        for last in range(first + 1, min(first + RUN_MAX, len(found))):
            joined += _joinable(found[last])
            yield first, last, joined[:WORD_LENGTH_MAX]
            if _NAME_OF.get(joined, joined) != joined:
                yield first, last, _NAME_OF[joined]


@dataclass(frozen=True, slots=True)
class Asked:
    """One word of what somebody looks for, and the longer words that it may be a part of;
    `unfinished` are those of them that reach the end of what was typed so far.
    """

    word: str
    parts_of: tuple[str, ...]
    unfinished: tuple[str, ...]


def asked(text: str) -> list[Asked]:
    """The words that a text asks for: each must be found, alone or as a part."""
    found = words(text)
    runs = list(_runs(found))
    return [
        Asked(
            word,
            tuple(run for first, last, run in runs if first <= place <= last),
            tuple(run for first, last, run in runs
                  if first <= place <= last == len(found) - 1),
        )
        for place, word in enumerate(found)
    ]  # fmt: skip


# Names that are known by several spellings.


def _named(found: list[str]) -> list[str]:
    """The words with each known name in its one spelling."""
    if _SPELLINGS.keys().isdisjoint(found):
        return found
    named: list[str] = []
    place = 0
    while place < len(found):
        spelling, name = next(_names_at(found, place), ((found[place],), (found[place],)))
        named += name
        place += len(spelling)
    return named


def _names_at(found: list[str], place: int) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    for spelling, name in _SPELLINGS.get(found[place], ()):
        if tuple(found[place : place + len(spelling)]) == spelling:
            yield spelling, name


def begun_names(beginnings: Iterable[str]) -> list[str]:
    """The known names that have a spelling which begins so, each as one word; but for those that
    begin so themselves.
    """
    found: dict[str, None] = {}
    for beginning in beginnings:
        for spelling in _SPELT[bisect_left(_SPELT, beginning) :]:
            if not spelling.startswith(beginning):
                break
            if not _NAME_OF[spelling].startswith(beginning):
                found[_NAME_OF[spelling]] = None
    return list(found)


def slipped_names(word: str) -> list[str]:
    """The known names that have a spelling one letter off, which is neither the first nor one of a
    short word: as the engine allows of what is stored.
    """
    if len(word) < SLIP_LENGTH_MIN:
        return []
    first = word[:1]
    near = _SPELT[bisect_left(_SPELT, first) : bisect_left(_SPELT, chr(ord(first) + 1))]
    return list(dict.fromkeys(_NAME_OF[each] for each in near if _is_one_off(word, each)))


def _is_one_off(one: str, other: str) -> bool:
    """Whether a letter more, less, another one, or two that changed places part them."""
    if abs(len(one) - len(other)) > 1:
        return False
    same = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
                min(len(one), len(other)))  # fmt: skip
    left, right = one[same:], other[same:]
    swapped = left[1::-1] == right[:2] and left[2:] == right[2:]
    return swapped or left[1:] == right[1:] or left[1:] == right or left == right[1:]


def _spellings() -> dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]]:
    """By their first words (spelling, name), the longest first. A spelling of several words is one
    in one word, too.
    """
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for line in lines():
        name, *_ = spelt = [tuple(_typed(each)) for each in line]
        for each in spelt:
            found |= {each: name, ("".join(each),): name}
    by_first = defaultdict(list)
    for spelling in sorted(found, key=len, reverse=True):
        by_first[spelling[0]].append((spelling, found[spelling]))
    return dict(by_first)


_SPELLINGS = _spellings()
# Every spelling, and the name that it spells, as one word each.
_NAME_OF = {
    "".join(spelling): "".join(name) for found in _SPELLINGS.values() for spelling, name in found
}
# Of those that somebody may begin to type; a zone begins as its city does.
_SPELT = sorted(spelling for spelling, name in _NAME_OF.items() if not name[-1].isdigit())
