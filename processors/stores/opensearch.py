"""Read models in OpenSearch: documents first, watermark after.

A document carries hidden fields with the offsets it has seen, so a batch that arrives again
after a crash changes nothing, and an external version that is one more with each write, so
two workers can't overwrite each other's work unseen. A row taken away stays as an empty
document for the same two reasons; the public alias filters it out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import orjson
import structlog
from opensearchpy import AsyncOpenSearch, RequestError

from infra.clients.opensearch import (
    SERVER_ERROR,
    TOO_MANY_REQUESTS,
    alias_of,
    means_opensearch_down,
    watermark_id,
)
from infra.clients.opensearch import open_opensearch as open_client
from infra.metrics import EVENTS_IGNORED
from infra.settings import Settings
from processors.stores.port import (
    NOTHING_WITHHELD,
    Change,
    ConflictError,
    Connection,
    Generation,
    GenerationGoneError,
    Held,
    RowsRefusedError,
    StoreUnavailableError,
    Watermark,
    Watermarks,
    Withheld,
)
from processors.stores.rows import plain_row, row_of
from projections.projection import SearchIndex
from schemas.log.positions import TopicPartition

APPLIED, DELETED = "mesh_applied", "mesh_deleted"
BULK_BYTES_MAX = 8_000_000
KEYS_MAX = 2_000  # in one _mget
SCAN_ROWS = 2_000
SCAN_KEPT = "2m"
BULK_TIMEOUT_S = 60.0
CONFLICT = 409
NOT_FOUND = 404

_HIDDEN = {APPLIED: {"type": "object", "enabled": False}, DELETED: {"type": "boolean"}}
_DELETED = {"exists": {"field": DELETED}}
# Of a bulk's answer only what says which items failed and how.
_BULK_ANSWER = "errors,items.*.status,items.*._id,items.*.error.type"

log = structlog.get_logger()


@contextmanager
def _errors_of_the_port() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not means_opensearch_down(error):
            raise
        message = f"opensearch: {type(error).__name__}"
        raise StoreUnavailableError(message) from error


def open_opensearch_store(settings: Settings) -> OpenSearchStore:
    """The store on a client of its own; connects at the first call."""
    return OpenSearchStore(open_client(settings), settings)


class OpenSearchStore:
    """Fulfils processors.stores.port.Store. Closes its client."""

    name = "opensearch"

    def __init__(self, client: AsyncOpenSearch, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._watermarks = alias_of(settings, "watermarks")

    def index(self, generation: Generation) -> str:
        """The index of a generation."""
        return f"{alias_of(self._settings, generation.projection.name)}-g{generation.number}"

    async def create(self, generation: Generation) -> None:
        """Make the empty index; harmless when it is there."""
        target = generation.projection.target
        if not isinstance(target, SearchIndex):
            message = f"{generation.projection.name} is not kept in OpenSearch"
            raise TypeError(message)
        properties = {**target.mappings.get("properties", {}), **_HIDDEN}
        mappings = {**target.mappings, "properties": properties}
        index = self.index(generation)
        aliases: dict[str, Any] = {_written(index): {}}
        # Nobody searches it before it is settled or published, and refreshing each second
        # costs a bulk load two fifths of OpenSearch's time (75 against 43 µs an event).
        settings = {**target.settings, "refresh_interval": "-1"}
        await self._create(index, {"settings": settings, "mappings": mappings, "aliases": aliases})
        await self._create(self._watermarks, _WATERMARKS_INDEX)

    async def _create(self, index: str, body: Mapping[str, Any]) -> None:
        with _errors_of_the_port():
            try:
                await self._client.indices.create(index=index, body=body)
            except RequestError as error:
                if error.error != "resource_already_exists_exception":
                    raise

    @asynccontextmanager
    async def session(self, generation: Generation) -> AsyncIterator[OpenSearchSession]:
        """A round; what it has written stays when the block ends in an error."""
        yield OpenSearchSession(self._client, generation, self.index(generation), self._watermarks)

    async def watermarks(self, generation: Generation) -> Watermarks:
        """Every stored watermark of a generation."""
        topics = generation.projection.topics
        partitions = range(self._settings.topic_partitions)
        places = [TopicPartition(topic, each) for topic in topics for each in partitions]
        async with self.session(generation) as session:
            return await session.watermarks(places)

    async def scan(self, generation: Generation) -> AsyncIterator[tuple[str, Any]]:
        """Every (key, row) that was visible when the scan began."""
        body = {"query": _shown_without(()), "size": SCAN_ROWS, "sort": ["_doc"]}
        scroll: str | None = None
        try:
            with _errors_of_the_port():
                answer = await self._client.search(
                    index=self.index(generation), body=body, params={"scroll": SCAN_KEPT}
                )
            while hits := answer["hits"]["hits"]:
                scroll = answer["_scroll_id"]
                for hit in hits:
                    yield hit["_id"], _row(generation, hit["_source"])
                with _errors_of_the_port():
                    answer = await self._client.scroll(
                        body={"scroll_id": scroll, "scroll": SCAN_KEPT}
                    )
        finally:
            if scroll is not None:
                with _errors_of_the_port():
                    await self._client.clear_scroll(
                        body={"scroll_id": [scroll]}, params={"ignore": 404}
                    )

    async def publish(
        self, generations: Sequence[Generation], withheld: Withheld = NOTHING_WITHHELD
    ) -> None:
        """Let the public aliases point to these generations, all in one call."""
        actions: list[dict[str, Any]] = []
        for generation in generations:
            # What it has read is to be found from the first moment on: nobody goes back in time.
            await self.settle(generation)
            alias = alias_of(self._settings, generation.projection.name)
            actions += [
                {"remove": {"index": f"{alias}-g*", "alias": alias, "must_exist": False}},
                {
                    "add": {
                        "index": self.index(generation),
                        "alias": alias,
                        "filter": _shown_without(withheld.get(generation.name, ())),
                    }
                },
            ]
        with _errors_of_the_port():
            await self._client.indices.update_aliases(body={"actions": actions})

    async def drop(self, generation: Generation) -> None:
        """Remove the index and its watermarks; harmless when gone."""
        with _errors_of_the_port():
            await self._client.indices.delete(index=self.index(generation), params={"ignore": 404})
            known = await self.watermarks(generation)
            for place in known:
                await self._client.delete(
                    index=self._watermarks,
                    id=_watermark_id(generation, place),
                    params={"ignore": 404},
                )

    async def settle(self, generation: Generation) -> None:
        """Refresh the index, so that searches see everything written, now and from now on."""
        await self._refresh_by_itself(generation)
        with _errors_of_the_port():
            await self._client.indices.refresh(index=self.index(generation))

    async def _refresh_by_itself(self, generation: Generation) -> None:
        """As often as the projection says, else each second."""
        target = generation.projection.target
        wanted = target.settings.get("refresh_interval") if isinstance(target, SearchIndex) else ""
        with _errors_of_the_port():
            await self._client.indices.put_settings(
                index=self.index(generation), body={"index": {"refresh_interval": wanted}}
            )

    async def close(self) -> None:
        """Close the client."""
        await self._client.close()


class OpenSearchSession:
    """Fulfils processors.stores.port.Session."""

    locks = False

    def __init__(
        self, client: AsyncOpenSearch, generation: Generation, index: str, watermarks: str
    ) -> None:
        self.transaction: Connection | None = None
        self._client = client
        self._generation = generation
        self._index = index
        self._watermarks = watermarks

    async def watermarks(self, partitions: Iterable[TopicPartition]) -> Watermarks:
        """The stored watermarks of these partitions."""
        places = {_watermark_id(self._generation, place): place for place in partitions}
        found = await self._documents(self._watermarks, list(places))
        return {
            places[each["_id"]]: Watermark(
                each["_source"]["next_offset"],
                each["_source"]["recorded_at"],
                each["_source"]["writer_epoch"],
            )
            for each in found
        }

    async def load(self, keys: Sequence[str]) -> Mapping[str, Held]:
        """The documents of these keys, empty ones of rows taken away among them."""
        return {
            each["_id"]: Held(
                _row(self._generation, each["_source"]),
                each["_version"],
                _applied(each["_source"].get(APPLIED) or {}),
            )
            for each in await self._documents(self._index, keys)
        }

    async def _documents(self, index: str, keys: Sequence[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        with _errors_of_the_port():
            for start in range(0, len(keys), KEYS_MAX):
                answer = await self._client.mget(
                    index=index, body={"ids": list(keys[start : start + KEYS_MAX])}
                )
                found += [each for each in answer["docs"] if each.get("found")]
                self._judge_missing(index, answer["docs"])
        return found

    def _judge_missing(self, index: str, documents: Iterable[Mapping[str, Any]]) -> None:
        """Raises for documents of which nobody knows whether they are there."""
        for reason in {each["error"]["type"] for each in documents if "error" in each}:
            if reason != "index_not_found_exception":
                message = f"opensearch: {reason}"
                raise StoreUnavailableError(message)
            if index == self._index:
                raise GenerationGoneError(index)

    async def write(
        self,
        changes: Sequence[Change],
        watermarks: Watermarks,
        since: Watermarks | None = None,  # noqa: ARG002 - documents remember what they have seen
    ) -> None:
        """Documents, then watermarks; raises ConflictError and RowsRefusedError."""
        failures: dict[str, _Failure] = {}
        for body in _bodies(changes):
            failures |= await self._bulk(_written(self._index), body, require_alias="true")
        self._judge(failures)
        if watermarks:
            # A stored watermark may be further on: that one stays.
            marked = await self._bulk(self._watermarks, self._watermark_lines(watermarks))
            self._judge({key: each for key, each in marked.items() if each.status != CONFLICT})

    def _watermark_lines(self, watermarks: Watermarks) -> bytes:
        return b"\n".join(
            line
            for place, mark in watermarks.items()
            for line in (
                orjson.dumps(
                    {
                        "index": {
                            "_id": _watermark_id(self._generation, place),
                            "version": mark.next_offset,
                            "version_type": "external_gte",
                        }
                    }
                ),
                orjson.dumps(
                    {
                        "generation": self._generation.name,
                        "topic": place.topic,
                        "partition": place.partition,
                        "next_offset": mark.next_offset,
                        "recorded_at": mark.recorded_at,
                        "writer_epoch": mark.writer_epoch,
                    }
                ),
            )
        )

    async def _bulk(self, index: str, body: bytes, **params: str) -> dict[str, _Failure]:
        """The items that failed, by id."""
        with _errors_of_the_port():
            answer = await self._client.bulk(
                body=body,
                index=index,
                params={"filter_path": _BULK_ANSWER, "request_timeout": BULK_TIMEOUT_S, **params},
            )
        if not answer["errors"]:
            return {}
        return {
            item["index"]["_id"]: _Failure(item["index"]["status"], item["index"]["error"]["type"])
            for item in answer["items"]
            if "error" in item["index"]
        }

    def _judge(self, failures: Mapping[str, _Failure]) -> None:
        """What failed items mean for the round: the first that applies of unavailable (nothing
        is known of the rest), refused for ever, conflict.
        """
        for each in failures.values():
            if each.status == TOO_MANY_REQUESTS or each.status >= SERVER_ERROR:
                message = f"opensearch: {each.reason}"
                raise StoreUnavailableError(message)
            if each.status == NOT_FOUND:
                raise GenerationGoneError(self._index)
        refused = {key: each.reason for key, each in failures.items() if each.status != CONFLICT}
        if refused:
            raise RowsRefusedError(refused)
        if not failures:
            return
        projection = self._generation.projection
        if not projection.insert_only:
            message = f"{len(failures)} documents of {self._index} changed since the load"
            raise ConflictError(message)
        EVENTS_IGNORED.labels(projection.name, "repeated").inc(len(failures))


class _Failure:
    __slots__ = ("reason", "status")

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason


_WATERMARKS_INDEX: dict[str, Any] = {
    "settings": {"number_of_shards": 1, "auto_expand_replicas": "0-1"},
    "mappings": {
        "dynamic": "strict",
        "properties": {
            "generation": {"type": "keyword"},
            "topic": {"type": "keyword"},
            "partition": {"type": "integer"},
            "next_offset": {"type": "long"},
            "recorded_at": {"type": "double"},
            "writer_epoch": {"type": "long"},
        },
    },
}


def _shown_without(keys: Collection[str]) -> dict[str, Any]:
    """What searches through an alias see."""
    return {
        "bool": {"must_not": [_DELETED, *([{"ids": {"values": sorted(keys)}}] if keys else [])]}
    }


def _written(index: str) -> str:
    """The name to write through: with `require_alias` a dropped index is not made anew."""
    return f"{index}-written"


def _watermark_id(generation: Generation, place: TopicPartition) -> str:
    return watermark_id(generation.name, place.topic, place.partition)


def _row(generation: Generation, source: Mapping[str, Any]) -> Any:
    if source.get(DELETED):
        return None
    values = {name: value for name, value in source.items() if name != APPLIED}
    return row_of(generation.projection.row, values)


def _applied(stored: Mapping[str, int]) -> dict[TopicPartition, int]:
    applied = {}
    for name, offset in stored.items():
        topic, _, partition = name.rpartition("|")
        applied[TopicPartition(topic, int(partition))] = offset
    return applied


def _bodies(changes: Sequence[Change]) -> Iterator[bytes]:
    """Bulk bodies of at most BULK_BYTES_MAX, or of one document."""
    lines: list[bytes] = []
    size = 0
    for pair in _pairs(changes):
        if lines and size + len(pair) > BULK_BYTES_MAX:
            yield b"\n".join(lines)
            lines, size = [], 0
        lines.append(pair)
        size += len(pair)
    if lines:
        yield b"\n".join(lines)


def _pairs(changes: Sequence[Change]) -> list[bytes]:
    pairs, refused = [], {}
    for change in changes:
        try:
            pairs.append(_document_lines(change))
        except TypeError as error:  # what JSON can't say, such as an integer over 64 bits
            refused[change.key] = type(error).__name__
    if refused:
        raise RowsRefusedError(refused)
    return pairs


def _document_lines(change: Change) -> bytes:
    held = change.held
    action = {"_id": change.key, "version": held.version, "version_type": "external"}
    document: dict[str, Any] = {DELETED: True} if held.row is None else plain_row(held.row)
    document[APPLIED] = {
        f"{place.topic}|{place.partition}": offset for place, offset in held.applied.items()
    }
    return orjson.dumps({"index": action}) + b"\n" + orjson.dumps(document)
