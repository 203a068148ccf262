"""What becomes of an upload. Needs no server: the vault is stood in for by who still has a key,
the way to the writers by a list; the object store is a folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from PIL import Image
from structlog.testing import capture_logs

from infra.objects import Objects, open_objects
from infra.pictures import Pictures
from infra.settings import Settings
from processors.reacting.effects import OutsideDownError
from processors.reactions import media
from processors.reactions.media import BOXES, PROCESS_MEDIA
from processors.reactions.reactor import EFFECTS
from schemas.media import (
    FailureReason,
    MediaDeleted,
    MediaType,
    MediaUploaded,
    RecordFailed,
    RecordProcessed,
    media_folder,
    media_stream,
)
from schemas.messages import Command, Event, Role
from tests.infra.some_settings import some_settings
from tests.projections.history import BEGINNING, recorded

OWNER, OTHER, ID, NEXT = UUID(int=1), UUID(int=2), UUID(int=3), UUID(int=4)
FOLDER = media_folder(OWNER, ID)
ORIGINAL = f"{FOLDER}/original-{'a' * 64}"
SAID = {"media_id": ID, "owner_id": OWNER}
UPLOADED = MediaUploaded(
    media_type=MediaType.PNG, size=500, original=ORIGINAL, uploaded_at=BEGINNING, **SAID
)
DELETED = MediaDeleted(deleted_at=BEGINNING, **SAID)


class Failing(Pictures):
    """Fails as often as told, then draws; or asks somebody else to act meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = 0
        self.asked = 0
        self.meanwhile: Any = None

    async def fitted(self, data: bytes, boxes: Mapping[Any, Any]) -> Any:
        self.asked += 1
        if self.asked <= self.failures:
            raise MemoryError
        if self.meanwhile is not None:
            self.meanwhile()
        return await super().fitted(data, boxes)


@dataclass
class Stand:
    """What the effect uses of its tools, and what it asked for."""

    settings: Settings
    people: tuple[UUID, ...] = (OWNER, OTHER)
    pictures: Failing = field(default_factory=Failing)
    sent: list[Command] = field(default_factory=list)

    @property
    def vault(self) -> Stand:
        return self

    @property
    def commands(self) -> Stand:
        return self

    async def person(self, user_id: UUID) -> object | None:
        return user_id if user_id in self.people else None

    async def send(self, name: str, _recorded: object, commands: list[Command]) -> None:
        assert name == "process_media"  # part of the commands' ids: it never changes
        self.sent += commands

    @property
    def objects(self) -> Objects:
        return open_objects(self.settings)

    async def hear(self, event: Event) -> None:
        tools: Any = self
        await PROCESS_MEDIA.run(recorded(media_stream(ID), 1, event), tools)

    async def keys(self) -> list[str]:
        return sorted([key async for key, _ in self.objects.everything()])


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    found = Stand(some_settings(objects_url=(tmp_path / "kept").as_uri()))
    yield found
    found.pictures.close()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited; nobody does."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(media, "sleep", sleep)
    return waited


def photo(size: tuple[int, int] = (640, 480)) -> bytes:
    out = BytesIO()
    Image.effect_noise(size, 50).convert("RGB").save(out, "PNG")
    return out.getvalue()


def test_ME_03_the_reactor_runs_it() -> None:
    assert PROCESS_MEDIA in EFFECTS


async def test_ME_03_what_was_uploaded_is_drawn_in_every_size(stand: Stand) -> None:
    await stand.objects.put(ORIGINAL, photo((1600, 1200)))
    await stand.hear(UPLOADED)
    (command,) = stand.sent
    assert isinstance(command, RecordProcessed)
    assert command.asked_role is Role.SYSTEM
    assert [(each.name, each.width, each.height) for each in command.variants] == [
        ("thumbnail", 300, 225),
        ("medium", 800, 600),
        ("large", 1200, 900),
    ]
    for each in command.variants:
        kept = await stand.objects.get(each.key)
        assert kept is not None
        assert len(kept) == each.size
    assert await stand.keys() == sorted([ORIGINAL, *(each.key for each in command.variants)])


async def test_ME_03_done_twice_it_is_the_same(stand: Stand) -> None:
    await stand.objects.put(ORIGINAL, photo())
    for _ in range(2):
        await stand.hear(UPLOADED)
    first, again = stand.sent
    assert first == again


