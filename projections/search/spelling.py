"""How names and words are spelt, so that `F-150` and `f150` meet, and é however it was typed.

The same rules make what is stored and what is asked, so the search engine only compares. A text
becomes small plain words: one normal form of Unicode (NFKC), no capitals, no accents on Latin
letters, no joiners, which Sinhala and Tamil texts have or lack by chance. Whatever is neither letter
nor digit parts two words. And as nobody can know where a name is written apart, words that
stand beside each other count as one word, too: on both sides. `&` is no word, and neither is the
`and` that stands for it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

RUN_MAX = 4  # words that may be one: `C - H - R`, `E 220 d`
WORD_LENGTH_MAX = 100
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
    """The words of a text, in order."""
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
    return "".join(map(_joinable, words(text))) or text.casefold()


def _joinable(word: str) -> str:
    return word.replace(".", "")


def spellings(text: str) -> list[str]:
    """A short text's words, and each run of them as one: what is stored of it."""
    return _with_runs(words(text))


def prose(text: str) -> str:
    """A long text's words; only those written together, as `F-150` is, count as one, too."""
    found: list[str] = []
    for chunk in text.split():
        found += _with_runs(words(chunk))
    return " ".join(found)


def _with_runs(found: Sequence[str]) -> list[str]:
    joined = [run for _, _, run in _runs(found)]
    return [*found, *(run for run in joined if run not in found)]


def _runs(found: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Each run of words as (first, last, joined); of a single one where that is another word."""
    for first, word in enumerate(found):
        joined = _joinable(word)
        if joined != word:
            yield first, first, joined
        for last in range(first + 1, min(first + RUN_MAX, len(found))):
            joined += _joinable(found[last])
            yield first, last, joined[:WORD_LENGTH_MAX]


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
