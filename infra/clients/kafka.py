"""Kafka: topics made from the one table, and clients with the project's guarantees.

Every producer is idempotent and waits for all replicas, every consumer reads committed
records only, and every call has a bound. Whoever needs a client takes it from here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError as ClientError
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its public names lack __all__
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from infra.settings import Settings
from schemas.log.contexts import Topic
from schemas.topics import RECORD_BYTES_MAX, TOPICS

T = TypeVar("T")

log = structlog.get_logger()

ADMIN_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0  # for a client to close
TOPICS_WAIT_S = 30.0
REQUEST_TIMEOUT_MS = 5_000
REPLICAS_IN_SYNC = 2  # of three: one may be lost without losing what was acknowledged
TOPIC_POLL_S = 0.05
BATCH_BYTES = 262_144
# Who joins its group as the broker dies may know nothing of the topics once it is back, and looks
# for them when it next would anyway. What that may cost is this, and not the clients' minutes.
MEMBER_METADATA_AGE_MS = 3_000
# A process has up to two dozen clients: asking twenty times a second for a broker that is away took
# them half the processor time that its start needed.
RETRY_BACKOFF_MS = 250
QUIET_WAIT_MS = 2_000
QUIET_AFTER_S = 2.0
GATHERED_BYTES = 200_000  # so many are worth an answer at once, however young they are

# A record carries headers and framing beside its value.
RECORD_OVERHEAD_BYTES = 48_588
# Parked records are copies of records that were as large as their topic allows, with the
# reason added.
PARKED_RECORD_BYTES_MAX = 2 * (RECORD_BYTES_MAX + RECORD_OVERHEAD_BYTES)

# Longer than any transaction of ours takes; a dead writer's open transaction holds readers
# up for no longer than this if nobody takes its partition over.
TRANSACTION_TIMEOUT_MS = 15_000

log = logging.getLogger(__name__)


class TopicMismatchError(Exception):
    """The broker's topics are not what schemas.topics says; the text names each difference."""


async def ensure_topics(settings: Settings, topics: Iterable[Topic] = TOPICS) -> None:
    """Create the topics that are missing; harmless when all are there.

    Raises TopicMismatchError when an existing topic differs in partitions, retention or
    clean-up: none of these can be mended without losing facts or moving streams. Raises
    KafkaException when the broker can't be reached.
    """
    await asyncio.to_thread(_ensure_topics, settings, tuple(topics))


def _ensure_topics(settings: Settings, topics: tuple[Topic, ...]) -> None:
    admin = AdminClient(client_config(settings, "mesh-topics"))
    found = admin.list_topics(timeout=ADMIN_TIMEOUT_S).topics
    _create(admin, settings, [topic for topic in topics if topic.name not in found])
    partitions = _wait_for_leaders(admin, topics)
    configs = _configs(admin, topics)
    faults = [
        fault
        for topic in topics
        for fault in differences(
            topic, settings.topic_partitions, partitions[topic.name], configs[topic.name]
        )
    ]
    if faults:
        message = (
            "The broker's topics are not those of schemas/topics.py:\n  "
            + "\n  ".join(faults)
            + "\nNothing was changed. Point KAFKA_BOOTSTRAP at the right cluster, set "
            "TOPIC_PARTITIONS to what this log was made with (partitions can never be changed: "
            "streams would move), or set the topic's configuration back."
        )
        raise TopicMismatchError(message)


def wanted_config(topic: Topic) -> dict[str, str]:
    """What must hold for a topic on the broker, as Kafka names and spells it."""
    parked = topic.name.endswith(".parked")
    return {
        "retention.ms": str(topic.retention_ms),
        "retention.bytes": "-1",
        "cleanup.policy": "delete",
        "max.message.bytes": str(
            PARKED_RECORD_BYTES_MAX if parked else RECORD_BYTES_MAX + RECORD_OVERHEAD_BYTES
        ),
    }


def differences(topic: Topic, wanted: int, partitions: int, config: Mapping[str, str]) -> list[str]:
    """What the broker has otherwise than table and settings say, one sentence each."""
    faults = []
    if partitions != wanted:
        faults.append(f"{topic.name} has {partitions} partitions, TOPIC_PARTITIONS is {wanted}")
    faults += [
        f"{topic.name} has {name}={config.get(name)}, must have {value}"
        for name, value in wanted_config(topic).items()
        if config.get(name) != value
    ]
    return faults


