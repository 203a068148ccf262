"""What becomes of items when time passes and when their owners go, against a mesh at work."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from processors.reacting.commands import Commands
from processors.reacting.scheduler import send_due
from schemas.items import ItemCreated, item_stream
from tests.api.acting.offering import ITEMS, Student, campus, show, student
from tests.api.acting.selling import reason_of, token_of
from tests.api.conftest import Running
from tests.api.running import Mesh, Process, journalled
from tests.waiting import eventually, quick_once

MINUTE = timedelta(seconds=60)


@pytest.fixture(scope="module")
def here() -> str:
    return campus()


@pytest.fixture
async def owner(mesh: Mesh, here: str) -> Student:
    return await student(mesh, here)


@pytest.fixture(scope="module")
async def mate(mesh: Mesh, here: str) -> Student:
    return await student(mesh, here)


@contextmanager
def paused(process: Process) -> Iterator[None]:
    """It does nothing within the block, and no harm is done: nobody has missed it yet."""
    process.running.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.running.send_signal(signal.SIGCONT)


async def test_IT_04_nobody_waits_for_the_worker_that_draws(
    running: Running, owner: Student
) -> None:
    """One within half a second is enough, for other tests share the machine: none would be if
    it waited.
    """
    (reactor,) = (each for each in running.processes if each.command == ("reactor",))
    answers = []

    async def offered() -> float:
        began = time.perf_counter()
        answers.append(await owner.offer())
        return time.perf_counter() - began

    with paused(reactor):
        await quick_once(offered, 0.5, tries=20)
    assert {answer.status_code for answer in answers} == {201}
    for answer in answers:
        await owner.becomes(answer.json()["item"]["id"], "completed")


async def test_IT_05_how_long_an_item_waits_stands_in_its_event(mesh: Mesh, owner: Student) -> None:
    offered = await owner.offer()
    stream = f"item/{offered.json()['item']['id']}"

    async def told() -> str | None:
        return await mesh.machines.postgres.fetchval(
            "SELECT data FROM reads.journal WHERE stream_id = $1 AND version = 1", stream
        )

    event = ItemCreated.model_validate_json(await eventually(told))
    assert event.images_until is not None
    waits = event.images_until - event.created_at
    assert waits == timedelta(seconds=mesh.settings.item_images_wait_s)


async def is_timed(mesh: Mesh, item_id: str) -> bool:
    """Whether the read model of timers knows of the item."""
    return await mesh.machines.postgres.fetchval(
        "SELECT EXISTS (SELECT FROM reads.timers WHERE key = $1)", f"item/{item_id}"
    )


async def test_IT_05_an_item_waits_no_longer_than_a_minute(
    mesh: Mesh, owner: Student, commands: Commands
) -> None:
    """Nobody draws: the images are none that anybody has uploaded."""
    item_id = await owner.have(drawn=False)
    pool, now = mesh.machines.postgres.pool, datetime.now(UTC)
    await eventually(lambda: is_timed(mesh, item_id))
    await send_due(pool, commands, now + MINUTE / 2, ["item_images"], patient=True)
    # Judged after whatever the sweep has asked for.
    changes = {"json": {"title": "Lamp"}, "headers": {"If-Match": "*"}}
    changed = await owner.ask("PATCH", f"{ITEMS}/{item_id}", **changes)
    assert (await owner.item(item_id, changed))["status"] == "processing"
    sent = await send_due(pool, commands, now + 1.1 * MINUTE, ["item_images"], patient=True)
    assert sent >= 1
    found = await owner.becomes(item_id, "failed")
    assert found["status"] == "active"
    # What is drawn later is shown all the same.
    reply = await show(mesh, item_id, found["images"][0]["id"])
    await owner.reach(item_id, reply)
    late = await owner.becomes(item_id, "completed")
    assert (late["status"], late["images"][0]["large"]) == ("active", "/api/media/c")


async def test_PR_09_whoever_rests_has_nothing_on_offer_until_they_are_back(
    mesh: Mesh, owner: Student, mate: Student
) -> None:
    item_id = await owner.have(category="kitchen")
    assert await mate.listed(category="kitchen") == [item_id]
    me = f"/api/users/{owner.account.user_id}"
    away = await owner.ask("POST", f"{me}/deactivate")
    await mesh.until_read(away)
    assert await mate.listed(category="kitchen") == []
    assert reason_of(await mate.ask("GET", f"{ITEMS}/{item_id}")) == (404, "item_unknown")
    counts = (await mate.ask("GET", f"{ITEMS}/categories")).json()["categories"]
    assert {"category": "kitchen", "count": 0} in counts
    admin = await mesh.account("admin")
    back = await mesh.client.post(f"{me}/reactivate", headers=admin.headers)
    await mesh.until_read(back)
    assert await mate.listed(category="kitchen") == [item_id]


async def test_PR_10_with_a_person_their_items_go(
    mesh: Mesh, owner: Student, mate: Student
) -> None:
    item_id = await owner.have(category="bicycles")
    left = await owner.ask("DELETE", f"/api/users/{owner.account.user_id}")
    await mesh.until_read(left)
    assert await mate.listed(category="bicycles") == []
    path = f"{ITEMS}/{item_id}"

    async def gone() -> bool:
        return (await mate.ask("GET", path)).status_code == 410

    await eventually(gone, 20, "the item is deleted")
    kinds = await journalled(mesh, item_stream(item_id), "item.deleted")
    assert kinds.count("item.deleted") == 1


async def test_PR_10_an_export_holds_the_items_of_the_person(owner: Student) -> None:
    item_id = await owner.have(title=f"Lamp {uuid4().hex}")
    headers = {"If-Match": "*"}
    path = f"{ITEMS}/{item_id}"
    changed = await owner.ask("PATCH", path, json={"title": "A lamp"}, headers=headers)
    answer = await owner.ask(
        "GET", f"/api/users/{owner.account.user_id}/export", headers=token_of(changed)
    )
    events = [each for each in answer.json()["events"] if each["stream"] == item_stream(item_id)]
    assert [each["kind"] for each in events] == [
        "item.created",
        "item.image_added",
        "item.images_settled",
        "item.activated",
        "item.updated",
    ]
    assert UUID(events[0]["data"]["owner_id"]) == UUID(owner.account.user_id)
