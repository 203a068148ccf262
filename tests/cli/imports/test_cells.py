from __future__ import annotations

import pytest

from cli.imports.cells import lines_kept, one_line, stripped, title_case


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("alfa romeo", "Alfa Romeo"),
        ("c4", "C4"),
        ("s-max", "S-Max"),
        ("škoda", "Škoda"),
        ("RS", "RS"),
        ("3er", "3er"),
        ("(neu)", "(Neu)"),
    ],
)
def test_title_case_raises_first_letters_and_leaves_the_rest(text: str, shown: str) -> None:
    assert title_case(text) == shown


def test_line_breaks_of_every_kind_become_line_feeds_and_stay() -> None:
    assert lines_kept(" a  b \r\n\r\nc\rd\te\n") == "a b\n\nc\nd e"


@pytest.mark.parametrize("control", ["\x00", "\x0b", "\x0c", "\x1c", "\x1f", "\x85", "\x7f"])
def test_a_control_character_is_no_blank_that_could_be_taken_away(control: str) -> None:
    text = f"{control}a{control}b{control}"
    assert stripped(f" \u00a0{text}\r\n") == one_line(text) == lines_kept(text) == text
