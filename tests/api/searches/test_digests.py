"""Digests at nine, against a mesh at work and a clock of the test's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from processors.reacting.calendar import CalendarJob
from processors.reacting.commands import Commands
from processors.reacting.scheduler import run_due
from processors.reactions.searches.digests import DIGESTS
from projections.journal.streams import events_of
from projections.searches import alert_matches
from schemas.log.positions import Position
from schemas.searches import DigestDue, Frequency, searches_stream
from tests.api.acting.selling import Seller
from tests.api.running import Mesh
from tests.api.searches.searching import (
    ALERTS,
    SAVED,
    a_make,
    alert,
    listed,
    mails_to,
    matches,
    reader,
    save,
    until_heard,
    until_mailed,
    until_matched,
)
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


async def test_CR_02_SE_12_NO_08_a_digest_names_each_listing_once_and_comes_once(
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
    # The mail server was away for days, and somebody has run it by hand: several are due at once,
    # long before anything is noted.
    pool = mesh.machines.postgres.pool
    for days in range(4):
        await job.run(pool, commands, nine + days * DAY)
    last = nine + 3 * DAY + MINUTE
    assert await run(mesh, commands, job, last)
    await until_digests(mesh, buyer, 4)
    (mail,) = mails_to(buyer)
    text = mail.text()
    assert text.count("Porsche 911 Carrera USD 85,000.00") == 20
    for name in ("All of them", "Young ones", "With a roof"):
        assert text.count(name) == 20
    assert "And 2 more" in text
    assert mail.message["Subject"].startswith(f"{OFFERED} listings")
    for each in searches:
        await _all_told(buyer, each)
    # Three days nobody ran it: what came meanwhile is told once.
    await seller.offer(make=make)
    for each in searches:
        await eventually(lambda: _found(buyer, each, OFFERED + 1))  # noqa: B023
    assert await run(mesh, commands, job, last + 3 * DAY)
    assert not await run(mesh, commands, job, last + 3 * DAY + MINUTE)
    await until_digests(mesh, buyer, 5)
    mails = mails_to(buyer)
    assert [each.message["Subject"].split(" for")[0] for each in mails] == [
        "1 listing",
        f"{OFFERED} listings",
    ]


async def _found(who: Seller, saved: Any, count: int) -> bool:
    return len(await matches(who, saved, limit=100)) == count


async def _all_found(who: Seller, saved: Any) -> None:
    await eventually(lambda: _found(who, saved, OFFERED), what="all are found")


async def _all_told(who: Seller, saved: Any) -> None:
    async def told() -> bool:
        found = await matches(who, saved, limit=100)
        return all(each["notified_at"] for each in found)

    await eventually(told, what="all are noted as told")


async def test_SE_09_what_waits_is_told_as_often_as_its_alert_tells_now(
    mesh: Mesh, seller: Seller, commands: Commands
) -> None:
    """Found for a weekly digest, it comes in a daily one, and in none once digests are stopped."""
    buyer, make = await reader(mesh), a_make()
    saved, other = await save(buyer, "Moved", make=[make]), await save(buyer, "Stopped", q=make)
    moved, stopped = await alert(buyer, saved, "weekly"), await alert(buyer, other, "daily")
    await seller.offer(make=make)
    for each in (saved, other):
        await until_matched(buyer, each)
    for made, frequency in ((moved, "daily"), (stopped, "off")):
        path = f"{ALERTS}/{made.json()['id']}"
        changed = await buyer.ask("PUT", path, json={"frequency": frequency})
        await listed(buyer, ALERTS, changed)
    job, nine = at_nine("daily")
    await job.run(mesh.machines.postgres.pool, commands, nine)
    await until_digests(mesh, buyer, 1)
    (mail,) = mails_to(buyer)
    assert ("Moved" in mail.text(), "Stopped" in mail.text()) == (True, False)


async def test_CR_02_where_both_are_due_a_listing_is_told_of_once(
    mesh: Mesh, seller: Seller, commands: Commands
) -> None:
    buyer, make = await reader(mesh), a_make()
    daily, weekly = await save(buyer, "Each day", make=[make]), await save(buyer, "Weekly", q=make)
    await alert(buyer, daily, "daily")
    await alert(buyer, weekly, "weekly")
    await seller.offer(make=make)
    for each in (daily, weekly):
        await until_matched(buyer, each)
    (by_week, monday), (by_day, _) = at_nine("weekly"), at_nine("daily")
    for job in (by_day, by_week):
        await job.run(mesh.machines.postgres.pool, commands, monday)
    await until_digests(mesh, buyer, 2)
    (mail,) = mails_to(buyer)
    assert ("Each day" in mail.text(), "Weekly" in mail.text()) == (True, True)


async def test_CR_02_who_gets_no_mails_is_asked_for_no_digest(
    mesh: Mesh, seller: Seller, commands: Commands
) -> None:
    willing, make = await reader(mesh), a_make()
    unproved = Seller(mesh, await mesh.account("buyer"))
    for who in (willing, unproved):
        saved = await save(who, make=[make])
        await alert(who, saved, "daily")
    await seller.offer(make=make)
    for who in (willing, unproved):
        (one,) = (await who.ask("GET", SAVED)).json()["items"]
        await eventually(lambda: _found_by_id(who, one["id"]))  # noqa: B023
    _, nine = at_nine("daily")
    reads: Any = mesh.machines.postgres
    told = await _people(reads, nine)
    assert willing.account.user_id in told
    assert unproved.account.user_id not in told
    # Nor is anybody for what nobody calls news any more.
    late = nine + timedelta(days=alert_matches.WAITS_DAYS + 1)
    assert willing.account.user_id not in await _people(reads, late)


async def _people(reads: Any, due_at: datetime) -> set[str]:
    found: Sequence[str] = await alert_matches.people_to_tell(
        reads, Frequency.DAILY, due_at, "", 1_000
    )
    return set(found)


async def _found_by_id(who: Seller, search_id: str) -> bool:
    answer = await who.ask("GET", f"{SAVED}/{search_id}/matches")
    return len(answer.json()["items"]) == 1


async def until_digests(mesh: Mesh, who: Seller, count: int) -> None:
    """Return when it has been decided of so many digests what they tell."""
    stream_id = searches_stream(who.account.user_id)

    async def due() -> list[Position]:
        events = events_of(mesh.machines.postgres, stream_id, count=200)
        found = [each.position async for each in events if isinstance(each.event, DigestDue)]
        return found if len(found) >= count else []

    await until_heard(mesh, "digest_mail", await eventually(due, what=f"{count} digests are due"))


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
