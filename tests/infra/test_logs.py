"""What a line of the log says, whoever writes it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from datetime import UTC, datetime, timedelta

from infra import logs
from infra.logs import Repeats

SPEAKING = """
import logging, structlog
from infra.logs import configure_logging
configure_logging("api")
structlog.get_logger().info("ours")
logging.getLogger("somebody").error("a library's")
"""


def test_V16_2_2_every_line_tells_when_in_utc_and_which_process_wrote_it() -> None:
    began = datetime.now(UTC)
    elsewhere = {"TZ": "Asia/Colombo"}
    done = subprocess.run(
        [sys.executable, "-c", SPEAKING], capture_output=True, check=True, env=elsewhere
    )
    ours, library = [json.loads(line) for line in done.stderr.splitlines()]
    assert (ours["event"], library["event"]) == ("ours", "a library's")
    for line in (ours, library):
        assert (line["process"], line["timestamp"][-1]) == ("api", "Z")
        at = datetime.fromisoformat(line["timestamp"])
        assert began <= at <= datetime.now(UTC) + timedelta(seconds=1)


def test_an_outage_of_search_is_not_told_at_every_try() -> None:
    told = SPEAKING.replace('"somebody").error', '"opensearch").warning')
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, check=True)
    assert [json.loads(line)["event"] for line in done.stderr.splitlines()] == ["ours"]


def record(text: str, *values: object, name: str = "aiokafka") -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, "file.py", 1, text, values, None)


def test_a_library_says_the_same_thing_once_and_later_how_often_it_was() -> None:
    now = 100.0
    repeats = Repeats(lambda: now)
    assert repeats.filter(record("no broker at port %d", 9092))
    assert [repeats.filter(record("no broker at port %d", port)) for port in range(70)] == [
        False
    ] * 70
    assert repeats.filter(record("no broker at port 1", name="librdkafka"))
    assert repeats.filter(record("another fault"))
    now += logs.SAY_AGAIN_S
    again = record("no broker at port %d", 9)
    assert repeats.filter(again)
    assert again.getMessage() == "no broker at port 9 (and 70 times before)"
    now += logs.SAY_AGAIN_S
    last = record("no broker at port 100%")
    assert repeats.filter(last)
    assert last.getMessage() == "no broker at port 100%", "another sentence"


def test_what_repeats_is_forgotten_before_it_fills_the_memory() -> None:
    repeats = Repeats(lambda: 100.0)
    kinds = [f"fault {'x' * number}" for number in range(150)] * 2
    assert sum(repeats.filter(record(kind)) for kind in kinds) == 150
    for number in range(2 * logs.KINDS_MAX):
        repeats.filter(record(" ".join("ab"[int(bit)] for bit in f"{number:b}")))
        assert len(repeats._said) <= logs.KINDS_MAX


def test_each_process_says_what_repeats_once() -> None:
    told = SPEAKING + 'logging.getLogger("somebody").error("a library\'s")\n' * 5
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, check=True)
    events = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert events == ["ours", "a library's"]
