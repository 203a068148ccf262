"""What a person is known by: the texts to look for after they have been erased.

They are read from the journal, where what was sealed for a person stands sealed: it is opened
with their key, while somebody holds that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import orjson

from api.backends.database import LIVE_WATERMARKS, Database
from api.identity.person_data import BATCH, sealed_texts
from cli.lags import lag_of, read_tails
from infra.settings import Settings
from infra.vault.vault import PersonKey
from processors.feeding.reading import open_log
from processors.stores.port import Watermark, Watermarks
from producers.writer.deciders import DECIDERS
from projections.journal.audit import audit
from projections.journal.journal import journal
from projections.searches.canonical import private_of
from schemas.log.positions import TopicPartition
from schemas.registry import kind_of
from schemas.searches import SearchSaved

# Of what somebody said in chats the longest is looked for, by its beginning: "yes" is everywhere. So is
# what they called a search, or looked for: "BMW".
MESSAGES_MAX = 20
MESSAGE_LENGTH_MIN, MESSAGE_LENGTH_MAX = 24, 200  # characters
KNOWN_FROM = (journal, audit)
POLL_S = 0.1

_SEALED = """
    SELECT stream_id, version, data FROM reads.journal WHERE stream_id = ANY($1) AND (stream_id, version) > ($2, $3)
    ORDER BY stream_id, version LIMIT $4
"""
# What the journal can't take yet is looked for as well.
_WAITING = """
    SELECT DISTINCT ON (topic, partition, position_offset) value FROM mesh.parked
    WHERE stream_id = ANY($1) AND value IS NOT NULL
    ORDER BY topic, partition, position_offset LIMIT $2
"""
_SAID = """
    SELECT data FROM reads.journal
    WHERE kind = 'message.sent' AND actor = $1 AND stream_id IN (
        SELECT stream_id FROM reads.audit
        WHERE actor = $1 AND outcome = 'accepted' AND stream_id LIKE 'conversation/%'
    )
    ORDER BY length(data) DESC LIMIT $2
"""


class BehindError(Exception):
    """A read model has not caught up with the log; the text says which, and by how much."""


async def until_folded(chosen: Settings, database: Database, wait_s: float) -> None:
    """Return once all that stands in the log now is where a person is known from; raises
    BehindError after `wait_s` seconds, LogUnavailableError when the log gives nothing for so long.
    """
    deadline = time.monotonic() + wait_s
    waiting = {each.name: each for each in KNOWN_FROM}
    topics = {topic for each in waiting.values() for topic in each.topics}
    async with open_log(chosen, stall_s=wait_s) as log:
        tails = await read_tails(log, topics, [await _marks(database, name) for name in waiting])
    while waiting:
        for name, projection in list(waiting.items()):
            behind, _ = lag_of(await _marks(database, name), projection.topics, tails)
            if not behind:
                del waiting[name]
            elif time.monotonic() > deadline:
                message = f"{name} is {behind} events behind the log: are the workers running?"
                raise BehindError(message)
        if waiting:
            await asyncio.sleep(POLL_S)


async def _marks(database: Database, name: str) -> Watermarks:
    rows = await database.fetch(LIVE_WATERMARKS, name)
    return {
        TopicPartition(row["topic"], row["partition"]): Watermark(row["next_offset"])
        for row in rows
    }


async def known_by(database: Database, key: PersonKey) -> dict[str, str]:
    """Every text that was ever sealed in the person's own streams, by its field's name, and the
    longest of what they said in chats.
    """
    streams = [f"{category}/{key.user_id}" for category in DECIDERS]
    texts: dict[tuple[str, str], None] = {}
    last = ("", 0)
    while True:
        rows = await database.fetch(_SEALED, streams, *last, BATCH)
        for row in rows:
            last = (row["stream_id"], row["version"])
            texts |= dict.fromkeys(_telling(key, orjson.loads(row["data"])).items())
        if len(rows) < BATCH:
            break
    for row in await database.fetch(_WAITING, streams, BATCH):
        texts |= dict.fromkeys(_telling(key, _json(row["value"])).items())
    for row in await database.fetch(_SAID, str(key.user_id), MESSAGES_MAX):
        for name, text in sealed_texts(key, orjson.loads(row["data"])).items():
            if len(text) >= MESSAGE_LENGTH_MIN:
                texts[name, text[:MESSAGE_LENGTH_MAX]] = None
    return {f"{name} {number}" if number else name: text for name, number, text in _numbered(texts)}


def _telling(key: PersonKey, data: Any) -> Mapping[str, str]:
    """What was sealed in an event. Of a saved search that is its name, its words, and all that is
    private of it as one text: a color or a city alone is of many.
    """
    found = sealed_texts(key, data)
    if not isinstance(data, dict) or data.get("kind") != kind_of(SearchSaved):
        return found
    words = {"words": private_of(found["text"]).get("q", "")} if "text" in found else {}
    return {
        f"search {name}": text[:MESSAGE_LENGTH_MAX]
        for name, text in {**found, **words}.items()
        if len(text) >= MESSAGE_LENGTH_MIN
    }


def _json(value: bytes) -> Any:
    """A parked record's value; it may wait just because it is none."""
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return {}


def _numbered(texts: Mapping[tuple[str, str], None]) -> list[tuple[str, int, str]]:
    counts: dict[str, int] = {}
    found = []
    for name, text in texts:
        number = counts.get(name, 0)
        counts[name] = number + 1
        found.append((name, number + 1 if number else 0, text))
    return found
