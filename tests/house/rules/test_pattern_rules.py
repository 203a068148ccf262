from __future__ import annotations

import re
import time

import pytest

from infra.settings import DOMAINS_FORM, LIMIT_FORM
from tests.house.rules.pattern_rules import patterns, repeats_itself, runaway
from tests.house.sources import PACKAGES, Source, sources

LONG = 20_000
SLOW_S = 1.0


def written() -> list[str]:
    found = [text for each in sources(*PACKAGES) for _, text in patterns(each)]
    return sorted({*found, DOMAINS_FORM, LIMIT_FORM})


def test_V1_3_12_no_pattern_of_ours_repeats_what_repeats() -> None:
    assert list(runaway(sources(*PACKAGES))) == []
    assert [each for each in (DOMAINS_FORM, LIMIT_FORM) if repeats_itself(each)] == []


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a*)*", "([a-z]+-?)+", r"(\w+\s?)*$", "(a|b+)*c"])
def test_a_pattern_that_runs_away_is_caught(pattern: str) -> None:
    (found,) = runaway([Source("api/a.py", f"re.compile({pattern!r})")])
    assert found.startswith("api/a.py:1: ")


@pytest.mark.parametrize("pattern", ["a+b*", "(,[a-z]+)*", "[a-z]{2,3}(-[A-Z]{2})?", "(ab)+", "x*"])
def test_a_pattern_that_takes_a_text_in_one_way_is_fine(pattern: str) -> None:
    assert not repeats_itself(pattern)


@pytest.mark.parametrize("pattern", written())
def test_V1_3_12_a_long_text_that_nearly_fits_is_judged_at_once(pattern: str) -> None:
    """Of every character that stands in the pattern, and with an end that never fits."""
    compiled = re.compile(pattern)
    for letter in {*re.sub(r"[\\^$()|?*+{}\[\]]", "", pattern), "a", "1", " "}:
        began = time.process_time()
        compiled.match(letter * LONG + "\x00")
        compiled.match(f"{letter}-{letter}." * (LONG // 4) + "\x00")
        assert time.process_time() - began < SLOW_S