def test_ME_15_the_boxes_are_those_of_the_source() -> None:
    assert {name.value: box for name, box in BOXES.items()} == {
        "thumbnail": (300, 300),
        "medium": (800, 600),
        "large": (1200, 900),
    }


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(99), FailureReason.UNREADABLE),
        (photo()[:3_000], FailureReason.UNREADABLE),
        (None, FailureReason.ORIGINAL_MISSING),
    ],
    ids=["no picture", "cut off", "lost"],
)
async def test_ME_14_what_can_not_be_drawn_fails_at_once(stand, pauses, data, reason) -> None:
    if data is not None:
        await stand.objects.put(ORIGINAL, data)
    await stand.hear(UPLOADED)
    (command,) = stand.sent
    assert isinstance(command, RecordFailed)
    assert (command.reason, pauses) == (reason, [])


async def test_ME_14_what_fails_twice_and_then_succeeds_is_processed(stand, pauses) -> None:
    await stand.objects.put(ORIGINAL, photo())
    stand.pictures.failures = 2
    await stand.hear(UPLOADED)
    assert [type(each) for each in stand.sent] == [RecordProcessed]
    assert pauses == [2.0, 4.0]


async def test_ME_14_what_fails_three_times_is_told_once(stand, pauses) -> None:
    await stand.objects.put(ORIGINAL, photo())
    stand.pictures.failures = 3
    await stand.hear(UPLOADED)
    (command,) = stand.sent
    assert isinstance(command, RecordFailed)
    assert (command.reason, stand.pictures.asked) == (FailureReason.GAVE_UP, 3)


async def test_ME_14_a_store_that_stays_away_fails_after_three_attempts(tmp_path, pauses) -> None:
    (tmp_path / "kept").write_text("a file where a folder should be")
    stand = Stand(some_settings(objects_url=(tmp_path / "kept").as_uri()))
    await stand.hear(UPLOADED)
    (command,) = stand.sent
    assert isinstance(command, RecordFailed)
    assert (command.reason, len(pauses)) == (FailureReason.GAVE_UP, 2)


@pytest.mark.parametrize(("failures", "event"), [(0, "media_processed"), (3, "media_failed")])
async def test_ME_21_the_log_line_has_the_id_and_the_outcome(
    stand, pauses, failures, event
) -> None:
    await stand.objects.put(ORIGINAL, photo())
    stand.pictures.failures = failures
    with capture_logs() as lines:
        await stand.hear(UPLOADED)
    told = [each for each in lines if each["event"] == event]
    assert [each["media_id"] for each in told] == [str(ID)]
    assert (told[0]["reason"] == FailureReason.GAVE_UP) == bool(failures)


async def test_ME_05_of_what_is_deleted_every_object_goes_and_no_other(stand: Stand) -> None:
    other = f"{media_folder(OWNER, NEXT)}/original-{'a' * 64}"
    await stand.objects.put(ORIGINAL, photo())
    await stand.objects.put(other, b"other")
    await stand.hear(UPLOADED)
    assert len(await stand.keys()) > 2
    for _ in range(2):  # it runs at least once
        await stand.hear(DELETED)
        assert await stand.keys() == [other]


async def test_ME_05_a_store_that_is_away_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file where a folder should be")
    stand = Stand(some_settings(objects_url=(tmp_path / "kept").as_uri()))
    with pytest.raises(OutsideDownError):
        await stand.hear(DELETED)


async def test_PR_10_an_upload_that_comes_after_the_end_goes(stand: Stand) -> None:
    stand.people = (OTHER,)
    foreign = f"{media_folder(OTHER, ID)}/original-{'a' * 64}"
    for key in (ORIGINAL, foreign):
        await stand.objects.put(key, photo())
    await stand.hear(UPLOADED)
    assert (await stand.keys(), stand.sent) == ([foreign], [])
    assert stand.pictures.asked == 0


async def test_PR_10_whoever_leaves_while_it_is_drawn_leaves_nothing(stand: Stand) -> None:
    def leave() -> None:
        stand.people = ()

    stand.pictures.meanwhile = leave
    await stand.objects.put(ORIGINAL, photo())
    await stand.hear(UPLOADED)
    assert (await stand.keys(), stand.sent) == ([], [])
