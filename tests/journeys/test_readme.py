"""What the README tells to type works, word by word."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from tests.journeys.shop import ROOT, Shop

# Each answer must be a good one: the README's curl is quiet about bad ones.
STRICT = 'set -euo pipefail\ncurl() { command curl --fail-with-body "$@"; echo; }\n'


def block(heading: str) -> str:
    """The shell block under a heading of the README."""
    text = (ROOT / "README.md").read_text("utf-8")
    found = re.search(rf"^## {heading}$.*?^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def test_everything_to_try_gives_a_good_answer(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / ".mesh").symlink_to(shop.folder)
    done = subprocess.run(
        ["bash", "-c", STRICT + block("Try it")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]
    answers = [json.loads(line) for line in done.stdout.splitlines() if line]
    search, _, joined, created, seen, changed, history, past = answers
    assert search["total"] >= 0
    assert joined["user"]["role"] == "seller"
    assert seen["id"] == created["id"]
    assert seen["price_minor"] == past["price_minor"] == 8_500_000
    assert changed["version"] == 3
    assert [entry["kind"] for entry in history["items"]][:2] == [
        "listing.created",
        "listing.published",
    ]
