"""What speaks for two listings being of one vehicle: its VIN, its pictures, the words that describe it.
Pure.

One sign alone is easily shared by honest ads: a dealer describes all cars with the same words, and two
cars of a colour look alike. So words count only between cars of one make, model, year and mileage,
and pictures between cars of one make.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

SHINGLE_WORDS: Final = 3
TEXT_WORDS_MIN: Final = 20
TEXT_WORDS_MAX: Final = 500
SKETCH: Final = 64
TEXT_SIGNS: Final = 8
TEXT_ALIKE: Final = 0.6
LOOK_BITS: Final = 64
LOOK_APART_MAX: Final = 6
LOOK_BITS_MIN: Final = 8  # flat pictures and logos look like each other
MILEAGE_APART_PERCENT: Final = 2
_BAND_LETTERS: Final = 4

_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sign that two listings have in common: `similarity` from 0 to 1; `image_ids` are the first one's
    pictures that the other shows, too.
    """

    kind: str
    similarity: float
    image_ids: tuple[str, ...] = ()


class Signs(Protocol):
    """What is compared of a listing."""

    @property
    def vin(self) -> str | None: ...  # noqa: D102
    @property
    def make(self) -> str | None: ...  # noqa: D102
    @property
    def model(self) -> str | None: ...  # noqa: D102
    @property
    def year(self) -> int | None: ...  # noqa: D102
    @property
    def mileage_km(self) -> int | None: ...  # noqa: D102
    @property
    def sketch(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def image_ids(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def looks(self) -> tuple[str, ...]: ...  # noqa: D102


def evidence(one: Signs, other: Signs) -> list[Evidence]:
    """All that speaks for these being the same vehicle; nothing: they are not."""
    return [*_same_vin(one, other), *_same_pictures(one, other), *_same_words(one, other)]


def _same_vin(one: Signs, other: Signs) -> Iterator[Evidence]:
    if one.vin is not None and one.vin == other.vin:
        yield Evidence("vin", 1.0)


def _same_pictures(one: Signs, other: Signs) -> Iterator[Evidence]:
    if None not in (one.make, other.make) and one.make != other.make:
        return
    nearest = {
        image_id: min((_apart(look, each) for each in other.looks if telling(each)), default=None)
        for image_id, look in zip(one.image_ids, one.looks, strict=True)
        if telling(look)
    }
    found = {each: apart for each, apart in nearest.items() if apart is not None}
    shared = {each: apart for each, apart in found.items() if apart <= LOOK_APART_MAX}
    if shared:
        yield Evidence("picture", round(1 - min(shared.values()) / LOOK_BITS, 3), tuple(shared))


def _same_words(one: Signs, other: Signs) -> Iterator[Evidence]:
    facts = [(each.make, each.model, each.year) for each in (one, other)]
    if facts[0] != facts[1] or not _near(one.mileage_km, other.mileage_km):
        return
    alike = similarity(one.sketch, other.sketch)
    if alike >= TEXT_ALIKE:
        yield Evidence("text", round(alike, 3))


def _near(one: int | None, other: int | None) -> bool:
    if one is None or other is None:
        return one == other
    return 100 * abs(one - other) <= MILEAGE_APART_PERCENT * max(one, other)


def sketch_of(text: str | None) -> tuple[int, ...]:
    """The lowest hashes of a text's runs of three words; nothing where it is too short to tell."""
    words = _WORD.findall((text or "").casefold())[:TEXT_WORDS_MAX]
    if len(words) < TEXT_WORDS_MIN:
        return ()
    runs = {
        " ".join(words[at : at + SHINGLE_WORDS]) for at in range(len(words) - SHINGLE_WORDS + 1)
    }
    return tuple(sorted(map(_hashed, runs))[:SKETCH])


def _hashed(run: str) -> int:
    """Fits a column of 64 bits with a sign."""
    return int.from_bytes(hashlib.blake2b(run.encode(), digest_size=8).digest(), "big") >> 1


def similarity(one: Sequence[int], other: Sequence[int]) -> float:
    """Which part of all their runs of words two texts share, told by their sketches."""
    if not one or not other:
        return 0.0
    lowest = sorted({*one, *other})[:SKETCH]
    return len({*one} & {*other} & {*lowest}) / len(lowest)


def telling(look: str) -> bool:
    """Whether a picture is drawn, and not so flat that it looks like any other."""
    return bool(look) and LOOK_BITS_MIN <= int(look, 16).bit_count() <= LOOK_BITS - LOOK_BITS_MIN


def _apart(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


def signs_of(listing: Signs) -> tuple[str, ...]:
    """By what listings like this one are found: those that share none of these have nothing in
    common, or next to nothing.
    """
    kind = f"{listing.make}:{listing.model}:{listing.year}"
    found = {f"text:{kind}:{each:x}" for each in listing.sketch[:TEXT_SIGNS]}
    for look in filter(telling, listing.looks):
        bands = (look[at : at + _BAND_LETTERS] for at in range(0, len(look), _BAND_LETTERS))
        found |= {f"look:{place}:{band}" for place, band in enumerate(bands)}
    if listing.vin is not None:
        found.add(f"vin:{listing.vin}")
    return tuple(sorted(found))
