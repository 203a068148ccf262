"""Views all around a listing over HTTP, against a mesh at work."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from uuid import uuid4

import httpx
import pytest
from limits import parse
from PIL import Image

from api.listings.spins import FRAME_BYTES_MAX
from schemas.media import media_stream
from tests.api.acting.selling import path_of, pointers_of, reason_of, token_of
from tests.api.acting.turning import Turner, frames
from tests.api.media.test_old_media import clean
from tests.api.running import Mesh, journal_kinds
from tests.waiting import eventually

NO_PICTURE = b"\x89PNG\r\n\x1a\n and no more"


@pytest.fixture(scope="module")
async def seller(mesh: Mesh) -> Turner:
    return Turner(mesh, await mesh.account("seller"))


@pytest.fixture(scope="module")
async def other(mesh: Mesh) -> Turner:
    return Turner(mesh, await mesh.account("seller"))


@pytest.fixture(scope="module")
async def offered(seller: Turner) -> httpx.Response:
    return await seller.offer()


@pytest.fixture(scope="module")
async def spin(seller: Turner, offered: httpx.Response) -> dict[str, Any]:
    return await seller.turned(offered, 24)


async def test_ME_09_of_twenty_four_frames_there_is_a_manifest_in_their_order(
    mesh, offered, spin
) -> None:
    seen = (await mesh.client.get(f"{path_of(offered)}/spin")).json()
    assert seen == spin
    assert (seen["count"], len(seen["frames"]), seen["degrees"]) == (24, 24, 15.0)
    for each, sent in zip(seen["frames"], frames(24), strict=True):
        got = await mesh.client.get(each["large"])
        with Image.open(BytesIO(got.content)) as shown, Image.open(BytesIO(sent)) as picture:
            middle = tuple(side // 2 for side in picture.size)
            apart = zip(shown.getpixel(middle), picture.getpixel(middle), strict=True)
            assert max(abs(one - two) for one, two in apart) < 5


async def test_ME_09_frames_are_none_of_the_listings_images(mesh, offered, spin) -> None:
    assert (await mesh.client.get(path_of(offered))).json()["images"] == []


async def test_ME_09_while_a_frame_is_missing_there_is_no_view(mesh, seller) -> None:
    offered = await seller.offer()
    sent = frames(24)
    sent[6] = NO_PICTURE
    answer = await seller.turn(offered, *sent)

    async def missing() -> bool:
        """Told at once where it was known by then, and else to whoever looks."""
        taken = answer.status_code == 201
        told = await mesh.client.get(f"{path_of(offered)}/spin") if taken else answer
        assert told.status_code == 409, told.text
        return told.json()["reason"] == "frame_missing"

    await eventually(missing, 60, "a frame is missing")


async def test_ME_09_a_frame_that_its_owner_deletes_is_missing(mesh, seller) -> None:
    offered = await seller.offer()
    spin = await seller.turned(offered, 12)
    deleted = await seller.ask("DELETE", f"/api/media/{spin['frames'][3]['id']}")
    assert deleted.status_code == 204

    async def missing() -> httpx.Response | None:
        read = await mesh.client.get(f"{path_of(offered)}/spin")
        return read if read.status_code == 409 else None

    told = await eventually(missing, 30)
    assert reason_of(told) == (409, "frame_missing")
    assert told.json()["detail"].startswith("Of 12 frames these are missing: 4.")


@pytest.mark.parametrize("count", [1, 11, 49])
async def test_ME_09_too_few_and_too_many_are_refused(seller, offered, count) -> None:
    answer = await seller.turn(offered, *frames(count))
    assert (answer.status_code, pointers_of(answer)) == (422, ["/frames"])


def uploads_kept(seller: Any) -> set[str]:
    """Whatever is drawn of them meanwhile."""
    return {each.rpartition("/")[0] for each in seller.kept()}


async def test_ME_09_what_is_no_frame_is_named_and_none_is_kept(seller, offered) -> None:
    kept = uploads_kept(seller)
    sent = frames(12)
    sent[2], sent[9] = b"MZ", sent[9] + bytes(FRAME_BYTES_MAX)
    answer = await seller.turn(offered, *sent)
    assert (answer.status_code, pointers_of(answer)) == (422, ["/frames/2", "/frames/9"])
    assert uploads_kept(seller) == kept


async def test_ME_09_another_view_takes_its_place_and_the_frames_before_go(mesh, seller) -> None:
    offered = await seller.offer()
    before = await seller.turned(offered, 12)
    after = await seller.turned(offered, 13)
    assert (after["count"], after["degrees"]) == (13, 27.692)
    for each in before["frames"]:
        await eventually(lambda each=each: not seller.kept(each["id"]), 30)
    assert [bool(seller.kept(each["id"])) for each in after["frames"]] == [True] * 13


async def test_ME_09_it_is_taken_away_with_its_frames(mesh, seller) -> None:
    offered = await seller.offer()
    spin = await seller.turned(offered, 12)
    path = f"{path_of(offered)}/spin"
    removed = await seller.ask("DELETE", path, headers={"If-Match": "*"})
    assert removed.status_code == 204, removed.text
    assert reason_of(await seller.read(path, removed)) == (404, "spin_unknown")
    for each in spin["frames"]:
        await eventually(lambda each=each: not seller.kept(each["id"]), 30)


async def test_ME_09_with_its_listing_it_goes(mesh, seller) -> None:
    offered = await seller.offer()
    spin = await seller.turned(offered, 12)
    deleted = await seller.ask("DELETE", path_of(offered), headers={"If-Match": "*"})
    assert deleted.status_code == 204, deleted.text
    for each in spin["frames"]:
        await eventually(lambda each=each: not seller.kept(each["id"]), 30)
    read = await mesh.client.get(f"{path_of(offered)}/spin", headers=token_of(deleted))
    assert reason_of(read) == (410, "listing_deleted")


async def test_ME_09_only_of_a_listing_of_ones_own(mesh, seller, other, offered, spin) -> None:
    answer = await other.turn(offered, *frames(12))
    assert reason_of(answer) == (403, "not_owner")
    assert other.kept() == set()
    draft = await seller.create()
    assert reason_of(await other.turn(draft, *frames(12))) == (404, "listing_unknown")
    read = await other.read(f"{path_of(draft)}/spin", draft)
    assert reason_of(read) == (404, "listing_unknown")


async def test_ME_09_a_repeat_with_the_same_key_is_one_view(seller) -> None:
    offered = await seller.offer()
    headers = {"Idempotency-Key": uuid4().hex}
    first, again = [await seller.turn(offered, *frames(12), headers=headers) for _ in range(2)]
    assert first.status_code == 201
    assert first.json() == again.json()


async def test_GW_08_a_view_counts_as_ten_images(mesh, offered, monkeypatch) -> None:
    person = Turner(mesh, await mesh.account("seller"))
    monkeypatch.setitem(mesh.machines.rate_limits._items, "images", parse("15 per 5 minutes"))
    first = await person.turn(offered, *frames(12))
    assert reason_of(first) == (403, "not_owner")
    assert reason_of(await person.turn(offered, *frames(12))) == (429, "rate_limited")


async def test_CR_05_frames_that_a_listing_shows_stay(mesh: Mesh, seller: Turner) -> None:
    spin = await seller.turned(await seller.offer(), 12)
    now = datetime.now(UTC)
    for days in (2, 10):
        await clean(mesh, now + timedelta(days=days))
    for each in spin["frames"]:
        kinds = await journal_kinds(mesh, media_stream(each["id"]))
        assert kinds == ["media.uploaded", "media.begun", "media.processed"]
