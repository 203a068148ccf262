"""What people talk about and speak of: imported listings and items of a campus, besides what
sellers list themselves. Over HTTP and real sockets.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

import httpx
import pytest

from cli.seller_account import SourceError, register_source
from projections.identity import users
from schemas.listings import CreateListing, seller_account
from schemas.log.messages import Role
from schemas.messaging import conversation_id_of
from schemas.values.vehicles import VehicleFields
from tests.api.acting.offering import ITEMS, Student, campus, sent, student
from tests.api.acting.selling import CAR, Seller, reason_of, token_of
from tests.api.acting.talking import OPEN, Talker, talker
from tests.api.mailbox import NEW_PASSWORD, RESET, forget, mailed, reset
from tests.api.running import Account, Mesh, new_email
from tests.api.sockets import Devices, Replicas
from tests.waiting import eventually

SOURCE = "import:some-dealer"


@pytest.fixture(scope="module")
async def buyer(mesh: Mesh) -> Talker:
    return await talker(mesh)


@pytest.fixture
async def imported(mesh: Mesh) -> str:
    return await offered_by(mesh, SOURCE)


async def offered_by(mesh: Mesh, source: str) -> str:
    """A listing that a tool brought in, as `mesh import` does."""
    listing_id = uuid4()
    command = CreateListing(
        listing_id=listing_id,
        fields=VehicleFields.model_validate(CAR),
        publish=True,
        asked_at=datetime.now(UTC),
        asked_by=source,
        asked_role=Role.SELLER,
    )
    await sent(mesh, command)

    async def there() -> bool:
        return (await mesh.client.get(f"/api/listings/{listing_id}")).status_code == 200

    await eventually(there, 20, "the listing can be read")
    return str(listing_id)


@pytest.fixture(scope="module")
def here() -> str:
    return campus()


@pytest.fixture(scope="module")
async def owner(mesh: Mesh, here: str) -> Student:
    return await student(mesh, here)


@pytest.fixture(scope="module")
async def mate(mesh: Mesh, here: str) -> Student:
    return await student(mesh, here)


async def listed(who: Seller, after: httpx.Response) -> dict[str, object]:
    """The person's one conversation that moved last."""
    answer = await who.read(OPEN, after)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()["items"][0]
    return found


# What tools import.


async def test_whoever_sees_an_imported_listing_can_write_to_its_source(buyer, imported) -> None:
    opened = await buyer.ask("POST", OPEN, json={"listing_id": imported})
    assert (opened.status_code, opened.json()["seller_id"]) == (201, str(seller_account(SOURCE)))
    said = await buyer.said(opened.json()["id"], "Is it still there?")
    found = await listed(buyer, said)
    assert found["other"] == {"id": str(seller_account(SOURCE)), "name": "some-dealer"}
    assert found["listing"]["title"] == CAR["title"]


async def test_an_imported_listing_can_be_talked_about_over_the_socket(
    replicas: Replicas, some: Devices, buyer, imported
) -> None:
    device = await some.connect(replicas.first, buyer.account.access_token)
    chat_id = await device.join(itemId=imported)
    answer = await device.ask("send-message", chatId=chat_id, content="Hello", itemId=imported)
    assert "error" not in answer


async def test_an_imported_listing_and_its_source_can_be_reviewed(mesh, buyer, imported) -> None:
    body = {"listing_id": imported, "rating": 2, "title": "Not as told"}
    written = await buyer.ask("POST", "/api/reviews", json=body)
    assert written.status_code == 201, written.text
    for where in (f"listing/{imported}", f"seller/{seller_account(SOURCE)}"):
        page = await mesh.client.get(f"/api/reviews/{where}", headers=token_of(written))
        assert page.status_code == 200, page.text
        assert written.json()["id"] in [each["id"] for each in page.json()["items"]]


async def test_of_a_seller_whom_nobody_spoke_of_there_is_nothing_to_read(mesh) -> None:
    answer = await mesh.client.get(f"/api/reviews/seller/{uuid4()}")
    assert reason_of(answer) == (404, "user_unknown")


