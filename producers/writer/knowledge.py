"""What is known of a batch: its streams and the first replies to its commands.

Memory is asked once, at one moment, and what it lacks is asked of the journal after that.
Asking memory again later would be wrong: it may have been trimmed while the journal was asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from producers.writer.deciders import Rulebook
from producers.writer.history import fold_history
from producers.writer.journal import Journal
from producers.writer.memory import Folded, Memory, Partial, Stream, Unreadable
from producers.writer.received import Received
from schemas.log.messages import category_of
from schemas.log.recorded import Reply


@dataclass(frozen=True)
class Known:
    """The streams by id, and the first reply to each command that had one."""

    streams: dict[str, Stream] = field(default_factory=dict)
    replies: dict[str, Reply] = field(default_factory=dict)


def remembered(commands: Iterable[Received], memory: Memory) -> Known:
    """What the memory knows now."""
    known = Known()
    for command in commands:
        reply = memory.reply_to(command.command_id)
        if reply is not None:
            known.replies[command.command_id] = reply
        stream = memory.stream(command.stream_id)
        if stream is not None:
            known.streams[command.stream_id] = stream
    return known


async def learn(
    commands: Sequence[Received], rulebook: Rulebook, memory: Memory, journal: Journal
) -> Known:
    """Everything that deciding these commands needs. Raises JournalUnavailableError."""
    known = remembered(commands, memory)
    new = [each for each in commands if each.command_id and each.command_id not in known.replies]
    missing = {
        each.stream_id
        for each in new
        if each.envelope is not None
        and not isinstance(known.streams.get(each.stream_id), Folded | Unreadable)
    }
    found = await journal.look_up(missing, {each.command_id for each in new})
    known.replies.update(found.replies)
    for stream_id in missing:
        if category_of(stream_id) not in rulebook.deciders:
            known.streams[stream_id] = Unreadable("no decider judges this stream's category")
        elif stream_id in found.withheld:
            known.streams[stream_id] = Unreadable("some of its events are parked in the journal")
        else:
            tail = known.streams.get(stream_id)
            stream = fold_history(rulebook, stream_id, found.histories[stream_id], tail)
            known.streams[stream_id] = stream
            if isinstance(stream, Folded) and stream.version:
                memory.keep(stream_id, stream)
    return known


def answerable(commands: Sequence[Received], known: Known, memory: Memory) -> list[Received]:
    """The commands that memory alone suffices for, while the journal is away. The order
    within a stream is kept: behind one that must wait, the others of its stream wait too.
    """
    waiting: set[str] = set()
    ready = []
    for command in commands:
        names = {command.stream_id, command.command_id} - {""}
        if names & waiting or not _is_answerable(command, known, memory):
            waiting |= names
        else:
            ready.append(command)
    return ready


def _is_answerable(command: Received, known: Known, memory: Memory) -> bool:
    if not command.command_id or command.command_id in known.replies:
        return True
    if not memory.is_new(command.command_id):
        return False
    stream = known.streams.get(command.stream_id)
    return command.envelope is None or not (stream is None or isinstance(stream, Partial))
