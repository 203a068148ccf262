"""The picture that others show beside a link to a listing: 1200 by 630 pixels, title and price. Pure.

Drawn with the font that Pillow brings along, which has hardly more than ASCII: of other Latin letters
the base is written, and of other scripts nothing. Who wants Sinhala and Tamil on it must bring a font
that has them, and a layout that can join their letters (Pillow with Raqm).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from io import BytesIO
from typing import Final

from PIL import Image, ImageDraw, ImageFont

SIZE: Final = (1200, 630)
TITLE_LINES_MAX: Final = 3

_MARGIN: Final = 80
_TITLE_PX: Final = 72
_PRICE_PX: Final = 88
_SMALL_PX: Final = 36
_PAPER: Final = (255, 255, 255)
_INK: Final = (24, 28, 36)
_ACCENT: Final = (11, 94, 215)

_SAMPLE_PX: Final = 24  # which letters a font has does not depend on its size
_NO_LETTER: Final = "\uffff"  # what a font draws for this it draws for all that it lacks
_LETTERS_KEPT: Final = 4_096
# What Unicode does not take apart.
_WRITTEN_AS: Final = {
    each[0]: each[1:]
    for each in (
        *("ßss", "ẞSS", "æae", "ÆAE", "œoe", "ŒOE", "øo", "ØO", "đd", "ĐD", "ðd", "ÐD"),
        *("þth", "ÞTh", "łl", "ŁL", "ħh", "ĦH", "€EUR ", "\N{LATIN SMALL LETTER DOTLESS I}i"),
        *("\N{HYPHEN}-", "\N{EN DASH}-", "\N{EM DASH}-", "\N{MINUS SIGN}-"),
        "\N{MULTIPLICATION SIGN}x",
    )
}

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def social_card(title: str, price: str, facts: str) -> bytes:
    """A PNG of the title, in three lines at most, the price, and a line of facts below."""
    picture = Image.new("RGB", SIZE, _PAPER)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, SIZE[0], 24), fill=_ACCENT)
    font, height = ImageFont.load_default(_TITLE_PX), _MARGIN
    for line in _lines(writable(title), font):
        pen.text((_MARGIN, height), line, fill=_INK, font=font)
        height += _TITLE_PX + 12
    pen.text((_MARGIN, 400), price, fill=_ACCENT, font=_price_font(price))
    small = ImageFont.load_default(_SMALL_PX)
    facts = _shortened(writable(facts), small)
    pen.text((_MARGIN, 520), facts, fill=_INK, font=small)
    data = BytesIO()
    picture.save(data, "PNG", optimize=False)
    return data.getvalue()


def _price_font(price: str) -> Font:
    """The largest in which the whole price fits: half of one would be another."""
    fonts = map(ImageFont.load_default, range(_PRICE_PX, _SMALL_PX, -4))
    return next((font for font in fonts if _fits(price, font)), ImageFont.load_default(_SMALL_PX))


def first_writable(*texts: str) -> str:
    """The first of these of which enough can be written to be read: a letter, if it has any."""
    return next((written for text in texts if (written := _readable(text))), "")


def _readable(text: str) -> str:
    written = writable(text)
    enough = str.isalpha if any(map(str.isalpha, text)) else str.isalnum
    return written if any(map(enough, written)) else ""


def writable(text: str) -> str:
    """What of a text the font has letters for, or for their base letters."""
    return " ".join("".join(map(_written, unicodedata.normalize("NFC", text))).split())


@lru_cache(_LETTERS_KEPT)
def _written(letter: str) -> str:
    if letter.isspace() or _has(letter):
        return letter
    if letter in _WRITTEN_AS:
        return _WRITTEN_AS[letter]
    parts = unicodedata.normalize("NFKD", letter)
    if unicodedata.category(letter)[0] in "MC":
        return ""  # joins what stands beside it
    return "".join(filter(_has, parts)) or " "


def _has(letter: str) -> bool:
    return letter.isprintable() and (letter == " " or _drawn(letter) != _drawn(_NO_LETTER))


def _drawn(letter: str) -> tuple[tuple[int, int], bytes]:
    mask = ImageFont.load_default(_SAMPLE_PX).getmask(letter)
    return mask.size, bytes(mask)


def _lines(text: str, font: Font) -> Iterator[str]:
    """The text in lines that fit; what is too much ends in three dots."""
    words, line = text.split(), ""
    for number in range(TITLE_LINES_MAX):
        line = ""
        while words and _fits(f"{line} {words[0]}".strip(), font):
            line = f"{line} {words.pop(0)}".strip()
        if not line and words:
            line = words.pop(0)
        last = number == TITLE_LINES_MAX - 1
        yield _shortened(f"{line} {words[0]}" if last and words else line, font)


def _shortened(line: str, font: Font) -> str:
    if _fits(line, font):
        return line
    while line and not _fits(f"{line}...", font):
        line = line[:-1]
    return f"{line.rstrip()}..."


def _fits(line: str, font: Font) -> bool:
    return font.getlength(line) <= SIZE[0] - 2 * _MARGIN
