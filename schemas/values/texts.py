"""Texts: which characters one may hold, and what is said of one that holds others.

One vocabulary for commands, for what the API seals before it becomes a command, and for queries.
What no store, terminal or reader can hold safely is refused: NUL and the other control
characters, lone surrogates, code points that are no characters, and marks that turn the
direction of reading round. What a reader would take for nothing is no name, title or message.
Events say `str`: what is stored has been judged by the rules of its day.

    Title = Annotated[str, Line(160, 3)]          # one line, something to be seen in it
    Content = Annotated[str, Lines(4_000)]        # with tabs and line breaks
    Vin = Annotated[str, Form(r"^[A-Z0-9]{17}$", "is no VIN: …")]
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from pydantic import AfterValidator, BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

Ranges = tuple[tuple[int, int], ...]

_BREAKS: Final = "\t\n\r"
_LINE_ENDS: Final = _BREAKS + "\u2028\u2029"
_PLANE_END: Final = 0xFFFF
_SURROGATES: Final = (0xD800, 0xDFFF)  # of the texts in memory only lone ones are left
# Lines end by these as well; in one line they are as good as a line break.
_SEPARATORS: Final[Ranges] = ((0x2028, 0x2029),)
_NEVER: Final[Ranges] = (
    (0x00, 0x08),
    (0x0B, 0x0C),
    (0x0E, 0x1F),
    (0x7F, 0x9F),  # DEL and the C1 controls, NEXT LINE among them
    (0x202A, 0x202E),  # embeddings and overrides: `Trojan Source`
    (0x2066, 0x2069),  # isolates
    _SURROGATES,
    (0xFDD0, 0xFDEF),
    (0xFFF9, 0xFFFB),  # interlinear annotation
    *((plane << 16 | 0xFFFE, plane << 16 | 0xFFFF) for plane in range(17)),
)
# Unicode's default ignorable code points, spaces, and letters and signs that show nothing.
_UNSEEN: Final[Ranges] = (
    (0x09, 0x0A),
    (0x0D, 0x0D),
    (0x20, 0x20),
    (0xA0, 0xA0),
    (0xAD, 0xAD),
    (0x034F, 0x034F),
    (0x061C, 0x061C),
    (0x115F, 0x1160),
    (0x1680, 0x1680),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x2000, 0x200F),
    (0x2028, 0x2029),
    (0x202F, 0x202F),
    (0x205F, 0x2065),
    (0x206A, 0x206F),
    (0x2800, 0x2800),  # a braille cell without dots
    (0x3000, 0x3000),
    (0x3164, 0x3164),
    (0xE000, 0xF8FF),  # private use: every reader sees something else, most see nothing
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0xFFFC, 0xFFFC),  # stands for something that did not come along
    (0x13430, 0x13442),  # how hieroglyphs are joined, and blanks of theirs
    (0x16FE4, 0x16FE4),
    (0x1BCA0, 0x1BCA3),
    (0x1D159, 0x1D159),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),  # tags and variation selectors
    (0xF0000, 0xFFFFD),
    (0x100000, 0x10FFFD),
)


def _class(*groups: Ranges) -> str:
    """The inside of a regular expression's `[…]` for these code points, neighbours as one."""
    merged: list[list[int]] = []
    for low, high in sorted(each for group in groups for each in group):
        if merged and low <= merged[-1][1] + 1:
            merged[-1][1] = max(high, merged[-1][1])
        else:
            merged.append([low, high])
    return "".join(f"{_escaped(low)}-{_escaped(high)}" for low, high in merged)


def _escaped(code: int) -> str:
    """As every dialect of regular expressions reads it; above U+FFFF they have none in common."""
    return f"\\u{code:04x}" if code <= _PLANE_END else chr(code)


def _published(ranges: Ranges) -> str:
    """The same for readers of the API's document, whose texts have no surrogates. It leaves out
    the two of each higher plane: they would be most of it, and nobody sends them.
    """
    return _class(tuple(each for each in ranges if each[1] <= _PLANE_END and each != _SURROGATES))


_BREAK_RANGES: Final[Ranges] = ((0x09, 0x0A), (0x0D, 0x0D))
_SEEN: Final = re.compile(f"[^{_class(_NEVER, _UNSEEN)}]")
_HIDDEN_DIRECTION: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")


def refusal(told: str) -> PydanticCustomError:
    """What to raise where a value is none: the sentence is told to people as it is."""
    return PydanticCustomError("told", "{told}", {"told": told})


class _Rule:
    """What is put beside `str` in `Annotated`: judges the text, and describes itself."""

    def judged(self, text: str) -> str:
        raise NotImplementedError

    def described(self) -> dict[str, Any]:
        raise NotImplementedError

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.judged, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), **self.described()}


