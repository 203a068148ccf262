"""Sealed files: what is written is read, and nothing else is."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.vault.sealed_file import CHUNK_BYTES, ForeignFileError, SealedWriter, read_sealed

KEY, TITLE, HEADER = b"k" * 32, b"A file of ours", b'{"salt": "1"}'


def write(path: Path, data: bytes, key: bytes = KEY) -> Path:
    with SealedWriter(path, TITLE, HEADER, key) as file:
        file.write(data)
    return path


def read(path: Path, key: bytes = KEY) -> bytes:
    headers: list[bytes] = []

    def key_of(header: bytes) -> bytes:
        headers.append(header)
        return key

    found = b"".join(read_sealed(path, TITLE, key_of))
    assert headers == [HEADER]
    return found


def names(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


@pytest.mark.parametrize(
    "size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES]
)
def test_what_is_written_is_read(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    assert read(write(tmp_path / "file", data)) == data


def test_the_file_is_its_owners_and_does_not_hold_the_text(tmp_path: Path) -> None:
    path = write(tmp_path / "file", b"a secret sentence")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"secret" not in path.read_bytes()
    assert names(tmp_path) == ["file"]


def test_a_file_that_is_there_is_never_replaced(tmp_path: Path) -> None:
    path = write(tmp_path / "file", b"first")
    with pytest.raises(FileExistsError):
        write(path, b"second")
    assert read(path) == b"first"
    assert names(tmp_path) == ["file"]


def test_a_file_that_comes_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(FileExistsError), SealedWriter(path, TITLE, HEADER, KEY):
        path.write_bytes(b"somebody else's")
    assert path.read_bytes() == b"somebody else's"
    assert names(tmp_path) == ["file"]


def test_where_no_file_can_be_the_file_that_was_asked_for_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as told:
        write(tmp_path / "nowhere" / "vault.backup", b"")
    assert told.value.filename == str(tmp_path / "nowhere" / "vault.backup")


def test_what_breaks_off_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(TypeError), SealedWriter(tmp_path / "file", TITLE, HEADER, KEY) as file:
        file.write([b"x" * 200_000, None])
    assert names(tmp_path) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(place=st.integers(0, 150_000), mask=st.integers(1, 255))
def test_any_altered_byte_is_noticed(tmp_path: Path, place: int, mask: int) -> None:
    (tmp_path / "file").unlink(missing_ok=True)
    path = write(tmp_path / "file", b"a" * 140_000)
    altered = bytearray(path.read_bytes())
    altered[place % len(altered)] ^= mask
    path.write_bytes(altered)
    with pytest.raises(ForeignFileError):
        read(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(share=st.floats(0, 0.999999))
def test_any_cut_is_noticed(tmp_path: Path, share: float) -> None:
    (tmp_path / "file").unlink(missing_ok=True)
    path = write(tmp_path / "file", b"a" * 140_000)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ForeignFileError):
        read(path)


def test_chunks_left_out_swapped_or_added_are_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "file", b"a" * 3 * CHUNK_BYTES)
    whole = path.read_bytes()
    start = len(TITLE) + len(HEADER) + 2
    size = 4 + CHUNK_BYTES + 16
    head, chunks = (
        whole[:start],
        [whole[start + n * size : start + (n + 1) * size] for n in (0, 1, 2)],
    )
    for order in ((0, 2), (0, 1), (1, 0, 2), (0, 1, 2, 2), (2,), ()):
        path.write_bytes(head + b"".join(chunks[number] for number in order))
        with pytest.raises(ForeignFileError):
            read(path)


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    with pytest.raises(ForeignFileError):
        read(write(tmp_path / "file", b"data"), b"x" * 32)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"PK\x03\x04 something else")
    with pytest.raises(ForeignFileError, match="no such file"):
        read(tmp_path / "file")
