"""One client of the ClickHouse adapter: its packets, its engine session, its answers."""

from __future__ import annotations

import json
import re
import select
import socket
import struct
import tempfile
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from infra.stack.servers.native_wire import (
    REVISION,
    DisconnectedError,
    ProtocolError,
    Reader,
    skip_block,
    skip_block_info,
    split_blocks,
    write_text,
    write_varint,
)

# What clients send, and what they are sent.
HELLO, QUERY, DATA, CANCEL, PING = range(5)
(SENT_HELLO, SENT_DATA, SENT_EXCEPTION, _, SENT_PONG, SENT_END) = range(6)

_BLOCK_INFO: Final = b"\x01\x00\x02" + struct.pack("<i", -1) + b"\x00"
_INSERT: Final = re.compile(
    r"\s*INSERT\s+INTO\s+(?:TABLE\s+)?(?P<table>[\w.`\"]+)\s*(?P<columns>\(.*?\))?\s*"
    r"(?:VALUES|FORMAT\s+Native)\s*;?\s*$",
    re.IGNORECASE | re.DOTALL,
)
_READS: Final = re.compile(r"[\s(]*(?:SELECT|WITH)\b", re.IGNORECASE)
_ERROR: Final = re.compile(r"Code: (?P<code>\d+)\. (?P<text>.*)", re.DOTALL)
_NAME: Final = re.compile(r"\w+")

# ClickHouse's own numbers for what this server finds by itself.
UNKNOWN_ERROR, UNSUPPORTED, UNKNOWN_SETTING, WRONG_PASSWORD, CANCELLED = 1002, 48, 115, 516, 394


