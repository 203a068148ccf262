"""Logs for tests of the read side: streams made of the golden examples, so that every event
that was ever stored, in each of its versions, takes part.

A stream's order is random and its ids and figures are its own. Folds are total, so it need not
be a history that the rules allow.
"""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from schemas.log.messages import category_of, iso
from schemas.log.recorded import Record, event_id_of
from schemas.topics import EVENT_TYPES, topics_of
from tests.partitions import partition_of_stream

EXAMPLES = Path(__file__).parent.parent / "examples" / "events"
# Not a fixed date: some read models keep rows for a limited time only.
BEGINNING = datetime.now(UTC).replace(microsecond=0) - timedelta(days=120)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HASH = re.compile(r"[0-9a-f]{64}")
_NUMBERS = ("price_minor", "previous_minor", "odometer")
# The events with which streams begin, where there are such: later ones mean little without.
_FIRST = (
    "item.created",
    "listing.created",
    "user.registered",
    "session.started",
    "email_claim.reserved",
    "media.uploaded",
    "media.wanted",
    "conversation.opened",
    "review.created",
    "review.voted",
    "search.saved",
    "alert.matched",
    "notification.requested",
    "push.subscribed",
    "booking.requested",
)


@dataclass(frozen=True)
class Example:
    """One golden event: headers and data as stored."""

    kind: str
    subject: str
    headers: Mapping[str, str]
    data: Mapping[str, Any]


@lru_cache(maxsize=1)
def examples() -> tuple[Example, ...]:
    """Every golden event."""
    found = []
    for path in sorted(EXAMPLES.glob("*/*.json")):
        stored = json.loads(path.read_text("utf-8"))
        headers = stored["headers"]
        found.append(Example(headers["ce_type"], headers["ce_subject"], headers, stored["data"]))
    return tuple(found)


Stream = Sequence[tuple[str, Record]]  # (topic, record without a place) in order


def streams(seed: int, count: int, length_max: int = 6) -> list[list[Record]]:
    """`count` streams of every category of aggregate; places are not given yet. The first of
    each category bear one id, so do the second, and so on: joins over streams find something.
    """
    chance = random.Random(seed)
    names = [
        (str(UUID(int=chance.getrandbits(128), version=4)), f"{chance.getrandbits(256):064x}")
        for _ in range(count)
    ]
    by_category: dict[tuple[str, str], list[Example]] = defaultdict(list)
    for each in examples():
        topic = topics_of(EVENT_TYPES[each.kind])[0]
        by_category[topic, category_of(each.subject)].append(each)
    return [
        _stream(chance, topic, choices, length_max, name)
        for (topic, _), choices in sorted(by_category.items())
        for name in names
    ]


def _stream(
    chance: random.Random,
    topic: str,
    choices: Sequence[Example],
    length_max: int,
    name: tuple[str, str],
) -> list[Record]:
    fresh, fresh_hash = name
    first = [each for each in choices if each.kind in _FIRST] or choices
    picked = [chance.choice(first), *chance.choices(choices, k=chance.randrange(length_max))]
    subject = _HASH.sub(fresh_hash, _UUID.sub(fresh, picked[0].subject))
    if subject == picked[0].subject:  # it is called by a name
        subject = f"{category_of(subject)}/a_{fresh_hash[:8]}"
    ordered = not topic.startswith(("events.tracking", "replies."))
    return [
        _record(chance, topic, subject, each, version + 1 if ordered else 0)
        for version, each in enumerate(picked)
    ]


def _record(
    chance: random.Random, topic: str, subject: str, example: Example, version: int
) -> Record:
    command = str(UUID(int=chance.getrandbits(128), version=4))
    data = _varied(chance, example, subject, command)
    moment = BEGINNING + timedelta(seconds=chance.randrange(10**7))
    headers = {
        **example.headers,
        "ce_id": event_id_of(command, 0),
        "ce_subject": subject,
        "ce_time": iso(moment),
        "stream_version": str(version),
        "command_id": command,
    }
    return Record(
        topic=topic,
        partition=partition_of_stream(subject),
        offset=-1,
        key=subject.encode(),
        value=json.dumps(data).encode(),
        headers=[(name, value.encode()) for name, value in headers.items()],
    )


def _varied(chance: random.Random, example: Example, subject: str, command: str) -> dict[str, Any]:
    """The example's data about this stream's own aggregate, with figures of its own."""
    old, new = example.subject.rpartition("/")[2], subject.rpartition("/")[2]
    data: dict[str, Any] = json.loads(json.dumps(dict(example.data)).replace(old, new))
    for own in {"command_id", "message_id", "notification_id"} & data.keys():
        data[own] = command
    if "booking_id" in data:  # each item's bookings have ids of their own
        data["booking_id"] = str(uuid5(UUID(new), "booking"))
    if "batch_id" in data:  # so have each person's batches
        data["batch_id"] = str(uuid5(UUID(new), "batch"))
    for part in (data, data.get("fields") or {}):
        for name in part:
            if name in _NUMBERS and part[name] is not None:
                part[name] = chance.randrange(1, 10**9)
            elif name.endswith("_at"):
                part[name] = iso(BEGINNING + timedelta(microseconds=chance.randrange(10**13)))
    return data


def interleaved(many: Iterable[Sequence[Record]], seed: int) -> list[Record]:
    """One log of these streams, each in its own order, with places: offsets grow within a
    partition and leave room for the markers of transactions."""
    chance = random.Random(seed)
    left = [list(reversed(stream)) for stream in many if stream]
    offsets: dict[tuple[str, int], int] = defaultdict(int)
    log = []
    while left:
        stream = chance.choice(left)
        record = stream.pop()
        place = (record.topic, record.partition)
        log.append(record._replace(offset=offsets[place]))
        offsets[place] += chance.choice((1, 1, 2))
        if not stream:
            left.remove(stream)
    return log