# What a campus offers.


async def test_an_item_can_be_talked_about_by_its_campus(owner, mate) -> None:
    item_id = await owner.have(title="Desk lamp", price="1500")
    opened = await mate.ask("POST", OPEN, json={"item_id": item_id})
    owner_id, mate_id = owner.account.user_id, mate.account.user_id
    wanted = conversation_id_of(UUID(item_id), UUID(mate_id), UUID(owner_id))
    assert opened.status_code == 201, opened.text
    assert opened.json() == {
        "id": str(wanted),
        "listing_id": None,
        "item_id": item_id,
        "buyer_id": mate_id,
        "seller_id": owner_id,
    }
    said = await mate.ask("POST", f"/api/messages/{wanted}", json={"content": "Does it work?"})
    for who, side in ((owner, "seller"), (mate, "buyer")):
        found = await listed(who, said)
        assert (found["id"], found["side"], found["listing"]) == (str(wanted), side, None)
        assert found["item"] == {
            "id": item_id,
            "title": "Desk lamp",
            "price_minor": 150_000,
            "currency": "LKR",
            "status": "active",
        }


async def test_MS_19_both_of_a_campus_talk_about_an_item_over_the_socket(
    replicas: Replicas, some: Devices, owner, mate
) -> None:
    item_id = await owner.have()
    asks, hears = [
        await some.connect(replica, who.account.access_token)
        for replica, who in ((replicas.first, mate), (replicas.second, owner))
    ]
    chat_id = await asks.join(itemId=item_id, sellerId=owner.account.user_id)
    assert await hears.join(itemId=item_id, buyerId=mate.account.user_id) == chat_id
    told = await asks.ask("send-message", chatId=chat_id, itemId=item_id, content="Hello")
    heard = await hears.hears("new-message")
    assert (heard["id"], heard["itemId"]) == (told["messageId"], item_id)


async def test_an_item_of_another_campus_is_none_to_talk_about(
    mesh, replicas: Replicas, some: Devices, owner, buyer
) -> None:
    item_id = await owner.have()
    elsewhere = await student(mesh, campus())
    answer = await elsewhere.ask("POST", OPEN, json={"item_id": item_id})
    assert reason_of(answer) == (404, "item_unknown")
    answer = await buyer.ask("POST", OPEN, json={"item_id": item_id})
    assert reason_of(answer) == (403, "market_not_allowed")
    for who, code in ((elsewhere, "item_unknown"), (buyer, "listing_unknown")):
        device = await some.connect(replicas.first, who.account.access_token)
        told = await device.ask("join-chat", itemId=item_id)
        assert told["error"]["code"] == code


async def test_nobody_begins_to_talk_about_an_item_that_is_not_on_offer(owner, mate) -> None:
    undrawn = await owner.have(drawn=False)
    answer = await mate.ask("POST", OPEN, json={"item_id": undrawn})
    assert reason_of(answer) == (404, "item_unknown")
    own = await owner.have()
    assert reason_of(await owner.ask("POST", OPEN, json={"item_id": own})) == (409, "own_item")


async def test_a_talk_about_an_item_goes_on_when_the_item_was_taken_away(owner, mate) -> None:
    item_id = await owner.have()
    opened = await mate.ask("POST", OPEN, json={"item_id": item_id})
    deleted = await owner.ask("DELETE", f"{ITEMS}/{item_id}", headers={"If-Match": "*"})
    assert deleted.status_code == 204, deleted.text
    answer = await mate.ask("POST", OPEN, json={"item_id": item_id}, headers=token_of(deleted))
    assert reason_of(answer) == (410, "item_deleted")
    path = f"/api/messages/{opened.json()['id']}"
    said = await mate.ask("POST", path, json={"content": "A pity"})
    assert said.status_code == 201, said.text
    card = (await listed(owner, said))["item"]
    assert (card["status"], card["title"]) == ("deleted", None)


