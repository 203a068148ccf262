"""What people are told of, over HTTP and by mail, against a mesh at work."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import httpx

from infra.channels.mail import EFFECT_HEADER
from infra.stack.servers.mail import mailbox
from infra.stack.servers.mailbox import SHOWN_MAX, Mail
from infra.unsubscribing import TYPES_PATH, TypeLinks
from schemas.notifications import NotificationChannel, NotificationType
from tests.api.acting.notified import ALL, Reader, answered
from tests.api.acting.selling import Seller, review, token_of
from tests.api.mailbox import VERIFY, mailed, verify
from tests.api.running import Mesh, problem
from tests.stack import session_state
from tests.waiting import eventually

PREFERENCES = f"{ALL}/preferences"
REVIEWED = "Something new in reviews"


async def seller(mesh: Mesh) -> Reader:
    """Somebody with something on offer, who can be mailed to."""
    account = await mesh.account("seller")
    proved = await verify(mesh, await mailed(mesh, account.user_id, VERIFY))
    assert proved.status_code == 204, proved.text
    await mesh.until_read(proved)
    return Reader(mesh, account)


async def reviewed(mesh: Mesh, of: Reader) -> str:
    """Somebody reviews what they have on offer; the review's id."""
    answer = await review(Seller(mesh, await mesh.account("buyer")), await of.offer())
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def mails_to(who: Reader) -> list[Mail]:
    return [
        each
        for each in mailbox(session_state()).newest(SHOWN_MAX)
        if each.recipients == who.account.email and each.message["Subject"] == REVIEWED
    ]


def delivery(notification: dict[str, Any], channel: str) -> dict[str, Any]:
    (found,) = [each for each in notification["deliveries"] if each["channel"] == channel]
    return dict(found)


async def until_settled(who: Reader, review_id: str, channel: str = "email") -> dict[str, Any]:
    """What they were told of a review, once it is known what became of it by this channel."""

    async def settled() -> dict[str, Any] | None:
        for each in await who.told():
            if each["about"]["review_id"] == review_id:
                done = delivery(each, channel)["status"] in ("sent", "withheld", "failed")
                return each if done else None
        return None

    return await eventually(settled, 60, f"{channel} is sent or not")


async def choose(who: Reader, **changes: Any) -> httpx.Response:
    answer = await who.ask("PUT", PREFERENCES, json=changes)
    assert answer.status_code == 200, answer.text
    return answer


async def test_NO_01_NO_11_BY_12_whoever_is_reviewed_is_mailed_and_told_why(mesh: Mesh) -> None:
    who = await seller(mesh)
    review_id = await reviewed(mesh, who)
    told = await until_settled(who, review_id)
    sent = delivery(told, "email")
    assert (sent["status"], sent["reason"]) == ("sent", None)
    (mail,) = mails_to(who)
    assert len({each.message[EFFECT_HEADER] for each in mails_to(who)}) == 1
    assert f"/reviews/{review_id}" in mail.text()
    assert f"{ALL}/{told['id']}/why" in mail.text()
    why = (await who.ask("GET", f"{ALL}/{told['id']}/why")).json()
    assert why["cause"]["kind"] == "review.created"
    assert (why["cause"]["stream"], why["cause"]["version"]) == (f"review/{review_id}", 1)
    assert why["rule"] == {"type": "reviews", "version": 1, "alert_id": None, "search_id": None}
    assert {"channel": "email", "pace": "immediate", "enabled": True} in why["preferences"]
    assert delivery(why, "email") == sent
    row = await mesh.machines.postgres.fetchrow(
        "SELECT * FROM reads.sent_notifications WHERE id = $1", f"{told['id']}/email"
    )
    assert row is not None
    assert (row["user_id"], row["type"], row["channel"], row["status"]) == (
        who.id,
        "reviews",
        "email",
        "sent",
    )
    assert row["sent_at"] is not None


