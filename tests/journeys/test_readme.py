"""What the README tells to type works, word by word."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from tests.journeys.shop import ROOT, Shop, taken
from tests.waiting import eventually_blocking

# Each answer must be a good one: the README's curl is quiet about bad ones.
STRICT = 'set -euo pipefail\ncurl() { command curl --fail-with-body "$@"; }\n'


# What the README looks for: the sample of `make up` has some, this shop begins without.
GOLF = {
    "title": "Volkswagen Golf 2.0 TDI",
    "make": "Volkswagen",
    "model": "Golf",
    "year": 2012,
    "fuel_type": "diesel",
    "price_minor": 490_000,
    "currency": "EUR",
    "mileage": {"value": 150_000, "unit": "KMT"},
    "publish": True,
}


def offer(shop: Shop, listing: dict[str, object]) -> None:
    """Have a listing found."""
    headers = shop.account() | {"Idempotency-Key": uuid4().hex}
    where = f"{shop.url}/api/listings"
    eventually_blocking(
        lambda: taken(httpx.post(where, json=listing, headers=headers, timeout=20)), 60, "a listing"
    )
    shop.wait_until_read()


def block(heading: str) -> str:
    """The shell block under a heading of the README."""
    text = (ROOT / "README.md").read_text("utf-8")
    found = re.search(rf"^## {heading}$.*?^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def tried(shop: Shop, folder: Path) -> list[Any]:
    """The answers to all that stands under "Try it", typed in a folder of the shop's."""
    (folder / ".mesh").symlink_to(shop.folder)
    done = subprocess.run(
        ["bash", "-c", STRICT + block("Try it")],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    (folder / ".mesh").unlink()
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line]


def test_everything_to_try_gives_a_good_answer(shop: Shop, tmp_path: Path) -> None:
    offer(shop, GOLF)
    search, _, joined, created, repeated, seen, changed, history, past = tried(shop, tmp_path)
    assert search["hits"]
    assert all("golf" in each["title"].casefold() for each in search["hits"])
    assert joined["user"]["role"] == "seller"
    assert repeated == created
    assert seen["id"] == created["id"]
    assert seen["price_minor"] == past["price_minor"] == 8_500_000
    assert changed["version"] == 3
    assert [entry["kind"] for entry in history["items"]][:2] == [
        "listing.created",
        "listing.published",
    ]


def test_it_can_be_tried_twice_and_leaves_nothing_behind(shop: Shop, tmp_path: Path) -> None:
    once, again = tried(shop, tmp_path), tried(shop, tmp_path)
    assert once[3]["id"] != again[3]["id"]
    assert len(once) == len(again)
    assert list(tmp_path.iterdir()) == []
