"""What is looked for: a person's values in every form in which a store may hold them."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote, quote_plus

# Fewer bytes than this are found by chance in any gigabyte: they are looked for between
# quotation marks, as JSON and most dumps hold a whole value.
BYTES_MIN = 6
_DIGESTS = ("md5", "sha1", "sha256")


@dataclass(frozen=True)
class Needle:
    """One form of one value. `name` says which, without telling the value."""

    name: str
    pattern: bytes
    folded: bool  # looked for whatever the case of its letters


@dataclass(frozen=True)
class Needles:
    """Every form of every value of one person."""

    values: Mapping[str, str]

    @cached_property
    def all(self) -> tuple[Needle, ...]:
        """Each form once."""
        found: dict[tuple[bytes, bool], Needle] = {}
        for name, value in self.values.items():
            for needle in _needles(name, value):
                found.setdefault((needle.pattern, needle.folded), needle)
        return tuple(found.values())

    @cached_property
    def length_max(self) -> int:
        """Bytes of the longest: pieces that overlap by so much hide none."""
        return max((len(each.pattern) for each in self.all), default=0)

    def found_in(self, data: bytes) -> set[str]:
        """The names of what these bytes hold."""
        lowered = data.lower()
        return {
            each.name for each in self.all if each.pattern in (lowered if each.folded else data)
        }

    def found_in_pieces(self, pieces: Iterable[bytes]) -> tuple[int, set[str]]:
        """How many bytes these pieces of one whole come to, and what they hold, also across
        their borders.
        """
        size, names, tail = 0, set[str](), b""
        for piece in pieces:
            size += len(piece)
            window = tail + piece
            names |= self.found_in(window)
            tail = window[-self.length_max :]
        return size, names


def _needles(name: str, value: str) -> Iterator[Needle]:
    for digest in _DIGESTS:
        for whole in sorted({value.strip(), value.strip().casefold(), value.strip().lower()}):
            made = hashlib.new(digest, whole.encode(), usedforsecurity=False)
            yield from _hashed(name, digest, made)
    for spelling in sorted(_spellings(value)):
        text = spelling.encode()
        if len(text) < BYTES_MIN:
            yield Needle(f"{name} (quoted)", b'"' + text.lower() + b'"', folded=True)
            continue
        for form, coded in _texts(spelling):
            yield Needle(f"{name} ({form})", coded.lower(), folded=True)
        for form, coded in _codes(text):
            yield Needle(f"{name} ({form})", coded, folded=False)


def _spellings(value: str) -> set[str]:
    """The value as it was given, and as somebody may have normalised it."""
    trimmed = value.strip()
    # As it was given as well: normal forms replace some letters by others.
    forms = {trimmed, *(unicodedata.normalize(form, trimmed) for form in ("NFC", "NFD", "NFKC"))}
    digits = re.sub(r"[^0-9]", "", trimmed)
    if trimmed.startswith("+") and len(digits) > BYTES_MIN:
        forms |= {digits, f"+{digits}"}  # a telephone number without its blanks
    cased = {change(each) for each in forms for change in (str.casefold, str.lower, str.upper)}
    return {each for each in forms | cased if each}


def _texts(text: str) -> Iterator[tuple[str, bytes]]:
    """Forms in which letters stay letters, so that their case may have been changed."""
    yield "text", text.encode()
    yield "UTF-16", text.encode("utf-16-le")
    yield "JSON", json.dumps(text).encode()[1:-1]
    yield "URL", quote(text, safe="").encode()
    yield "URL form", quote_plus(text).encode()
    yield "hex", text.encode().hex().encode()


def _codes(text: bytes) -> Iterator[tuple[str, bytes]]:
    """Base64 at each of the three places within a longer text, without the letters that its
    neighbours take part in.
    """
    for before in range(3):
        for form, encode in (("base64", b64encode), ("base64url", urlsafe_b64encode)):
            coded = encode(b"\0" * before + text).rstrip(b"=")
            first = -(-before * 8 // 6)
            last = (before + len(text)) * 8 // 6
            yield form, coded[first:last]


def _hashed(name: str, digest: str, made: hashlib._Hash) -> Iterator[Needle]:
    yield Needle(f"{name} ({digest})", made.hexdigest().encode(), folded=True)
    yield Needle(f"{name} ({digest})", made.digest(), folded=False)
    yield Needle(f"{name} ({digest})", b64encode(made.digest()).rstrip(b"=")[:-1], folded=False)


def texts_of(value: object) -> Iterator[bytes]:
    """The texts within any value that a store gave, as bytes."""
    match value:
        case None | bool() | int() | float():
            return
        case bytes() | bytearray() | memoryview():
            yield bytes(value)
        case str():
            yield value.encode("utf-8", "surrogateescape")
        case Mapping():
            for key, each in value.items():
                yield from texts_of(key)
                yield from texts_of(each)
        case Iterable():
            for each in value:
                yield from texts_of(each)
        case _:
            yield str(value).encode()