def _create(admin: AdminClient, settings: Settings, missing: list[Topic]) -> None:
    if not missing:
        return
    replicas = settings.topic_replication
    in_sync = REPLICAS_IN_SYNC if replicas > REPLICAS_IN_SYNC else 1
    futures = admin.create_topics(
        [
            NewTopic(
                topic.name,
                num_partitions=settings.topic_partitions,
                replication_factor=replicas,
                config=wanted_config(topic) | {"min.insync.replicas": str(in_sync)},
            )
            for topic in missing
        ],
        operation_timeout=ADMIN_TIMEOUT_S,
        request_timeout=ADMIN_TIMEOUT_S,
    )
    for future in futures.values():
        try:
            future.result(timeout=2 * ADMIN_TIMEOUT_S)
        except KafkaException as error:
            # Another process starting at the same moment was quicker.
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


def _wait_for_leaders(admin: AdminClient, topics: tuple[Topic, ...]) -> dict[str, int]:
    """The partition count of each topic, once every partition has a leader."""
    deadline = time.monotonic() + TOPICS_WAIT_S
    while True:
        found = admin.list_topics(timeout=ADMIN_TIMEOUT_S).topics
        led = {
            topic.name: len(found[topic.name].partitions)
            for topic in topics
            if topic.name in found
            and found[topic.name].partitions
            and all(each.leader >= 0 for each in found[topic.name].partitions.values())
        }
        if len(led) == len(topics):
            return led
        if time.monotonic() > deadline:
            waiting = sorted(topic.name for topic in topics if topic.name not in led)
            message = f"no leader within {TOPICS_WAIT_S:.0f} s for {', '.join(waiting)}"
            raise TimeoutError(message)
        time.sleep(TOPIC_POLL_S)


def _configs(admin: AdminClient, topics: tuple[Topic, ...]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ResourceType.TOPIC, topic.name) for topic in topics]
    futures = admin.describe_configs(resources, request_timeout=ADMIN_TIMEOUT_S)
    return {
        resource.name: {
            name: entry.value for name, entry in future.result(timeout=2 * ADMIN_TIMEOUT_S).items()
        }
        for resource, future in futures.items()
    }


def aio_producer(settings: Settings, client_id: str) -> AIOKafkaProducer:
    """An idempotent asyncio producer, not yet started. For commands and tracking, whose
    records need no transaction; the partition is always passed by the caller.
    """
    return AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap,
        client_id=client_id,
        acks="all",
        enable_idempotence=True,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        retry_backoff_ms=50,
        max_request_size=RECORD_BYTES_MAX + RECORD_OVERHEAD_BYTES,
        # One batch a partition is under way at a time: the default of 16 kB is 20 commands.
        max_batch_size=BATCH_BYTES,
        linger_ms=1,
    )


def membership(settings: Settings) -> dict[str, Any]:
    """How an asyncio consumer is a member of its group. One with a name is known again after
    its death and given its partitions at once, not when its session has lapsed.
    """
    return {
        "group_instance_id": settings.instance or None,
        "session_timeout_ms": settings.session_timeout_ms,
        "heartbeat_interval_ms": settings.session_timeout_ms // 4,
        "metadata_max_age_ms": MEMBER_METADATA_AGE_MS,
    }


def aio_consumer(settings: Settings, client_id: str, **options: Any) -> AIOKafkaConsumer:
    """An asyncio consumer of committed records, without a group unless `group_id` is given;
    not yet started. Offsets are never committed behind the caller's back.
    """
    return AIOKafkaConsumer(
        **{
            "bootstrap_servers": settings.kafka_bootstrap,
            "client_id": client_id,
            "isolation_level": "read_committed",
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "request_timeout_ms": 4 * REQUEST_TIMEOUT_MS,
            "retry_backoff_ms": RETRY_BACKOFF_MS,
            "metadata_max_age_ms": 60_000,
            **options,
        }
    )


