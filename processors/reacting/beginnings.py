"""Where handlers begin that have no position yet."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka.admin import AdminClient

from infra.clients.kafka import client_config
from infra.settings import Settings
from processors.feeding.reading import open_log
from processors.reacting.effects import Effect
from processors.reacting.handlers import Begins
from processors.reacting.positions import Place, Positions
from processors.reacting.reactions import Reaction

REQUEST_TIMEOUT_S = 10.0


async def begin(
    settings: Settings, positions: Positions, handlers: Collection[Effect | Reaction]
) -> None:
    """Give each handler of which nobody knows how far it is the place where it says it begins.

    Before handlers had positions in Postgres each was a consumer group of its own; one that was
    there then goes on from where its group was. Raises what asyncpg does, KafkaException, and
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
    former = await asyncio.to_thread(_of_former_groups, settings, handlers, new)
    await positions.begin(starts | former)


def _places(settings: Settings, handler: Effect | Reaction) -> Iterable[Place]:
    for topic in handler.topics:
        for partition in range(settings.topic_partitions):
            yield Place(handler.name, topic, partition)


def _of_former_groups(
    settings: Settings, handlers: Collection[Effect | Reaction], new: dict[str, list[Place]]
) -> dict[Place, int]:
    # confluent's client: aiokafka's takes a coordinator that is still loading for a group that has
    # nothing.
    client = AdminClient(client_config(settings, "mesh-reactor-begins"))
    found: dict[Place, int] = {}
    for each in handlers:
        if each.name in new:
            group = _former_group(settings, each)
            asked = client.list_consumer_group_offsets(
                [ConsumerGroupTopicPartitions(group)], request_timeout=REQUEST_TIMEOUT_S
            )
            (answered,) = (one.result(2 * REQUEST_TIMEOUT_S) for one in asked.values())
            committed = {
                (at.topic, at.partition): at.offset for at in answered.topic_partitions or ()
            }
            for place in new[each.name]:
                offset = committed.get((place.topic, place.partition), -1)
                if offset >= 0:
                    found[place] = offset
    return found


def _former_group(settings: Settings, handler: Effect | Reaction) -> str:
    if isinstance(handler, Effect):
        return f"mesh.{settings.store_prefix}effect.{handler.name}"
    return f"mesh.reaction.{handler.name}"
