"""A person's values in files that are mostly empty, as logs' indexes are."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.erasing import files
from cli.erasing.needles import Needles

NAME = "Nimal Perera"
NEEDLES = Needles({"name": NAME})
PIECE = 1_000


@pytest.mark.parametrize("coding", ["utf-8", "utf-16-le"])
@pytest.mark.parametrize("before", [0, 1, PIECE - 30, PIECE - 3, PIECE, 3 * PIECE + 7])
@pytest.mark.parametrize("after", [0, 1, 5 * PIECE])
def test_a_value_between_zeros_is_found(
    coding: str, before: int, after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PIECE_BYTES", PIECE)
    (tmp_path / "index").write_bytes(bytes(before) + NAME.encode(coding) + bytes(after))
    assert len(files.search_files("any", tmp_path, NEEDLES).found) == 1


def test_zeros_at_the_end_are_not_searched(tmp_path: Path) -> None:
    (tmp_path / "index").write_bytes(b"." * 100 + bytes(1024 * 1024))
    (tmp_path / "empty").write_bytes(bytes(1024 * 1024))
    searched = files.search_files("any", tmp_path, NEEDLES)
    assert searched.clean
    assert searched.count == 2
    assert searched.size == 100 + files.ZEROS_KEPT
