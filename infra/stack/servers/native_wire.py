"""ClickHouse's native wire format, as far as a server behind clickhouse-driver needs it.

Values are read without being decoded: a block's columns go to the engine byte for byte,
so all that must be known here is how long each one is.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Final

# The last revision before custom serialisations and settings extras: it keeps blocks equal
# to the engine's `FORMAT Native`, so that they pass through unchanged.
REVISION: Final = 54429

# A length's low seven bits; the eighth says that more follow.
_LOW, _MORE = 0x7F, 0x80
_RECEIVE_BYTES: Final = 256 * 1024

FIXED_WIDTHS: Final = {
    **dict.fromkeys(("Int8", "UInt8", "Bool", "Enum8", "Nothing"), 1),
    **dict.fromkeys(("Int16", "UInt16", "Enum16", "Date"), 2),
    **dict.fromkeys(("Int32", "UInt32", "Float32", "Date32", "DateTime", "IPv4", "Decimal32"), 4),
    **dict.fromkeys(("Int64", "UInt64", "Float64", "DateTime64", "Decimal64"), 8),
    **dict.fromkeys(("Int128", "UInt128", "UUID", "IPv6", "Decimal128"), 16),
    **dict.fromkeys(("Int256", "UInt256", "Decimal256"), 32),
}


class ProtocolError(Exception):
    """The client sent what this server cannot read; the connection is of no more use."""


class DisconnectedError(Exception):
    """The client has gone."""


class Reader:
    """A socket's bytes with a cursor. `mark` and `since_mark` give back what was passed over."""

    def __init__(self, sock: socket.socket | None, received: bytes = b"") -> None:
        self._socket = sock
        self._buffer = bytearray(received)
        self._at = 0

    def mark(self) -> None:
        """Forget everything before the cursor."""
        del self._buffer[: self._at]
        self._at = 0

    def since_mark(self) -> bytes:
        """The bytes between the last mark and the cursor."""
        return bytes(self._buffer[: self._at])

    @property
    def buffered(self) -> bool:
        """Whether bytes have been received that nobody has read yet."""
        return self._at < len(self._buffer)

    def skip(self, count: int) -> None:
        """Move the cursor; raises DisconnectedError when the bytes will not come."""
        self._need(count)
        self._at += count

    def take(self, count: int) -> bytes:
        """The next bytes."""
        self.skip(count)
        return bytes(self._buffer[self._at - count : self._at])

    def varint(self) -> int:
        """An unsigned number of seven bits a byte."""
        value = shift = 0
        while True:
            self._need(1)
            byte = self._buffer[self._at]
            self._at += 1
            value |= (byte & _LOW) << shift
            if byte < _MORE:
                return value
            shift += 7

    def text(self) -> str:
        """A string with its length before it."""
        return self.take(self.varint()).decode("utf-8", "replace")

    def uint64(self) -> int:
        """Eight bytes, little-endian."""
        value: int = struct.unpack("<Q", self.take(8))[0]
        return value

    def skip_strings(self, count: int) -> None:
        """Pass over strings. The loop is the hot path of large inserts, hence written flat."""
        for _ in range(count):
            if self._at < len(self._buffer) and self._buffer[self._at] < _MORE:
                length = self._buffer[self._at] + 1
            else:
                length = self.varint()
            if self._at + length > len(self._buffer):
                self._need(length)
            self._at += length

    def _need(self, count: int) -> None:
        while len(self._buffer) - self._at < count:
            received = self._socket.recv(_RECEIVE_BYTES) if self._socket else b""
            if not received:
                raise DisconnectedError
            self._buffer += received


def write_varint(value: int) -> bytes:
    """The counterpart of Reader.varint."""
    out = bytearray()
    while value > _LOW:
        out.append(value & _LOW | _MORE)
        value >>= 7
    out.append(value)
    return bytes(out)


def write_text(text: str) -> bytes:
    """The counterpart of Reader.text."""
    data = text.encode()
    return write_varint(len(data)) + data


def skip_block(reader: Reader) -> tuple[int, int]:
    """Pass over one block without its info; returns its columns and rows."""
    columns, rows = reader.varint(), reader.varint()
    for _ in range(columns):
        reader.text()
        kind = reader.text()
        if rows:
            _skip_prefix(reader, kind)
            _skip_values(reader, kind, rows)
    return columns, rows