class RefusedError(Exception):
    """A statement the engine or this server refuses: a ClickHouse error code and its text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class Session(Protocol):
    """What is used of a chDB session."""

    def query(self, sql: str, fmt: str = ...) -> Any:
        """Run to the end."""

    def send_query(self, sql: str, fmt: str = ...) -> Any:
        """Run, block by block."""

    def close(self) -> None:
        """Let go of the engine."""


class Engine(Protocol):
    """What a connection needs of the server around it."""

    version: tuple[int, int, int]
    password: str
    incoming: Path

    def session(self) -> Session:
        """A session of its own for each client: database and settings are not shared."""

    def turn(self, connection: Connection) -> AbstractContextManager[None]:
        """The right to use the engine; inside, an abandoned statement is killed."""


@dataclass(frozen=True)
class Query:
    """One statement as the client sent it."""

    text: str
    settings: dict[str, str]


class Connection:
    """Reads packets, runs statements on an engine session of its own, answers."""

    def __init__(self, sock: socket.socket, engine: Engine) -> None:
        self._socket = sock
        self._engine = engine
        self._reader = Reader(sock)
        self._session = engine.session()

    def serve(self) -> None:
        """Answer until the client goes; that it goes is no fault."""
        try:
            if self._greet():
                while True:
                    self._answer()
        except (DisconnectedError, ConnectionError, TimeoutError):
            pass
        except ProtocolError as error:
            self._fail(UNSUPPORTED, str(error))
        finally:
            self._session.close()

    def abandoned(self) -> bool:
        """Whether the client has gone or cancelled while its statement runs."""
        heard = select.poll()
        heard.register(self._socket, select.POLLIN)
        if not heard.poll(0):
            return False
        # A client that waits for an answer sends nothing else.
        return self._socket.recv(1, socket.MSG_PEEK) in (b"", bytes([CANCEL]))

    def _greet(self) -> bool:
        reader = self._reader
        if reader.varint() != HELLO:
            return False
        reader.text()
        _, _, revision = reader.varint(), reader.varint(), reader.varint()
        database, _, password = reader.text(), reader.text(), reader.text()
        try:
            self._admit(revision, database, password)
        except RefusedError as error:
            self._fail(error.code, error.text)
            return False
        major, minor, patch = self._engine.version
        self._send(
            write_varint(SENT_HELLO) + write_text("ClickHouse"),
            write_varint(major) + write_varint(minor) + write_varint(REVISION),
            write_text("UTC") + write_text("chDB") + write_varint(patch),
        )
        return True

    def _admit(self, revision: int, database: str, password: str) -> None:
        if revision < REVISION:
            raise RefusedError(UNSUPPORTED, f"the client speaks {revision}, less than {REVISION}")
        if self._engine.password not in {"", password}:
            raise RefusedError(WRONG_PASSWORD, "Authentication failed: password is incorrect")
        if database not in {"", "default"}:
            with self._engine.turn(self):
                self._run(f"USE `{database}`")

    def _answer(self) -> None:
        self._reader.mark()
        packet = self._reader.varint()
        if packet == PING:
            self._send(write_varint(SENT_PONG))
        elif packet == QUERY:
            self._statement()
        elif packet != CANCEL:  # A cancel that crossed our last answer has nothing to stop.
            msg = f"unexpected packet {packet}"
            raise ProtocolError(msg)

    def _statement(self) -> None:
        query = self._read_query()
        applied: list[str] = []
        try:
            if self._read_data():
                msg = "external tables are not supported"
                raise ProtocolError(msg)
            with self._engine.turn(self):
                self._apply(query.settings, applied)
            insert = _INSERT.match(query.text)
            if insert:
                self._insert(insert["table"], insert["columns"] or "")
            else:
                self._select(query.text)
            self._send(write_varint(SENT_END))
        except RefusedError as error:
            self._fail(error.code, error.text)
        finally:
            with self._engine.turn(self):
                for name in applied:
                    self._run(f"SET {name} = DEFAULT")

    def _read_query(self) -> Query:
        reader = self._reader
        reader.text()  # query id
        if reader.take(1) != b"\x00":  # client info, unless "no query"
            for _ in range(3):  # initial user, query id, address
                reader.text()
            reader.skip(1)  # interface
            for _ in range(3):  # system user, host, client
                reader.text()
            for _ in range(3):  # client version and revision
                reader.varint()
            reader.text()  # quota key
            reader.varint()  # version patch
        settings = {}
        while name := reader.text():
            reader.skip(1)  # flags
            settings[name] = reader.text()
        reader.varint()  # stage: always complete
        if reader.varint():
            msg = "compression is not supported: connect with compression off"
            raise ProtocolError(msg)
        return Query(reader.text(), settings)

    def _read_data(self) -> bytes:
        """The next Data packet's block in `FORMAT Native`; empty for the block that ends data."""
        reader = self._reader
        packet = reader.varint()
        if packet == CANCEL:
            raise RefusedError(CANCELLED, "the client has cancelled the statement")
        if packet != DATA:
            msg = f"a data packet was due, not {packet}"
            raise ProtocolError(msg)
        reader.text()  # table name
        skip_block_info(reader)
        reader.mark()
        columns, rows = skip_block(reader)
        block = reader.since_mark()
        reader.mark()
        return block if columns and rows else b""

    def _apply(self, settings: dict[str, str], applied: list[str]) -> None:
        for name, value in settings.items():
            if not _NAME.fullmatch(name):
                raise RefusedError(UNKNOWN_SETTING, f"Unknown setting {name!r}")
            escaped = value.replace("\\", "\\\\").replace("'", "\\'")
            self._run(f"SET {name} = '{escaped}'")
            applied.append(name)

    def _run(self, sql: str) -> bytes:
        """A statement whose whole answer fits in memory, in `FORMAT Native`. Needs the turn."""
        try:
            answer: bytes = self._session.query(sql, "Native").bytes()
        except RuntimeError as error:
            raise _refusal(error) from None
        return answer

    def _select(self, sql: str) -> None:
        # Collected first and sent after the turn: a client that reads slowly, or runs a
        # second statement between two rows of the first, must not block the engine.
        with self._engine.turn(self):
            if _READS.match(sql):
                blocks = self._collect(sql) or [self._header(f"({sql.rstrip().rstrip(';')})")]
            else:
                # The engine streams queries only; other answers are short.
                blocks = split_blocks(self._run(sql))
        for block in blocks:
            self._send(write_varint(SENT_DATA) + write_text(""), _BLOCK_INFO, block)

    def _collect(self, sql: str) -> list[bytes]:
        """The answer's blocks: chDB gives exactly one `FORMAT Native` block a piece."""
        try:
            with self._session.send_query(sql, "Native") as stream:
                blocks = [piece.bytes() for piece in stream]
        except RuntimeError as error:
            raise _refusal(error) from None
        return [block for block in blocks if block]

    def _header(self, source: str) -> bytes:
        """A block of no rows that names the columns of a bracketed query. Needs the turn."""
        try:
            described = self._session.query(f"DESCRIBE TABLE {source}", "JSONCompactColumns")
        except RuntimeError as error:
            raise _refusal(error) from None
        names, kinds, *_ = json.loads(described.bytes())
        head = write_varint(len(names)) + write_varint(0)
        return head + b"".join(
            write_text(name) + write_text(kind) for name, kind in zip(names, kinds, strict=True)
        )

    def _insert(self, table: str, columns: str) -> None:
        with self._engine.turn(self):
            # The client's own statement, which it may run anyway.
            source = f"(SELECT {columns[1:-1] or '*'} FROM {table} LIMIT 0)"  # noqa: S608
            sample = self._header(source)
        self._send(write_varint(SENT_DATA) + write_text(""), _BLOCK_INFO, sample)
        with tempfile.NamedTemporaryFile(dir=self._engine.incoming, suffix=".native") as file:
            while block := self._read_data():
                file.write(block)
            if not file.tell():
                return
            file.flush()
            file.seek(0)
            # From a file rather than through chDB's streaming insert, whose end reports
            # success and the number of rows even when the engine has refused them. By its number
            # in this process: in a name quotes, braces, stars and question marks would be read.
            sql = f"INSERT INTO {table} {columns} SELECT * FROM file('/dev/fd/{file.fileno()}', 'Native')"  # noqa: S608
            with self._engine.turn(self):
                self._run(sql)

    def _fail(self, code: int, text: str) -> None:
        self._send(
            write_varint(SENT_EXCEPTION) + struct.pack("<i", code),
            write_text("DB::Exception") + write_text(text) + write_text("") + b"\x00",
        )

    def _send(self, *parts: bytes) -> None:
        self._socket.sendall(b"".join(parts))


def _refusal(error: RuntimeError) -> RefusedError:
    found = _ERROR.search(str(error))
    if found:
        return RefusedError(int(found["code"]), found["text"])
    return RefusedError(UNKNOWN_ERROR, str(error))