@pytest.mark.parametrize("named", [(), ("listing_id", "item_id")])
async def test_a_conversation_is_about_one_thing(buyer, named) -> None:
    answer = await buyer.ask("POST", OPEN, json=dict.fromkeys(named, str(uuid4())))
    assert answer.status_code == 422
    assert "`listing_id` or `item_id`" in answer.json()["errors"][0]["detail"]


@dataclass(frozen=True)
class Registered:
    """A source whose account somebody has registered."""

    source: str
    user_id: str
    email: str


@pytest.fixture
async def registered(mesh: Mesh) -> Registered:
    return await of_source(mesh, f"import:{uuid4().hex}")


async def of_source(mesh: Mesh, source: str) -> Registered:
    email = new_email()
    user_id, offers = await register_source(mesh.settings, source, email, "Some Dealer")
    assert not offers

    async def there() -> bool:
        return await users.by_id(mesh.machines.postgres, str(user_id)) is not None

    await eventually(there, 20, "the source is registered")
    return Registered(source, str(user_id), email)


async def logged_in(mesh: Mesh, who: Registered) -> Talker:
    """Whoever answers for a source, with the password that they set by mail."""
    asked = await forget(mesh, who.email)
    assert asked.status_code < 300, asked.text
    await reset(mesh, await mailed(mesh, who.user_id, RESET))
    answer = await mesh.log_in(who.email, NEW_PASSWORD)
    assert answer.status_code == 200, answer.text
    token = answer.json()["access_token"]
    return Talker(mesh, Account(who.user_id, who.email, "", token, "", "dealer"))


async def test_whoever_registers_a_source_reads_what_was_written_to_it(
    mesh, buyer, registered
) -> None:
    listing_id = await offered_by(mesh, registered.source)
    opened = await buyer.ask("POST", OPEN, json={"listing_id": listing_id})
    said = await buyer.said(opened.json()["id"], "Is it still there?")
    assert (await listed(buyer, said))["other"] == {"id": registered.user_id, "name": "Some Dealer"}
    dealer = await logged_in(mesh, registered)
    assert await dealer.contents(opened.json()["id"], said) == ["Is it still there?"]


async def test_a_source_is_registered_once(mesh, registered) -> None:
    with pytest.raises(SourceError, match="is registered already"):
        await register_source(mesh.settings, registered.source, new_email(), "Another")


async def test_a_source_refused_for_a_taken_email_takes_another(mesh, registered) -> None:
    source = f"import:{uuid4().hex}"
    with pytest.raises(SourceError, match="an account with this e-mail"):
        await register_source(mesh.settings, source, registered.email, "Another")
    assert await mesh.machines.vault.person(seller_account(source)) is None
    await logged_in(mesh, await of_source(mesh, source))


async def test_an_erased_source_is_told(mesh) -> None:
    source = f"import:{uuid4().hex}"
    await mesh.machines.vault.new_person(seller_account(source), "")
    await mesh.machines.vault.erase(seller_account(source))
    with pytest.raises(SourceError, match="never comes back"):
        await register_source(mesh.settings, source, new_email(), "Another")


@pytest.mark.parametrize(
    ("what", "wrong"),
    [
        ("source", {"source": each})
        for each in ("", " ", "import:\u202e", "import:a\nb", "x" * 101, "\u200b")
    ]
    + [("e-mail", {"email": each}) for each in ("", "nobody", "\u3164@example.org")]
    + [
        ("name", {"name": each})
        for each in ("", "  ", "\u200b\u200b", "a\u202eb", "a\x01b", "x" * 5_000, "a\udcffb")
    ],
)
async def test_what_an_account_could_not_hold_is_told(mesh, what: str, wrong: dict) -> None:
    good = {"source": f"import:{uuid4().hex}", "email": new_email(), "name": "Some Dealer"}
    with pytest.raises(SourceError, match=f"^The {what} "):
        await register_source(mesh.settings, **{**good, **wrong})


async def test_a_person_is_no_source(mesh) -> None:
    with pytest.raises(SourceError, match="a person"):
        await register_source(mesh.settings, str(uuid4()), new_email(), "Another")
