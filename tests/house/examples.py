"""Golden examples: every version of every event ever stored, and every command, as files.

`tests/examples/events/<kind>/v<n>.json` holds a record's headers and data; further examples of
a version are `v<n>-<word>.json`. `tests/examples/commands/<kind>.json` holds a command's data,
`tests/examples/schemas/<kind>.v<n>.json` the shape of an event at its newest version.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from projections import PROJECTIONS
from schemas.log.messages import Command, Event
from schemas.log.recorded import Record, Recorded, Reply, decode_event
from schemas.registry import kind_of
from schemas.topics import CONTEXTS, EVENT_TYPES, topics_of
from tests.house.sources import ROOT
from tests.partitions import partition_of_stream

EXAMPLES = ROOT / "tests" / "examples"
ACCEPT = "run `python -m tests.house.accept`"

EVENTS: tuple[type[Event], ...] = (
    Reply,
    *(event for context in CONTEXTS for event in context.events),
)
COMMANDS: tuple[type[Command], ...] = tuple(
    command for context in CONTEXTS for command in context.commands
)

# Events that no projection hears, each with the reason why that is right.
UNHEARD: dict[str, str] = {}


@dataclass(frozen=True)
class Example:
    """One stored record of an event."""

    kind: str
    schema: int
    path: Path

    @property
    def name(self) -> str:
        return f"{self.kind}/{self.path.stem}"

    def recorded(self) -> Recorded[Any]:
        """The example as a reader of the log gets it."""
        found = json.loads(self.path.read_text("utf-8"))
        headers = found["headers"]
        record = Record(
            topic=topics_of(EVENT_TYPES[self.kind])[0],
            partition=partition_of_stream(headers["ce_subject"]),
            offset=0,
            key=headers["ce_subject"].encode(),
            value=json.dumps(found["data"]).encode(),
            headers=[(name, value.encode()) for name, value in headers.items()],
        )
        return decode_event(record, EVENT_TYPES)


def event_file(kind: str, schema: int, word: str = "", root: Path = EXAMPLES) -> Path:
    return root / "events" / kind / f"v{schema}{'-' if word else ''}{word}.json"


def command_file(kind: str, root: Path = EXAMPLES) -> Path:
    return root / "commands" / f"{kind}.json"


def shape_file(kind: str, schema: int, root: Path = EXAMPLES) -> Path:
    return root / "schemas" / f"{kind}.v{schema}.json"


def examples(root: Path = EXAMPLES) -> list[Example]:
    """Every event example there is."""
    found = []
    for path in sorted((root / "events").glob("*/v*.json")):
        version = re.match(r"v(\d+)", path.stem)
        assert version, path
        found.append(Example(path.parent.name, int(version[1]), path))
    return found


def missing_examples(events: tuple[type[Event], ...], root: Path = EXAMPLES) -> Iterator[str]:
    for event in events:
        for schema in range(1, event.SCHEMA + 1):
            path = event_file(kind_of(event), schema, root=root)
            if not path.exists():
                what = ACCEPT if schema == event.SCHEMA else "an old version is written by hand"
                yield f"{path.relative_to(root)} is missing: {what}"


def missing_commands(commands: tuple[type[Command], ...], root: Path = EXAMPLES) -> Iterator[str]:
    for command in commands:
        path = command_file(kind_of(command), root)
        if not path.exists():
            yield f"{path.relative_to(root)} is missing: {ACCEPT}"


def orphaned(root: Path = EXAMPLES) -> Iterator[str]:
    """Examples of kinds that no class has: a stored kind is never renamed or taken away."""
    kinds = {kind_of(event) for event in EVENTS}
    for example in examples(root):
        if example.kind not in kinds:
            yield f"{example.name}: no class reads {example.kind} any more, but the log holds it"


def unheard(events: tuple[type[Event], ...], allowed: dict[str, str]) -> Iterator[str]:
    heard = {event for projection in PROJECTIONS for event in projection.hears}
    for event in events:
        kind = kind_of(event)
        if event not in heard and kind not in allowed:
            yield f"{kind}: no projection hears it: let one, or say why not in UNHEARD"
        if event in heard and kind in allowed:
            yield f"{kind}: is heard now: take it out of UNHEARD"
