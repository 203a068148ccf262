from __future__ import annotations

from pathlib import Path

import pytest

from cli.imports.language.mapping_file import MappingError, load_mapping, parse_mapping
from tests.cli.imports.ads import EXAMPLES, SAMPLE
from tests.cli.imports.reading import SMALL, fields, one

SHIPPED = [*sorted((EXAMPLES / "mappings").glob("*.yaml")), SAMPLE / "ads.mapping.yaml"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_mapping_in_the_repository_is_valid(path: Path) -> None:
    assert load_mapping(path).version == 1


@pytest.mark.parametrize(
    ("yaml", "told"),
    [
        (SMALL + "  price_minor: {as: money, column: p, decimal: ;}", "fields.price_minor.decimal"),
        (
            SMALL + "  prise: {as: integer, column: p}",
            "line 7: fields.prise: there is no such field",
        ),
        (SMALL + "  year: {as: integer}", "fields.year.column: is required"),
        (
            SMALL + "  year: {as: roman, column: y}",
            "fields.year: as: there is no 'roman'; there are text, word,",
        ),
        (
            SMALL + "  year: {as: integer, columns: y, column: y}",
            "fields.year.columns: is not known here",
        ),
        (SMALL + "  model: {as: template, template: '{maker}'}", "{maker} is no field"),
        (SMALL + "  model: {as: template, template: '{title.x}'}", "fields.model.template"),
        (SMALL + "  model: {as: template, template: '{title'}", "fields.model.template"),
        (SMALL + "file: {encoding: klingon}", "file.encoding: unknown encoding"),
        (SMALL + "file: {encoding: base64}", "file.encoding: unknown encoding"),
        (SMALL + "file: {encoding: idna}", "file.encoding: unknown encoding"),
        (SMALL + "file: {encoding: punycode}", "file.encoding: unknown encoding"),
        (SMALL + 'file: {delimiter: "\\ufeff"}', "file.delimiter: exactly one character"),
        (SMALL + 'file: {delimiter: "\\u0085"}', "file.delimiter: exactly one character"),
        (SMALL + 'file: {delimiter: "\\u0301"}', "file.delimiter: exactly one character"),
        (SMALL.replace("[id]", "id"), "key: is neither `row` nor a list of columns"),
        (SMALL.replace("[id]", "[]"), "key: names no column"),
        (SMALL.replace("[id]", "[id, id]"), "key: names a column twice"),
        (SMALL.replace("source: small", "source: STRANGER"), "source: takes small letters"),
        (SMALL + 'seller: "\\u202e"', "seller: holds a hidden mark"),
        *((SMALL + f"seller: {each}", "seller: names nobody") for each in ("bob", "import:B")),
        (SMALL + "  geo: {as: geo, lat: y, lon: y}", "lat and lon are one column"),
        (SMALL + '  geo: {as: geo, column: y, separator: "1"}', "stands in the numbers"),
        *(
            (SMALL + f'images: {{columns: [y], separator: "{each}"}}', "stands in every address")
            for each in (":", "h", "/", "https")
        ),
        (SMALL + "reject: [{reason: r1, column: a, one_of: []}]", "need something to look for"),
        (SMALL + "reject: [{reason: r1, column: a, matches: ''}]", "need something to look for"),
        (
            SMALL + "  year: {as: integer, column: y, multipliers: {k: 1000, K: 5}}",
            "the same word in other letters: k",
        ),
        (
            SMALL + '  year: {as: integer, column: y, multipliers: {"a b": 10, "A  b": 5}}',
            "the same word in other letters: a b",
        ),
        (SMALL + "file: {delimiter: ab}", "file.delimiter: exactly one character"),
        (SMALL + "file: {delimiter: '\"'}", "delimiter and quote must differ"),
        (SMALL + "reject: [{reason: r1, column: a}]", "reject.0: exactly one of"),
        (SMALL + "reject: [{reason: r1, column: a, equals: x, matches: y}]", "reject.0: exactly"),
        (SMALL + "reject: [{reason: No Code, column: a, equals: x}]", "reject.0.reason"),
        (SMALL + "reject: [{reason: r1, column: a, matches: '('}]", "reject.0.matches"),
        (SMALL + "reject: [{reason: r1, column: a, outside: [2, 1]}]", "reject.0: outside"),
        (SMALL + "market: mars", "market"),
        (SMALL.replace("version: 1", "version: 2"), "version"),
        (SMALL.replace("key: [id]", "key: []"), "key"),
        (SMALL + "source: again", "'source' stands twice"),
        ("[", "not YAML"),
        ("", "the file"),
    ],
)
def test_a_fault_in_a_mapping_is_named_by_its_place(yaml: str, told: str) -> None:
    with pytest.raises(MappingError) as error:
        parse_mapping(yaml)
    assert told in str(error.value)


MANY = ", ".join(f"a{number}" for number in range(80))


@pytest.mark.parametrize(
    ("yaml", "told"),
    [
        ("  doors: {as: constant, value: 99}", "fields.doors.value: 99: is too large: at most 6"),
        (f"  features: {{as: list, column: y, separator: ',', default: [{MANY}]}}", "at most 60"),
        ("columns: [{as: regex}]", "columns.0: as: there is no 'regex'; there are words, pattern"),
        ("columns: [3]", "columns.0: as: is missing; there are words, pattern"),
        ("  year: {as: integer, column: y, factor: 1e99}", "has too many digits: at most 20"),
        ("  year: {as: constant, value: [1]}", "fields.year.value: is no single word"),
        ("  vin: {as: text, column: y, words: {a: [b]}}", "fields.vin.words.a: is no single word"),
        (
            "columns: [{as: words, column: a, words: {str: [b]}, into: b}]",
            "columns.0.words.str: is no text: write one",
        ),
        ("  date_in_stock: {as: constant, value: 2026-02-31}", "is no day: write one that there"),
        ("reject: {a: b}", "reject: is no list: write it in square brackets"),
        ("file: {skip_lines: x}", "file.skip_lines: is no whole number: write digits"),
        ("  year: {as: integer, column: y, multipliers: 3}", "names and values are needed here"),
    ],
)
def test_a_fault_is_told_in_our_own_words_with_the_cure(yaml: str, told: str) -> None:
    with pytest.raises(MappingError) as error:
        parse_mapping(SMALL + yaml)
    (said,) = str(error.value).splitlines()
    assert told in said
    assert not any(word in said for word in ("Input", "Tuple", "Decimal", "tag", "send"))


def test_every_fault_of_a_mapping_is_told_at_once() -> None:
    with pytest.raises(MappingError) as error:
        parse_mapping(SMALL + "market: mars\nfile: {encoding: klingon}")
    assert "market" in str(error.value)
    assert "file.encoding" in str(error.value)


def test_yes_and_no_are_words_of_a_seller_and_no_booleans() -> None:
    mapping = parse_mapping(
        SMALL + "  damaged: {as: word, column: d, words: {yes: true, no: false, 1: true}}"
    )
    assert fields(one(mapping, id="abc", d="no"))["damaged"] is False
    assert fields(one(mapping, id="abc", d="Yes"))["damaged"] is True
    assert fields(one(mapping, id="abc", d="1"))["damaged"] is True


def test_a_mapping_file_that_is_not_there_is_told_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"nowhere\.yaml"):
        load_mapping(tmp_path / "nowhere.yaml")
