"""Whatever server a command needs and does not get, it says so in one line and ends with 75."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import typer.main

from cli.main import load
from cli.outages import EXIT_TEMPFAIL, outage_line
from cli.running.prepare import prepare
from infra.settings import Settings
from tests.api.running import environment
from tests.cli.harness.forked import Ended, mesh
from tests.worlds import world

ANYBODY = "0b7c1f6e-5d2a-4e0e-9a53-b1f7c0d5a111"
MAPPING = Path(__file__).parents[2] / "infra" / "sample" / "ads.mapping.yaml"
ADS = MAPPING.with_name("ads.csv")
SERVERS = {
    "Kafka": ("KAFKA_BOOTSTRAP", "{place}"),
    "Postgres": ("DATABASE_URL", "postgresql://mesh:x@{place}/mesh"),
    "OpenSearch": ("OPENSEARCH_URL", "http://{place}"),
    "ClickHouse": ("CLICKHOUSE_URL", "clickhouse://mesh:x@{place}/default"),
    "Redis": ("REDIS_URL", "redis://:x@{place}/0"),
}

# Which servers a command can't do without, by the words that make it ask them.
NEEDS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("prepare",): ("Kafka", "Postgres"),
    ("replay", "start", "listing_page"): ("Postgres", "Kafka"),
    ("replay", "resume", "listing_page"): ("Postgres",),
    ("replay", "status"): ("Postgres",),
    ("replay", "verify", "listing_page"): ("Postgres", "Kafka"),
    ("replay", "switch", "listing_page"): ("Postgres",),
    ("replay", "rollback", "listing_page"): ("Postgres",),
    ("replay", "drop", "listing_page"): ("Postgres",),
    ("replay", "cancel", "listing_page"): ("Postgres",),
    ("import", str(ADS), "--mapping", str(MAPPING), "--retry-for", "1", "--report", "r.csv"): (
        "Kafka",
    ),
    ("grant-role", "nobody@example.org", "admin"): ("Postgres",),
    ("seller-account", "import:x", "x@example.org", "--name", "X"): ("Postgres", "Kafka"),
    ("pictures", "import:x"): ("Postgres",),
    ("parked", "list"): ("Postgres",),
    ("parked", "retry"): ("Postgres",),
    ("parked", "skip", "listing/x", "listing_page"): ("Postgres",),
    ("effects", "list"): ("Postgres",),
    ("effects", "retry"): ("Postgres",),
    ("effects", "skip", "user/x", "welcome_mail", "--why", "x"): ("Postgres",),
    ("timers", "list"): ("Postgres",),
    ("timers", "run", "sweep"): ("Postgres", "Kafka"),
    ("vault", "rotate"): ("Postgres",),
    ("vault", "backup", "vault.backup"): ("Postgres",),
    ("vault", "restore", "vault.backup"): ("Kafka",),
    ("erase", ANYBODY, "--yes"): ("Postgres", "Kafka"),
}
# These work with no server, tell of each that is away, or serve on and are restarted.
WITHOUT = {
    *(("up",), ("down",), ("logs",), ("mail",), ("outbox",), ("status",), ("probe",)),
    *(("supervise",), ("api",), ("writer",), ("worker",), ("reactor",)),
}
CASES = [(words, server) for words, servers in NEEDS.items() for server in servers]


def paths(command: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command."""
    if hasattr(command, "commands"):
        for name, each in command.commands.items():
            yield from paths(each, (*before, name))
    else:
        yield before


def test_every_command_is_asked_for_or_needs_no_server() -> None:
    known = {*paths(typer.main.get_command(load()))}
    asked = {next(each for each in known if words[: len(each)] == each) for words in NEEDS}
    assert asked | WITHOUT == known
    assert not asked & WITHOUT


@pytest_asyncio.fixture(scope="module")
async def settings(stack: Settings) -> AsyncIterator[Settings]:
    async with world(stack) as fresh:
        await prepare(fresh.settings)
        yield fresh.settings


@pytest.fixture(scope="module")
def frozen() -> Iterator[str]:
    """A place that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        yield f"127.0.0.1:{listener.getsockname()[1]}"


async def without(
    settings: Settings, server: str, place: str, words: Sequence[str], folder: Path
) -> Ended:
    name, form = SERVERS[server]
    env = environment(settings) | {name: form.format(place=place), "MESH_STATE": str(folder)}
    return await mesh(words, env, folder)


def one_line(ended: Ended, server: str) -> None:
    assert ended.code == EXIT_TEMPFAIL, ended
    told = ended.err.strip().splitlines()
    assert len(told) == 1, ended.err
    assert server in told[0] or "brokers" in told[0]
    assert "run" in told[0].lower()


async def all_without(settings: Settings, place: str, folder: Path) -> None:
    """Several at once: each of them waits, for as long as it is patient."""
    ended = await asyncio.gather(
        *(without(settings, server, place, words, folder) for words, server in CASES)
    )
    for (_, server), each in zip(CASES, ended, strict=True):
        one_line(each, server)


@pytest.mark.timeout(300)
async def test_a_server_that_is_away_is_one_line_and_75(settings, tmp_path) -> None:
    await all_without(settings, "127.0.0.1:1", tmp_path)


@pytest.mark.timeout(300)
async def test_a_server_that_hangs_is_one_line_and_75(stack, frozen, tmp_path) -> None:
    async with world(stack) as fresh:  # where no build has begun
        await prepare(fresh.settings)
        await all_without(fresh.settings, frozen, tmp_path)


def test_a_full_disk_and_a_forbidden_file_are_named_with_their_cure() -> None:
    full = OSError(28, "No space left on device", "/data/report.jsonl")
    assert outage_line(full) == (
        "/data/report.jsonl: the disk is full: make room, then run the command again"
    )
    line = outage_line(PermissionError(13, "Permission denied", "/data/report.jsonl"))
    assert line
    assert line.startswith("/data/report.jsonl: Permission denied")


def test_a_surprise_stays_one() -> None:
    assert outage_line(ValueError("a fault of ours")) is None
    assert outage_line(FileNotFoundError(2, "No such file", "ads.csv")) is None
