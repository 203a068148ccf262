"""Files on disk, byte for byte: the stores' own, logs, objects."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from cli.erasing.needles import Needles
from cli.erasing.searched import Searched

PIECE_BYTES = 4 * 1024 * 1024
ZEROS_KEPT = 64  # more than any value or digest of one ends in


def search_files(
    place: str, folder: Path, needles: Needles, without: Collection[str] = ()
) -> Searched:
    """Every file below a folder, its name too; `without` are paths in it to leave out."""
    searched = Searched(place, "files")
    if not folder.is_dir():
        searched.could_not(place, "its disk is not on this machine")
        return searched
    for path in _files(folder, frozenset(without), searched):
        name = str(path.relative_to(folder))
        if names := needles.found_in(os.fsencode(name)):
            searched.found.append(f"the name of a file: {', '.join(sorted(names))}")
        try:
            searched.look_through(name, _pieces(path), needles)
        except FileNotFoundError:
            continue  # stores make and drop files all the time
        except OSError as error:
            searched.could_not(name, error)
    return searched


def _files(folder: Path, without: frozenset[str], searched: Searched) -> Iterator[Path]:
    def told(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            searched.could_not(str(error.filename), error)

    for parent, folders, names in os.walk(folder, onerror=told):
        inside = Path(parent).relative_to(folder)
        folders[:] = [each for each in folders if str(inside / each) not in without]
        for name in names:
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            # Logs' indexes and the like are made large and filled with zeros.
            filled = piece.rstrip(b"\0")
            yield piece[: len(filled) + ZEROS_KEPT] if filled else b""
