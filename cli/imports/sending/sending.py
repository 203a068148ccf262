"""Commands of an import to the writer: thousands in flight, none lost, none twice.

Back-pressure is the number in flight: the file is read no faster than answers come, and no more
is asked for than is answered soon. A command without an answer is sent again under its own id, so
that an import outlives the death of a writer or broker; the writer answers a repeat with its first
reply. Only when nothing at all has been answered until the bound is the import given up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from api.wire.problems import WriteUnavailableError
from cli.imports.files.rows import Row
from cli.imports.outcomes import Outcome, Refusal, of_writer
from cli.imports.sending.report import Report
from cli.imports.sending.window import Window
from schemas.log.positions import Position, TopicPartition
from schemas.log.recorded import CommandEnvelope, Reply

# What the writer's reasons mean where it names no field.
_MEANT: Final = {
    "listing_exists": "was listed before with other values: an import creates, and updates with --update",
}
Send = Callable[[CommandEnvelope, float], Awaitable[Reply]]
Translated: TypeAlias = CommandEnvelope | tuple[CommandEnvelope, ...] | Outcome | Refusal
Translate = Callable[[Row], Translated]

YIELD_EVERY_ROWS = 200  # translating never waits; the replies' reader must get its turns


@dataclass(frozen=True)
class Limits:
    """How hard and how long to try."""

    in_flight_max: int = 2_000
    soon_s: float = 2.0  # what takes longer is too much at once
    reply_timeout_s: float = 15.0
    retry_for_s: float = 120.0
    pause_s: float = 0.25
    pause_max_s: float = 4.0


class NoAnswerError(Exception):
    """The mesh took no writes for as long as the bound allows."""


@dataclass
class Sender:
    """Sends one import's rows; `report` learns every outcome as it comes."""

    send: Send
    report: Report
    limits: Limits = Limits()
    latest: dict[TopicPartition, Position] = field(default_factory=dict)  # of what was accepted
    _window: Window = field(init=False)
    _answered_at: float = field(init=False, default=0.0)  # the last time; time.monotonic()

    def __post_init__(self) -> None:
        self._window = Window(self.limits.in_flight_max, self.limits.soon_s)

    async def run(self, rows: Iterable[Row], translate: Translate) -> int:
        """Bring every row to its outcome and count them. Raises NoAnswerError, and whatever
        reading rows and writing the report raise.
        """
        read, self._answered_at = 0, time.monotonic()
        try:
            async with asyncio.TaskGroup() as group:
                for row in rows:
                    read += 1
                    if row.number % YIELD_EVERY_ROWS == 0:
                        await asyncio.sleep(0)
                    found = translate(row)
                    if isinstance(found, Refusal):
                        self.report.write(Outcome(row.number, row.line, refusal=found))
                        continue
                    if isinstance(found, Outcome):  # what the row says is so already
                        self.report.write(found)
                        continue
                    commands = (found,) if isinstance(found, CommandEnvelope) else found
                    await self._window.enter()
                    group.create_task(self._ask(row, commands))
        except ExceptionGroup as failures:
            # One failure ends them all, so the first one tells what happened.
            raise failures.exceptions[0] from None
        return read

    async def _ask(self, row: Row, commands: tuple[CommandEnvelope, ...]) -> None:
        """One row's commands, one after another, up to the first that is refused."""
        began = time.monotonic()
        try:
            for envelope in commands:
                reply = await self._reply_to(envelope)
                self._answered_at = time.monotonic()
                if reply.position is not None:
                    self._remember(reply.position)
                if reply.outcome != "accepted":
                    break
        finally:
            self._window.leave((time.monotonic() - began) / len(commands))
        self.report.write(_outcome(row, commands[-1], reply))

    def _remember(self, position: Position) -> None:
        known = self.latest.get(position.topic_partition)
        if known is None or known.offset < position.offset:
            self.latest[position.topic_partition] = position

    async def _reply_to(self, envelope: CommandEnvelope) -> Reply:
        asked_at, pause = time.monotonic(), self.limits.pause_s
        while True:
            try:
                return await self.send(envelope, self.limits.reply_timeout_s)
            except WriteUnavailableError as error:
                waited_since = max(asked_at, self._answered_at)
                if time.monotonic() >= waited_since + self.limits.retry_for_s:
                    message = f"no answer within {self.limits.retry_for_s:.0f} s"
                    raise NoAnswerError(message) from error
            await asyncio.sleep(pause)
            pause = min(pause * 2, self.limits.pause_max_s)


def _outcome(row: Row, last: CommandEnvelope, reply: Reply) -> Outcome:
    """What became of a row; the last of its commands is about the listing itself."""
    listing_id = last.command.stream_id.partition("/")[2]
    if reply.outcome == "accepted":
        return Outcome(row.number, row.line, listing_id)
    refused = of_writer(reply.reason, reply.faults, _MEANT.get(reply.reason, ""))
    return Outcome(row.number, row.line, listing_id, refused)