@dataclass(frozen=True)
class Line(_Rule):
    """One line of text, at its ends trimmed. With `length_min` there must be something to see."""

    length_max: int
    length_min: int = 1

    refused: ClassVar[re.Pattern[str]] = re.compile(
        f"[{_class(_NEVER, _SEPARATORS, _BREAK_RANGES)}]"
    )
    spared: ClassVar[str] = " " + _BREAKS  # at the ends, where they are trimmed
    never: ClassVar[Ranges] = (*_NEVER, *_SEPARATORS, *_BREAK_RANGES)

    def judged(self, text: str) -> str:
        """The text, trimmed; raises an error that names the first character it can't hold."""
        if not (text.isascii() and text.isprintable()):  # most are, and quickly known to be
            self._look_through(text)
        text = text.strip()
        self._measure(len(text))
        return text

    def _look_through(self, text: str) -> None:
        found = self.refused.search(text.strip(self.spared))
        if found is not None:
            raise refusal(_told(found[0]))
        if self.length_min and text.strip() and not shows(text):
            told = "shows nothing: write something that can be read"
            raise refusal(told)

    def _measure(self, length: int) -> None:
        if length < self.length_min:
            told = f"is too short: at least {self.length_min}"
        elif length > self.length_max:
            told = f"is too long: at most {self.length_max}"
        else:
            return
        raise refusal(told)

    def described(self) -> dict[str, Any]:
        """The rule as JSON Schema has it."""
        return {
            "minLength": self.length_min,
            "maxLength": self.length_max,
            "pattern": self._pattern(),
        }

    def _pattern(self) -> str:
        """The same rule for programs, but for what shows nothing though it is no space. What is
        trimmed does not count: of more than one character the first and the last are no spaces.
        """
        never = _published(self.never)
        allowed, seen = f"[^{never}]", rf"[^\s{never}]"
        match self.length_min:
            case 0:
                return f"^{allowed}*$"
            case 1:
                return f"^{allowed}*{seen}{allowed}*$"
            case least:
                return f"^{allowed}*{seen}{allowed}{{{least - 2},}}{seen}{allowed}*$"


@dataclass(frozen=True)
class Lines(Line):
    """The same with tabs and line breaks in it."""

    refused: ClassVar[re.Pattern[str]] = re.compile(f"[{_class(_NEVER)}]")
    never: ClassVar[Ranges] = _NEVER


@dataclass(frozen=True)
class Form(_Rule):
    """What a text must look like: a pattern for programs, a sentence for people."""

    pattern: str
    told: str

    def judged(self, text: str) -> str:
        """The text; raises an error with the sentence."""
        # Not `match`: a `$` would pass over a line break at the end.
        if re.fullmatch(self.pattern, text) is None:
            raise refusal(self.told)
        return text

    def described(self) -> dict[str, Any]:
        """The rule as JSON Schema has it."""
        return {"pattern": self.pattern}


@dataclass(frozen=True)
class OneOf(_Rule):
    """One of many words, which are too many to be told each time."""

    words: frozenset[str]
    told: str

    def judged(self, text: str) -> str:
        """The text; raises an error with the sentence."""
        if text not in self.words:
            raise refusal(self.told)
        return text

    def described(self) -> dict[str, Any]:
        """The rule as JSON Schema has it."""
        return {"enum": sorted(self.words)}


# What the vault seals: the number of its form, then URL-safe base64.
SEALED: Final = Form(r"^[A-Za-z0-9_=-]*$", "is no sealed text")
# Ids, names and marks that programs make: what can be seen of ASCII.
TOKEN: Final = Form(r"^[\x21-\x7e]*$", "takes letters, digits and signs of ASCII, no spaces")


def shows(text: str) -> bool:
    """Whether a reader sees anything in it. Marks that stand on nothing are no text."""
    return any(not unicodedata.category(each[0]).startswith("M") for each in _SEEN.finditer(text))


def hidden_in(text: str) -> bool:
    """Whether a text holds what no reader sees."""
    return not all(_SEEN.match(each) for each in text)


def without_controls(text: str) -> str:
    """A text that is taken as it is, such as a password; raises for what nobody can type."""
    found = Lines.refused.search(text)
    if found is not None and not _HIDDEN_DIRECTION.match(found[0]):
        raise refusal(_told(found[0]))
    return text


def shown_of(text: str, length_max: int) -> str:
    """What is left of a foreign text, such as the name of a file, once all is taken out that a
    line can't hold; empty when nothing of it shows.
    """
    kept = Line.refused.sub(" ", text)
    plain = " ".join(kept.split())[:length_max].strip()
    return plain if shows(plain) else ""


def each_text(form: Form) -> AfterValidator:
    """Judges every text within a value, however deep: for values that events have, too."""

    def judged(value: Any) -> Any:
        for text in _texts(value):
            form.judged(text)
        return value

    return AfterValidator(judged)


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case BaseModel():
            for _, each in value:
                yield from _texts(each)
        case dict():
            yield from _texts((*value, *value.values()))
        case tuple() | list() | frozenset():
            for each in value:
                yield from _texts(each)


def _told(character: str) -> str:
    name = unicodedata.name(character, "")
    shown = f"U+{ord(character):04X}" + (f" ({name})" if name else "")
    if character in _LINE_ENDS:
        return f"holds a line break or tab, {shown}: write it in one line"
    if _HIDDEN_DIRECTION.match(character):
        return f"holds a hidden mark of direction, {shown}: take it out"
    return f"holds a character that no text can have, {shown}: take it out"
