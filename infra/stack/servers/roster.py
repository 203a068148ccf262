"""The six servers of the local stack: one `Server` each, declared in one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from infra.stack.daemons import Daemon
from infra.stack.servers import clickhouse, kafka, mail, opensearch, postgres, valkey
from infra.stack.state import State

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Server:
    """One server: its ports, what must be on disk before it starts, its process, its set-up.

    `prepare` runs while the server is down, every time before it starts. `settle` runs
    each time it has become ready; both must be harmless when repeated.
    """

    name: str
    ports: tuple[str, ...]
    prepare: Callable[[State, Progress], None]
    daemon: Callable[[State], Daemon]
    settle: Callable[[State], None]


SERVERS: Final = (
    Server("kafka", ("kafka", "kafka-controller"), kafka.prepare, kafka.daemon, kafka.settle),
    Server(
        "opensearch",
        ("opensearch", "opensearch-transport"),
        opensearch.prepare,
        opensearch.daemon,
        opensearch.settle,
    ),
    Server("postgres", ("postgres",), postgres.prepare, postgres.daemon, postgres.settle),
    Server("clickhouse", ("clickhouse",), clickhouse.prepare, clickhouse.daemon, clickhouse.settle),
    Server("valkey", ("valkey",), valkey.prepare, valkey.daemon, valkey.settle),
    Server("mail", ("mail",), mail.prepare, mail.daemon, mail.settle),
)

NAMES: Final = frozenset(server.name for server in SERVERS)
