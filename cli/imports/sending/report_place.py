"""Where a report may be written: beside nothing that it could destroy. It is written under
another name and gets its own when it is whole.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import TextIO
from unicodedata import normalize

import uuid_utils

from cli.imports.cells import printable

COLUMNS = (
    "row",
    "line",
    "outcome",
    "listing_id",
    "refused_by",
    "reason",
    "field",
    "column",
    "detail",
    "file",
)
_TELLING = frozenset({"row", "line", "outcome", "file"})  # by these a report is known
FIRST_LINE_MAX = 1 << 20
_HASH_BYTES = 4
# Names there are windows to devices and open files, and replacing one breaks the machine.
_DEVICES = (Path("/dev"), Path("/proc"), Path("/sys"))
_MEMORY = Path("/dev", "shm")  # a folder of files, though it lies in /dev


class ReportError(Exception):
    """The report can't be written; the text names it and says why."""

    @classmethod
    def of(cls, path: Path, error: OSError) -> ReportError:
        """What the system says, with the report's name."""
        return cls(f"the report {path} can't be written: {error.strerror or error}")


class ReportPlaceError(ReportError):
    """The report may not be written there: something would be destroyed."""


def default_report(folder: Path, file: Path) -> Path:
    """A report's place when none is named, in a folder that is made: two files of one name have
    two. Raises ReportError.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReportPlaceError.of(folder, error) from error
    digest = blake2b(os.fsencode(file.resolve()), digest_size=_HASH_BYTES).hexdigest()
    return folder / f"{file.name[:100]}-{digest}.report.jsonl"


def check_report_place(report: Path, file: Path, mapping: Path) -> None:
    """Raises ReportError when writing the report would destroy something: the file that is
    imported, its mapping, or anything that isn't an earlier report of the same file.
    """
    try:
        for kept, what in ((file, "the file that is imported"), (mapping, "the mapping")):
            if _is_same(report, kept):
                message = f"--report {report} is {what}: name another file"
                raise ReportPlaceError(message)
        _check_is_file(report)
        _check_is_ours(report, file)
    except OSError as error:
        raise ReportPlaceError.of(report, error) from error


@contextmanager
def written_beside(path: Path) -> Iterator[TextIO]:
    """A file that becomes `path` once all of it is on the disk; until then, and when anything
    fails, `path` is what it was. Raises ReportError.
    """
    target = path.resolve()  # a link goes on leading where it leads
    part = target.with_name(f".{uuid_utils.uuid7()}.part")
    try:
        text = part.open("x", encoding="utf-8", newline="")
    except OSError as error:
        raise ReportError.of(path, error) from error
    try:
        with _closing(text, path):
            yield text
        _give_name(part, target, path)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


@contextmanager
def _closing(text: TextIO, path: Path) -> Iterator[None]:
    """What is still to be written is written, or told."""
    try:
        yield
        text.flush()
        os.fsync(text.fileno())
    except OSError as error:
        raise ReportError.of(path, error) from error
    finally:
        with suppress(OSError):  # said by flush already, and a second time when closing
            text.close()


def _give_name(part: Path, target: Path, path: Path) -> None:
    try:
        part.replace(target)
    except OSError as error:
        raise ReportError.of(path, error) from error


def _is_same(report: Path, kept: Path) -> bool:
    """Whether both are one file: by link, by another spelling, or where case means nothing."""
    with suppress(FileNotFoundError, NotADirectoryError):
        if report.samefile(kept):
            return True
    return _spelt(report) == _spelt(kept)


def _spelt(path: Path) -> str:
    return normalize("NFC", str(path.resolve())).casefold()


def _check_is_file(report: Path) -> None:
    for place in (Path(os.path.abspath(report)), report.resolve()):  # noqa: PTH100 - links stay
        in_devices = any(place.is_relative_to(each) for each in _DEVICES)
        if in_devices and not place.is_relative_to(_MEMORY):
            message = f"--report {report} is no place for a file: name one"
            raise ReportPlaceError(message)
    if not report.resolve().parent.is_dir():
        message = f"--report {report} is in a folder that is not there: make it first"
        raise ReportPlaceError(message)
    with suppress(FileNotFoundError):
        mode = report.stat().st_mode
        if S_ISDIR(mode):
            message = f"--report {report} is a directory: name a file in it"
            raise ReportPlaceError(message)
        if not S_ISREG(mode):
            message = f"--report {report} is no regular file: name one"
            raise ReportPlaceError(message)


def _check_is_ours(report: Path, file: Path) -> None:
    """An existing file may only give way when it is a report of the same file, or empty."""
    if not report.exists() or not report.stat().st_size:
        return
    of = _reported_file(report)
    if of is None:
        message = f"--report {report} is there already and no report of an import: name another"
        raise ReportPlaceError(message)
    if of not in {"", printable(str(file.resolve()))}:
        message = f"--report {report} is the report of another file, {of}: name another"
        raise ReportPlaceError(message)


def _reported_file(report: Path) -> str | None:
    """The file whose report this is, empty for a report without rows; None: it is no report.
    Reports of other versions count: they may have more columns, or fewer.
    """
    with report.open(encoding="utf-8", errors="replace", newline="") as text:
        first, second = text.readline(FIRST_LINE_MAX), text.readline(FIRST_LINE_MAX)
    names = _cells(first)
    if set(names) >= _TELLING:
        row = dict(zip(names, _cells(second), strict=False))
        return row.get("file", "")
    try:
        line = json.loads(first)
    except (ValueError, RecursionError):
        return None
    return str(line["file"]) if isinstance(line, dict) and set(line) >= _TELLING else None


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line]), [])
    except csv.Error:  # a cell too long for any report
        return []
