"""What OWASP's ASVS 5.0.0 asks, row by row, and the tests that prove it: writes `docs/asvs.md`.

    python -m tests.house.asvs

A test proves a row when it is marked `@pytest.mark.asvs("V6.2.1")` or carries the id in its name
or its examples' (`test_V6_2_9_…`).
"""

from __future__ import annotations

import ast
import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.house.rules.claim_rules import is_test
from tests.house.sources import ROOT, Function, Source, functions, sources

ROWS_FILE = ROOT / "docs" / "asvs-rows.csv"
PAGE = ROOT / "docs" / "asvs.md"

_ID = re.compile(r"(?<![A-Za-z0-9])V(\d+)_(\d+)_(\d+)(?=_|$)")
_INTRODUCTION = """# What the ASVS asks

Written by `python -m tests.house.asvs` from the tests; do not edit. The rows are those of the
[ASVS 5.0.0](https://github.com/OWASP/ASVS/tree/v5.0.0) that a machine can check, in words of ours
and in [asvs-rows.csv](asvs-rows.csv). What is missing of a row keeps it from being held, whatever
its tests prove.
"""

TestNames = Mapping[str, set[tuple[str, str]]]  # id → (path, name) of each test


@dataclass(frozen=True)
class Row:
    """One thing that the ASVS asks."""

    id: str
    level: str
    asks: str
    missing: str


def rows(path: Path = ROWS_FILE) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return [Row(**row) for row in csv.DictReader(file)]


def by_id(tests: Iterable[Source]) -> TestNames:
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for source in tests:
        for function in functions(source):
            if is_test(function):
                for asvs_id in ids_of(function):
                    found[asvs_id].add((source.path, function.name))
    return found


def ids_of(function: Function) -> Iterator[str]:
    """What a test says that it proves."""
    for numbers in _ID.findall(function.name.removeprefix("test")):
        yield "V" + ".".join(numbers)
    for decorator in function.decorator_list:
        match decorator:
            case ast.Call(func=ast.Attribute(attr="asvs"), args=args):
                yield from (str(ast.literal_eval(each)) for each in args)


def faults(known: Iterable[Row], tests: TestNames) -> Iterator[str]:
    """Ids that there are not, and rows that are said to be held and have no test."""
    listed = {row.id: row for row in known}
    for row in listed.values():
        if not row.missing and row.id not in tests:
            yield f"{row.id}: no test proves it: name one, or say what is missing"


def page(known: Iterable[Row], tests: TestNames) -> str:
    """The whole of docs/asvs.md."""
    listed = list(known)
    held = sum(not row.missing for row in listed)
    figures = f"**{held} of {len(listed)} rows are held.**"
    head = "| row | level | what | tests |\n|---|---|---|---|"
    return "\n".join([_INTRODUCTION, figures, "", head, *(_line(row, tests) for row in listed), ""])


def _line(row: Row, tests: TestNames) -> str:
    links = [f"[`{name}`](../{path})" for path, name in sorted(tests.get(row.id, ()))]
    if row.missing:
        links.insert(0, f"**not held**; missing: {row.missing}")
    return f"| {row.id} | {row.level} | {row.asks} | {'<br>'.join(links)} |"


def today() -> str:
    """The page as the tests stand."""
    return page(rows(), by_id(sources("tests")))


if __name__ == "__main__":
    PAGE.write_text(today(), "utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
