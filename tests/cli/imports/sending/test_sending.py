"""Sending against a scripted writer: what matters here is when and how often is asked. That the
real writer behaves so is claimed in tests/cli/test_importing.py and tests/producers/writer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.wire.problems import WriteUnavailableError
from cli.imports.files.rows import Row, TableError
from cli.imports.files.table import open_table
from cli.imports.outcomes import Outcome, Refusal, RefusedBy
from cli.imports.sending.report import Tally
from cli.imports.sending.sending import Limits, NoAnswerError, Sender
from cli.imports.translate import Translator
from schemas.log.messages import Fault
from schemas.log.positions import Position
from schemas.log.recorded import CommandEnvelope, Reply
from tests.cli.imports.reading import order, small
from tests.waiting import let_pass

QUICK = Limits(in_flight_max=10, reply_timeout_s=1, retry_for_s=0.2, pause_s=0.01)


@dataclass
class Noted:
    """A report in memory."""

    outcomes: list[Outcome] = field(default_factory=list)

    def write(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


@dataclass
class Writer:
    """Answers as it is told to, and remembers what it was asked."""

    answer: Callable[[CommandEnvelope, int], Reply]
    asked: list[str] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0

    async def send(self, envelope: CommandEnvelope, timeout_s: float) -> Reply:
        assert timeout_s > 0
        self.asked.append(envelope.command_id)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            for _ in range(3):
                await asyncio.sleep(0)
            return self.answer(envelope, self.asked.count(envelope.command_id))
        finally:
            self.in_flight -= 1


def accepted(envelope: CommandEnvelope, _time: int = 1) -> Reply:
    position = Position("events.listings", 3, len(envelope.command_id))
    return Reply(command_id=envelope.command_id, outcome="accepted", position=position)


def rows(count: int) -> list[Row]:
    return [Row(n, n + 1, {"id": f"row {n}"}) for n in range(1, count + 1)]


async def sent(writer: Writer, given: list[Row], limits: Limits = QUICK) -> list[Outcome]:
    noted = Noted()
    sender = Sender(writer.send, noted, limits)
    assert await sender.run(given, Translator(order(small())).translate) == len(given)
    return sorted(noted.outcomes, key=lambda outcome: outcome.row)


async def test_every_row_is_asked_once_and_noted_once() -> None:
    writer = Writer(accepted)
    outcomes = await sent(writer, rows(500))
    assert [outcome.row for outcome in outcomes] == list(range(1, 501))
    assert len(writer.asked) == len(set(writer.asked)) == 500


async def test_no_more_commands_are_in_flight_than_allowed() -> None:
    writer = Writer(accepted)
    await sent(writer, rows(200))
    assert 2 < writer.most_in_flight <= QUICK.in_flight_max


async def test_the_file_is_read_no_faster_than_answers_come() -> None:
    noted, ahead = Noted(), []
    writer = Writer(accepted)

    def watched() -> Iterator[Row]:
        for row in rows(200):
            ahead.append(row.number - len(noted.outcomes))
            yield row

    await Sender(writer.send, noted, QUICK).run(watched(), Translator(order(small())).translate)
    assert max(ahead) <= QUICK.in_flight_max + 2


async def test_a_command_without_an_answer_is_sent_again_under_its_own_id() -> None:
    def third_time(envelope: CommandEnvelope, time: int) -> Reply:
        if time < 3:
            raise WriteUnavailableError
        return accepted(envelope)

    writer = Writer(third_time)
    outcomes = await sent(writer, rows(5))
    assert [outcome.refusal for outcome in outcomes] == [None] * 5
    assert len(writer.asked) == 15
    assert len(set(writer.asked)) == 5


@dataclass
class Slow:
    """A mesh that takes so many commands a second, one after the other, answered or not."""

    a_second: float
    free_at: float = 0.0
    asked: int = 0

    async def send(self, envelope: CommandEnvelope, timeout_s: float) -> Reply:
        self.asked += 1
        now = asyncio.get_running_loop().time()
        self.free_at = max(self.free_at, now) + 1 / self.a_second
        if self.free_at - now > timeout_s:
            await let_pass(timeout_s, because="nobody answers before")
            raise WriteUnavailableError
        await let_pass(self.free_at - now, because="it does one after the other")
        return accepted(envelope)


async def test_a_mesh_is_asked_for_no_more_than_it_can_do() -> None:
    """Of all at once, four of five would come later than they are waited for and be sent again."""
    mesh = Slow(a_second=1_000)
    limits = Limits(soon_s=0.05, reply_timeout_s=0.2, retry_for_s=30, pause_s=0.01)
    noted = Noted()
    sender = Sender(mesh.send, noted, limits)
    await sender.run(rows(1_000), Translator(order(small())).translate)
    assert len(noted.outcomes) == mesh.asked == 1_000


@dataclass
class Stubborn:
    """A mesh that answers the first command at the seventh time, and all others soon."""

    first: str = ""
    tries: int = 0

    async def send(self, envelope: CommandEnvelope, _timeout_s: float) -> Reply:
        self.first = self.first or envelope.command_id
        if envelope.command_id != self.first:
            await let_pass(0.03, because="the first is to be asked for again meanwhile")
        else:
            self.tries += 1
            if self.tries < 7:
                raise WriteUnavailableError
        return accepted(envelope)


async def test_a_command_may_wait_as_long_as_others_are_answered() -> None:
    mesh, noted = Stubborn(), Noted()
    limits = Limits(in_flight_max=2, retry_for_s=0.5, pause_s=0.2, pause_max_s=0.2)
    await Sender(mesh.send, noted, limits).run(rows(60), Translator(order(small())).translate)
    assert (mesh.tries, len(noted.outcomes)) == (7, 60)


async def test_a_mesh_that_takes_no_writes_ends_the_import_after_the_bound() -> None:
    def never(_envelope: CommandEnvelope, _time: int) -> Reply:
        raise WriteUnavailableError

    writer = Writer(never)
    with pytest.raises(NoAnswerError, match="no answer within 0 s"):
        await sent(writer, rows(50))
    assert writer.in_flight == 0


async def test_a_file_that_breaks_off_while_it_is_read_ends_the_import_as_what_it_is() -> None:
    def breaking() -> Iterator[Row]:
        yield from rows(3)
        message = "the file can't be read"
        raise TableError(message)

    sender = Sender(Writer(accepted).send, Noted(), QUICK)
    with pytest.raises(TableError, match="can't be read"):
        await sender.run(breaking(), Translator(order(small())).translate)


async def test_a_report_that_cannot_be_written_ends_the_import_as_what_it_is() -> None:
    class Full(Noted):
        def write(self, outcome: Outcome) -> None:
            raise OSError(28, "No space left on device")

    sender = Sender(Writer(accepted).send, Full(), QUICK)
    with pytest.raises(OSError, match="No space left"):
        await sender.run(rows(3), Translator(order(small())).translate)


async def test_a_refusal_of_the_writer_is_noted_with_its_reason_and_faults() -> None:
    def refuse(envelope: CommandEnvelope, _time: int) -> Reply:
        faults = (Fault(pointer="/year", detail="is needed"), Fault(pointer="/make", detail="too"))
        return Reply(
            command_id=envelope.command_id,
            outcome="refused",
            reason="fields_missing",
            faults=faults,
        )

    (outcome,) = await sent(Writer(refuse), rows(1))
    assert outcome.refusal == Refusal(
        RefusedBy.WRITER, "fields_missing", "/year: is needed; /make: too"
    )
    assert outcome.listing_id


async def test_a_row_refused_before_is_noted_and_never_sent() -> None:
    broken = Row(2, 3, {}, Refusal(RefusedBy.FILE, "malformed"))
    writer = Writer(accepted)
    outcomes = await sent(writer, [rows(1)[0], broken])
    assert outcomes[1] == Outcome(2, 3, refusal=broken.refusal)
    assert len(writer.asked) == 1


async def test_the_furthest_position_of_each_partition_is_remembered() -> None:
    offsets = iter([5, 9, 7])

    def somewhere(envelope: CommandEnvelope, _time: int) -> Reply:
        position = Position("events.listings", 3, next(offsets))
        return Reply(command_id=envelope.command_id, outcome="accepted", position=position)

    sender = Sender(Writer(somewhere).send, Noted(), QUICK)
    await sender.run(rows(3), Translator(order(small())).translate)
    assert list(sender.latest.values()) == [Position("events.listings", 3, 9)]


@given(
    body=st.lists(
        st.sampled_from([b"a", b"7", b",", b'"', b"\n", b"\r\n", b"\xff", b"$0", b"VW Golf"]),
        max_size=80,
    ).map(b"".join),
    refusing=st.booleans(),
)
def test_accepted_and_refused_are_all_rows_whatever_bytes_a_file_holds(
    tmp_path_factory: pytest.TempPathFactory, body: bytes, refusing: bool
) -> None:
    file = tmp_path_factory.mktemp("any") / "ads.csv"
    file.write_bytes(body)
    mapping = small(
        file="{header: [id, price]}", reject="[{reason: r1, column: price, equals: $0}]"
    )

    def answer(envelope: CommandEnvelope, _time: int) -> Reply:
        refused = refusing and len(envelope.command_id) % 2 == 0
        outcome: Literal["refused", "accepted"] = "refused" if refused else "accepted"
        return Reply(command_id=envelope.command_id, outcome=outcome, reason="listing_exists")

    async def run() -> Tally:
        noted = Noted()
        with open_table(file, mapping.file) as table:
            sender = Sender(Writer(answer).send, noted, QUICK)
            tally = Tally(read=await sender.run(table, Translator(order(mapping)).translate))
        for outcome in noted.outcomes:
            tally.count(outcome)
        return tally

    tally = asyncio.run(run())
    assert tally.accepted + tally.refused.total() == tally.read
    with open_table(file, mapping.file) as table:
        assert tally.read == len(list(table))
