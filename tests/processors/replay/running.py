"""Replays in a process of their own, so that they can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from infra.settings import Settings


def environment(settings: Settings) -> dict[str, str]:
    """These settings as a process takes them."""
    values = {
        name.upper(): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in settings
    }
    root = str(Path(__file__).parents[3])
    return {**os.environ, **values, "PYTHONPATH": root, "MESH_STATE": "/nonexistent"}


@contextmanager
def replaying(settings: Settings, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """`mesh replay WORDS` running; killed with its shards at the end, if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "replay", *words],
        env=environment(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def kill_9(process: subprocess.Popen[bytes]) -> None:
    """The coordinator only: its shards must notice by themselves."""
    process.kill()
    process.wait(10)
