"""YAML without surprises: texts stay texts, keys stand once, nothing grows when it is read.

Of YAML 1.1's guesses (`no` is false, `01` is 1, `1:30` is 90, dates) none is made here. A
scalar without quotes is a Plain, and whoever needs a number or a truth asks `word_of`. Anchors
and tags are refused, and so is what is nested deeper than any mapping.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

SIZE_MAX = 1 << 20
DEPTH_MAX = 12
NODES_MAX = 50_000

Path: TypeAlias = tuple[str, ...]

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})
_TRUTHS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


class Plain(str):
    """A scalar that stands without quotes."""

    __slots__ = ()


@dataclass(frozen=True, order=True)
class Fault:
    """What is wrong in a mapping, and where: line 0 where no line can be told."""

    line: int
    place: str
    message: str

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.place}: {self.message}" if self.place else f"{where}{self.message}"


@dataclass
class Document:
    """What a text holds, where each part of it stands, and what is wrong with it."""

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def line_of(self, path: Path) -> int:
        """The line of this part, or of the nearest one around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)


def is_nothing(found: object) -> bool:
    """Whether nothing stands there: `name:`, `name: null` or `name: ~`."""
    return isinstance(found, Plain) and found in _NOTHING


def word_of(found: object) -> object:
    """A truth for `true` and `false`, a number for `12`, None for nothing, else the text."""
    if not isinstance(found, Plain):
        return found
    if found in _NOTHING:
        return None
    if found in _TRUTHS:
        return _TRUTHS[found]
    return int(found) if _INTEGER.fullmatch(found) else str(found)


def read_yaml(text: str) -> Document:
    """The one document of a text; what can't be read is among its faults."""
    if len(text) > SIZE_MAX:
        return Document(faults=[Fault(0, "", f"more than {SIZE_MAX:,} characters")])
    document = Document()
    try:
        _Reading(document).read(yaml.parse(text.removeprefix("\ufeff"), yaml.SafeLoader))
    except _UnreadableError as error:
        document.faults.append(error.fault)
    except yaml.YAMLError as error:
        document.faults.append(_syntax_fault(error))
    return document


class _UnreadableError(Exception):
    """Leaves the reading when going on makes no sense."""

    def __init__(self, event: yaml.Event, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(_line(event), "", message)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 0


def _syntax_fault(error: yaml.YAMLError) -> Fault:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = " ".join(str(getattr(error, "problem", None) or error).split())
    return Fault(mark.line + 1 if mark is not None else 0, "", f"not YAML: {problem}")


class _Reading:
    """Builds plain data from events, as they come: what is nested too deep is never read."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._nodes = 0

    def read(self, events: Iterator[yaml.Event]) -> None:
        """Fill the document."""
        for event in events:
            match event:
                case yaml.DocumentStartEvent() if self._nodes:
                    raise _UnreadableError(event, "a second document in one file")
                case yaml.StreamStartEvent() | yaml.StreamEndEvent():
                    pass
                case yaml.DocumentStartEvent() | yaml.DocumentEndEvent():
                    pass
                case _:
                    self._document.data = self._value(event, events, ())

    def _value(self, event: yaml.Event, events: Iterator[yaml.Event], path: Path) -> Any:
        self._count(event, path)
        self._document.lines.setdefault(path, _line(event))
        match event:
            case yaml.ScalarEvent(value=str(value), style=style):
                return Plain(value) if style is None else value
            case yaml.SequenceStartEvent():
                return self._sequence(events, path)
            case _:
                return self._mapping(events, path)

    def _count(self, event: yaml.Event, path: Path) -> None:
        self._nodes += 1
        if self._nodes > NODES_MAX:
            raise _UnreadableError(event, f"more than {NODES_MAX:,} values")
        if len(path) > DEPTH_MAX:
            raise _UnreadableError(event, f"nested more than {DEPTH_MAX} deep")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _UnreadableError(event, "anchors (&) and aliases (*) can't be used: write it out")
        if getattr(event, "tag", None) is not None:
            raise _UnreadableError(event, "tags (!) can't be used")

    def _sequence(self, events: Iterator[yaml.Event], path: Path) -> list[Any]:
        found: list[Any] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            found.append(self._value(event, events, (*path, str(len(found)))))
        return found

    def _mapping(self, events: Iterator[yaml.Event], path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            self._count(event, path)
            if not isinstance(event, yaml.ScalarEvent):
                raise _UnreadableError(event, "a name must be a text")
            self._entry(found, event, events, (*path, event.value))
        return found

    def _entry(
        self,
        found: dict[str, Any],
        name: yaml.ScalarEvent,
        events: Iterator[yaml.Event],
        path: Path,
    ) -> None:
        line = _line(name)
        if name.value in found:
            message = f"{name.value!r} stands twice (first in line {self._document.lines[path]})"
            self._document.faults.append(Fault(line, ".".join(path), message))
            path = (*path, "again")  # so that the lines of the first one stay
        self._document.lines.setdefault(path, line)
        value = self._value(next(events), events, path)
        found.setdefault(name.value, value)
