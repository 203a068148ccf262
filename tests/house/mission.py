"""What the system must do, row by row, and the tests of it: writes `docs/mission.md`.

    python -m tests.house.mission

A test belongs to a row by carrying its id: `test_LI_08_publish_names_each_missing_field`.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.house.rules.claim_rules import names_of_tests
from tests.house.sources import ROOT, sources

ROWS_FILE = ROOT / "docs" / "mission-rows.csv"
PARTS_FILE = ROOT / "docs" / "mission-parts.csv"
PAGE = ROOT / "docs" / "mission.md"

_ID = re.compile(r"(?<=_)([A-Z]{1,2})_(\d{2})(?=_|$)")
_INTRODUCTION = """# The mission, row by row

Written by `python -m tests.house.mission` from the names of the tests; do not edit. A test proves
something of a row when it carries the row's id, as `test_LI_08_publish_names_each_missing_field`
does. Of a row that is held in part, [mission-parts.csv](mission-parts.csv) says what is missing;
such a row is not counted. The rows and their order are in [mission-rows.csv](mission-rows.csv).
"""

Parts = Mapping[str, str]  # row id → what its tests do not prove
TestNames = Mapping[str, list[tuple[str, str]]]  # row id → (path, name) of each test


@dataclass(frozen=True)
class Row:
    """One thing that the system must do."""

    id: str
    section: str
    item: str


def rows(path: Path = ROWS_FILE) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return [Row(**row) for row in csv.DictReader(file)]


def parts(path: Path = PARTS_FILE) -> Parts:
    with path.open(encoding="utf-8", newline="") as file:
        return {row["id"]: row["missing"] for row in csv.DictReader(file)}


def ids_in(name: str) -> list[str]:
    """`LI-08` of `test_LI_08_publish_names_each_missing_field`."""
    return [f"{letters}-{digits}" for letters, digits in _ID.findall(name)]


def by_row(tests: Iterable[tuple[str, str]]) -> TestNames:
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for path, name in tests:
        for row_id in ids_in(name):
            found[row_id].append((path, name))
    return found


def unknown_ids(known: Iterable[Row], tests: TestNames) -> Iterator[str]:
    ids = {row.id for row in known}
    for row_id, names in tests.items():
        if row_id not in ids:
            yield f"{names[0][0]}: {names[0][1]}: no row {row_id} in the mission"


def idle_parts(missing: Parts, tests: TestNames) -> Iterator[str]:
    """What is said to be missing of rows of which nothing is there."""
    for row_id in missing:
        if row_id not in tests:
            yield f"{row_id} has no test: take it out of {PARTS_FILE.name}"


def page(wanted: Iterable[Row], tests: TestNames, missing: Parts) -> str:
    """The whole of docs/mission.md."""
    listed = list(wanted)
    tested = [row.id for row in listed if tests.get(row.id)]
    whole = sum(row_id not in missing for row_id in tested)
    figures = f"**{whole} of {len(listed)} rows are held, {len(tested) - whole} more in part.**"
    lines = [_INTRODUCTION, figures]
    section = ""
    for row in listed:
        if row.section != section:
            section = row.section
            lines.append(f"\n## {section}\n\n| row | what | tests |\n|---|---|---|")
        told = _part(missing.get(row.id)) + _links(tests.get(row.id, []))
        lines.append(f"| {row.id} | {_cell(row.item)} | {told} |")
    return "\n".join(lines) + "\n"


def _part(missing: str | None) -> str:
    return f"**part of it**; missing: {_cell(missing)}<br>" if missing else ""


def _links(names: list[tuple[str, str]]) -> str:
    return "<br>".join(f"[`{name}`](../{path})" for path, name in sorted(names)) or "not yet"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def today() -> str:
    """The page as the tests stand."""
    return page(rows(), by_row(names_of_tests(sources("tests"))), parts())


if __name__ == "__main__":
    PAGE.write_text(today(), "utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
