"""Which commands may be decided while the journal is away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import uuid_utils

from producers.writer.knowledge import answerable, remembered
from producers.writer.memory import Answer, Effect, Folded, Memory
from producers.writer.received import Received, receive
from schemas.log.recorded import CommandEnvelope, Record, Reply, headers_of_command, value_of
from tests.partitions import PARTITIONS, partition_of_stream
from tests.producers.writer.boxes import Opened, envelope, put_in, rulebook

LONG_AGO = datetime.now(UTC) - timedelta(days=1)
TYPES = rulebook("t").commands


def received(asked: CommandEnvelope, offset: int = 0) -> Received:
    stream_id = asked.command.stream_id
    partition = partition_of_stream(stream_id)
    headers = headers_of_command(asked)
    record = Record("commands", partition, offset, b"", value_of(asked.command), headers)
    return receive(record, TYPES, PARTITIONS)


def memory_of(*boxes: UUID) -> Memory:
    memory = Memory(LONG_AGO)
    streams = {f"box/{box}": Folded(Opened(0), 1, 0) for box in boxes}
    memory.commit(Effect(streams, [], 1, 0))
    return memory


def ready(memory: Memory, *commands: Received) -> list[Received]:
    return answerable(commands, remembered(commands, memory), memory)


def fresh() -> str:
    return str(uuid_utils.uuid7())


def test_a_fresh_command_on_a_stream_in_memory_is_ready() -> None:
    box = uuid4()
    command = received(envelope(put_in(box), fresh()))

    assert ready(memory_of(box), command) == [command]


def test_a_command_whose_id_may_be_old_waits() -> None:
    box = uuid4()

    assert ready(memory_of(box), received(envelope(put_in(box)))) == []


def test_a_command_on_a_stream_that_memory_lacks_waits() -> None:
    assert ready(memory_of(), received(envelope(put_in(uuid4()), fresh()))) == []


def test_a_repeat_of_an_answer_in_memory_is_ready() -> None:
    asked = envelope(put_in(uuid4()))
    memory = memory_of()
    memory.absorb_reply(Answer(Reply(command_id=asked.command_id, outcome="refused"), 0, LONG_AGO))
    command = received(asked)

    assert ready(memory, command) == [command]


def test_a_ready_command_waits_behind_one_of_its_stream_that_waits() -> None:
    box = uuid4()
    first = received(envelope(put_in(box)), 0)
    second = received(envelope(put_in(box), fresh()), 1)

    assert ready(memory_of(box), first, second) == []


def test_a_ready_command_passes_one_of_another_stream_that_waits() -> None:
    box = uuid4()
    other = received(envelope(put_in(uuid4())), 0)
    mine = received(envelope(put_in(box), fresh()), 1)

    assert ready(memory_of(box), other, mine) == [mine]


def test_a_record_that_names_no_command_is_ready() -> None:
    nameless = receive(Record("commands", 0, 0, None, None, []), TYPES, PARTITIONS)

    assert ready(memory_of(), nameless) == [nameless]
