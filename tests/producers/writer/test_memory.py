"""The writer's memory against a model that forgets nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import uuid_utils
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from producers.writer.memory import CLOCK_SKEW, Answer, Effect, Folded, Memory, Partial
from schemas.log.positions import Position
from schemas.log.recorded import Reply

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CACHED_MAX = 3
STREAMS = st.sampled_from([f"box/{name}" for name in "abcdefgh"])


@dataclass
class Model:
    """Everything that ever happened, and how far Postgres has read."""

    versions: dict[str, list[int]] = field(default_factory=dict)  # stream: offsets of its events
    answers: dict[str, tuple[Reply, bool, int]] = field(default_factory=dict)
    events_next: int = 0
    replies_next: int = 0
    journal_next: int = 0
    outcomes_next: int = 0


def reply_of(command_id: str, count: int, offset: int) -> Reply:
    position = Position("events", 0, offset) if count else None
    return Reply(command_id=command_id, outcome="accepted", event_count=count, position=position)


class MemoryMachine(RuleBasedStateMachine):
    """Commits, loads and trims in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = Memory(NOW, cached_max=CACHED_MAX)
        self.model = Model()

    @rule(stream=STREAMS, count=st.integers(0, 3))
    def commit_a_command(self, stream: str, count: int) -> None:
        model = self.model
        known = self.memory.stream(stream)
        offsets = model.versions.setdefault(stream, [])
        if known is None:
            # What memory lacks must be loadable from the journal.
            assert max(offsets, default=-1) < model.journal_next
        new = list(range(model.events_next, model.events_next + count))
        offsets += new
        model.events_next += count + 1 if count else 0
        last = new[-1] if new else -1
        reply = reply_of(str(uuid4()), count, last)
        offset = last if count else model.replies_next
        model.answers[reply.command_id] = (reply, bool(count), offset)
        model.replies_next += 2
        self.memory.commit(
            Effect(
                streams={stream: Folded(len(offsets), len(offsets), last)} if count else {},
                answers=[Answer(reply, offset, NOW)],
                events_next=model.events_next,
                replies_next=model.replies_next,
            )
        )

    @rule(stream=STREAMS)
    def load_from_the_journal(self, stream: str) -> None:
        offsets = self.model.versions.get(stream, [])
        if self.memory.stream(stream) is None and offsets:
            self.memory.keep(stream, Folded(len(offsets), len(offsets), offsets[-1]))

    @precondition(lambda self: self.model.events_next > 0)
    @rule(data=st.data())
    def the_journal_reads_on(self, data: st.DataObject) -> None:
        model = self.model
        model.journal_next = data.draw(st.integers(model.journal_next, model.events_next))
        model.outcomes_next = data.draw(st.integers(model.outcomes_next, model.replies_next))
        self.memory.trim(model.journal_next, model.outcomes_next)

    @invariant()
    def every_stream_that_the_journal_lacks_is_here_as_it_is(self) -> None:
        for stream, offsets in self.model.versions.items():
            if offsets and offsets[-1] >= self.model.journal_next:
                found = self.memory.stream(stream)
                assert isinstance(found, Folded)
                assert found.version == len(offsets)

    @invariant()
    def no_stream_here_is_out_of_date(self) -> None:
        for stream, offsets in self.model.versions.items():
            found = self.memory.stream(stream)
            if isinstance(found, Folded):
                assert (found.version, found.last_offset) == (len(offsets), offsets[-1])

    @invariant()
    def every_answer_that_postgres_lacks_is_here(self) -> None:
        for command_id, (reply, decided, offset) in self.model.answers.items():
            mark = self.model.journal_next if decided else self.model.outcomes_next
            if offset >= mark:
                assert self.memory.reply_to(command_id) == reply

    @invariant()
    def what_postgres_has_is_forgotten(self) -> None:
        model = self.model
        waiting = sum(
            offset >= (model.journal_next if decided else model.outcomes_next)
            for _, decided, offset in model.answers.values()
        )
        pinned = sum(
            bool(offsets) and offsets[-1] >= model.journal_next
            for offsets in model.versions.values()
        )
        assert self.memory.pending == waiting + pinned
        assert len(self.memory._cached) <= CACHED_MAX


TestMemory = MemoryMachine.TestCase
TestMemory.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)


def test_an_id_made_after_everything_forgotten_is_new() -> None:
    memory = Memory(NOW)

    assert memory.is_new(_made_at(NOW + CLOCK_SKEW + timedelta(seconds=1)))


def test_an_id_made_before_the_opening_may_be_old() -> None:
    memory = Memory(NOW)

    assert not memory.is_new(_made_at(NOW))


def test_an_id_that_does_not_tell_its_time_may_be_old() -> None:
    memory = Memory(NOW - timedelta(days=10_000))

    assert not memory.is_new(str(uuid4()))
    assert not memory.is_new("no uuid at all")


def test_forgetting_an_answer_makes_ids_as_old_as_it_doubtful() -> None:
    memory = Memory(NOW)
    later = NOW + timedelta(hours=1)
    memory.absorb_reply(Answer(reply_of("a", 0, 0), 0, later))
    memory.trim(0, 1)

    assert not memory.is_new(_made_at(later))
    assert memory.is_new(_made_at(later + CLOCK_SKEW + timedelta(seconds=1)))


def test_a_stream_of_which_only_the_tail_is_known_is_dropped_once_the_journal_has_it() -> None:
    memory = Memory(NOW)
    memory.absorb("box/a", Partial([_Event(7)]), None)

    memory.trim(8, 0)

    assert memory.stream("box/a") is None


class _Event:
    """As much of a recorded event as memory looks at."""

    def __init__(self, offset: int) -> None:
        self.position: Any = Position("events", 0, offset)


def _made_at(moment: datetime) -> str:
    stamp = int(moment.timestamp() * 1000)
    made = UUID(str(uuid_utils.uuid7())).int & ((1 << 80) - 1)
    return str(UUID(int=(stamp << 80) | made))
