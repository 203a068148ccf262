"""Pictures for an item that is there, over HTTP, against a mesh at work."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from schemas.items import IMAGES_MAX
from schemas.media import media_stream
from tests.api.acting.offering import Student, campus, student
from tests.api.acting.picturing import Uploader
from tests.api.acting.profiling import photo
from tests.api.acting.selling import pointers_of, reason_of
from tests.api.running import Mesh, journalled
from tests.waiting import eventually

PATH = "/api/images/process"


@pytest.fixture(scope="module")
def here() -> str:
    return campus()


@pytest.fixture(scope="module")
async def owner(mesh: Mesh, here: str) -> Student:
    return await student(mesh, here)


@pytest.fixture(scope="module")
async def mate(mesh: Mesh, here: str) -> Student:
    return await student(mesh, here)


@pytest.fixture
async def item_id(owner: Student) -> str:
    return await owner.have()


async def process(person: Student, item_id: str, *files: bytes, **more: Any) -> httpx.Response:
    headers = more.pop("headers", {})
    form = [("images", ("a.png", each)) for each in files]
    fields = {"itemId": item_id, **more}
    return await person.ask("POST", PATH, data=fields, files=form or None, headers=headers)


async def test_ME_12_pictures_of_an_item_are_one_job_and_shown_when_they_are_drawn(
    owner: Student, mate: Student, item_id: str
) -> None:
    answer = await process(owner, item_id, photo(), photo((1, 2, 3)))
    assert answer.status_code == 202, answer.text
    found = answer.json()
    assert (found["success"], bool(found["jobId"]), bool(found["message"])) == (True, True, True)
    assert [each["status"] for each in found["images"]] == ["processing"] * 2
    sent = [each["id"] for each in found["images"]]
    assert found["jobId"] not in {item_id, *sent}

    async def shown() -> bool:
        images = (await mate.item(item_id))["images"]
        return [each["id"] for each in images[1:]] == sent and all(each["large"] for each in images)

    await eventually(shown, 60, "its campus sees them")
    assert (await owner.item(item_id))["imageProcessingStatus"] == "completed"


async def test_ME_12_whoever_sees_the_item_sees_the_picture_and_with_it_it_goes(
    mesh: Mesh, owner: Student, mate: Student, item_id: str
) -> None:
    answer = await process(owner, item_id, photo())
    (image_id,) = [each["id"] for each in answer.json()["images"]]
    await Uploader(mesh, owner.account).until(image_id, "processed")
    assert (await mate.ask("GET", f"/api/images/{image_id}")).status_code == 200
    gone = await owner.ask("DELETE", f"/api/items/{item_id}", headers={"If-Match": "*"})
    assert gone.status_code == 204, gone.text
    await journalled(mesh, media_stream(image_id), "media.deleted")


@pytest.mark.parametrize("files", [(), ("no file",)], ids=["nothing", "a text"])
async def test_ME_12_no_files_are_refused(owner: Student, item_id: str, files: Any) -> None:
    more = {"images": files[0]} if files else {}
    # A form, though it has no file.
    form = [(name, (None, text)) for name, text in {"itemId": item_id, **more}.items()]
    answer = await owner.ask("POST", PATH, files=form)
    assert (answer.status_code, pointers_of(answer)) == (422, ["/images"])


async def test_ME_12_a_callback_is_refused_by_its_name(owner: Student, item_id: str) -> None:
    url = "http://127.0.0.1:9/api/image-processing-complete"
    answer = await process(owner, item_id, photo(), callbackUrl=url)
    assert (answer.status_code, pointers_of(answer)) == (422, ["/callbackUrl"])
    assert "nobody is called" in answer.text
    assert len((await owner.item(item_id))["images"]) == 1
    again = await process(owner, item_id, photo())
    assert again.status_code == 202  # of the same form without it


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"itemId": "mine"}, "/itemId"),
        ({"itemId": ""}, "/itemId"),
        ({"priority": "1"}, "/priority"),
    ],
)
async def test_ME_12_what_is_wrong_in_the_form_is_named(
    owner: Student, item_id: str, fields: dict[str, str], pointer: str
) -> None:
    sent = {"itemId": item_id, **fields}
    answer = await process(owner, sent.pop("itemId"), photo(), **sent)
    assert (answer.status_code, pointers_of(answer)) == (422, [pointer])


async def test_ME_12_a_bad_file_fails_only_itself(owner: Student, item_id: str) -> None:
    answer = await process(owner, item_id, b"MZ" + bytes(99), photo())
    bad, good = answer.json()["images"]
    assert (bad["status"], bad["error"]["reason"]) == ("refused", "media_type_unknown")
    assert good["status"] == "processing"
    answer = await process(owner, item_id, b"MZ" + bytes(99))
    assert reason_of(answer) == (422, "no_image_taken")


async def test_ME_12_only_its_owner_adds_to_an_item(
    mesh: Mesh, owner: Student, mate: Student, item_id: str
) -> None:
    assert reason_of(await process(mate, item_id, photo())) == (403, "not_owner")
    elsewhere = await student(mesh, campus())
    assert reason_of(await process(elsewhere, item_id, photo())) == (404, "item_unknown")
    hidden = await owner.have(drawn=False)
    assert reason_of(await process(mate, hidden, photo())) == (404, "item_unknown")
    assert len((await owner.item(item_id))["images"]) == 1


async def test_ME_12_more_than_fit_are_none_taken(mesh: Mesh, here: str) -> None:
    person = await student(mesh, here)
    item_id = await person.have()
    answer = await process(person, item_id, *[photo()] * IMAGES_MAX)
    assert reason_of(answer) == (422, "too_many_images")
    # What was kept for it is nothing's picture.
    await eventually(lambda: not Uploader(mesh, person.account).kept(), 30)


async def test_ME_12_a_repeat_is_one_job_and_another_item_is_another(
    owner: Student, item_id: str
) -> None:
    headers = {"Idempotency-Key": uuid4().hex}
    first, again = [
        (await process(owner, item_id, photo(), headers=headers)).json() for _ in range(2)
    ]
    assert first == again
    other = (await process(owner, await owner.have(), photo(), headers=headers)).json()
    assert other["jobId"] != first["jobId"]
    assert other["images"][0]["id"] != first["images"][0]["id"]
