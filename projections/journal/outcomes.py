"""The answers to commands that appended nothing. Postgres, one row per such command.

A command that led to events is found in the journal by `event_id_of(command_id, 0)`; this
table knows the others (refused, failed, accepted without effect), so that a repeated command
gets its first answer however late it comes.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, MetaData, Table, Text

from projections.projection import PostgresTable, Projection
from schemas.log.recorded import Recorded, Reply

NAME = "outcomes"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Row:
    """One answer: the reply's JSON as stored."""

    reply: str


TABLE = Table(
    NAME,
    MetaData(),
    Column("key", Text, primary_key=True),  # the command's id
    Column("reply", Text, nullable=False),
)


def key(recorded: Recorded[Reply]) -> str:
    """The id of the command that was answered."""
    return recorded.event.command_id


def fold(row: Row | None, recorded: Recorded[Reply]) -> Row | None:
    """The answer as a row; none when events tell it or when it was said before."""
    answer = recorded.event
    if row is not None or answer.event_count or answer.repeated:
        return row
    return Row(reply=recorded.value.decode())


outcomes: Projection[Row] = Projection(
    name=NAME,
    version=VERSION,
    hears=(Reply,),
    key=key,
    fold=fold,
    row=Row,
    target=PostgresTable(TABLE),
    insert_only=True,
)
