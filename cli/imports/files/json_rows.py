"""Rows out of JSON lines: each line is an object, and its members are the row's cells."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from cli.imports.cells import TypedNumber, shown
from cli.imports.files.lines import (
    LINE_LENGTH_MAX,
    MARK_ERRORS,
    TOO_LONG,
    Lines,
    UnreadableError,
    has_marks,
    undecoded,
)
from cli.imports.files.rows import COLUMNS_MAX, Found, Records, Seen, TableError, joined, malformed
from cli.imports.language.mapping import FileShape
from cli.imports.outcomes import Refusal, RefusedBy

DEPTH_MAX = 8
NAME_MAX = 200


def open_json_lines(path: Path, shape: FileShape) -> Records:
    """The rows of a file of JSON lines; raises TableError."""
    try:
        seen = Seen.of(shape.header, _rows(path, shape.encoding))
    except (TableError, UnreadableError) as error:
        message = f"{path}: {error}"
        raise TableError(message) from None
    if not seen.rows:
        message = f"{path}: the file is empty"
        raise TableError(message)
    return Records(tuple(seen.columns), seen.rows, lambda: _rows(path, shape.encoding))


def _rows(path: Path, encoding: str) -> Iterator[Found]:
    with path.open(encoding=encoding, errors=MARK_ERRORS, newline="") as text:
        lines = Lines(text)
        while (line := lines.peek()) is not None:
            lines.start_record()
            number = lines.number
            next(lines)
            if not line.strip():
                continue
            if number == 1 and line.lstrip().startswith("["):
                message = "is one JSON array: write an object a line, as by jq -c '.[]' FILE"
                raise TableError(message)
            yield number, _cells(line, number, encoding)


def _cells(line: str, number: int, encoding: str) -> dict[str, str] | Refusal:
    if has_marks(line):
        return Refusal(RefusedBy.FILE, "undecodable", _told(line, number, encoding))
    try:
        found = json.loads(
            line,
            parse_int=TypedNumber,
            parse_float=TypedNumber,
            parse_constant=_no_number,
            object_pairs_hook=_named_once,
        )
        if not isinstance(found, dict):
            return malformed("is JSON, but no object: write each row like {...}")
        cells: dict[str, list[str]] = {}
        _collect(cells, (), found)
    except RecursionError:
        return malformed(f"nested more than {DEPTH_MAX} deep")
    except ValueError as error:
        return malformed(f"is no JSON: {error}")
    named = joined(cells)
    if any("\ud800" <= each <= "\udfff" for cell in named.values() for each in cell):
        return Refusal(RefusedBy.FILE, "undecodable", f"line {number}: half a surrogate pair")
    return named


def _told(line: str, number: int, encoding: str) -> str:
    if TOO_LONG in line:
        return f"line {number}: more than {LINE_LENGTH_MAX:,} characters"
    _, byte = undecoded(line) or (0, 0)
    return (
        f"line {number}: the byte 0x{byte:02X} is no {encoding}: is file.encoding the file's own?"
    )


def _no_number(text: str) -> NoReturn:
    message = f"{text} is no number"
    raise ValueError(message)


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(
            name for name, count in Counter(name for name, _ in pairs).items() if count > 1
        )
        message = f"{shown(twice)} stands twice in one object"
        raise ValueError(message)
    return found


def _collect(cells: dict[str, list[str]], path: tuple[str, ...], found: Any) -> None:
    """Members of members are named with points between, and members of lists side by side."""
    if len(path) > DEPTH_MAX or len(cells) > COLUMNS_MAX:
        message = f"nested more than {DEPTH_MAX} deep, or more than {COLUMNS_MAX:,} cells"
        raise ValueError(message)
    match found:
        case dict():
            for name, value in found.items():
                _collect(cells, (*path, name[:NAME_MAX]), value)
        case list():
            if not found:
                cells.setdefault(".".join(path), [])
            for value in found:
                if isinstance(value, list):
                    message = "a list within a list has no place in a cell"
                    raise ValueError(message)  # noqa: TRY004 - a row's fault, told as the others
                _collect(cells, path, value)
        case _:
            cells.setdefault(".".join(path), []).extend(_texts(found))


def _texts(found: Any) -> list[str]:
    match found:
        case None:
            return []
        case bool():
            return ["true" if found else "false"]
        case _:
            return [found]
