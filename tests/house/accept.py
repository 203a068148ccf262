"""Write down new shapes: `python -m tests.house.accept`.

Writes the example and the shape of each new event, of each new version and of each new command.
What stands already is never changed, but for a shape that has grown without breaking anything.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from schemas.log.messages import Command, Event
from schemas.log.recorded import CommandEnvelope, headers_of_event
from schemas.registry import kind_of
from schemas.templates import template_stream
from tests.house.examples import (
    COMMANDS,
    EVENTS,
    EXAMPLES,
    command_file,
    event_file,
    shape_file,
)
from tests.house.filling import MOMENT, fill
from tests.house.shapes import breaks, shape_of

_STREAMS = (  # which field names an event's stream; the first that it has
    ("conversation_id", "conversation/"),
    ("blocker_id", "blocks/"),
    ("key_id", "api_key/"),
    ("match_id", "alert_match/"),
    ("session_id", "session/"),
    ("item_id", "item/"),
    ("vote_id", "review_vote/"),
    ("review_id", "review/"),
    ("listing_id", "listing/"),
    ("media_id", "media/"),
    ("user_id", "user/"),
    ("email_hash", "claim/email/"),
    ("subject_hash", "identity_claim/"),
    ("handler", "handler/"),
    ("stream_id", ""),
)
# The person's stream that the events of a noun stand in.
_OWN_CATEGORY = {
    **{
        noun: noun
        for noun in ("profile", "seller", "preferences", "wallet", "favorites", "comparison")
    },
    "favorite": "favorites",
    "wishlist": "favorites",
    "quick_reply": "quick_replies",
    "search": "searches",
    "searches": "searches",
    "notification": "notifications",
    "notifications": "notifications",
    "push": "push",
    "alert": "searches",
    "digest": "searches",
}


def accept(
    events: tuple[type[Event], ...] = EVENTS,
    commands: tuple[type[Command], ...] = COMMANDS,
    root: Path = EXAMPLES,
) -> Iterator[str]:
    """Write what is new; says what was written and what was refused."""
    for event in events:
        yield from _accept_shape(event, root)
        yield from _accept_example(event, root)
    for command in commands:
        path = command_file(kind_of(command), root)
        if not path.exists():
            data = fill(command_shape(command))
            yield _write(path, json.loads(command.model_validate(data).model_dump_json()), root)


def command_shape(command: type[Command]) -> dict[str, Any]:
    return shape_of(command)  # type: ignore[arg-type]  # a command has a shape, too


def _accept_shape(event: type[Event], root: Path) -> Iterator[str]:
    path, shape = shape_file(kind_of(event), event.SCHEMA, root), shape_of(event)
    if path.exists():
        stored = json.loads(path.read_text("utf-8"))
        if stored == shape:
            return
        if found := list(breaks(stored, shape)):
            yield f"REFUSED {kind_of(event)}: breaks stored events: {'; '.join(found)}"
            return
    yield _write(path, shape, root)


def _accept_example(event: type[Event], root: Path) -> Iterator[str]:
    if event_file(kind_of(event), event.SCHEMA, root=root).exists():
        return
    shape = shape_of(event)
    full, least = fill(shape), fill(shape, least=True)
    for word, data in (("", full), ("least", least)):
        if word and data == full:
            continue
        event.model_validate(data, extra="forbid")  # a wrong example must not be stored
        path = event_file(kind_of(event), event.SCHEMA, word, root)
        yield _write(path, {"headers": _headers(event, data), "data": data}, root)


def _headers(event: type[Event], data: dict[str, Any]) -> dict[str, str]:
    # A person's event may name a session of theirs; it stands in the person's stream.
    persons = ("user_id", "blocker_id")
    about = [place for place in _STREAMS if kind_of(event)[:5] != "user." or place[0] in persons]
    named = (start + data[name] for name, start in about if data.get(name))
    noun = kind_of(event).partition(".")[0]
    # What an alert has found is no part of the person's stream.
    is_own = noun in _OWN_CATEGORY and "match_id" not in data
    own = f"{_OWN_CATEGORY[noun]}/{data['user_id']}" if is_own else None
    if noun in ("booking", "bookings"):  # all of an item's are one stream
        own = f"bookings/{data['item_id']}"
    if noun == "template":
        own = template_stream(data["name"], data["language"])
    stream = own or next(named, f"example/{event.SCHEMA}")
    headers = headers_of_event(
        event.model_validate(data),
        index=0,
        count=1,
        version=1,
        envelope=_envelope(stream),
        writer_epoch=1,
        recorded_at=datetime.fromisoformat(MOMENT),
    )
    return {name: value.decode() for name, value in headers}


class _Asked(Command):
    stream: str

    @property
    def stream_id(self) -> str:
        return self.stream


def _envelope(stream: str) -> CommandEnvelope:
    asked = {"kind": "example", "asked_at": MOMENT, "asked_by": "somebody", "asked_role": "seller"}
    command = _Asked.model_validate({**asked, "stream": stream})
    return CommandEnvelope(command, "example", "example", "example", "0" * 64)


def _write(path: Path, content: Any, root: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return f"wrote {path.relative_to(root)}"


if __name__ == "__main__":
    said = list(accept())
    print("\n".join(said) or "nothing is new")
    sys.exit(any(line.startswith("REFUSED") for line in said))
