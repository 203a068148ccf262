"""Columns made of others: split by a vocabulary or a pattern, or the first that holds something."""

from __future__ import annotations

import pytest

from cli.imports.first_look import suspicions
from cli.imports.language.mapping import Mapping
from cli.imports.language.mapping_file import MappingError, parse_mapping
from cli.imports.outcomes import Refusal
from cli.imports.translate import missing_columns
from tests.cli.imports.reading import fields, one

MAKES = "[VW, BMW, Mercedes, Mercedes Benz, Alfa Romeo, Škoda]"
BOTH = "{make: {as: text, column: brand}, model: {as: text, column: line}}"


def made(columns: str, of: str = BOTH, **parts: str) -> Mapping:
    text = f"version: 1\nsource: small\nkey: row\ncolumns: [{columns}]\nfields: {of}\n"
    return parse_mapping(text + "".join(f"{name}: {each}\n" for name, each in parts.items()))


def by_words(options: str = "", words: str = MAKES) -> str:
    return f"{{as: words, column: name, words: {words}, into: brand, rest: line{options}}}"


def split(columns: str, cell: str) -> tuple[object, object] | Refusal:
    found = one(made(columns), name=cell)
    if isinstance(found, Refusal):
        return found
    return fields(found).get("make"), fields(found).get("model")


@pytest.mark.parametrize(
    ("options", "cell", "expected"),
    [
        ("", "VW Golf IV", ("VW", "Golf IV")),
        ("", "mercedes benz E 200", ("Mercedes Benz", "E 200")),
        ("", "Mercedes E 200", ("Mercedes", "E 200")),
        ("", "ALFA  ROMEO\u00a0147", ("Alfa Romeo", "147")),
        ("", "škoda Fabia", ("Škoda", "Fabia")),
        ("", "BMW", ("BMW", None)),
        ("", "", (None, None)),
        (", absent: ['?']", "?", (None, None)),
        (", spaces_for: _", "BMW_740i_Hamann", ("BMW", "740i Hamann")),
        (", spaces_for: _, absent: [n_a]", "n_a", (None, None)),
        (", spaces_for: _, anywhere: true", "Schöner_BMW_740i", ("BMW", "740i")),
        (", unknown: absent", "Trabant 601", (None, "Trabant 601")),
        (", unknown: absent", "Neuer BMW 3er", (None, "Neuer BMW 3er")),
        (", unknown: absent", "VWs aller Art", (None, "VWs aller Art")),
    ],
)
def test_make_and_model_are_split_by_the_longest_word_of_a_vocabulary(
    options: str, cell: str, expected: object
) -> None:
    assert split(by_words(options), cell) == expected


def test_a_vocabulary_may_give_other_words_than_it_reads() -> None:
    words = "{vw: Volkswagen, volkswagen: Volkswagen, mercedes benz: Mercedes-Benz}"
    assert split(by_words(words=words), "Volkswagen Golf") == ("Volkswagen", "Golf")
    assert split(by_words(words=words), "Mercedes Benz 190") == ("Mercedes-Benz", "190")


def test_a_cell_without_a_word_of_the_vocabulary_is_refused_with_the_cure() -> None:
    found = split(by_words(), "Trabant 601")
    assert isinstance(found, Refusal)
    assert (found.reason, found.column) == ("unknown_word", "name")
    assert "columns.0: column 'name': 'Trabant 601'" in found.detail
    assert "unknown: absent" in found.detail


PATTERN = "{as: pattern, column: name, matches: '^(?P<brand>\\pL+)[ /](?P<line>[^(]*)(\\((?P<body>.*)\\))?$'%s}"


def test_a_cell_is_split_by_a_pattern_with_named_groups() -> None:
    assert split(PATTERN % "", "Citroën/C3 (Kombi)") == ("Citroën", "C3")
    assert split(PATTERN % "", "") == (None, None)
    assert split(PATTERN % ", unknown: absent", "C3") == (None, None)


def test_a_cell_that_does_not_match_is_refused_with_the_cure() -> None:
    found = split(PATTERN % "", "C3")
    assert isinstance(found, Refusal)
    assert (found.reason, found.column) == ("no_match", "name")
    assert "widen matches" in found.detail


def test_the_time_of_a_pattern_grows_with_the_cell_alone() -> None:
    pattern = (
        "{as: pattern, column: name, matches: '^(?P<brand>(a+)+)(?P<line>b)$', unknown: absent}"
    )
    assert split(pattern, "a" * 50_000) == (None, None)


FIRST = "{as: first, of: [offer, price, list], into: asked, absent: ['0']}"
ASKED = "{currency: {as: constant, value: EUR}, price_minor: {as: money, column: asked}}"


@pytest.mark.parametrize(
    ("cells", "minor"),
    [
        ({"offer": "950", "price": "990", "list": ""}, 95_000),
        ({"offer": "", "price": "990", "list": "1,200"}, 99_000),
        ({"offer": "0", "price": "", "list": "1,200"}, 120_000),
        ({"offer": "0", "price": "", "list": ""}, None),
    ],
)
def test_the_first_of_several_columns_that_holds_something_counts(
    cells: dict[str, str], minor: int | None
) -> None:
    assert fields(one(made(FIRST, ASKED), **cells)).get("price_minor") == minor