async def learn_topics(consumer: AIOKafkaConsumer, places: Iterable[TopicPartition]) -> None:
    """Have a started consumer find these topics at once. Asked of topics that it does not know,
    aiokafka finds one, waits RETRY_BACKOFF_MS and goes on to the next: seconds, for a dozen.
    """
    client = consumer._client  # noqa: SLF001 - only an assignment would do it in public
    topics = {place.topic for place in places}
    await asyncio.gather(*[client.add_topic(topic) for topic in topics])


async def within(seconds: float, doing: Coroutine[Any, Any, T]) -> T:
    """What it gives; raises TimeoutError when that takes longer. Kafka's client swallows some
    cancellations, so that a time-out around it may never come: what is over time is cancelled here
    and left to itself.
    """
    task = asyncio.ensure_future(doing)
    task.add_done_callback(_noted)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if not done:
        task.cancel()
        raise TimeoutError
    return task.result()


def _noted(task: asyncio.Task[Any]) -> None:
    """Whoever asked may wait no more; asyncio complains of errors that nobody sees."""
    if not task.cancelled():
        task.exception()


async def stop_client(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Close a client, within reason; one that failed may fail to close as well."""
    try:
        await within(STOP_TIMEOUT_S, client.stop())
    except (ClientError, TimeoutError) as error:
        log.warning("client_not_closed", error=type(error).__name__)


async def start_client(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Connect; raises KafkaError. A client that can't connect, or is given up on meanwhile, is
    closed: aiokafka complains of each that is dropped as it is.
    """
    try:
        await client.start()
    except BaseException:
        await stop_client(client)
        raise


class Gathering:
    """How long the broker may hold records back from one consumer.

    A quiet consumer is answered as soon as there is a record; a busy one is given what has
    gathered in `gather_ms`, as each answer costs the broker as much as many records do. With
    that one time for both, a score of quiet consumers took a quarter of a core for answers
    that held nothing. `took` is told of every look for records, before the next await.
    """

    def __init__(self, consumer: AIOKafkaConsumer, gather_ms: int) -> None:
        self._consumer = consumer
        self._gather_ms = gather_ms
        self._busy = False
        self._busy_until = 0.0  # time.monotonic()

    @staticmethod
    def options() -> dict[str, Any]:
        """What the consumer is made with: it begins as a quiet one."""
        return {"fetch_min_bytes": 1, "fetch_max_wait_ms": QUIET_WAIT_MS}

    def took(self, *, some: bool) -> None:
        """A look for records is over, and there were some or none."""
        now = time.monotonic()
        if some:
            self._busy_until = now + QUIET_AFTER_S
        if (busy := now < self._busy_until) == self._busy:
            return
        self._busy = busy
        # aiokafka takes both from its users at the start only, and from here for every request.
        fetcher = self._consumer._fetcher  # noqa: SLF001
        fetcher._fetch_min_bytes = GATHERED_BYTES if busy else 1  # noqa: SLF001
        fetcher._fetch_max_wait_ms = self._gather_ms if busy else QUIET_WAIT_MS  # noqa: SLF001


def client_config(settings: Settings, client_id: str) -> dict[str, Any]:
    """What every confluent client is told."""
    return {
        "bootstrap.servers": settings.kafka_bootstrap,
        "client.id": client_id,
        "socket.timeout.ms": 2 * REQUEST_TIMEOUT_MS,
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 1_000,
        "logger": log,
        # Lost connections are said once by whoever waits for them, not by every thread.
        "log.connection.close": False,
    }


def transactional_config(settings: Settings, transactional_id: str) -> dict[str, Any]:
    """A confluent producer whose transactions fence every earlier owner of the same id."""
    return client_config(settings, transactional_id) | {
        "transactional.id": transactional_id,
        "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
        "acks": "all",
        # The writer groups commands itself; waiting here again would only add to the delay.
        "linger.ms": 0,
        # The default back-off of 100 ms would be many transactions' duration.
        "retry.backoff.ms": 2,
        "retry.backoff.max.ms": 500,
        "message.max.bytes": PARKED_RECORD_BYTES_MAX + RECORD_OVERHEAD_BYTES,
    }


def committed_reader_config(settings: Settings, group: str) -> dict[str, Any]:
    """A confluent consumer of committed records, which commits no offsets."""
    named = {"group.instance.id": settings.instance} if settings.instance else {}
    return (
        client_config(settings, group)
        | named
        | {
            "group.id": group,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 500,
            "fetch.queue.backoff.ms": 20,
        }
    )
