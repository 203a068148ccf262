"""Somebody who saves searches, over HTTP, and what they are told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

import httpx

from infra.stack.servers.mail import mailbox
from infra.stack.servers.mailbox import SHOWN_MAX, Mail
from projections.journal.streams import events_of
from schemas.log.positions import Position, parse_token
from schemas.searches import match_id_of, match_stream
from tests.api.acting.selling import Seller, token_of
from tests.api.mailbox import VERIFY, mailed, verify
from tests.api.running import Mesh
from tests.stack import session_state
from tests.waiting import eventually

SAVED = "/api/search/saved"
ALERTS = "/api/search/alerts"


def a_make() -> str:
    """A make that no other test has, so that nothing else is found."""
    return f"make{uuid4().hex[:12]}"


async def reader(mesh: Mesh) -> Seller:
    """Somebody who can be mailed to."""
    account = await mesh.account("buyer")
    proved = await verify(mesh, await mailed(mesh, account.user_id, VERIFY))
    assert proved.status_code == 204, proved.text
    await mesh.until_read(proved)
    return Seller(mesh, account)


async def save(who: Seller, name: str = "Mine", **filters: Any) -> httpx.Response:
    """What the API says to it, once it can be read."""
    answer = await who.ask("POST", SAVED, json={"name": name, "filters": filters})
    assert answer.status_code == 201, answer.text
    await listed(who, SAVED, answer)
    return answer


async def alert(who: Seller, saved: httpx.Response, frequency: str = "instant") -> httpx.Response:
    body = {"search_id": saved.json()["id"], "frequency": frequency}
    answer = await who.ask("POST", ALERTS, json=body)
    assert answer.status_code == 201, answer.text
    return answer


async def listed(who: Seller, path: str, after: httpx.Response) -> list[Any]:
    answer = await who.read(path, after)
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()["items"]
    return found


async def matches(who: Seller, saved: httpx.Response, **params: Any) -> list[Any]:
    path = f"{SAVED}/{saved.json()['id']}/matches"
    answer = await who.ask("GET", path, params=params)
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()["items"]
    return found


async def until_matched(who: Seller, saved: httpx.Response, count: int = 1) -> list[Any]:
    """What the search has found, once it is so many."""

    async def found() -> list[Any]:
        told = await matches(who, saved)
        return told if len(told) >= count else []

    await listed(who, SAVED, saved)  # until then nobody knows the search
    return await eventually(found, what=f"{count} matches")


async def until_reason(who: Seller, saved: httpx.Response, reason: str) -> list[Any]:
    """What the search has found, once it is one listing that was found last for this reason."""

    async def found() -> list[Any]:
        told = await matches(who, saved)
        return told if [each["reason"] for each in told] == [reason] else []

    return await eventually(found, what=reason)


async def until_told(who: Seller) -> str:
    """When their only alert has sent a mail last, once it has."""

    async def sent() -> str:
        (told,) = (await who.ask("GET", ALERTS)).json()["items"]
        return told["last_sent_at"] or ""

    return await eventually(sent, what="a mail is noted")


async def until_past(mesh: Mesh, after: httpx.Response) -> None:
    """Return when the matcher has come past what the answer wrote."""
    await until_heard(mesh, "match_alerts", parse_token(token_of(after)["Consistency-Token"]))


async def until_considered(mesh: Mesh, alert_id: str, listing_id: str, count: int = 1) -> None:
    """Return when it has been decided whether somebody is mailed what an alert has found, so many
    times.
    """
    stream_id = match_stream(match_id_of(UUID(alert_id), UUID(listing_id)))

    async def found() -> list[Position]:
        events = events_of(mesh.machines.postgres, stream_id, count=count)
        places = [each.position async for each in events]
        return places if len(places) == count else []

    await until_heard(mesh, "alert_mail", await eventually(found))


async def until_heard(mesh: Mesh, handler: str, places: Iterable[Position]) -> None:
    """Return when a handler has come past these places."""

    async def passed() -> bool:
        rows = await mesh.machines.postgres.fetch(
            "SELECT topic, partition, next_offset FROM mesh.handler_positions WHERE handler = $1",
            handler,
        )
        reached = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
        return all(reached.get((each.topic, each.partition), 0) > each.offset for each in places)

    await eventually(passed, what=f"{handler} is past {places}")


def mails_to(who: Seller) -> list[Mail]:
    """What lies in somebody's mailbox of their searches, newest first."""
    newest = mailbox(session_state()).newest(SHOWN_MAX)
    own = [mail for mail in newest if who.account.email in mail.recipients]
    return [mail for mail in own if mail.message["List-Unsubscribe"]]


async def until_mailed(who: Seller, count: int = 1) -> list[Mail]:
    """The same, once they are so many."""

    def found() -> list[Mail]:
        mails = mails_to(who)
        return mails if len(mails) >= count else []

    return await eventually(found, what=f"{count} mails")