def test_a_made_column_may_be_made_of_made_ones() -> None:
    columns = f"{{as: first, of: [name, title], into: both}}, {by_words()}"
    mapping = made(columns.replace("column: name", "column: both"))
    assert fields(one(mapping, name="", title="BMW 7er")) == {"make": "BMW", "model": "7er"}


def test_a_reject_rule_speaks_before_what_could_not_be_made() -> None:
    mapping = made(by_words(), reject="[{reason: wanted, column: kind, equals: Gesuch}]")
    found = one(mapping, name="Wer hat einen", kind="Gesuch")
    assert isinstance(found, Refusal)
    assert found.reason == "wanted"
    unknown = one(mapping, name="Wer hat einen", kind="Angebot")
    assert isinstance(unknown, Refusal)
    assert unknown.reason == "unknown_word"


def test_a_reject_rule_may_read_what_is_made() -> None:
    mapping = made(by_words(), reject="[{reason: no_bmw, column: brand, equals: BMW}]")
    found = one(mapping, name="BMW 7er")
    assert isinstance(found, Refusal)
    assert (found.reason, found.column) == ("no_bmw", "brand")


def test_a_made_column_is_not_looked_for_in_the_file_and_what_it_reads_is() -> None:
    assert missing_columns(made(by_words()), ("name",)) == []
    (told,) = missing_columns(made(by_words()), ("nmae",))
    assert told == "columns.0: no column 'name' in the file (is 'nmae' meant?)"


def test_a_column_that_the_file_has_already_is_not_made() -> None:
    (told,) = missing_columns(made(by_words()), ("name", "brand"))
    assert told.startswith("columns.0: the file has a column 'brand' of its own: give")


def test_the_id_of_a_row_does_not_hang_on_what_is_made_of_it() -> None:
    of = "{title: {as: text, column: name}, make: {as: text, column: brand}}"
    one_way, other = made(by_words(), of), made(by_words(words="{BMW: Bmw}"), of)
    ids = {str(one(each, name="BMW 7er").command.listing_id) for each in (one_way, other)}  # type: ignore[union-attr]
    assert len(ids) == 1


def test_made_columns_of_numbers_are_looked_at_before_anything_is_sent(tmp_path) -> None:
    file = tmp_path / "ads.csv"
    file.write_text("offer,price,list\n" + ",9.400,\n" * 3, "utf-8")
    told = "\n".join(suspicions(file, made(FIRST, ASKED)))
    assert "column 'asked' looks as if it had the decimal mark ','" in told


@pytest.mark.parametrize(
    ("columns", "of", "told"),
    [
        (by_words(words="[]"), BOTH, "line 4: columns.0.words"),
        (by_words(words="[' ']"), BOTH, "at least one word"),
        (by_words(words="[VW, vw]"), BOTH, "the same word in other letters: vw"),
        (by_words(", where: end"), BOTH, "columns.0.where: is not known here"),
        (by_words().replace("rest: line", "rest: brand"), BOTH, "columns.0: 'brand' is made a"),
        (f"{by_words()}, {by_words()}", BOTH, "columns.1: 'brand' is made a second time"),
        (
            by_words().replace("column: name", "column: line"),
            BOTH,
            "columns.0: 'line' is made here",
        ),
        ("{as: pattern, column: name, matches: '(a)'}", BOTH, "columns.0.matches: no named group"),
        (
            "{as: pattern, column: name, matches: '(?P<a>'}",
            BOTH,
            "columns.0.matches: not a regular",
        ),
        ("{as: pattern, column: n, matches: '(?P<a>.)(?=b)'}", BOTH, "Look-arounds"),
        ("{as: first, of: [a], into: b}", BOTH, "columns.0.of"),
        ("{as: first, of: [a, a], into: b}", BOTH, "columns.0.of: names a column twice"),
        ("{as: roman, of: [a, b], into: b}", BOTH, "columns.0: as: there is no 'roman'"),
        ("{of: [a, b], into: b}", BOTH, "there are words, pattern, first"),
        (
            by_words(words="{vw: VW, x: " + "X" * 81 + "}"),
            BOTH,
            "line 4: columns.0.words.x: 'XXX",
        ),
        (
            by_words(words="{vw: petrol, x: coal}"),
            "{fuel_type: {as: text, column: brand}}",
            "columns.0.words.x: 'coal': ",
        ),
        (
            by_words(words="{vw: a, x: b}"),
            "{fuel_type: {as: word, column: brand, words: {a: petrol}}}",
            "columns.0.words.x: 'b': fields.fuel_type has no such word under words",
        ),
    ],
)
def test_a_column_that_cannot_be_made_is_told_when_the_mapping_is_read(
    columns: str, of: str, told: str
) -> None:
    with pytest.raises(MappingError) as error:
        made(columns, of)
    assert told in str(error.value)


def test_a_key_of_made_columns_is_a_fault() -> None:
    text = f"version: 1\nsource: small\nkey: [id, brand]\ncolumns: [{by_words()}]\nfields: {BOTH}\n"
    with pytest.raises(MappingError, match=r"line 3: key\.1: 'brand' is made"):
        parse_mapping(text)
