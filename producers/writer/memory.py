"""What a writer keeps of its partition: folded streams and the answers it gave.

The log is the truth and the journal in Postgres its index, which lags. What the journal does
not have yet must be here, or a decision would rest on half a history. What it has may be
forgotten, so neither memory nor the time to take a partition over grows with the log.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from schemas.log.recorded import Recorded, Reply

NO_OFFSET = -1

# A stream folded from the journal costs a few kilobytes; a process owns some 16 partitions.
CACHED_STREAMS_MAX = 2_500

# How far the clock of whoever made a command id may be ahead of the writer's.
CLOCK_SKEW = timedelta(seconds=5)
_UUID7 = 7


@dataclass(frozen=True, slots=True)
class Folded:
    """A stream with its whole history folded. `last_offset` is that of its newest event."""

    state: Any
    version: int
    last_offset: int = NO_OFFSET


@dataclass(frozen=True, slots=True)
class Partial:
    """Only a stream's newest events are known; the earlier ones are in the journal."""

    events: list[Recorded[Any]]

    @property
    def last_offset(self) -> int:
        """The offset of the newest event."""
        return self.events[-1].position.offset


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A stream with an event that this process can't read: nothing may be decided on it."""

    reason: str
    last_offset: int = NO_OFFSET


Stream: TypeAlias = Folded | Partial | Unreadable


class Answer(NamedTuple):
    """A command's first reply, when it was given, and the offset that the reader of its topic
    must have passed before it is found in Postgres: that of its last event, or of the reply.
    """

    reply: Reply
    offset: int
    given_at: datetime


class Effect(NamedTuple):
    """What a committed transaction has changed: streams that got events, as they are after
    them, first replies, and the offsets at which the log goes on.
    """

    streams: Mapping[str, Folded]
    answers: Sequence[Answer]
    events_next: int
    replies_next: int


class Memory:
    """One partition's streams and answers. Only what is committed in the log may enter.

    `events_next` and `replies_next` are the offsets up to which the log is known here.
    """

    def __init__(self, opened_at: datetime, cached_max: int = CACHED_STREAMS_MAX) -> None:
        self.events_next = 0
        self.replies_next = 0
        self._journal_next = 0
        self._outcomes_next = 0
        self._cached_max = cached_max
        self._cached: OrderedDict[str, Folded] = OrderedDict()  # wholly in the journal
        self._pinned: dict[str, Stream] = {}  # the journal lacks at least the last event
        self._pinned_in_order: deque[tuple[int, str]] = deque()
        self._answers: dict[str, Answer] = {}
        self._decided_in_order: deque[tuple[int, str]] = deque()
        self._refused_in_order: deque[tuple[int, str]] = deque()
        self._complete_since = opened_at

    @property
    def pending(self) -> int:
        """How many answers and streams wait for the readers in Postgres."""
        return len(self._answers) + len(self._pinned)

    @property
    def journal_next(self) -> int:
        """The journal's watermark as last heard of."""
        return self._journal_next

    @property
    def outcomes_next(self) -> int:
        """The watermark of the outcomes as last heard of."""
        return self._outcomes_next

    def reply_to(self, command_id: str) -> Reply | None:
        """The first reply to a command, if it is kept here."""
        answer = self._answers.get(command_id)
        return answer.reply if answer else None

    def stream(self, stream_id: str) -> Stream | None:
        """A stream, if anything of it is kept here. None: all of it is in the journal."""
        pinned = self._pinned.get(stream_id)
        if pinned is not None:
            return pinned
        cached = self._cached.get(stream_id)
        if cached is not None:
            self._cached.move_to_end(stream_id)
        return cached

    def is_new(self, command_id: str) -> bool:
        """Whether an id is certainly younger than every answer that was forgotten here.

        Only ids that carry their time (UUID version 7) can tell; they are made afresh for
        each request, so they come twice only if what is done with is not known.
        """
        try:
            made = UUID(command_id)
        except ValueError:
            return False
        if made.version != _UUID7:
            return False
        made_at = datetime.fromtimestamp((made.int >> 80) / 1000, UTC)
        return made_at > self._complete_since + CLOCK_SKEW

    def keep(self, stream_id: str, stream: Stream) -> None:
        """Take over a stream just folded from the journal (and from what was partly here)."""
        if stream_id in self._pinned:
            self._pinned[stream_id] = stream
        elif isinstance(stream, Folded):
            self._cache(stream_id, stream)

    def commit(self, effect: Effect) -> None:
        """Take over what a transaction has put into the log."""
        for stream_id, stream in effect.streams.items():
            self._pin(stream_id, stream)
        for answer in effect.answers:
            self._remember(answer)
        self.events_next = max(self.events_next, effect.events_next)
        self.replies_next = max(self.replies_next, effect.replies_next)

    def absorb(self, stream_id: str, stream: Stream, answer: Answer | None) -> None:
        """Take over what one event in the log's tail tells; offsets must rise."""
        self._pin(stream_id, stream)
        if answer is not None:
            self._remember(answer)

    def absorb_reply(self, answer: Answer) -> None:
        """Take over a reply without events from the log's tail."""
        self._remember(answer)

    def trim(self, journal_next: int, outcomes_next: int) -> None:
        """Forget what the readers in Postgres have passed. Watermarks never go back."""
        self._journal_next = max(self._journal_next, journal_next)
        self._outcomes_next = max(self._outcomes_next, outcomes_next)
        self._forget(self._decided_in_order, self._journal_next)
        self._forget(self._refused_in_order, self._outcomes_next)
        while self._pinned_in_order and self._pinned_in_order[0][0] < self._journal_next:
            _, stream_id = self._pinned_in_order.popleft()
            stream = self._pinned.get(stream_id)
            if stream is not None and stream.last_offset < self._journal_next:
                del self._pinned[stream_id]
                if isinstance(stream, Folded):
                    self._cache(stream_id, stream)

    def _pin(self, stream_id: str, stream: Stream) -> None:
        self._cached.pop(stream_id, None)
        self._pinned[stream_id] = stream
        self._pinned_in_order.append((stream.last_offset, stream_id))

    def _cache(self, stream_id: str, stream: Folded) -> None:
        self._cached[stream_id] = stream
        self._cached.move_to_end(stream_id)
        while len(self._cached) > self._cached_max:
            self._cached.popitem(last=False)

    def _remember(self, answer: Answer) -> None:
        command_id = answer.reply.command_id
        if command_id in self._answers:
            return
        self._answers[command_id] = answer
        order = self._decided_in_order if answer.reply.event_count else self._refused_in_order
        order.append((answer.offset, command_id))

    def _forget(self, order: deque[tuple[int, str]], next_offset: int) -> None:
        while order and order[0][0] < next_offset:
            _, command_id = order.popleft()
            forgotten = self._answers.pop(command_id)
            self._complete_since = max(self._complete_since, forgotten.given_at)
