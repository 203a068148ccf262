from __future__ import annotations

import time

import pytest

from cli.imports.language.mapping_file import MappingError
from cli.imports.language.patterns import matches
from cli.imports.outcomes import Refusal
from tests.cli.imports.reading import one, small

RUNAWAYS = ["(a+)+$", "(a|aa)+$", "(.*a){30}$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(a*)*b"]


@pytest.mark.parametrize("pattern", RUNAWAYS)
def test_no_pattern_runs_away_on_any_cell(pattern: str) -> None:
    started = time.process_time()
    assert not matches(pattern, "a" * 50_000 + "!")
    assert time.process_time() - started < 5


@pytest.mark.parametrize("pattern", ["(?=a)b", "(?<!a)b", r"(a)\1", "(?P=x)", "(", "a{1001}", "["])
def test_a_pattern_that_needs_backtracking_is_told_when_the_mapping_is_read(pattern: str) -> None:
    with pytest.raises(MappingError, match=r"reject\.0\.matches: not a regular expression that"):
        small(reject=f"[{{reason: r1, column: c, matches: '{pattern}'}}]")


def test_case_and_letters_of_other_scripts_are_known_to_patterns() -> None:
    mapping = small(reject="[{reason: unwanted, column: c, matches: '(?i)^größe'}]")
    found = one(mapping, id="abc", c="GRÖßE 5")
    assert isinstance(found, Refusal)
    assert found.reason == "unwanted"
