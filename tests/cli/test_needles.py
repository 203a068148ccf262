"""Whatever form a store keeps a value in, it is found."""

from __future__ import annotations

import base64
import hashlib
import json
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cli.erasing.needles import Needles, texts_of

EMAIL, NAME = "Nimal.Perera@Example.org", "Zoë Wickramasinghe"
NEEDLES = Needles({"email": EMAIL, "name": NAME})
FOLDED = EMAIL.casefold()


@pytest.mark.parametrize("value", [EMAIL, FOLDED, EMAIL.upper(), NAME, NAME.upper()])
@pytest.mark.parametrize(
    "code",
    [
        str.encode,
        lambda text: text.encode("utf-16-le"),
        lambda text: json.dumps({"a": text}).encode(),
        lambda text: json.dumps({"a": text}, ensure_ascii=False).encode(),
        lambda text: quote(text).encode(),
        lambda text: quote(text, safe="").lower().encode(),
        lambda text: text.encode().hex().encode(),
        lambda text: text.encode().hex().upper().encode(),
        lambda text: base64.b64encode(text.encode()),
        lambda text: base64.b64encode(b"x" + text.encode() + b"yz"),
        lambda text: base64.urlsafe_b64encode(b"xy" + text.encode() + b"z"),
    ],
)
def test_a_value_is_found_in_every_form(value: str, code) -> None:
    assert NEEDLES.found_in(b"before " + code(value) + b" after")


@pytest.mark.parametrize("value", [EMAIL, FOLDED, NAME])
@pytest.mark.parametrize("digest", ["md5", "sha1", "sha256"])
def test_a_plain_hash_of_a_value_is_found(value: str, digest: str) -> None:
    made = hashlib.new(digest, value.encode())
    for code in (
        made.digest(),
        made.hexdigest().encode(),
        made.hexdigest().upper().encode(),
        base64.b64encode(made.digest()),
    ):
        assert NEEDLES.found_in(b'{"hash": "' + code + b'"}')


def test_what_holds_nothing_is_not_found() -> None:
    other = b"somebody.else@example.org Zoe hashed " + hashlib.sha256(b"else").digest()
    assert NEEDLES.found_in(other * 100) == set()


def test_a_needle_does_not_tell_the_value() -> None:
    for needle in NEEDLES.all:
        assert not Needles({"email": EMAIL, "name": NAME}).found_in(needle.name.encode())


# Its normal forms are another letter.
@example("00000\uf900")
@given(st.text(min_size=6, max_size=40).filter(lambda text: len(text.strip().encode()) >= 6))
def test_any_text_is_found_as_it_is_and_within_base64(text: str) -> None:
    needles = Needles({"value": text})
    assert needles.found_in(b"<" + text.encode() + b">")
    for before in range(3):
        whole = b"\xff" * before + text.strip().encode() + b"\xff" * 2
        assert needles.found_in(base64.b64encode(whole))


@given(st.integers(1, 60), st.integers(0, 50))
def test_a_value_across_the_border_of_pieces_is_found(size: int, before: int) -> None:
    data = b"." * before + EMAIL.encode() + b"." * 50
    pieces = [data[place : place + size] for place in range(0, len(data), size)]
    length, names = NEEDLES.found_in_pieces(pieces)
    assert length == len(data)
    assert "email (text)" in names


def test_a_short_name_is_looked_for_as_a_whole_value() -> None:
    needles = Needles({"name": "Ann"})
    assert needles.found_in(b'{"name": "Ann"}') == {"name (quoted)"}
    assert needles.found_in(b'{"title": "Annual meeting"}') == set()


def test_a_telephone_number_is_found_however_it_is_written() -> None:
    needles = Needles({"phone": "+94 77 123 4567"})
    assert needles.found_in(b'"94771234567"')
    assert needles.found_in(b"call +94 77 123 4567 now")


def test_texts_are_found_in_values_of_any_kind() -> None:
    value = {"a": [1, None, "text", b"raw", {"key": ("inner",)}]}
    assert set(texts_of(value)) == {b"a", b"text", b"raw", b"key", b"inner"}
