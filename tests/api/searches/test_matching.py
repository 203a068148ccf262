"""What saved searches find and whom that is told, against a mesh at work."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import httpx
import pytest

from tests.api.acting.selling import Seller, path_of
from tests.api.mailbox import VERIFY, mailed, verify
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
    until_considered,
    until_mailed,
    until_matched,
    until_past,
    until_reason,
    until_told,
)
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("all_readers")


@pytest.fixture(scope="module")
async def seller(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("seller"))


@pytest.fixture
async def buyer(mesh: Mesh) -> Seller:
    return await reader(mesh)


async def test_SE_11_SE_12_a_new_listing_is_found_and_mailed_at_once(mesh, seller, buyer) -> None:
    make = a_make()
    saved = await save(buyer, "Rare ones", make=[make.upper()], q="sunro")
    await alert(buyer, saved)
    offered = await seller.offer(make=make)
    await seller.offer(make=make, features=["Tow bar"])
    (found,) = await until_matched(buyer, saved)
    assert (found["listing_id"], found["reason"]) == (offered.json()["id"], "new")
    assert (found["price_minor"], found["listing"]["make"]) == (8_500_000, make)
    (mail,) = await until_mailed(buyer)
    text = mail.text()
    assert "(Rare ones)" in text
    assert "Porsche 911 Carrera USD 85,000.00" in text
    assert path_of(offered) in text
    await until_told(buyer)
    (kept,) = await listed(buyer, SAVED, offered)
    assert kept["new_matches"] == 1


async def test_SE_11_drops_and_returns_are_found_and_put_right_titles_are_not(
    mesh, seller, buyer
) -> None:
    make = a_make()
    saved = await save(buyer, make=[make])
    made = await alert(buyer, saved, "off")
    offered = await seller.offer(make=make)
    path = path_of(offered)
    (found,) = await until_matched(buyer, saved)
    titled = await seller.change(2, path, title="A better title", description="Long")
    await until_past(mesh, titled)
    (same,) = await matches(buyer, saved)
    assert (same["matched_at"], same["reason"]) == (found["matched_at"], "new")
    little = await seller.change(titled.json()["version"], path, price_minor=8_300_000)
    await until_past(mesh, little)
    (same,) = await matches(buyer, saved)
    assert same["reason"] == "new"
    less = await seller.change(little.json()["version"], path, price_minor=8_245_000)
    await until_past(mesh, less)
    (dropped,) = await until_reason(buyer, saved, "price_drop")
    assert dropped["price_minor"] == 8_245_000
    hidden = await seller.ask("POST", f"{path}/unpublish")
    shown = await seller.ask("POST", f"{path}/publish")
    assert (hidden.status_code, shown.status_code) == (200, 200)
    await until_reason(buyer, saved, "back_on_market")
    await until_considered(mesh, made.json()["id"], titled.json()["id"], 3)
    assert mails_to(buyer) == []


async def test_SE_11_nobody_is_told_of_their_own_listing_nor_of_a_draft(
    mesh, seller, buyer
) -> None:
    make = a_make()
    own, saved = await save(seller, make=[make]), await save(buyer, make=[make])
    await alert(seller, own, "off")
    await alert(buyer, saved, "off")
    await seller.create(make=make)
    offered = await seller.offer(make=make)
    (found,) = await until_matched(buyer, saved)
    assert found["listing_id"] == offered.json()["id"]
    await until_past(mesh, offered)
    assert await matches(seller, own) == []


async def test_SE_06_SE_10_nothing_is_found_or_mailed_after_the_alert_is_gone(
    mesh, seller, buyer
) -> None:
    make = a_make()
    gone, stays = await save(buyer, make=[make]), await save(buyer, make=[make], year_min=2_000)
    other = await save(buyer, make=[make], year_min=2_001)
    ended = await alert(buyer, other)
    await alert(buyer, gone)
    staying = await alert(buyer, stays, "off")
    assert (await buyer.ask("DELETE", f"{ALERTS}/{ended.json()['id']}")).status_code == 204
    deleted = await buyer.ask("DELETE", f"{SAVED}/{gone.json()['id']}")
    await listed(buyer, SAVED, deleted)
    offered = await seller.offer(make=make)
    await until_matched(buyer, stays)
    await until_past(mesh, offered)
    await until_considered(mesh, staying.json()["id"], offered.json()["id"])
    assert await matches(buyer, other) == []
    assert mails_to(buyer) == []


async def test_SE_12_the_mails_link_stops_them_when_it_is_posted_and_not_when_it_is_opened(
    mesh, seller, buyer
) -> None:
    make = a_make()
    saved = await save(buyer, make=[make])
    await alert(buyer, saved)
    offered = await seller.offer(make=make)
    (mail,) = await until_mailed(buyer)
    header = str(mail.message["List-Unsubscribe"])
    assert str(mail.message["List-Unsubscribe-Post"]) == "List-Unsubscribe=One-Click"
    link = re.fullmatch(r"<(\S+)>", header)
    assert link is not None, header
    assert link[1] in mail.text()
    path = urlsplit(link[1]).path
    for _ in range(3):
        opened = await mesh.client.get(path)
        assert (opened.status_code, opened.headers["content-type"]) == (
            200, "text/html; charset=utf-8",
        )  # fmt: skip
    (told,) = await listed(buyer, ALERTS, offered)
    assert told["frequency"] == "instant"
    posted = await mesh.client.post(path, data={"List-Unsubscribe": "One-Click"})
    assert posted.status_code == 200, posted.text
    (told,) = await listed(buyer, ALERTS, posted)
    assert (told["frequency"], told["active"]) == ("off", False)
    forged = path[:-1] + ("A" if path[-1] != "A" else "B")
    assert (await mesh.client.post(forged)).status_code == 404


async def test_SE_12_nobody_is_mailed_who_has_not_proved_the_address(mesh, seller) -> None:
    stranger = Seller(mesh, await mesh.account("buyer"))
    make = a_make()
    saved = await save(stranger, make=[make])
    made = await alert(stranger, saved)
    await seller.offer(make=make)
    (found,) = await until_matched(stranger, saved)
    await until_considered(mesh, made.json()["id"], found["listing_id"])
    assert found["reason"] == "new"
    proved = await verify(mesh, await mailed(mesh, stranger.account.user_id, VERIFY))
    await mesh.until_read(proved)
    await seller.offer(make=make)
    mails = await until_mailed(stranger)
    assert len(mails) == 1


async def test_SE_04_a_look_back_tells_what_the_alert_would_have_told(mesh, seller, buyer) -> None:
    make = a_make()
    offered = await seller.offer(make=make)
    await seller.offer(make=make, features=["Tow bar"])
    path = path_of(offered)
    await seller.change(2, path, price_minor=8_000_000)
    back = [await seller.ask("POST", f"{path}/{deed}") for deed in ("unpublish", "publish")]
    assert [each.status_code for each in back] == [200, 200]
    saved = await save(buyer, make=[make], q="sunroof")
    wide, own = await save(buyer, make=[make]), await save(seller, make=[make])

    async def look(who: Seller, of: httpx.Response) -> dict[str, int]:
        answer = await who.read(f"{SAVED}/{of.json()['id']}", of)
        found: dict[str, int] = answer.json()["looked_back"]
        return found

    async def told() -> bool:
        return (await look(buyer, saved))["back_on_market"] == 1

    await eventually(told)
    assert await look(buyer, saved) == {"new": 1, "price_drops": 1, "back_on_market": 1}
    assert await look(buyer, wide) == {"new": 2, "price_drops": 1, "back_on_market": 1}
    assert await look(seller, own) == {"new": 0, "price_drops": 0, "back_on_market": 0}
