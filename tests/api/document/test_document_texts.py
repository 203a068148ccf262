"""What the document tells people is in plain words: it names nothing that is ours alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from infra.settings import Settings
from tests.api.operations import DOCUMENT, OPERATIONS

SETTINGS = {name.upper() for name in Settings.model_fields}
# Of where the API comes from and what it is set up by, no reader knows.
INNER = re.compile(r"\bdesigns?\b|\bsettings?\b|noqa|\bTODO\b", re.IGNORECASE)


def texts(within: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Every summary and description, with its place; no example's."""
    if isinstance(within, list):
        within = dict(enumerate(within))
    if isinstance(within, dict):
        for name, each in within.items():
            if name in ("description", "summary") and isinstance(each, str):
                yield place, each
            elif name not in ("example", "examples"):
                yield from texts(each, f"{place}/{name}")


def test_no_setting_is_named_anywhere() -> None:
    words = set(re.findall(r"[A-Z][A-Z0-9_]+", json.dumps(DOCUMENT)))
    assert words & SETTINGS == set()


def test_no_text_has_inner_words() -> None:
    assert [each for each in texts(DOCUMENT) if INNER.search(each[1])] == []


def test_no_text_is_empty_or_begins_or_ends_with_a_blank() -> None:
    assert [each for each in texts(DOCUMENT) if not each[1] or each[1] != each[1].strip()] == []


def test_every_operation_has_a_summary_of_its_own() -> None:
    summaries = [each.document["summary"] for each in OPERATIONS]
    assert len(set(summaries)) == len(OPERATIONS)


def test_no_schema_is_named_by_a_module() -> None:
    assert [each for each in DOCUMENT["components"]["schemas"] if "__" in each] == []
