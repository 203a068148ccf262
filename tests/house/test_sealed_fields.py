"""Whatever is sealed in an event is opened by whoever reads a person's events: the export, and the
proof of an erasure.

What a text is sealed as stands where it is sealed, by which name it is stored in the event. Where the two
differ, api.identity.person_data.SEALED_FOR must say so.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from importlib import import_module
from typing import Any
from uuid import UUID

import pytest

from api.identity.person_data import SEALED_FOR, sealed_texts
from infra.vault.vault import PersonKey
from tests.house.examples import examples
from tests.house.sources import PACKAGES, Source, sources

KEY = PersonKey(UUID(int=1), bytes(32))
TEXT = "what somebody said"


def test_every_sealed_text_of_every_event_can_be_opened() -> None:
    named = sealings(sources(*PACKAGES))
    assert {("name", "search_name"), ("text", "search_text"), ("label", "api key label")} <= named
    assert unopened(named) == []


@pytest.mark.parametrize("field", SEALED_FOR)
def test_a_name_that_the_table_lacks_is_caught(field, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(SEALED_FOR, field)
    found = unopened(sealings(sources(*PACKAGES)))
    assert found
    assert all(f"{field}_sealed" in each for each in found)


def test_a_text_that_is_sealed_for_no_field_of_an_event_is_caught() -> None:
    (source,) = [Source("api/planted.py", "def f(key):\n    return key.seal('shoe size', '43')\n")]
    assert unopened({*sealings([source]), ("label", "api key label")})[-1] == (
        "shoe size: no field of an event is called so: name the field in SEALED_FOR"
    )


def sealings(found: list[Source]) -> set[tuple[str, str]]:
    """Which field a text is stored in, and what it is sealed as. Where it is not sealed right into a
    field's place, the field is to have the same name.
    """
    return {pair for source in found for pair in _pairs(source)}


def _pairs(source: Source) -> Iterator[tuple[str, str]]:
    within = {}
    for node in source.nodes(ast.keyword):
        assert isinstance(node, ast.keyword)
        if node.arg and node.arg.endswith("_sealed"):
            within |= {each: node.arg.removesuffix("_sealed") for each in ast.walk(node.value)}
    for node in source.nodes(ast.Dict):
        assert isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and str(key.value).endswith("_sealed"):
                within |= dict.fromkeys(ast.walk(value), str(key.value).removesuffix("_sealed"))
    for node in source.nodes(ast.Call):
        assert isinstance(node, ast.Call)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "seal" and node.args:
            name = _text(node.args[0], source)
            if name is not None:
                yield within.get(node, name), name


def _text(node: ast.expr, source: Source) -> str | None:
    """A constant's text; None of a variable, which holds the name of the field."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert isinstance(node, ast.Name), f"{source.path}: seal with a name or a constant"
    known = vars(import_module(source.path.removesuffix(".py").replace("/", ".")))
    found = known.get(node.id)
    return found if isinstance(found, str) else None


def unopened(named: set[tuple[str, str]]) -> list[str]:
    """What stays closed, and what is sealed for no field that there is."""
    fields, closed = set[str](), set[str]()
    for example in examples():
        data = json.loads(example.path.read_text("utf-8"))["data"]
        for path in _sealed_in(data, ()):
            field = next(each for each in reversed(path) if each not in ("text", "0"))
            field = field.removesuffix("_sealed")
            fields.add(field)
            for name in {sealed for stored, sealed in named if stored == field} or {field}:
                if TEXT not in sealed_texts(KEY, _put(path, KEY.seal(name, TEXT))).values():
                    closed.add(
                        f"{example.kind}: {'.'.join(path)} is sealed as {name!r}: see SEALED_FOR"
                    )
    unknown = [name for field, name in named if field not in fields]
    return [
        *sorted(closed),
        *(
            f"{name}: no field of an event is called so: name the field in SEALED_FOR"
            for name in sorted(unknown)
        ),
    ]


def _sealed_in(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Where something sealed stands: `…_sealed`, or a text with its mark."""
    if isinstance(value, list):
        for each in value:
            yield from _sealed_in(each, path)
    if not isinstance(value, dict):
        return
    if {"text", "mark"} <= value.keys():
        yield (*path, "text")
        return
    for name, each in value.items():
        if name.endswith("_sealed"):
            yield (*path, name)
        else:
            yield from _sealed_in(each, (*path, name))


def _put(path: tuple[str, ...], text: str) -> Any:
    """Data that hold nothing but a text at that place."""
    found: Any = text
    for name in reversed(path):
        found = {name: found}
    return found
