"""What a line of the log says, whoever writes it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

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