async def test_NO_10_a_scanner_that_opens_the_link_stops_nothing_and_a_post_that_type_only(
    mesh: Mesh,
) -> None:
    who = await seller(mesh)
    await until_settled(who, await reviewed(mesh, who))
    (mail,) = mails_to(who)
    assert mail.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    found = re.search(r"<(\S+)>", mail.message["List-Unsubscribe"])
    assert found is not None
    path = found[1][found[1].index(TYPES_PATH) :]
    for _ in range(20):
        page = await mesh.client.get(path)
        assert (page.status_code, "<form" in page.text) == (200, True)
    before = (await who.ask("GET", PREFERENCES)).json()["types"]
    assert before["reviews"]["email"] == "immediate"
    done = await mesh.client.post(path, data={"List-Unsubscribe": "One-Click"})
    assert (done.status_code, done.json()) == (200, {"unsubscribed": True})
    after = (await who.read(PREFERENCES, done)).json()["types"]
    assert after == {**before, "reviews": {**before["reviews"], "email": "off"}}
    told = await until_settled(who, await reviewed(mesh, who))
    assert delivery(told, "email") == {
        "channel": "email",
        "status": "withheld",
        "reason": "off",
        "settled_at": None,
    }
    assert len(mails_to(who)) == 1
    # What was asked for is sent all the same.
    asked = await mesh.client.post("/api/auth/forgot-password", json={"email": who.account.email})
    assert asked.status_code == 202
    await eventually(
        lambda: [
            each
            for each in mailbox(session_state()).newest(SHOWN_MAX)
            if each.recipients == who.account.email
            and each.message["Subject"] == "Set a new password"
        ],
        60,
    )


async def test_NO_10_a_link_of_somebody_else_or_of_nothing_is_none(mesh: Mesh) -> None:
    links = TypeLinks(mesh.settings)
    mine = links.url(uuid4(), NotificationType.REVIEWS, NotificationChannel.EMAIL).rpartition("/")[
        2
    ]
    forged = mine[:-4] + ("aaaa" if mine[-4:] != "aaaa" else "bbbb")
    for token in (forged, "x", mine[:-1]):
        for method in ("GET", "POST"):
            answer = await mesh.client.request(method, f"{TYPES_PATH}/{token}")
            assert problem(answer) == (404, "link_unknown")


async def test_NO_10_the_switch_of_a_channel_stands_above_all(mesh: Mesh) -> None:
    who = await seller(mesh)
    chosen = await choose(who, email_enabled=False, zone="Europe/Berlin")
    holds = (await who.read(PREFERENCES, chosen)).json()
    assert (holds["email_enabled"], holds["zone"]) == (False, "Europe/Berlin")
    told = await until_settled(who, await reviewed(mesh, who))
    assert delivery(told, "email")["reason"] == "off"
    assert mails_to(who) == []
    row = await mesh.machines.postgres.fetchrow(
        "SELECT * FROM reads.notification_preferences WHERE user_id = $1", who.id
    )
    assert row is not None
    assert (row["email_enabled"], row["sms_enabled"], row["push_enabled"]) == (False, False, True)


async def test_NO_01_nobody_fills_the_mailbox_of_somebody_who_has_not_proved_it(mesh: Mesh) -> None:
    who = Reader(mesh, await mesh.account("seller"))
    told = await until_settled(who, await reviewed(mesh, who))
    assert delivery(told, "email")["reason"] == "no_address"
    assert mails_to(who) == []


async def test_NO_10_what_is_chosen_is_shown_and_can_be_emptied(mesh: Mesh) -> None:
    who = Reader(mesh, await mesh.account("buyer"))
    quiet = {"begin": "22:30", "end": "07:05"}
    chosen = await choose(who, types={"messages": {"email": "daily"}}, quiet_hours=quiet)
    holds = (await who.read(PREFERENCES, chosen)).json()
    assert holds["types"]["messages"] == {"email": "daily", "push": "immediate", "sms": "off"}
    assert (holds["quiet_hours"], holds["zone"]) == (quiet, "Asia/Colombo")
    ended = await choose(who, quiet_hours=None)
    assert (await who.read(PREFERENCES, ended)).json()["quiet_hours"] is None


