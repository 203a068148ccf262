"""What becomes of an upload. Needs no server: the vault is stood in for by who still has a key,
the way to the writers by a list; the object store is a folder.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from PIL import Image
from structlog.testing import capture_logs

from infra.clients.objects import Objects, open_objects
from infra.pictures import Pictures
from infra.settings import Settings
from processors.reacting.effects import OutsideDownError
from processors.reacting.lanes import RUN_TIMEOUT_S
from processors.reactions import media
from processors.reactions.media import BEGIN, BOXES, NAME, PROCESS_MEDIA
from processors.reactions.reactor import EFFECTS, PICTURES_AT_ONCE
from producers.media import media as decider
from projections.timers.timers import BY_NAME, timers
from schemas.log.messages import Command, Event, Role
from schemas.media import (
    BeginDrawing,
    FailureReason,
    MediaDeleted,
    MediaPutOff,
    MediaRetried,
    MediaType,
    MediaUploaded,
    RecordFailed,
    RecordProcessed,
    RecordTryFailed,
    media_folder,
    media_stream,
)
from tests.infra.some_settings import some_settings
from tests.projections.history import BEGINNING, history, recorded, rows_of
from tests.waiting import eventually

OWNER, OTHER, ID, NEXT = UUID(int=1), UUID(int=2), UUID(int=3), UUID(int=4)
STREAM = media_stream(ID)
FOLDER = media_folder(OWNER, ID)
ORIGINAL = f"{FOLDER}/original-{'a' * 64}"
SAID = {"media_id": ID, "owner_id": OWNER}
UPLOADED = MediaUploaded(
    media_type=MediaType.PNG, size=500, original=ORIGINAL, uploaded_at=BEGINNING, **SAID
)
DELETED = MediaDeleted(deleted_at=BEGINNING, **SAID)


def retried(attempt: int) -> MediaRetried:
    return MediaRetried(attempt=attempt, original=ORIGINAL, retried_at=BEGINNING, **SAID)


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
            await self.meanwhile()
        return await super().fitted(data, boxes)


class Slow(Failing):
    """Draws in its threads, and ends each drawing when it is let go on."""

    def __init__(self, at_once: int) -> None:
        Pictures.__init__(self, at_once)
        self.failures, self.asked, self.meanwhile = 0, 0, None
        self.begun, self.running, self.most = 0, 0, 0
        self.go_on = asyncio.Semaphore(0)

    async def fitted(self, data: bytes, boxes: Mapping[Any, Any]) -> Any:
        self.begun += 1
        self.running += 1
        self.most = max(self.most, self.running)
        await self.go_on.acquire()
        self.running -= 1
        return await super().fitted(data, boxes)


@dataclass
class Stand:
    """What the effect uses of its tools, and what it asked for."""

    settings: Settings
    people: tuple[UUID, ...] = (OWNER, OTHER)
    pictures: Failing = field(default_factory=Failing)
    sent: list[Command] = field(default_factory=list)
    begun: list[Command] = field(default_factory=list)

    @property
    def vault(self) -> Stand:
        return self

    @property
    def commands(self) -> Stand:
        return self

    async def person(self, user_id: UUID) -> object | None:
        return user_id if user_id in self.people else None

    async def send(self, name: str, _recorded: object, commands: list[Command]) -> None:
        # Part of the commands' ids: they never change.
        assert (NAME, BEGIN) == ("process_media", "begin_media")
        (self.begun if name == BEGIN else self.sent).extend(commands)

    @property
    def objects(self) -> Objects:
        return open_objects(self.settings)

    async def hear(self, event: Event) -> None:
        tools: Any = self
        await PROCESS_MEDIA.run(recorded(STREAM, 1, event), tools)

    async def keys(self) -> list[str]:
        return sorted([key async for key, _ in self.objects.everything()])


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    found = Stand(some_settings(objects_url=(tmp_path / "kept").as_uri()))
    yield found
    found.pictures.close()


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
async def test_ME_14_what_can_not_be_drawn_fails_at_once(stand, data, reason) -> None:
    if data is not None:
        await stand.objects.put(ORIGINAL, data)
    await stand.hear(UPLOADED)
    (command,) = stand.sent
    assert isinstance(command, RecordFailed)
    assert command.reason == reason


@pytest.mark.parametrize(("event", "attempt"), [(UPLOADED, 1), (retried(2), 2), (retried(3), 3)])
async def test_ME_14_a_try_that_goes_wrong_is_told_and_waits_for_nothing(
    stand: Stand, event: Event, attempt: int
) -> None:
    await stand.objects.put(ORIGINAL, photo())
    stand.pictures.failures = 1
    before = datetime.now(UTC)
    await asyncio.wait_for(stand.hear(event), 1.5)  # the first pause would be longer
    (command,) = stand.sent
    assert isinstance(command, RecordTryFailed)
    assert (command.attempt, stand.pictures.asked) == (attempt, 1)
    assert command.asked_at >= before  # from here the pause is counted


async def test_ME_14_what_fails_twice_and_then_succeeds_is_processed(stand: Stand) -> None:
    await stand.objects.put(ORIGINAL, photo())
    stand.pictures.failures = 2
    for event in (UPLOADED, retried(2), retried(3)):
        await stand.hear(event)
    told = [RecordTryFailed, RecordTryFailed, RecordProcessed]
    assert [type(each) for each in stand.sent] == told
    assert [each.attempt for each in stand.begun if isinstance(each, BeginDrawing)] == [1, 2, 3]


async def test_ME_14_a_store_that_stays_away_is_a_try_that_goes_wrong(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file where a folder should be")
    stand = Stand(some_settings(objects_url=(tmp_path / "kept").as_uri()))
    await stand.hear(UPLOADED)
    assert [type(each) for each in stand.sent] == [RecordTryFailed]


async def test_ME_14_a_try_that_takes_too_long_goes_wrong(stand: Stand, monkeypatch) -> None:
    monkeypatch.setattr(media, "TRY_TIMEOUT_S", 0.05)
    await stand.objects.put(ORIGINAL, photo())
    stand.pictures.meanwhile = asyncio.Event().wait
    await stand.hear(UPLOADED)
    assert [type(each) for each in stand.sent] == [RecordTryFailed]


async def life(stand: Stand) -> list[Event]:
    """All that becomes of an upload: by its decider, by the effect, and by time."""
    log: list[Event] = [UPLOADED]
    heard = 0
    while True:
        commands: list[Command] = []
        if heard < len(log):
            event, heard = log[heard], heard + 1
            if isinstance(event, PROCESS_MEDIA.hears):  # what those of videos hear, too
                stand.begun, stand.sent = [], []
                await stand.hear(event)
                commands = [*stand.begun, *stand.sent]
        elif row := rows_of(timers, history(STREAM, *log)).get(STREAM):
            asked = {"asked_at": row.due_at, "asked_by": "time", "asked_role": Role.SYSTEM}
            commands = [BY_NAME[name].command(STREAM, asked) for name in row.names]
        else:
            return log
        for command in commands:
            log += decider.decide(command, decider.fold(log))  # type: ignore[arg-type]


def pauses(log: list[Event]) -> list[float]:
    """Seconds between a try that went wrong and the next one."""
    off = [each for each in log if isinstance(each, MediaPutOff)]
    again = [each for each in log if isinstance(each, MediaRetried)]
    pairs = zip(off, again, strict=True)
    return [(after.retried_at - before.put_off_at).total_seconds() for before, after in pairs]


@pytest.mark.parametrize(
    ("failures", "waited", "ends"),
    [
        (0, [], "media.processed"),
        (1, [2.0], "media.processed"),
        (2, [2.0, 4.0], "media.processed"),
        (3, [2.0, 4.0], "media.failed"),
        (9, [2.0, 4.0], "media.failed"),
    ],
)
async def test_ME_14_three_tries_with_longer_pauses_and_then_one_failure(
    stand: Stand, failures: int, waited: list[float], ends: str
) -> None:
    await stand.objects.put(ORIGINAL, photo())
    stand.pictures.failures = failures
    log = await life(stand)
    kinds = [each.kind for each in log]
    assert kinds[-1] == ends
    assert (kinds.count("media.processed"), kinds.count("media.failed")).count(1) == 1
    assert kinds.count("media.begun") == stand.pictures.asked == min(failures + 1, 3)
    assert pauses(log) == waited


async def test_ME_13_of_nine_slow_jobs_three_run_at_once(stand: Stand) -> None:
    await stand.objects.put(ORIGINAL, photo())
    slow = Slow(PICTURES_AT_ONCE)
    stand.pictures = slow
    jobs = [asyncio.ensure_future(stand.hear(UPLOADED)) for _ in range(9)]
    for done in range(9):
        await eventually(lambda done=done: slow.begun == min(done + 3, 9))
        # Those that wait have not begun, and what is begun is told of.
        assert len(stand.begun) == slow.begun
        slow.go_on.release()
        await eventually(lambda done=done: len(stand.sent) == done + 1)
    await asyncio.gather(*jobs)
    assert slow.most == 3
    slow.close()


async def test_ME_13_who_waits_too_long_for_a_turn_has_made_no_try(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "TURN_WAIT_S", 0.05)
    async with stand.pictures.jobs:
        with pytest.raises(OutsideDownError):
            await stand.hear(UPLOADED)
    assert stand.begun == []


def test_ME_13_a_try_and_its_turn_fit_in_what_a_lane_gives_an_event() -> None:
    assert media.TURN_WAIT_S + media.TRY_TIMEOUT_S < RUN_TIMEOUT_S


@pytest.mark.parametrize(
    ("event", "failures", "said", "reason"),
    [
        (UPLOADED, 0, "media_processed", None),
        (retried(3), 1, "media_failed", FailureReason.GAVE_UP),
    ],
)
async def test_ME_21_the_log_line_has_the_id_and_the_outcome(
    stand: Stand, event: Event, failures: int, said: str, reason: FailureReason | None
) -> None:
    await stand.objects.put(ORIGINAL, photo())
    stand.pictures.failures = failures
    with capture_logs() as lines:
        await stand.hear(event)
    outcomes = {"media_processed", "media_failed", "media_put_off"}
    (told,) = [each for each in lines if each["event"] in outcomes]
    assert (told["event"], told["media_id"], told["reason"]) == (said, str(ID), reason)


async def test_ME_21_what_can_not_be_drawn_is_told_with_its_id_and_why(stand: Stand) -> None:
    with capture_logs() as lines:
        await stand.hear(UPLOADED)
    (told,) = [each for each in lines if each["event"] == "media_failed"]
    assert (told["media_id"], told["reason"]) == (str(ID), FailureReason.ORIGINAL_MISSING)


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
    async def leave() -> None:
        stand.people = ()

    stand.pictures.meanwhile = leave
    await stand.objects.put(ORIGINAL, photo())
    await stand.hear(UPLOADED)
    assert (await stand.keys(), stand.sent) == ([], [])
