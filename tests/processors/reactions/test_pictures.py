"""What leaves the object store when an event says so. Needs no server: the vault is stood in for
by who still has a key.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from infra.clients.objects import Objects, open_objects
from infra.settings import Settings
from processors.reacting.effects import OutsideDownError
from processors.reactions.pictures import DROP_PICTURES
from processors.reactions.reactor import EFFECTS
from schemas.identity import UserDeleted, user_stream
from schemas.log.messages import Event
from schemas.media import media_folder
from schemas.profiles import Avatar, AvatarChanged, AvatarRemoved, profile_stream
from tests.infra.some_settings import some_settings
from tests.projections.history import BEGINNING, recorded

USER, OTHER = UUID(int=1), UUID(int=2)


@dataclass
class Keys:
    """Who has one."""

    people: tuple[UUID, ...]

    async def person(self, user_id: UUID) -> object | None:
        return user_id if user_id in self.people else None

    async def erase(self, user_id: UUID) -> bool:
        had = user_id in self.people
        self.people = tuple(each for each in self.people if each != user_id)
        return had


@dataclass(frozen=True)
class Stand:
    """What the effect uses of its tools."""

    settings: Settings
    vault: Keys

    @property
    def objects(self) -> Objects:
        return open_objects(self.settings)

    async def keep(self, *avatars: Avatar) -> None:
        for avatar in avatars:
            for key in (avatar.large, avatar.small):
                await self.objects.put(key, b"picture")

    async def keeps(self, avatar: Avatar) -> bool:
        found = {await self.objects.get(key) is not None for key in (avatar.large, avatar.small)}
        assert len(found) == 1
        return found.pop()

    async def hear(self, event: Event) -> None:
        stream = user_stream if isinstance(event, UserDeleted) else profile_stream
        tools: Any = self
        await DROP_PICTURES.run(recorded(stream(USER), 1, event), tools)


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(some_settings(objects_url=(tmp_path / "kept").as_uri()), Keys((USER, OTHER)))


def avatar(upload: int, owner: UUID = USER) -> Avatar:
    folder = f"avatars/{owner}/{UUID(int=upload)}"
    return Avatar(large=f"{folder}/{'a' * 64}.webp", small=f"{folder}/{'b' * 64}.webp")


OLD, NEW, FOREIGN = avatar(1), avatar(2), avatar(3, OTHER)
CHANGED = AvatarChanged(user_id=USER, avatar=NEW, previous=OLD, changed_at=BEGINNING)
FIRST = AvatarChanged(user_id=USER, avatar=NEW, changed_at=BEGINNING)
REMOVED = AvatarRemoved(user_id=USER, previous=OLD, removed_at=BEGINNING)
DELETED = UserDeleted(user_id=USER, email_hash="0" * 64, deleted_at=BEGINNING)


def test_PR_03_the_reactor_runs_it() -> None:
    assert DROP_PICTURES in EFFECTS


@pytest.mark.parametrize("event", [CHANGED, REMOVED], ids=lambda event: event.kind)
async def test_PR_03_a_replaced_or_removed_picture_goes_and_no_other(stand, event) -> None:
    await stand.keep(OLD, NEW, FOREIGN)
    for _ in range(2):  # it runs at least once
        await stand.hear(event)
        assert [await stand.keeps(each) for each in (OLD, NEW, FOREIGN)] == [False, True, True]


async def test_PR_03_a_first_picture_takes_nothing_away(stand) -> None:
    await stand.keep(NEW, FOREIGN)
    await stand.hear(FIRST)
    assert [await stand.keeps(each) for each in (NEW, FOREIGN)] == [True, True]


async def test_PR_10_of_the_deleted_every_picture_goes(stand) -> None:
    await stand.keep(OLD, NEW, FOREIGN)
    await stand.hear(DELETED)
    assert [await stand.keeps(each) for each in (OLD, NEW, FOREIGN)] == [False, False, True]


async def test_PR_10_of_the_deleted_every_upload_goes(stand) -> None:
    kept, gone = (f"{media_folder(owner, USER)}/original-{'a' * 64}" for owner in (OTHER, USER))
    for key in (kept, gone):
        await stand.objects.put(key, b"original")
    await stand.hear(DELETED)
    assert [await stand.objects.get(key) is not None for key in (kept, gone)] == [True, False]


async def test_PR_10_the_key_of_the_deleted_goes_before_their_pictures(stand, monkeypatch) -> None:
    """Else what is stored after the pictures went, but before the key does, stays for ever."""
    order = []

    async def folder(_objects: Objects, name: str) -> int:
        order.append((name, stand.vault.people))
        return 0

    monkeypatch.setattr(Objects, "delete_folder", folder)
    await stand.hear(DELETED)
    assert order == [(f"avatars/{USER}", (OTHER,)), (f"media/{USER}", (OTHER,))]


async def test_PR_10_a_picture_that_comes_after_the_end_goes_as_well(tmp_path) -> None:
    settings = some_settings(objects_url=(tmp_path / "kept").as_uri())
    stand = Stand(settings, Keys((OTHER,)))
    await stand.keep(NEW, FOREIGN)
    await stand.hear(FIRST)
    assert [await stand.keeps(each) for each in (NEW, FOREIGN)] == [False, True]


async def test_PR_03_a_store_that_is_away_is_waited_for(tmp_path) -> None:
    (tmp_path / "kept").write_text("a file where a folder should be")
    settings = some_settings(objects_url=(tmp_path / "kept").as_uri())
    with pytest.raises(OutsideDownError):
        await Stand(settings, Keys((USER,))).hear(CHANGED)