async def test_NO_10_what_can_not_be_chosen_is_named(mesh: Mesh) -> None:
    who = Reader(mesh, await mesh.account("buyer"))
    for body, pointer in (
        ({"types": {"messages": {"sms": "daily"}}}, "/types/messages/sms"),
        ({"types": {"search_alerts": {"email": "off"}}}, "/types/search_alerts/email"),
        ({"zone": "Mars/Olympus"}, "/zone"),
        ({"quiet_hours": {"begin": "24:00", "end": "07:00"}}, "/quiet_hours/begin"),
        ({"quiet_hours": {"begin": "07:00", "end": "07:00"}}, "/quiet_hours"),
        ({"types": None}, "/types"),
    ):
        answer = await who.ask("PUT", PREFERENCES, json=body)
        assert answer.status_code == 422, answer.text
        assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


async def test_NO_09_own_ones_are_listed_the_last_first_and_nobody_elses(mesh: Mesh) -> None:
    who, other = await seller(mesh), Reader(mesh, await mesh.account("seller"))
    first, second = await reviewed(mesh, who), await reviewed(mesh, who)
    told = await who.told(2)
    assert [each["number"] for each in told] == [2, 1]
    assert {each["about"]["review_id"] for each in told} == {first, second}
    since = await who.told(1, after=1)
    assert [each["number"] for each in since] == [2]
    assert (await other.ask("GET", ALL)).json()["items"] == []
    for path in ("", "/why", "/read"):
        method = "PUT" if path == "/read" else "GET"
        answer = await other.ask(method, f"{ALL}/{told[0]['id']}{path}")
        assert problem(answer) == (404, "notification_unknown")
    paged = await who.ask("GET", ALL, params={"limit": 1})
    assert [each["number"] for each in paged.json()["items"]] == [2]
    rest = await who.ask("GET", ALL, params={"limit": 1, "cursor": paged.json()["next_cursor"]})
    assert [each["number"] for each in rest.json()["items"]] == [1]


async def test_NO_09_what_was_seen_is_not_counted(mesh: Mesh) -> None:
    who = await seller(mesh)
    for _ in range(3):
        await reviewed(mesh, who)
    told = await who.told(3)
    count = (await who.ask("GET", f"{ALL}/unread")).json()
    assert count == {"unread": 3, "last_number": 3}
    seen = await who.ask("PUT", f"{ALL}/{told[1]['id']}/read")
    assert seen.status_code == 200, seen.text
    assert (await who.read(f"{ALL}/unread", seen)).json()["unread"] == 2
    unread = await who.ask("GET", ALL, params={"unread": True}, headers=token_of(seen))
    assert [each["number"] for each in unread.json()["items"]] == [3, 1]
    all_seen = await who.ask("PUT", f"{ALL}/read", json={"up_to": 3})
    assert (await who.read(f"{ALL}/unread", all_seen)).json()["unread"] == 0
    one = (await who.ask("GET", f"{ALL}/{told[1]['id']}")).json()
    assert one["is_read"] is True


async def test_NO_07_whoever_reads_the_chat_has_seen_what_tells_of_it(mesh: Mesh) -> None:
    account = await mesh.account("buyer")
    talk, told = await answered(mesh, account)
    who = Reader(mesh, account)
    assert (told["type"], told["cause"], told["is_read"]) == ("messages", "message.sent", False)
    assert told["sender"]["id"] == talk.seller.id
    page = (await who.ask("GET", f"/api/messages/{talk.id}")).json()
    newest = page["items"][0]["id"]
    marked = await who.ask("PUT", f"/api/messages/{newest}/read")
    assert marked.status_code == 204, marked.text

    async def seen() -> bool:
        return bool((await who.ask("GET", f"{ALL}/{told['id']}")).json()["is_read"])

    await eventually(seen, 60)


async def test_whoever_answers_a_review_tells_its_writer(mesh: Mesh) -> None:
    of = Seller(mesh, await mesh.account("seller"))
    writer = Reader(mesh, await mesh.account("buyer"))
    answer = await review(writer, await of.offer())
    path = f"/api/reviews/{answer.json()['id']}/response"
    responded = await of.ask("POST", path, json={"content": "Thank you. Drive it well."})
    assert responded.status_code == 200, responded.text
    (told,) = await writer.told()
    assert (told["cause"], told["sender"]["id"]) == ("review.responded", of.account.user_id)
    assert told["about"]["review_id"] == answer.json()["id"]
