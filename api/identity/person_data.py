"""Everything that the log holds of one person: which streams, and their events unsealed.

Their own streams (user, profile and the like, named by their id), their listings, items, uploads
and what their alerts have found are theirs whoever acted on them. Of other streams (sessions, keys) only what they did
themselves is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from infra.vault.vault import PersonKey, UnsealError
from producers.writer.deciders import DECIDERS
from projections.reads import Reads

BATCH = 500
SEALED_LENGTH_MIN = 39  # nonce and tag alone, in base64, behind the form's number
# Where the field that a text was sealed for is not the name under which it is stored.
SEALED_FOR = {
    "label": ("api key label",),
    "name": ("search_name",),
    "text": ("search_text",),
}

_LISTINGS = """
    SELECT key FROM reads.listing_page WHERE seller_id = $1 AND key > $2 ORDER BY key LIMIT $3
"""
_ITEMS = """
    SELECT key FROM reads.items WHERE owner_id = $1 AND key > $2 ORDER BY key LIMIT $3
"""
_MEDIA = """
    SELECT key FROM reads.media_files WHERE user_id = $1 AND key > $2 ORDER BY key LIMIT $3
"""
_MATCHES = """
    SELECT key FROM reads.alert_matches WHERE user_id = $1 AND key > $2 ORDER BY key LIMIT $3
"""
_OWNED = (
    ("listing", _LISTINGS),
    ("item", _ITEMS),
    ("media", _MEDIA),
    ("alert_match", _MATCHES),
)
_TOUCHED = """
    SELECT DISTINCT stream_id FROM reads.audit
    WHERE actor = $1 AND outcome = 'accepted' AND stream_id > $2 ORDER BY stream_id LIMIT $3
"""
_EVENTS = """
    SELECT key, stream_id, version, kind, recorded_at, actor, data FROM reads.journal
    WHERE stream_id = $1 AND version > $2 AND ($3::text IS NULL OR actor = $3)
    ORDER BY version LIMIT $4
"""


@dataclass(frozen=True)
class PersonEvent:
    """One event, readable: sealed texts are open, hashes left out."""

    id: str
    stream: str
    version: int
    kind: str
    at: Any
    by_oneself: bool
    data: Mapping[str, Any]


async def events_of_person(reads: Reads, key: PersonKey) -> AsyncIterator[PersonEvent]:
    """Every event of a person's, stream by stream."""
    user_id = str(key.user_id)
    own = {f"{category}/{user_id}" for category in DECIDERS}
    listed: set[str] = set()
    for stream_id in sorted(own):
        async for event in _events(reads, key, stream_id, None):
            yield event
    for category, query in _OWNED:
        async for name in _names(reads, query, user_id):
            listed.add(f"{category}/{name}")
            async for event in _events(reads, key, f"{category}/{name}", None):
                yield event
    async for stream_id in _names(reads, _TOUCHED, user_id):
        if stream_id not in own | listed:
            async for event in _events(reads, key, stream_id, user_id):
                yield event


async def _names(reads: Reads, query: str, user_id: str) -> AsyncIterator[str]:
    last = ""
    while rows := await reads.fetch(query, user_id, last, BATCH):
        for row in rows:
            last = next(iter(row.values()))
            yield last


async def _events(
    reads: Reads, key: PersonKey, stream_id: str, actor: str | None
) -> AsyncIterator[PersonEvent]:
    last = 0
    while rows := await reads.fetch(_EVENTS, stream_id, last, actor, BATCH):
        for row in rows:
            yield PersonEvent(
                id=row["key"],
                stream=row["stream_id"],
                version=row["version"],
                kind=row["kind"],
                at=row["recorded_at"],
                by_oneself=row["actor"] == str(key.user_id),
                data=_readable(key, orjson.loads(row["data"]), ()),
            )
        last = rows[-1]["version"]


def _readable(key: PersonKey, value: Any, path: tuple[str, ...]) -> Any:
    match value:
        case dict():
            return {
                name.removesuffix("_sealed"): _readable(key, each, (*path, name))
                for name, each in value.items()
                if not name.endswith("_hash") and name not in ("mark", "marks")
            }
        case list():
            return [_readable(key, each, path) for each in value]
        case str() if len(value) >= SEALED_LENGTH_MIN:
            opened = unsealed(key, value, path)
            return value if opened is None else opened
        case _:
            return value


def sealed_texts(key: PersonKey, value: Any, path: tuple[str, ...] = ()) -> Mapping[str, str]:
    """What was sealed anywhere in an event's data, by the name of its field."""
    found: dict[str, str] = {}
    match value:
        case dict():
            for name, each in value.items():
                found |= sealed_texts(key, each, (*path, name))
        case list():
            for each in value:
                found |= sealed_texts(key, each, path)
        case str() if len(value) >= SEALED_LENGTH_MIN:
            opened = unsealed(key, value, path)
            if opened is not None:
                found[_fields(path)[0]] = opened
        case _:
            pass
    return found


def unsealed(key: PersonKey, text: str, path: tuple[str, ...]) -> str | None:
    """The text that was sealed for one of the names on its path; None when it was for none."""
    for name in _fields(path):
        try:
            return key.unseal(name, text)
        except UnsealError:
            continue
    return None


def _fields(path: tuple[str, ...]) -> list[str]:
    """The innermost name first; `text` stands within the field that it is the text of."""
    names = [each.removesuffix("_sealed") for each in reversed(path) if each != "text"]
    return [field for name in names for field in (name, *SEALED_FOR.get(name, ()))]
