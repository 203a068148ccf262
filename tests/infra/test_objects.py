"""One contract for every kind of object store that runs here; S3 speaks it through the same
library, but no emulator of it is at hand.
"""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from pydantic import SecretStr

from infra.objects import Objects, ObjectsUnavailableError, open_objects
from infra.settings import Settings, SettingsError, load_settings
from tests.infra.some_settings import some_settings

KEY = "avatars/one/two/picture.webp"


@pytest.fixture(params=["folder", "memory"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    url = {"folder": (tmp_path / "kept").as_uri(), "memory": "memory:///"}[request.param]
    return open_objects(some_settings(objects_url=url))


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


async def test_PR_14_an_s3_that_is_away_is_told_and_names_nothing() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = some_settings(
            objects_url="s3://pictures/mesh",
            objects_endpoint=f"http://127.0.0.1:{closed.getsockname()[1]}",
            objects_region="us-east-1",
            objects_access_key="key",
            objects_secret_key=SecretStr("secret"),
        )
        with pytest.raises(ObjectsUnavailableError) as caught:
            await open_objects(away).get(KEY)
    assert str(caught.value) == ""


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
