"""Texts that come in forms hold no more than those of JSON bodies: nothing that a store can't hold,
and something to be seen.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import pytest

from api.items.bodies import ITEM_ID
from tests.api.acting.offering import LAPTOP
from tests.api.acting.profiling import photo
from tests.api.asking import ask, body_of, open_api, placed, places, pointer_of, pointers
from tests.api.operations import DOCUMENT, OPERATIONS, Operation
from tests.api.running import Mesh
from tests.clips import clip
from tests.texts import NOT_IN_A_LINE, NOWHERE, UNSEEN, with_inside

FORM = "multipart/form-data"
# What a form writes in bytes has no half characters.
IN_BYTES = {name: each for name, each in NOWHERE.items() if not "\ud800" <= each <= "\udfff"}
EXAMPLES = {
    "create_item": LAPTOP,
    "process_images": {"itemId": ITEM_ID},
    "upload_video": {"listing_id": ITEM_ID},
}
FILES = {"upload_video": {"video": ("a.mp4", clip(1))}}
# Line breaks are theirs, and they may be empty.
OF_SEVERAL_LINES = {"description", "bio", "content", "text"}


def texts_of_forms() -> Iterator[Any]:
    """Every field of a form that is no file."""
    for operation in OPERATIONS:
        content = operation.document.get("requestBody", {}).get("content", {}).get(FORM)
        for name, schema in (content["schema"]["properties"] if content else {}).items():
            if schema.get("type") == "string" and schema.get("format") != "binary":
                yield pytest.param(operation, name, id=f"{operation.id}/{name}")


def seen_texts() -> Iterator[Any]:
    """Every text of a JSON body that a person writes and that must say something."""
    for operation in OPERATIONS:
        found = body_of(operation)
        for path, schema in places(found[0]) if found else ():
            if schema.get("minLength", 0) and schema.get("pattern", "").startswith(r"^[^\u0000-"):
                yield pytest.param(operation, path, id=f"{operation.id}{pointer_of(path)}")


FORMS, SEEN = [*texts_of_forms()], [*seen_texts()]


@pytest.fixture(scope="module")
async def alone() -> AsyncIterator[Mesh]:
    async with open_api() as mesh:
        yield mesh


async def refused_in_form(mesh: Mesh, operation: Operation, name: str, text: str) -> None:
    fields = {**EXAMPLES[operation.id], name: text}
    files = FILES.get(operation.id, {"images": ("a.png", photo())})
    answer = await ask(mesh, operation, data=fields, files=files)
    assert answer.status_code == 422, f"{text!a}: {answer.status_code} {answer.text}"
    assert pointers(answer) == {f"/{name}"}


async def refused_inside(alone: Mesh, operation, name, characters: Iterable[str]) -> None:
    example = str(EXAMPLES[operation.id].get(name, "LKR"))
    for character in characters:
        await refused_in_form(alone, operation, name, with_inside(example, character))


def test_the_sweep_reaches_every_form_and_name() -> None:
    forms = [each for each in DOCUMENT["paths"].values() for each in each.values()]
    with_fields = {
        each["operationId"]
        for each in forms
        if "description" in str(each.get("requestBody", {}).get("content", {}).get(FORM, {}))
    }
    assert with_fields == EXAMPLES.keys() == {each.values[0].id for each in FORMS}
    assert {"register_user/name", "create_listing/title"} <= {each.id for each in SEEN}


@pytest.mark.parametrize(("operation", "name"), FORMS)
async def test_no_text_of_a_form_holds_what_no_store_can_hold(alone: Mesh, operation, name) -> None:
    await refused_inside(alone, operation, name, IN_BYTES.values())


@pytest.mark.parametrize(("operation", "name"), FORMS)
async def test_no_line_of_a_form_holds_a_line_break(alone: Mesh, operation, name) -> None:
    if name in OF_SEVERAL_LINES:
        return
    await refused_inside(alone, operation, name, NOT_IN_A_LINE.values())


@pytest.mark.parametrize(("operation", "name"), FORMS)
async def test_no_text_of_a_form_shows_nothing(alone: Mesh, operation, name) -> None:
    for text in UNSEEN:
        await refused_in_form(alone, operation, name, text * 3)


@pytest.mark.parametrize(("operation", "path"), SEEN)
async def test_no_text_of_a_body_shows_nothing(alone: Mesh, operation, path) -> None:
    example = body_of(operation)[1]
    for text in UNSEEN:
        answer = await ask(alone, operation, json=placed(example, path, text * 3))
        assert answer.status_code == 422, f"{text!a}: {answer.text}"
        assert any(each.startswith(pointer_of(path)) for each in pointers(answer)), answer.text
