from __future__ import annotations

from pathlib import Path

import pytest

from cli.imports.first_look import suspicions
from tests.cli.imports.ads import ADS, EXAMPLES, Ads
from tests.cli.imports.reading import rule, small

WHOLE = (
    "{{title: {{as: template, template: '{{make}} {{year}}'}}, make: {{as: text, column: make}},"
    " year: {{as: constant, value: 2004}}, currency: {{as: constant, value: EUR}},"
    " price_minor: {{as: money, column: price{0}}}, mileage: {{as: distance, column: km, unit: km}}}}"
)


def looked_at(folder: Path, prices: list[str], options: str = "", km: str = "5000") -> list[str]:
    file = folder / "ads.csv"
    rows = "".join(f'VW;"{price}";{km}\n' for price in prices)
    file.write_text(f"make;price;km\n{rows}", "utf-8")
    mapping = rule(WHOLE.format(options))
    shape = mapping.file.model_copy(update={"delimiter": ";"})
    return suspicions(file, mapping.model_copy(update={"file": shape}))


@pytest.mark.parametrize(
    ("prices", "options", "mark"),
    [
        (["9.400", "12.500", "950"], "", "','"),
        (["9.400,50", "12,99", "950"], "", "','"),
        (["9,400", "12,500"], ", decimal: ','", "'.'"),
        (["9.50", "12.99"], ", decimal: ','", "'.'"),
    ],
)
def test_a_column_of_the_other_convention_is_told_before_anything_is_sent(
    tmp_path: Path, prices: list[str], options: str, mark: str
) -> None:
    (told,) = looked_at(tmp_path, prices, options)
    assert f"column 'price' looks as if it had the decimal mark {mark}" in told
    assert prices[0] in told


def test_a_column_that_mostly_cannot_be_read_is_told(tmp_path: Path) -> None:
    (told,) = looked_at(tmp_path, ["$9,400", "$5", "7"])
    assert "column 'price' can't be read by fields.price_minor: 2 of the first 3 cells" in told


def test_a_few_cells_that_cannot_be_read_are_no_reason_to_stop(tmp_path: Path) -> None:
    assert looked_at(tmp_path, ["9.400", "VB", "950", "1,200", "3000"]) == []


def test_another_column_is_not_blamed(tmp_path: Path) -> None:
    (told,) = looked_at(tmp_path, ["950", "1,200"], km="145.000")
    assert "column 'km'" in told


@pytest.mark.parametrize(("wrong", "right", "told"), [(2, 1, True), (1, 1, False), (0, 2, False)])
def test_columns_that_mostly_hold_no_addresses_are_told(
    tmp_path: Path, wrong: int, right: int, told: bool
) -> None:
    file = tmp_path / "ads.csv"
    cells = ["golf.jpg"] * wrong + ["https://pictures.example/1.jpg"] * right + [""] * 9
    file.write_text("".join(["make,price,km,p\n", *(f"VW,950,50,{each}\n" for each in cells)]))
    images = small(images="{columns: p}").images
    found = suspicions(file, rule(WHOLE.format("")).model_copy(update={"images": images}))
    assert [each.startswith("2 of the first 3 rows with pictures") for each in found] == [
        told
    ] * told


def test_only_the_beginning_of_a_long_file_is_looked_at(tmp_path: Path) -> None:
    assert looked_at(tmp_path, ["950"] * 1_001 + ["9.400"] * 9_000) == []


def test_a_mapping_that_leaves_out_what_a_listing_must_have_is_told(tmp_path: Path) -> None:
    file = tmp_path / "ads.csv"
    file.write_text("c\nVW Golf\n")
    (told,) = suspicions(file, rule("{title: {as: text, column: c}}"))
    assert "price_minor, currency, make, year, mileage" in told


def test_utf_8_that_is_read_as_cp1252_is_told_with_line_and_byte(tmp_path: Path) -> None:
    file = tmp_path / "ads.csv"
    file.write_bytes("make;price;km\nVW;1;5\nCitroën;1;5\n".encode())
    mapping = rule(WHOLE.format(""))
    shape = mapping.file.model_copy(update={"delimiter": ";", "encoding": "cp1252"})
    (told,) = suspicions(file, mapping.model_copy(update={"file": shape}))
    assert "is UTF-8, not cp1252 (line 3, byte 0xC3): write encoding: utf-8" in told


def test_rows_of_another_shape_are_told_where_the_mapping_names_the_columns(
    tmp_path: Path,
) -> None:
    file = tmp_path / "ads.csv"
    file.write_text("VW;1;5\nVW;2;5\n")
    mapping = rule(WHOLE.format(""))
    shape = mapping.file.model_copy(update={"header": ("make", "price", "km")})
    (told,) = suspicions(file, mapping.model_copy(update={"file": shape}))
    assert "2 of the first 2 rows can't be read: 1 cells instead of 3" in told
    assert 'delimiter: ";"' in told


OTHER = Ads(
    "other",
    EXAMPLES / "other_seller.csv",
    EXAMPLES / "mappings" / "other_seller.yaml",
    *[""] * 5,
)


@pytest.mark.parametrize("ads", [*ADS, OTHER], ids=lambda ads: ads.name)
def test_files_that_are_as_their_mappings_say_raise_no_suspicion(ads: Ads) -> None:
    assert suspicions(ads.file, ads.mapping) == []
