from __future__ import annotations

import time

import pytest

from cli.imports.language.mapping_file import MappingError, load_mapping, parse_mapping
from cli.imports.language.strict_yaml import DEPTH_MAX, SIZE_MAX, read_yaml, word_of
from tests.cli.imports.reading import SMALL, fields, one, rule


@pytest.mark.parametrize(
    "word",
    [
        "01",
        "007",
        "0x1F",
        "0o17",
        "1_000",
        "no",
        "yes",
        "on",
        "off",
        "y",
        "n",
        "1:30",
        "1e3",
        ".5",
        "2004-03-01",
        "2004-03",
        "null",
        "~",
        "true",
        "True",
        "3.10",
        "<<",
        "=",
        "+1",
        "-0",
    ],
)
def test_a_word_of_a_vocabulary_is_what_is_written_there(word: str) -> None:
    mapping = rule(
        f"{{transmission: {{as: word, column: c, words: {{{word}: manual}}, default: cvt}},"
        f" make: {{as: text, column: m, absent: [{word}]}}}}"
    )
    assert fields(one(mapping, c=word, m=word)) == {"transmission": "manual"}


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("1", 1),
        ("-3", -3),
        ("01", "01"),
        ("1.50", "1.50"),
        ("'1'", "1"),
        ("'true'", "true"),
        ("null", None),
        ("", None),
        ("1:30", "1:30"),
        ("2004-03-01", "2004-03-01"),
        ("9" * 30, "9" * 30),
    ],
)
def test_only_plain_truths_and_plain_numbers_are_more_than_texts(
    scalar: str, value: object
) -> None:
    found = word_of(read_yaml(f"a: {scalar}").data["a"])
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[" * 20_000, f"nested more than {DEPTH_MAX} deep"),
        ("{a: " * 20_000, f"nested more than {DEPTH_MAX} deep"),
        ("- " * 20_000, f"nested more than {DEPTH_MAX} deep"),
        ('{"a": ' * 20_000 + "1" + "}" * 20_000, f"nested more than {DEPTH_MAX} deep"),
        ("[" * 5_000 + "]" * 5_000, f"nested more than {DEPTH_MAX} deep"),
        ("a: &a [x, x]\nb: &b [*a, *a]\n", "anchors"),
        ("a: *nobody", "aliases"),
        ("<<: &m {a: 1}", "anchors"),
        ("a: !!python/object/apply:os.system [ls]", "tags"),
        ("a: !x y", "tags"),
        ("? [a, b]\n: c", "a name must be a text"),
        ("a: 1\n---\nb: 2", "a second document"),
        ("a: 1\na: 2", "'a' stands twice (first in line 1)"),
        ("a: {b: 1, b: 2}", "a.b: 'b' stands twice"),
        ("a: [1, 2", "not YAML"),
        ("a: \x00", "not YAML"),
        ("\ta: 1", "not YAML"),
        ("x" * (SIZE_MAX + 1), "more than"),
        (f"[{'a,' * 60_000}]", "more than 50,000 values"),
    ],
)
def test_what_could_break_or_grow_is_refused_with_its_line(text: str, told: str) -> None:
    started = time.process_time()
    with pytest.raises(MappingError, match=r"^(line \d+: |not YAML|more than)") as error:
        parse_mapping(text)
    assert told in str(error.value)
    assert time.process_time() - started < 30


def test_a_mapping_may_be_json() -> None:
    text = '{"version": 1, "source": "a", "key": "row", "fields": {"year": {"as": "integer", "column": "y"}}}'
    assert fields(one(parse_mapping(text), y="2004")) == {"year": 2004}


def test_a_mapping_that_is_not_utf_8_is_told_with_file_line_and_byte(tmp_path) -> None:
    path = tmp_path / "m.yaml"
    path.write_bytes(SMALL.encode() + "  make: {as: constant, value: Citroën}\n".encode("cp1252"))
    with pytest.raises(MappingError, match=r"m\.yaml: line 7: the byte 0xEB is no UTF-8"):
        load_mapping(path)


def test_a_byte_order_mark_before_a_mapping_is_no_fault(tmp_path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(f"\ufeff{SMALL}", "utf-8")
    assert load_mapping(path).source == "small"
