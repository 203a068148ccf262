"""Rows out of XML: each element of one name is a row, and what stands in it its cells."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from cli.imports.cells import shown
from cli.imports.files.bounded_xml import CHUNK, Watching, XmlError, parsed
from cli.imports.files.lines import ROW_LENGTH_MAX, UnreadableError
from cli.imports.files.rows import (
    COLUMNS_MAX,
    TOO_LONG_A_ROW,
    Found,
    Records,
    Seen,
    TableError,
    joined,
    malformed,
)
from cli.imports.language.mapping import FileShape

NAMES_SHOWN = 20


def open_xml(path: Path, shape: FileShape) -> Records:
    """The rows of an XML file. All of it is read once before, so that a fault far down is told
    before anything is sent. Raises TableError.
    """
    names: dict[str, None] = {}
    try:
        seen = Seen.of(shape.header, _rows(path, shape.row or "", names))
    except (TableError, UnreadableError) as error:
        message = f"{path}: {error}"
        raise TableError(message) from None
    if not names:
        message = f"{path}: the file is empty"
        raise TableError(message)
    if not seen.rows:
        there = ", ".join(shown(name) for name in names)
        message = (
            f"{path}: no element {shape.row!r}, which the mapping takes for a row; it has {there}"
        )
        raise TableError(message)
    return Records(tuple(seen.columns), seen.rows, lambda: _rows(path, shape.row or "", {}))


def _rows(path: Path, row: str, names: dict[str, None]) -> Iterator[Found]:
    handler = _Rows(row, names)
    with (
        path.open("rb") as file,
        closing(parsed(iter(lambda: file.read(CHUNK), b""), handler)) as steps,
    ):
        try:
            for _ in steps:
                while handler.done:
                    yield handler.done.popleft()
        except XmlError as error:
            raise UnreadableError(str(error)) from error


class _Rows(Watching):
    """Collects the cells of a row; `names` gets the first names that there are."""

    def __init__(self, row: str, names: dict[str, None]) -> None:
        super().__init__()
        self.done: deque[Found] = deque()
        self._row, self._names = row, names
        self._path: list[str] = []
        self._texts: list[list[str]] = []
        self._parents: list[bool] = []  # of the same elements: whether elements stand in them
        self._mixed = ""  # what holds both
        self._cells: dict[str, list[str]] = {}
        self._began: tuple[int, int] | None = None  # at which depth, in which line
        self._length = 0

    def begin(self, name: str, attrs: Any) -> None:
        if len(self._names) < NAMES_SHOWN:
            self._names.setdefault(name)
        if self._began is None:
            if name != self._row:
                return
            self._began, self._length = (self.depth, self.line), 0
            self._cells, self._path, self._texts = {}, [], [[]]
            self._parents, self._mixed = [False], ""
        else:
            self._path.append(name)
            self._texts.append([])
            self._parents[-1] = True
            self._parents.append(False)
        for attribute, value in attrs.items():
            self._put("/".join([*self._path, f"@{attribute}"]), value)

    def text(self, found: str) -> None:
        if self._began is not None and self._fits(len(found)):
            self._texts[-1].append(found)

    def end(self, name: str) -> None:  # noqa: ARG002 - whose end it is follows from the path
        if self._began is None:
            return
        text = "".join(self._texts.pop())
        column = "/".join(self._path)
        if self._parents.pop() and text.strip():
            self._mixed = self._mixed or column or self._row
        if text.strip():
            self._put(column or ".", text)
        elif column:
            self._put(column)
        if self.depth > self._began[0]:
            self._path.pop()
            return
        self.done.append((self._began[1], self._finished()))
        self._began = None

    def _finished(self) -> Any:
        if self._length > ROW_LENGTH_MAX:
            return malformed(TOO_LONG_A_ROW)
        if len(self._cells) > COLUMNS_MAX:
            return malformed(f"more than {COLUMNS_MAX:,} cells")
        if self._mixed:
            return malformed(
                f"element {shown(self._mixed)} holds both text and elements, and a cell can't tell "
                "how they belong together"
            )
        return joined(self._cells)

    def _put(self, column: str, *texts: str) -> None:
        """Without a text: the column is there, and empty."""
        if self._fits(len(column)) and len(self._cells) <= COLUMNS_MAX:
            self._cells.setdefault(column, []).extend(texts)

    def _fits(self, length: int) -> bool:
        """Whether the row is still as long as one may be; what is more is not kept."""
        self._length += length
        return self._length <= ROW_LENGTH_MAX
