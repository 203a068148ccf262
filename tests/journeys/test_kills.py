"""With an import running, everything is killed in turn; nothing is lost, nothing is doubled."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from pathlib import Path

import pytest

from tests.cli.imports.ads import ADS
from tests.faults.checkers import read_log, violations
from tests.journeys.shop import folder_apart, open_shop
from tests.waiting import eventually_blocking

VICTIMS = (
    "writer",
    "worker-pages",
    "worker-search",
    "worker-analytics",
    "worker-journal",
    "api",
    "kafka",
)


@pytest.mark.timeout(1_200)
def test_an_import_survives_the_death_of_everything_in_turn(
    tmp_path: Path, record_property: pytest.RecordProperty
) -> None:
    seed = random.randrange(10**9)
    record_property("seed", seed)
    chance = random.Random(seed)
    with folder_apart() as folder, open_shop(folder) as shop:
        ads = ADS[-1]  # the full file where it is at hand
        report = tmp_path / "report.jsonl"
        arguments = (str(ads.file), "--mapping", str(ads.mapping_file), "--report", str(report))
        job = shop.start("import", *arguments)
        for victim in VICTIMS:
            eventually_blocking(
                lambda: (shop.lag() or 0) > chance.randrange(5) or job.poll() is not None, 60
            )
            shop.kill(victim)
            shop.up()
        while job.wait(300) == 75:  # the mesh was away for longer than the import waits
            job = shop.start("import", *arguments)
        assert job.returncode == 0, shop.logs()
        rows = [json.loads(line) for line in report.read_text("utf-8").splitlines()]
        accepted = [row["listing_id"] for row in rows if row["outcome"] == "accepted"]
        log = asyncio.run(read_log(shop.settings))
        assert violations(log) == {}
        created = Counter(each.stream_id for each in log.events if each.kind == "listing.created")
        assert created == Counter(f"listing/{listing}" for listing in accepted)
        assert len(rows) == len(ads.rows())
        shop.wait_until_read(180)
        shop.mesh("replay", "verify", "--all")
