"""A real writer in a process of its own that harms itself at a named point of an append:

    python -m tests.producers.writer.child CONTEXT GROUP [POINT SIGNAL NTH]

POINT is `begin`, `flush` or `commit`, with `-` before it for "just before" and `+`
for "just after"; at the NTH time the process sends itself SIGNAL (KILL or STOP).
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import confluent_kafka

from infra.process import run_process
from infra.settings import Settings, load_settings
from producers.writer import append
from producers.writer.main import run_writer
from tests.producers.writer.boxes import rulebook

ROOT = Path(__file__).parents[3]
METHODS = {
    "begin": "begin_transaction",
    "flush": "flush",
    "commit": "commit_transaction",
}


def start(
    settings: Settings, context: str, group: str, log: Path, *harm: str
) -> subprocess.Popen[bytes]:
    """Start such a process; its log goes to `log`, its ready file is `log` with `.ready`."""
    env = os.environ | {
        name.upper(): value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)
        for name, value in settings
    }
    env["MESH_READY_FILE"] = str(log.with_suffix(".ready"))
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.producers.writer.child", context, group, *harm],
            cwd=ROOT,
            env=env,
            stderr=output,
            stdout=output,
        )


def harmful(point: str, number: int, count: int) -> type[confluent_kafka.Producer]:
    """A producer that sends this process a signal at the `count`-th passing of a point."""
    before, name = point[0] == "-", METHODS[point[1:]]
    passed = iter(range(1, count + 1))

    def harm() -> None:
        if next(passed, 0) == count:
            os.kill(os.getpid(), number)

    def method(self: Any, *values: Any) -> Any:
        if before:
            harm()
        result = getattr(confluent_kafka.Producer, name)(self, *values)
        if not before:
            harm()
        return result

    members: dict[str, Callable[..., Any]] = {name: method}
    return type("Harmful", (confluent_kafka.Producer,), members)


def main(context: str, group: str, point: str = "", name: str = "KILL", count: str = "1") -> None:
    if point:
        number = getattr(signal, f"SIG{name}")
        append.Producer = harmful(point, number, int(count))  # type: ignore[misc]

    async def run(settings: Settings, stop: asyncio.Event) -> None:
        await run_writer(settings, stop, rulebooks=[rulebook(context)], group=group)

    run_process("writer", load_settings(), run)


if __name__ == "__main__":
    main(*sys.argv[1:])
