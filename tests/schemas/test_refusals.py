"""Whatever the rules refuse, people are told in a sentence what stands against it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.refusals import REFUSALS, told_of

ROOT = Path(__file__).parents[2]
# Whose first argument, or which keyword, is the reason of a refusal.
BY_PLACE = {"Rejected": 0, "_refuse_faults": 1, "_park": 1}
CODE = re.compile(r"[a-z]+(_[a-z]+)*")


def reasons() -> Iterator[str]:
    """Every reason that stands in the code of the rules, of the writer and of what asks it."""
    files = [*(ROOT / "producers").rglob("*.py"), ROOT / "api" / "backends" / "gateway.py"]
    for node in (each for file in files for each in ast.walk(ast.parse(file.read_text("utf-8")))):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        given = [each.value for each in node.keywords if each.arg == "reason" and name == "Reply"]
        place = BY_PLACE.get(name)
        if place is not None:
            given.append(node.args[place])
        for each in given:
            if isinstance(each, ast.Constant):
                yield str(each.value)


def test_every_reason_has_its_sentence_and_every_sentence_a_reason() -> None:
    assert {*REFUSALS} == {*reasons()}


@pytest.mark.parametrize("reason", REFUSALS)
def test_a_sentence_is_for_people(reason: str) -> None:
    assert CODE.fullmatch(reason)
    told = told_of(reason)
    assert told[0].isupper()
    assert len(told.split()) >= 4
    assert not told.endswith(".")
    assert "_" not in told


def test_a_reason_that_a_newer_writer_knows_is_told_in_its_own_words() -> None:
    assert told_of("nobody_knows_yet") == "Refused: nobody knows yet"
