"""How a seller answers those who ask, as their page tells it, against a mesh at work."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from statistics import median

import orjson
import pytest

from projections.messaging.conversations import RESPONSES_MIN, Responses, responses_of
from schemas.messaging import conversation_stream
from tests.api.acting.talking import Talk, Talker, talk, talker
from tests.api.running import Mesh


@pytest.fixture
async def seller(mesh: Mesh) -> Talker:
    return await talker(mesh, "seller")


async def asked(mesh: Mesh, seller: Talker, count: int) -> list[Talk]:
    """So many buyers who have asked the seller something."""
    found = []
    for _ in range(count):
        found.append(await talk(await talker(mesh), seller))
        await found[-1].buyer.said(found[-1].id, "Is it still there?")
    return found


async def told(mesh: Mesh, seller: Talker, after) -> tuple[float | None, int | None]:
    path = f"/api/users/{seller.id}/seller"
    page = await (await talker(mesh)).page(path, after)
    return page["response_rate"], page["response_minutes"]


async def recounted(mesh: Mesh, seller: Talker, talks: list[Talk]) -> Responses:
    """The same by the log alone."""
    waits = []
    for each in talks:
        rows = await mesh.machines.postgres.fetch(
            "SELECT data FROM reads.journal WHERE stream_id = $1 AND kind = 'message.sent'"
            " ORDER BY version",
            conversation_stream(each.id),
        )
        said = [orjson.loads(row["data"]) for row in rows]
        asks = [each["sent_at"] for each in said if each["sender_id"] != seller.id]
        answers = [each["sent_at"] for each in said if each["sender_id"] == seller.id]
        if answers:
            first, answer = map(datetime.fromisoformat, (asks[0], answers[0]))
            waits.append((answer - first).total_seconds())
    return Responses(len(waits) / len(talks), median(waits))


async def test_BY_13_it_equals_a_recount_of_the_log(mesh, seller) -> None:
    talks = await asked(mesh, seller, RESPONSES_MIN + 1)
    for each in talks[1:]:
        last = await seller.said(each.id, "It is.")
        await each.buyer.said(each.id, "Then I come.")
        last = await seller.said(each.id, "Do.")
    assert await told(mesh, seller, last) == (1.0, 0)
    await mesh.until_read(last)
    tomorrow = datetime.now(UTC) + timedelta(days=1, minutes=1)
    found = await responses_of(mesh.machines.postgres, seller.id, tomorrow)
    wanted = await recounted(mesh, seller, talks)
    assert found.rate == pytest.approx(RESPONSES_MIN / (RESPONSES_MIN + 1)) == wanted.rate
    assert found.median_s == pytest.approx(wanted.median_s)
    later = await responses_of(mesh.machines.postgres, seller.id, tomorrow + timedelta(days=90))
    assert later == Responses()


async def test_BY_13_of_too_few_nothing_is_told(mesh, seller) -> None:
    for each in await asked(mesh, seller, RESPONSES_MIN - 1):
        last = await seller.said(each.id, "It is.")
    assert await told(mesh, seller, last) == (None, None)
