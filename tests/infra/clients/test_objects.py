"""One contract for every kind of object store: a folder, memory, and S3 over its protocol."""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any

import pytest

import infra.clients.objects
from infra.clients.objects import (
    ANSWER_TIMEOUT_S,
    PART_BYTES,
    Objects,
    ObjectsUnavailableError,
    open_objects,
)
from infra.settings import Settings, SettingsError, load_settings
from tests.infra.some_settings import some_settings
from tests.s3 import S3, s3_server, s3_settings

KEY = "avatars/one/two/picture.webp"


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with s3_server() as found:
        yield found


@pytest.fixture(params=["folder", "memory", "s3"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    match request.param:
        case "folder":
            stated = {"objects_url": (tmp_path / "kept").as_uri()}
        case "memory":
            stated = {"objects_url": "memory:///"}
        case _:
            found: S3 = request.getfixturevalue("s3")
            stated = found.settings(found.new_bucket())
    return open_objects(some_settings(**stated))


async def test_PR_14_what_was_put_is_got(objects: Objects) -> None:
    data = bytes(range(256)) * 1_000
    await objects.put(KEY, data)
    assert await objects.get(KEY) == data


async def test_PR_14_what_was_never_put_is_not_there(objects: Objects) -> None:
    await objects.put(KEY, b"x")
    for key in ("none", "avatars/one/two", "avatars/one/two/other"):
        assert await objects.get(key) is None


async def test_PR_14_putting_again_replaces(objects: Objects) -> None:
    await objects.put(KEY, b"first")
    await objects.put(KEY, b"second")
    assert await objects.get(KEY) == b"second"


async def test_PR_14_deleting_takes_away_what_is_named_and_nothing_else(objects: Objects) -> None:
    for name in "abc":
        await objects.put(f"x/{name}", b"1")
    await objects.delete(["x/a", "x/never", "x/b"])
    assert [await objects.get(f"x/{name}") for name in "abc"] == [None, None, b"1"]


async def test_PR_14_a_folder_goes_with_all_that_is_in_it(objects: Objects) -> None:
    for key in ("p/one/a", "p/one/deep/b", "p/other/a", "p/one-and-more"):
        await objects.put(key, b"1")
    assert await objects.delete_folder("p/one") == 2
    assert await objects.delete_folder("p/one") == 0
    assert await objects.get("p/one/deep/b") is None
    assert await objects.get("p/other/a") == b"1"
    assert await objects.get("p/one-and-more") == b"1"


async def test_ED_01_what_is_kept_in_a_folder_while_it_goes_goes_too(
    objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("p/one/a", "p/one/b"):
        await objects.put(key, b"1")
    real, late = Objects._delete, ["p/one/late", "p/one/later"]

    async def meanwhile(self: Objects, key: str) -> None:
        await real(self, key)
        if late:
            await objects.put(late.pop(), b"1")

    monkeypatch.setattr(Objects, "_delete", meanwhile)
    await objects.delete_folder("p/one")
    assert late == []
    for key in ("p/one/a", "p/one/b", "p/one/late", "p/one/later"):
        assert await objects.get(key) is None


@pytest.mark.asvs("V5.3.2")
async def test_PR_14_no_key_leads_out_of_the_store(objects: Objects, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("not ours")
    for key in ("../secret", "a/../../secret", "avatars/./x", "a//b"):
        with pytest.raises(ValueError, match=r"parse path"):
            await objects.get(key)


async def test_PR_14_by_default_objects_lie_in_the_state_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESH_STATE", str(tmp_path / "state"))
    await open_objects(some_settings()).put(KEY, b"here")
    assert (tmp_path / "state" / "objects" / KEY).read_bytes() == b"here"


async def test_PR_14_everything_is_every_object_and_its_bytes(objects: Objects) -> None:
    kept = {f"x/{number}": bytes([number]) for number in range(5)}
    for key, data in kept.items():
        await objects.put(key, data)
    assert {key: data async for key, data in objects.everything()} == kept


@pytest.mark.parametrize("size", [0, 1_000, 2 * PART_BYTES + 7])
async def test_ME_06_a_file_goes_in_and_comes_out_whole(
    objects: Objects, tmp_path: Path, size: int
) -> None:
    data = random.Random(size).randbytes(size)
    # What a form's file lies in: in memory while it is small.
    with SpooledTemporaryFile(max_size=100_000) as file:
        file.write(data)
        file.seek(0)
        await objects.put_file(KEY, file)
    assert await objects.size(KEY) == size
    assert await objects.fetch(KEY, tmp_path / "out") is True
    assert (tmp_path / "out").read_bytes() == data


async def test_ME_08_a_part_is_got_without_the_rest(objects: Objects) -> None:
    data = bytes(range(256)) * 1_000
    await objects.put(KEY, data)
    for begins, ends in ((0, 1), (10, 300), (255_999, 256_000)):
        assert await objects.part(KEY, begins, ends) == data[begins:ends]


async def test_ME_08_of_what_was_never_put_there_is_no_part(
    objects: Objects, tmp_path: Path
) -> None:
    assert await objects.part(KEY, 0, 1) is None
    assert await objects.size(KEY) is None
    assert await objects.fetch(KEY, tmp_path / "out") is False
    assert not (tmp_path / "out").exists()


async def test_PR_14_folders_of_one_bucket_do_not_see_each_other(s3: S3) -> None:
    stated = s3.settings(s3.new_bucket())
    ours = open_objects(some_settings(**stated))
    theirs = open_objects(some_settings(**{**stated, "objects_url": stated["objects_url"] + "-2"}))
    await ours.put(KEY, b"ours")
    assert await theirs.get(KEY) is None
    assert [key async for key, _ in theirs.everything()] == []


async def test_PR_14_a_bucket_that_is_not_there_takes_nothing(s3: S3) -> None:
    objects = open_objects(some_settings(**s3.settings("never-made")))
    with pytest.raises(ObjectsUnavailableError):
        await objects.put(KEY, b"x")


async def _first_of_everything(objects: Objects) -> object:
    return await anext(objects.everything())


CALLS: list[Callable[[Objects], Any]] = [
    lambda objects: objects.put(KEY, b"x"),
    lambda objects: objects.get(KEY),
    lambda objects: objects.delete([KEY]),
    lambda objects: objects.delete_folder("avatars"),
    _first_of_everything,
    lambda objects: objects.put_file(KEY, BytesIO(b"x")),
    lambda objects: objects.fetch(KEY, Path(os.devnull)),
    lambda objects: objects.size(KEY),
    lambda objects: objects.part(KEY, 0, 1),
]


NAMES = ["put", "get", "delete", "delete folder", "everything", "file", "fetch", "size", "part"]


@pytest.fixture(scope="module")
async def left_behind() -> Objects:
    """A store in an S3 that was there a moment ago."""
    with s3_server() as leaving:
        objects = open_objects(some_settings(**leaving.settings(leaving.new_bucket())))
        await objects.put(KEY, b"x")
    return objects


@pytest.mark.parametrize("call", CALLS, ids=NAMES)
async def test_PR_14_an_s3_that_is_away_is_told_in_time_and_names_nothing(
    left_behind: Objects, call: Callable[[Objects], Any]
) -> None:
    began = time.monotonic()
    with pytest.raises(ObjectsUnavailableError) as caught:
        await call(left_behind)
    assert time.monotonic() - began < ANSWER_TIMEOUT_S + 1
    assert str(caught.value) == ""


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize("call", CALLS, ids=NAMES)
async def test_PR_14_an_s3_that_never_answers_is_given_up(
    silent: str, call: Callable[[Objects], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for bound in ("ANSWER_TIMEOUT_S", "DELETE_TIMEOUT_S", "FILE_TIMEOUT_S"):
        monkeypatch.setattr(infra.clients.objects, bound, 0.3)
    objects = open_objects(some_settings(**s3_settings(silent, "pictures")))
    began = time.monotonic()
    with pytest.raises(ObjectsUnavailableError):
        await call(objects)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("blocked", ["kept", "kept/avatars"])
async def test_PR_14_a_folder_that_can_not_be_written_is_told(tmp_path: Path, blocked: str) -> None:
    (tmp_path / blocked).parent.mkdir(exist_ok=True)
    (tmp_path / blocked).write_text("a file where a folder should be")
    objects = open_objects(some_settings(objects_url=(tmp_path / "kept").as_uri()))
    with pytest.raises(ObjectsUnavailableError):
        await objects.put(KEY, b"x")


@pytest.mark.parametrize("url", ["http://somewhere", "pictures", "file://host/x", "s3://"])
def test_PR_14_a_store_of_no_known_kind_is_refused_at_start(url: str) -> None:
    known = some_settings().model_dump()
    with pytest.raises(SettingsError, match="OBJECTS_URL"):
        load_settings(**{**known, "objects_url": url})
    assert Settings.model_fields["objects_url"].default == ""
