"""Where handlers begin that have no position yet."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import OffsetAndMetadata
from aiokafka.structs import TopicPartition as KafkaPartition

from infra.settings import Settings
from processors.feeding.reading import open_log
from processors.reacting.effects import Effect
from processors.reacting.handlers import Begins
from processors.reacting.positions import Place, Positions
from processors.reacting.reactions import Reaction

REQUEST_TIMEOUT_MS = 10_000


async def begin(
    settings: Settings, positions: Positions, handlers: Collection[Effect | Reaction]
) -> None:
    """Give each handler of which nobody knows how far it is the place where it says it begins.

    Before handlers had positions in Postgres each was a consumer group of its own; one that was
    there then goes on from where its group was. Raises what asyncpg does, KafkaError, and
    LogUnavailableError.
    """
    known = await positions.of([each.name for each in handlers])
    new: dict[str, list[Place]] = {}
    for each in handlers:
        lacking = [place for place in _places(settings, each) if place not in known]
        if lacking:
            new[each.name] = lacking
    if not new:
        return
    async with open_log(settings) as log:
        bounds = await log.bounds({place.topic for places in new.values() for place in places})
    first_seen = {each.name for each in handlers if each.begins is Begins.FIRST_SEEN}
    starts = {
        place: bounds[place.topic_partition].end if name in first_seen else 0
        for name, places in new.items()
        for place in places
    }
    await positions.begin(starts | await _of_former_groups(settings, handlers, new))


def _places(settings: Settings, handler: Effect | Reaction) -> Iterable[Place]:
    for topic in handler.topics:
        for partition in range(settings.topic_partitions):
            yield Place(handler.name, topic, partition)


async def _of_former_groups(
    settings: Settings, handlers: Collection[Effect | Reaction], new: dict[str, list[Place]]
) -> dict[Place, int]:
    client = AIOKafkaAdminClient(
        bootstrap_servers=settings.kafka_bootstrap,
        client_id="mesh-reactor-begins",
        request_timeout_ms=REQUEST_TIMEOUT_MS,
    )
    await client.start()
    try:
        found: dict[Place, int] = {}
        for each in handlers:
            if each.name in new:
                group = _former_group(settings, each)
                committed: dict[
                    KafkaPartition, OffsetAndMetadata
                ] = await client.list_consumer_group_offsets(group)
                for place in new[each.name]:
                    at = committed.get(KafkaPartition(*place.topic_partition))
                    if at is not None and at.offset >= 0:
                        found[place] = at.offset
        return found
    finally:
        await client.close()


def _former_group(settings: Settings, handler: Effect | Reaction) -> str:
    if isinstance(handler, Effect):
        return f"mesh.{settings.store_prefix}effect.{handler.name}"
    return f"mesh.reaction.{handler.name}"
