"""Digests at nine, against a mesh at work and a clock of the test's own."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from processors.reacting.calendar import CalendarJob
from processors.reacting.commands import Commands
from processors.reacting.scheduler import run_due
from processors.reactions.digests import DIGESTS
from tests.api.running import Mesh
from tests.api.searches.searching import (
    ALERTS,
    a_make,
    alert,
    listed,
    mails_to,
    matches,
    reader,
    save,
    until_mailed,
    until_matched,
)
from tests.api.selling import Seller
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("all_readers")

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
OFFERED = 22


@pytest.fixture(scope="module")
async def seller(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("seller"))


def at_nine(frequency: str) -> tuple[CalendarJob, datetime]:
    """A digest under a name of the test's own, and its next hour."""
    (job,) = (each for each in DIGESTS if each.name == f"{frequency}_digest")
    return replace(job, name=f"{job.name}_{uuid4().hex}"), job.next_after(datetime.now(UTC))


async def run(mesh: Mesh, commands: Commands, job: CalendarJob, now: datetime) -> bool:
    return await run_due(mesh.machines.postgres.pool, commands, job, now)


@pytest.mark.parametrize(("frequency", "weekday"), [("daily", None), ("weekly", 0)])
def test_CR_02_a_digest_is_at_nine_in_colombo(frequency: str, weekday: int | None) -> None:
    _, nine = at_nine(frequency)
    local = nine + timedelta(hours=5, minutes=30)
    assert (local.hour, local.minute) == (9, 0)
    assert weekday is None or local.weekday() == weekday


async def test_CR_02_SE_12_a_digest_names_each_listing_once_and_comes_once(
    mesh: Mesh, seller: Seller, commands: Commands
) -> None:
    buyer, make = await reader(mesh), a_make()
    searches = [
        await save(buyer, "All of them", make=[make]),
        await save(buyer, "Young ones", make=[make], year_min=2_000),
        await save(buyer, "With a roof", make=[make], q="sunroof"),
    ]
    for each in searches:
        await alert(buyer, each, "daily")
    for _ in range(OFFERED):
        await seller.offer(make=make)
    for each in searches:
        await _all_found(buyer, each)
    job, nine = at_nine("daily")
    assert not await run(mesh, commands, job, nine - MINUTE)  # seen first: nothing was missed
    assert await run(mesh, commands, job, nine + MINUTE)
    (mail,) = await until_mailed(buyer)
    assert not await run(mesh, commands, job, nine + 2 * MINUTE)
    for _ in range(4):
        await job.run(mesh.machines.postgres.pool, commands, nine)
    text = mail.text()
    assert text.count("Porsche 911 Carrera USD 85,000.00") == 20
    for name in ("All of them", "Young ones", "With a roof"):
        assert text.count(name) == 20
    assert "And 2 more" in text
    assert mail.message["Subject"].startswith(f"{OFFERED} listings")
    await _all_told(buyer, searches[0])
    # Three days nobody ran it: what came meanwhile is told once.
    await seller.offer(make=make)
    await eventually(lambda: _found(buyer, searches[0], OFFERED + 1))
    await eventually(lambda: _found(buyer, searches[2], OFFERED + 1))
    assert await run(mesh, commands, job, nine + 3 * DAY + MINUTE)
    mails = await until_mailed(buyer, 2)
    assert mails[0].message["Subject"].startswith("1 listing for")
    assert not await run(mesh, commands, job, nine + 3 * DAY + 2 * MINUTE)
    assert len(mails_to(buyer)) == 2


async def _found(who: Seller, saved: Any, count: int) -> bool:
    return len(await matches(who, saved, limit=100)) == count


async def _all_found(who: Seller, saved: Any) -> None:
    await eventually(lambda: _found(who, saved, OFFERED), what="all are found")


async def _all_told(who: Seller, saved: Any) -> None:
    async def told() -> bool:
        found = await matches(who, saved, limit=100)
        return all(each["notified_at"] for each in found)

    await eventually(told, what="all are noted as told")


async def test_SE_09_what_is_found_is_told_as_it_was_to_be_when_it_was_found(
    mesh: Mesh, seller: Seller, commands: Commands
) -> None:
    buyer, make = await reader(mesh), a_make()
    saved = await save(buyer, make=[make])
    made = await alert(buyer, saved, "weekly")
    await seller.offer(make=make)
    await until_matched(buyer, saved)
    path = f"{ALERTS}/{made.json()['id']}"
    changed = await buyer.ask("PUT", path, json={"frequency": "instant"})
    await listed(buyer, ALERTS, changed)
    await seller.offer(make=make)
    (instant,) = await until_mailed(buyer)
    assert "New on the market" in instant.message["Subject"]
    job, nine = at_nine("weekly")
    await job.run(mesh.machines.postgres.pool, commands, nine)
    digest, _ = await until_mailed(buyer, 2)
    assert digest.message["Subject"].startswith("1 listing for")


async def test_SE_10_what_was_found_for_an_alert_that_is_gone_is_in_no_digest(
    mesh: Mesh, seller: Seller, commands: Commands
) -> None:
    buyer, make = await reader(mesh), a_make()
    gone, stays = await save(buyer, "Gone", make=[make]), await save(buyer, "Stays", q=make)
    made = await alert(buyer, gone, "daily")
    await alert(buyer, stays, "daily")
    await seller.offer(make=make)
    await until_matched(buyer, gone)
    await until_matched(buyer, stays)
    ended = await buyer.ask("DELETE", f"{ALERTS}/{made.json()['id']}")
    await listed(buyer, ALERTS, ended)
    job, nine = at_nine("daily")
    await job.run(mesh.machines.postgres.pool, commands, nine)
    (mail,) = await until_mailed(buyer)
    assert ("Stays" in mail.text(), "Gone" in mail.text()) == (True, False)
