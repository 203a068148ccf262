"""What is found is found once, whatever dies or is done again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import pytest
from opensearchpy import ConnectionError as NotConnectedError

from processors.reacting.commands import open_commands
from processors.reacting.effects import OutsideDownError, Tools
from processors.reactions.mailing.alerts import ALERT_MAILS
from processors.reactions.reactor import open_tools
from processors.reactions.searches.alerts import MATCH_ALERTS, MATCH_NEW_ALERT
from projections.journal.streams import events_of
from schemas.listings import listing_stream
from schemas.log.recorded import CommandEnvelope
from schemas.searches import AlertCreated, match_id_of, match_stream, searches_stream
from tests.api.acting.selling import Seller
from tests.api.running import Mesh, journal_kinds, journalled
from tests.api.searches.searching import (
    ALERTS,
    SAVED,
    a_make,
    alert,
    mails_to,
    reader,
    save,
    until_considered,
    until_mailed,
    until_matched,
    until_past,
    until_told,
)
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("all_readers")


@pytest.fixture(scope="module")
async def seller(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("seller"))


async def events(mesh: Mesh, stream_id: str) -> list[Any]:
    return [each async for each in events_of(mesh.machines.postgres, stream_id, count=100)]


async def test_SE_11_SE_15_done_again_by_anybody_it_is_found_and_told_once(
    mesh: Mesh, seller: Seller
) -> None:
    """A crash between match and send, a second reactor, a handler that begins anew: all of them run
    the effect again.
    """
    buyer, make = await reader(mesh), a_make()
    saved = await save(buyer, make=[make])
    made = await alert(buyer, saved)
    offered = await seller.offer(make=make)
    (found,) = await until_matched(buyer, saved)
    await until_mailed(buyer)
    await until_told(buyer)
    stream_id = match_stream(match_id_of(_id(made), _id(offered)))
    published = (await events(mesh, listing_stream(found["listing_id"])))[1]
    await journalled(mesh, stream_id, "alert.notified")
    (matched, _) = await events(mesh, stream_id)
    settings = mesh.settings
    async with (
        open_commands(settings, "again") as commands,
        open_tools(settings, commands) as tools,
    ):
        await asyncio.gather(*(MATCH_ALERTS.run(published, tools) for _ in range(5)))
        await asyncio.gather(*(ALERT_MAILS[0].run(matched, tools) for _ in range(5)))
    # What comes behind it in the log shows that the writer has judged all of them.
    other = await seller.offer(make=make)
    await until_matched(buyer, saved, 2)
    await until_considered(mesh, made.json()["id"], other.json()["id"])
    assert await journal_kinds(mesh, stream_id) == ["alert.matched", "alert.notified"]
    mails = await until_mailed(buyer, 2)
    assert len({mail.message["Message-ID"] for mail in mails}) == len(mails) == 2


def _id(answer: Any) -> UUID:
    return UUID(answer.json()["id"])


class Away:
    """OpenSearch, as long as it is away; then the real one."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.is_away = True

    async def search(self, **asked: Any) -> Any:
        if self.is_away:
            status = "N/A"
            raise NotConnectedError(status, "refused", OSError())
        return await self.real.search(**asked)


class Kept:
    """Commands that are handed over, and noted."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.sent: list[str] = []

    async def hand_over(self, envelopes: Iterable[CommandEnvelope]) -> int:
        wanted = list(envelopes)
        self.sent += [each.command_id for each in wanted]
        sent: int = await self.real.hand_over(wanted)
        return sent


async def test_SE_11_while_the_search_engine_is_away_the_matcher_waits_and_finds_it_once(
    mesh: Mesh, seller: Seller
) -> None:
    buyer, make = await reader(mesh), a_make()
    saved = await save(buyer, make=[make])
    made = await alert(buyer, saved, "off")
    offered = await seller.offer(make=make)
    await until_matched(buyer, saved)
    published = (await events(mesh, listing_stream(offered.json()["id"])))[1]
    stream_id = match_stream(match_id_of(_id(made), _id(offered)))
    await journalled(mesh, stream_id, "alert.matched")
    (matched,) = await events(mesh, stream_id)
    settings = mesh.settings
    async with (
        open_commands(settings, "away") as commands,
        open_tools(settings, commands) as real,
    ):
        away, kept = Away(real.opensearch), Kept(commands)
        tools = Tools(**{**vars(real), "opensearch": away, "commands": kept})
        with pytest.raises(OutsideDownError):
            await MATCH_ALERTS.run(published, tools)
        assert kept.sent == []
        away.is_away = False
        await MATCH_ALERTS.run(published, tools)
    assert kept.sent == [matched.command_id]
    await until_past(mesh, offered)
    await until_considered(mesh, made.json()["id"], offered.json()["id"])
    stream_id = match_stream(match_id_of(_id(made), _id(offered)))
    assert await journal_kinds(mesh, stream_id) == ["alert.matched"]
    assert mails_to(buyer) == []


async def test_SE_11_what_came_just_after_an_alert_is_looked_for_and_is_the_same_find(
    mesh: Mesh, seller: Seller
) -> None:
    buyer, make = await reader(mesh), a_make()
    before = await seller.offer(make=make)
    await mesh.until_read(before)
    saved = await save(buyer, make=[make])
    made = await alert(buyer, saved, "off")
    offered = await seller.offer(make=make)
    await until_matched(buyer, saved)
    stream_id = match_stream(match_id_of(_id(made), _id(offered)))
    await journalled(mesh, stream_id, "alert.matched")
    (matched,) = await events(mesh, stream_id)
    searches = await events(mesh, searches_stream(UUID(buyer.account.user_id)))
    (created,) = [each for each in searches if isinstance(each.event, AlertCreated)]
    settings = mesh.settings
    async with (
        open_commands(settings, "anew") as commands,
        open_tools(settings, commands) as real,
    ):
        kept = Kept(commands)
        await MATCH_NEW_ALERT.run(created, Tools(**{**vars(real), "commands": kept}))
    assert kept.sent == [matched.command_id]


@pytest.mark.parametrize("goes", ["the alert", "its search", "the person"])
async def test_SE_10_what_an_alert_has_found_is_gone_with_it(
    mesh: Mesh, seller: Seller, goes: str
) -> None:
    buyer, make = await reader(mesh), a_make()
    gone, stays = await save(buyer, make=[make]), await save(buyer, q=make)
    made, other = await alert(buyer, gone, "off"), await alert(buyer, stays, "off")
    for _ in range(2):
        await seller.offer(make=make)
    for saved in (gone, stays):
        await until_matched(buyer, saved, 2)
    assert await kept_of(mesh, made) == await kept_of(mesh, other) == 2
    path = {
        "the alert": f"{ALERTS}/{made.json()['id']}",
        "its search": f"{SAVED}/{gone.json()['id']}",
        "the person": f"/api/users/{buyer.account.user_id}",
    }[goes]
    assert (await buyer.ask("DELETE", path)).status_code == 204
    left = 0 if goes == "the person" else 2

    async def is_gone() -> bool:
        return (await kept_of(mesh, made), await kept_of(mesh, other)) == (0, left)

    await eventually(is_gone, what="what the alert found is gone")


async def kept_of(mesh: Mesh, made: Any) -> int:
    """How many rows tell what an alert has found."""
    query = "SELECT count(*) AS count FROM reads.alert_matches WHERE alert_id = $1"
    row = await mesh.machines.postgres.fetchrow(query, made.json()["id"])
    return int(row["count"])
