"""The images of a listing, asked over HTTP: sent, drawn, ordered, taken away."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from schemas.listings import IMAGES_MAX
from schemas.media import ORIGINAL_BYTES_MAX
from tests.api.acting.picturing import File, Uploader, image_of, images_of
from tests.api.acting.profiling import photo
from tests.api.acting.selling import Seller, path_of, pointers_of, reason_of, token_of
from tests.api.running import Mesh, api
from tests.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")
NO_PICTURE = b"\x89PNG\r\n\x1a\n and no more"
SIZES = ("thumbnail", "medium", "large")


@pytest.fixture(scope="module")
async def seller(mesh: Mesh, all_readers: None) -> Uploader:
    return Uploader(mesh, await mesh.account("seller"))


@pytest.fixture(scope="module")
async def visitor(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account())


async def sent(seller: Uploader, listing: httpx.Response, *files: File, **more: Any) -> Any:
    headers = {**token_of(listing), **more.pop("headers", {})}
    return await seller.send(*files, path=f"{path_of(listing)}/images", headers=headers, **more)


async def shown(seller: Seller, after: httpx.Response) -> list[dict[str, Any]]:
    """The listing's images, as its page has them after that answer."""
    found = await seller.read(path_of(after), after)
    assert found.status_code == 200, found.text
    images: list[dict[str, Any]] = found.json()["images"]
    return images


async def ids_of(seller: Seller, after: httpx.Response) -> list[str]:
    return [each["id"] for each in await shown(seller, after)]