def split_blocks(data: bytes) -> list[bytes]:
    """The blocks of a `FORMAT Native` answer, one by one."""
    reader, blocks = Reader(None, data), []
    while reader.buffered:
        skip_block(reader)
        blocks.append(reader.since_mark())
        reader.mark()
    return blocks


def skip_block_info(reader: Reader) -> None:
    """Pass over the numbered fields before a block."""
    while number := reader.varint():
        reader.skip({1: 1, 2: 4}[number] if number in (1, 2) else _unknown_info(number))


def _unknown_info(number: int) -> int:
    msg = f"unknown block info field {number}"
    raise ProtocolError(msg)


def split_type(kind: str) -> tuple[str, list[str]]:
    """A type's name and arguments: `Map(String, Array(UUID))` → `Map`, [`String`, `Array(UUID)`]."""
    name, bracket, inner = kind.strip().partition("(")
    if not bracket:
        return name, []
    arguments, depth, quoted, start = [], 0, False, 0
    inner = inner[:-1]
    for at, char in enumerate(inner):
        if char == "'" and (at == 0 or inner[at - 1] != "\\"):
            quoted = not quoted
        elif not quoted:
            depth += (char == "(") - (char == ")")
            if char == "," and depth == 0:
                arguments.append(inner[start:at].strip())
                start = at + 1
    return name, [*arguments, inner[start:].strip()]


def _element_type(argument: str) -> str:
    """A tuple's element without its name: `price UInt64` → `UInt64`."""
    head, space, rest = argument.partition(" ")
    return rest if space and "(" not in head else argument


def _parts(kind: str) -> tuple[str, list[str]]:
    name, arguments = split_type(kind)
    if name in ("Tuple", "Nested"):
        return name, [_element_type(argument) for argument in arguments]
    return name, arguments


def _skip_prefix(reader: Reader, kind: str) -> None:
    """Pass over what a column carries before its values: only low cardinality has such."""
    name, arguments = _parts(kind)
    if name == "LowCardinality":
        reader.skip(8)
    elif name in ("Array", "Nullable", "Tuple", "Map", "Nested"):
        for argument in arguments:
            _skip_prefix(reader, argument)


def _skip_values(reader: Reader, kind: str, rows: int) -> None:
    name, arguments = _parts(kind)
    if rows == 0:
        return
    special = _SPECIAL.get(name)
    if special is not None:
        special(reader, arguments, rows)
    else:
        reader.skip(rows * _width(name, arguments, kind))


def _width(name: str, arguments: list[str], kind: str) -> int:
    if name == "FixedString":
        return int(arguments[0])
    if name == "Decimal":
        digits = int(arguments[0])
        return next(
            width for most, width in ((9, 4), (18, 8), (38, 16), (76, 32)) if digits <= most
        )
    if name.startswith("Interval"):
        return 8
    try:
        return FIXED_WIDTHS[name]
    except KeyError:
        msg = f"columns of type {kind} cannot be inserted here"
        raise ProtocolError(msg) from None


def _strings(reader: Reader, arguments: list[str], rows: int) -> None:
    del arguments
    reader.skip_strings(rows)


def _nullable(reader: Reader, arguments: list[str], rows: int) -> None:
    reader.skip(rows)
    _skip_values(reader, arguments[0], rows)


def _array(reader: Reader, arguments: list[str], rows: int) -> None:
    # Cumulative ends: the last one is the number of elements.
    reader.skip(8 * (rows - 1))
    elements = reader.uint64()
    for argument in arguments:
        _skip_values(reader, argument, elements)


def _tuple(reader: Reader, arguments: list[str], rows: int) -> None:
    for argument in arguments:
        _skip_values(reader, argument, rows)


def _low_cardinality(reader: Reader, arguments: list[str], rows: int) -> None:
    del rows
    index_width = 1 << (reader.uint64() & 0xFF)
    inner = arguments[0]
    name, nested = split_type(inner)
    # The dictionary itself is never nullable: its first entry stands for null.
    _skip_values(reader, nested[0] if name == "Nullable" else inner, reader.uint64())
    reader.skip(reader.uint64() * index_width)


_SPECIAL: Final[dict[str, Callable[[Reader, list[str], int], None]]] = {
    "String": _strings,
    "Nullable": _nullable,
    "Array": _array,
    "Map": _array,
    "Nested": _array,
    "Tuple": _tuple,
    "LowCardinality": _low_cardinality,
}
