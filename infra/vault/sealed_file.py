"""A file that only the holder of its key can read, and nobody can alter, cut off or reorder
unseen: chunks sealed with AES-GCM, numbered, the last one marked (the STREAM construction of
Hoang, Reyhanitabar, Rogaway and Vizár). A key seals one file only.

    title line, header line, then per chunk: 4 bytes of length, sealed bytes
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CHUNK_BYTES = 65_536
TAG_BYTES = 16
LENGTH_BYTES = 4
NUMBER_BYTES = 11  # of the nonce's 12; the last one marks the last chunk
LINE_BYTES_MAX = 10_000


class ForeignFileError(Exception):
    """The file is none of ours, or has been altered or cut off; the text says which."""


class SealedWriter:
    """Writes a sealed file beside its place and puts it there, whole, at the end of the block.
    Raises FileExistsError where something is there already.
    """

    def __init__(self, path: Path, title: bytes, header: bytes, key: bytes) -> None:
        self._path = path
        self._draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
        self._start = title + b"\n" + header + b"\n"
        self._cipher = AESGCM(key)
        self._waiting = bytearray()
        self._number = 0

    def __enter__(self) -> Self:
        if self._path.exists():
            raise FileExistsError(self._path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        try:
            number = os.open(self._draft, flags, 0o600)
        except OSError as error:  # it is told of the file that was asked for
            raise OSError(error.errno, error.strerror, str(self._path)) from None
        self._file: BinaryIO = os.fdopen(number, "wb")
        self._file.write(self._start)
        return self

    def write(self, data: bytes) -> None:
        """Add to the file."""
        self._waiting += data
        while len(self._waiting) > CHUNK_BYTES:
            self._seal(bytes(self._waiting[:CHUNK_BYTES]), last=False)
            del self._waiting[:CHUNK_BYTES]

    def _seal(self, chunk: bytes, *, last: bool) -> None:
        box = self._cipher.encrypt(_nonce(self._number, last=last), chunk, self._start)
        self._file.write(len(box).to_bytes(LENGTH_BYTES, "big") + box)
        self._number += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._seal(bytes(self._waiting), last=True)
                self._file.flush()
                os.fsync(self._file.fileno())
                # A link never replaces what has come there meanwhile, as a rename would.
                os.link(self._draft, self._path)
        finally:
            self._file.close()
            self._draft.unlink()
        if kind is None:
            _sync_folder(self._path.parent)


def read_sealed(path: Path, title: bytes, key_of: Callable[[bytes], bytes]) -> Iterator[bytes]:
    """The content piece by piece. `key_of` is given the header, whose truth is shown by the
    first piece only. Each piece is shown to be true before it is given; that none
    is missing shows at the end, so do nothing final before. Raises ForeignFileError.
    """
    with path.open("rb") as file:
        if file.readline(LINE_BYTES_MAX) != title + b"\n":
            message = f"{path.name} is no such file: its first line is not ours"
            raise ForeignFileError(message)
        header = file.readline(LINE_BYTES_MAX)
        if not header.endswith(b"\n"):
            raise _cut_off(path)
    header = header[:-1]
    return _pieces(path, title + b"\n" + header + b"\n", key_of(header))


def _pieces(path: Path, start: bytes, key: bytes) -> Iterator[bytes]:
    cipher = AESGCM(key)
    with path.open("rb") as file:
        file.seek(len(start))
        box, number = _box(file, path), 0
        while box is not None:
            following = _box(file, path)
            try:
                yield cipher.decrypt(_nonce(number, last=following is None), box, start)
            except InvalidTag:
                message = f"{path.name} has been altered or cut off, or another key made it"
                raise ForeignFileError(message) from None
            box, number = following, number + 1
        if number == 0:
            raise _cut_off(path)


def _box(file: BinaryIO, path: Path) -> bytes | None:
    length = file.read(LENGTH_BYTES)
    if not length:
        return None
    size = int.from_bytes(length, "big")
    if len(length) < LENGTH_BYTES or not TAG_BYTES <= size <= CHUNK_BYTES + TAG_BYTES:
        raise _cut_off(path)
    box = file.read(size)
    if len(box) < size:
        raise _cut_off(path)
    return box


def _cut_off(path: Path) -> ForeignFileError:
    return ForeignFileError(f"{path.name} is damaged or has been cut off")


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(NUMBER_BYTES, "big") + bytes([last])


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