async def until_drawn(seller: Seller, listing: httpx.Response, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    async def drawn() -> bool:
        found[:] = (await seller.ask("GET", path_of(listing))).json()["images"]
        return len(found) == count and all(each["large"] for each in found)

    await eventually(drawn, 60, f"{count} images are drawn")
    return found


async def test_LI_11_LI_17_three_files_give_three_images_with_thumbnails(
    mesh: Mesh, seller: Uploader, visitor: Seller
) -> None:
    listing = await seller.offer()
    files = [photo((number * 80, 10, 10)) for number in range(3)]
    answer = await sent(seller, listing, *files)
    ids = [each["id"] for each in images_of(answer)]
    assert [each["status"] for each in images_of(answer)] == ["processing"] * 3
    assert answer.json()["version"] == 3
    assert await ids_of(seller, answer) == ids
    drawn = await until_drawn(seller, listing, 3)
    assert [each["id"] for each in drawn] == ids
    for each in drawn:
        for size in SIZES:
            found = await mesh.client.get(each[size])
            assert (found.status_code, found.headers["content-type"]) == (200, "image/webp")
    for reader in (visitor.account.headers, {}):
        page = (await mesh.client.get(path_of(listing), headers=reader)).json()
        assert page["images"] == drawn
    rows = await mesh.machines.postgres.fetch(
        'SELECT id, url, thumbnail_url, "order", is_primary FROM reads.listing_images'
        ' WHERE listing_id = $1 ORDER BY "order"',
        listing.json()["id"],
    )
    assert [tuple(row) for row in rows] == [
        (each["id"], each["large"], each["thumbnail"], place, place == 1)
        for place, each in enumerate(drawn, 1)
    ]


async def test_LI_11_a_search_shows_the_first_image(seller: Uploader, visitor: Seller) -> None:
    title = f"Zastava {uuid4().hex[:8]}"
    listing = await seller.offer(title=title, make="Zastava")
    await sent(seller, listing, photo(), photo((1, 2, 3)))
    drawn = await until_drawn(seller, listing, 2)

    async def found() -> bool:
        hits = (await visitor.ask("GET", "/api/search", params={"q": title})).json()["hits"]
        return [each["thumbnail"] for each in hits] == [drawn[0]["thumbnail"]]

    await eventually(found, 20, "the search shows the first image")


async def test_LI_11_what_is_no_picture_keeps_no_other_back(seller: Uploader) -> None:
    listing = await seller.create()
    large = photo() + bytes(ORIGINAL_BYTES_MAX + 1024 * 1024 - len(photo()))
    answer = await sent(seller, listing, b"MZ", photo(), large)
    reasons = [each["error"] and each["error"]["reason"] for each in images_of(answer)]
    assert reasons == ["media_type_unknown", None, "file_too_large"]
    assert await ids_of(seller, answer) == [images_of(answer)[1]["id"]]


async def test_LI_11_a_file_of_11_mb_alone_is_refused(seller: Uploader) -> None:
    listing = await seller.create()
    large = photo() + bytes(ORIGINAL_BYTES_MAX + 1024 * 1024 - len(photo()))
    answer = await sent(seller, listing, large)
    assert reason_of(answer) == (422, "no_image_taken")
    assert pointers_of(answer) == ["/images/0"]


async def test_LI_11_the_sixteenth_image_is_refused_and_not_kept(seller: Uploader) -> None:
    listing = await seller.create()
    files = [photo((number * 10, 9, 9)) for number in range(IMAGES_MAX)]
    first = await sent(seller, listing, *files[:10])
    second = await sent(seller, first, *files[10:])
    assert len(await ids_of(seller, second)) == IMAGES_MAX
    before = seller.kept()
    answer = await sent(seller, second, photo((7, 7, 7)))
    assert reason_of(answer) == (422, "too_many_images")
    assert pointers_of(answer) == ["/images"]
    assert {key for key in seller.kept() - before if "/original-" in key} == set()
    eleven = await sent(seller, listing, *[photo()] * 11)
    assert (eleven.status_code, pointers_of(eleven)) == (422, ["/images"])


async def test_LI_11_two_at_once_do_not_pass_the_bound_together(seller: Uploader) -> None:
    """Both look before either is done: the listing itself says no to one, whose files go."""
    listing = await seller.create()
    kept_before = {key.split("/")[2] for key in seller.kept()}
    full = await sent(seller, listing, *[photo((number, 0, 0)) for number in range(10)])

    async def more(colour: int) -> Any:
        return await sent(seller, full, *[photo((colour, number, 0)) for number in range(4)])

    one, two = await asyncio.gather(more(50), more(90))
    assert sorted(each.status_code for each in (one, two)) == [201, 422]
    taken = one if one.status_code == 201 else two
    assert len(await ids_of(seller, taken)) == 14
    ids = {each["id"] for answer in (full, taken) for each in images_of(answer)}
    kept = lambda: {key.split("/")[2] for key in seller.kept()}  # noqa: E731
    others = kept_before | ids
    await eventually(lambda: kept() <= others, 20, "nothing of the refused is kept")


async def test_LI_11_a_repeat_adds_nothing(seller: Uploader) -> None:
    listing, headers = await seller.create(), {"Idempotency-Key": uuid4().hex}
    one = await sent(seller, listing, photo(), headers=headers)
    two = await sent(seller, listing, photo(), headers=headers)
    assert (two.status_code, two.json()) == (201, one.json())
    assert len(await ids_of(seller, two)) == 1


async def test_LI_11_what_can_not_be_drawn_is_none_of_the_listings(seller: Uploader) -> None:
    listing = await seller.create()
    answer = await sent(seller, listing, NO_PICTURE, photo())
    good = images_of(answer)[1]["id"]
    assert [each["id"] for each in await until_drawn(seller, listing, 1)] == [good]


async def test_LI_12_the_order_is_the_sellers_and_the_first_stands_for_the_listing(
    seller: Uploader,
) -> None:
    listing = await seller.create()
    answer = await sent(seller, listing, photo(), photo((1, 1, 1)), photo((2, 2, 2)))
    one, two, three = [each["id"] for each in images_of(answer)]
    path = f"{path_of(listing)}/images"
    put = await seller.ask("PUT", path, json={"order": [three, one, two]})
    assert put.status_code == 200, put.text
    assert await ids_of(seller, put) == [three, one, two]
    for wrong in ([one, two], [one, two, three, str(uuid4())], [one, one, two]):
        refused = await seller.ask("PUT", path, json={"order": wrong})
        assert reason_of(refused) == (422, "not_its_images")
        assert pointers_of(refused) == ["/order"]


async def test_LI_13_without_its_first_image_the_next_one_stands_for_the_listing(
    seller: Uploader,
) -> None:
    listing = await seller.create()
    answer = await sent(seller, listing, photo(), photo((1, 1, 1)))
    one, two = [each["id"] for each in images_of(answer)]
    await until_drawn(seller, listing, 2)
    path = f"{path_of(listing)}/images"
    gone = await seller.ask("DELETE", f"{path}/{one}")
    assert gone.status_code == 204, gone.text
    found = await seller.ask("GET", path_of(listing), headers=token_of(gone))
    assert [each["id"] for each in found.json()["images"]] == [two]
    assert reason_of(await seller.ask("DELETE", f"{path}/{one}")) == (404, "image_unknown")
    await eventually(lambda: not seller.kept(one), 20, "its bytes are gone")
    assert seller.kept(two)


async def test_LI_13_a_picture_that_its_owner_deletes_leaves_the_listing(seller: Uploader) -> None:
    listing = await seller.create()
    answer = await sent(seller, listing, photo(), photo((1, 1, 1)))
    one, two = [each["id"] for each in images_of(answer)]
    deleted = await seller.ask("DELETE", f"/api/media/{one}", headers={"If-Match": "*"})
    assert deleted.status_code == 204, deleted.text

    async def left() -> bool:
        found = (await seller.ask("GET", path_of(listing))).json()["images"]
        return [each["id"] for each in found] == [two]

    await eventually(left, 20, "the listing has one image")


async def test_LI_03_with_a_listing_its_pictures_go(seller: Uploader) -> None:
    listing = await seller.create()
    (image,) = images_of(await sent(seller, listing, photo()))
    await until_drawn(seller, listing, 1)
    gone = await seller.ask("DELETE", path_of(listing), headers={"If-Match": "*"})
    assert gone.status_code == 204, gone.text
    await eventually(lambda: not seller.kept(image["id"]), 20, "its bytes are gone")


async def test_LI_11_nobody_adds_images_to_what_is_somebody_elses(
    mesh: Mesh, seller: Uploader
) -> None:
    other = Uploader(mesh, await mesh.account("seller"))
    offered, draft = await seller.offer(), await seller.create()
    assert reason_of(await sent(other, offered, photo())) == (403, "not_owner")
    assert reason_of(await sent(other, draft, photo())) == (404, "listing_unknown")
    assert other.kept() == set()
    missing = await other.send(photo(), path=f"/api/listings/{uuid4()}/images")
    assert reason_of(missing) == (404, "listing_unknown")
    put = await other.ask("PUT", f"{path_of(offered)}/images", json={"order": []})
    assert reason_of(put) == (403, "not_owner")


async def test_LI_11_what_is_sold_gets_no_more_images(seller: Uploader) -> None:
    offered = await seller.offer()
    sold = await seller.ask("POST", f"{path_of(offered)}/sold")
    assert sold.status_code == 200, sold.text
    assert reason_of(await sent(seller, sold, photo())) == (409, "listing_sold")


async def test_LI_12_only_files_may_be_larger_than_other_bodies(seller: Uploader) -> None:
    listing = await seller.create()
    body = b'{"order": ["' + b" " * (2 << 20) + b'"]}'
    headers = {"Content-Type": "application/json"}
    path = f"{path_of(listing)}/images"
    answer = await seller.ask("PUT", path, content=body, headers=headers)
    assert answer.status_code == 413


async def test_LI_08_where_images_are_required_none_means_no_publication(
    mesh: Mesh, seller: Uploader
) -> None:
    draft = await seller.create()
    async with api(mesh.settings.model_copy(update={"listing_images_min": 1})) as strict:
        await eventually(lambda: strict.machines.writes.started, 20)
        owner = Uploader(strict, seller.account)
        path = f"{path_of(draft)}/publish"
        refused = await owner.ask("POST", path)
        assert reason_of(refused) == (422, "fields_missing")
        assert pointers_of(refused) == ["/images"]
        at_once = await owner.create(publish=True)
        assert (at_once.status_code, pointers_of(at_once)) == (422, ["/images"])
        answer = await sent(owner, draft, photo())
        published = await owner.ask("POST", path)
        assert published.status_code == 200, published.text
        image = images_of(answer)[0]["id"]
        kept = await owner.ask("DELETE", f"{path_of(draft)}/images/{image}")
        assert reason_of(kept) == (422, "fields_missing")


async def test_LI_11_a_repeat_takes_what_found_no_room_before(mesh: Mesh) -> None:
    large = photo() + bytes(600_000)
    async with api(mesh.settings.model_copy(update={"storage_per_person_mb": 1})) as small:
        await eventually(lambda: small.machines.writes.started, 20)
        seller = Uploader(small, await mesh.account("seller"))
        other = await seller.send(large)
        await seller.image(image_of(other), other)
        listing, once = await seller.create(), {"Idempotency-Key": uuid4().hex}
        first = await sent(seller, listing, photo(), large, headers=once)
        assert [each["status"] for each in images_of(first)] == ["processing", "refused"]
        path = f"/api/media/{image_of(other)}"
        gone = await seller.ask("DELETE", path, headers={"If-Match": "*"})
        await seller.image(image_of(other), gone)
        again = await sent(seller, listing, photo(), large, headers=once)
        ids = [each["id"] for each in images_of(again)]
        assert (len(ids), ids[0]) == (2, images_of(first)[0]["id"])
        assert await ids_of(seller, again) == ids
        third = await sent(seller, listing, photo(), large, headers=once)
        assert (third.status_code, third.json()) == (201, again.json())


async def test_LI_11_staff_may_not_add_what_would_go_with_them(
    mesh: Mesh, seller: Uploader
) -> None:
    listing = await seller.offer()
    moderator = Uploader(mesh, await mesh.account("moderator"))
    assert reason_of(await sent(moderator, listing, photo())) == (403, "not_owner")
    assert moderator.kept() == set()
