"""Where the addresses of a row's pictures stand, and which of them are none."""

from __future__ import annotations

import pytest

from cli.imports.language.mapping_file import MappingError
from cli.imports.outcomes import RefusedError
from schemas.listings import IMAGES_MAX
from tests.cli.imports.reading import small

A, B, C = (f"https://pictures.example/{each}.jpg" for each in "abc")


def addresses(images: str, **cells: str) -> tuple[str, ...]:
    found = small(images=images).images
    assert found is not None
    return found.addresses(cells)


def refusal(images: str, **cells: str) -> tuple[str, str, str]:
    with pytest.raises(RefusedError) as refused:
        addresses(images, **cells)
    found = refused.value.refusal
    return found.reason, found.column, found.detail


def fault(images: str) -> str:
    with pytest.raises(MappingError) as refused:
        small(images=images)
    return str(refused.value)


@pytest.mark.parametrize(
    ("images", "cells", "wanted"),
    [
        ("{columns: [p, q]}", {"p": B, "q": A}, (B, A)),
        ("{columns: [p, q]}", {"p": "", "q": A}, (A,)),
        ("{columns: p}", {"p": A}, (A,)),
        ("{columns: p}", {"p": ""}, ()),
        ("{columns: p, separator: '|'}", {"p": f"{C}|{A} | {B}|"}, (C, A, B)),
        ("{columns: p, separator: ' '}", {"p": f"{C}  {A}"}, (C, A)),
        ("{columns: p}", {"p": f"{C}\n{A}\r\n{B}"}, (C, A, B)),
        ("{columns: [p, q], separator: ;}", {"p": f"{C};{A}", "q": B}, (C, A, B)),
        ("{columns: [p, q]}", {"p": A, "q": A}, (A,)),
        ("{columns: [p, q], absent: [none.gif]}", {"p": "none.gif", "q": A}, (A,)),
    ],
)
def test_addresses_stand_in_the_order_of_the_file_and_each_once(images, cells, wanted) -> None:
    assert addresses(images, **cells) == wanted


@pytest.mark.parametrize(
    "cell",
    [
        "a.jpg",
        "//pictures.example/a.jpg",
        "file:///etc/passwd",
        "gopher://pictures.example/",
        "ftp://pictures.example/a.jpg",
        "https://name:word@pictures.example/a.jpg",
        "https:///a.jpg",
        "https://pictures.example/" + "a" * 2_000,
    ],
)
def test_what_can_be_no_address_of_a_picture_refuses_the_row(cell: str) -> None:
    reason, column, detail = refusal("{columns: [p, q]}", p=A, q=cell)
    assert (reason, column) == ("not_an_address", "q")
    assert detail.startswith("images: column 'q': ")
    assert len(detail) < 200


def test_more_pictures_than_a_listing_may_have_refuse_the_row_or_the_first_are_taken() -> None:
    many = [f"https://pictures.example/{number}.jpg" for number in range(IMAGES_MAX + 1)]
    cell = "|".join(many)
    reason, column, detail = refusal("{columns: p, separator: '|'}", p=cell)
    assert (reason, column) == ("too_many_images", "p")
    assert "more: first" in detail
    first = addresses("{columns: p, separator: '|', more: first}", p=cell)
    assert list(first) == many[:IMAGES_MAX]
    assert addresses("{columns: p, separator: '|'}", p="|".join(many[1:])) == tuple(many[1:])


@pytest.mark.parametrize(
    ("images", "told"),
    [
        ("{}", "images.columns"),
        ("{columns: []}", "images.columns"),
        ("{columns: [p, p]}", "names a column twice"),
        ("{columns: p, sep: '|'}", "images.sep"),
        ("{columns: p, separator: ''}", "images.separator"),
        ("{columns: p, more: some}", "images.more"),
        (f"{{columns: [{', '.join(f'p{each}' for each in range(16))}]}}", "images.columns"),
        ("[p]", "images"),
    ],
)
def test_a_fault_is_told_when_the_mapping_is_read(images: str, told: str) -> None:
    found = fault(images)
    assert found.startswith("line ")
    assert told in found


def test_a_column_that_the_file_lacks_is_told_with_its_place() -> None:
    used = small(images="{columns: [p, q]}").columns_used()
    assert used["p"] == used["q"] == "images.columns"


def test_made_columns_can_hold_addresses() -> None:
    mapping = small(columns="[{as: first, of: [p, q], into: picture}]", images="{columns: picture}")
    assert "picture" not in mapping.columns_used()
