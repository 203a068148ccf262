"""What becomes of a picture that is named by its address. Needs no server: the vault is stood in for
by who still has a key, the way to the writers by a list; the object store is a folder, and the open
network a server on loopback.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from infra.clients.objects import Objects, open_objects
from infra.fetching import FETCH_TIMEOUT_S
from infra.settings import Settings
from infra.vault.vault import PersonKey
from processors.reacting.lanes import RUN_TIMEOUT_S
from processors.reactions import fetching
from processors.reactions.fetching import FETCH_MEDIA, NAME
from processors.reactions.reactor import EFFECTS
from producers.media import FETCH_PAUSES
from producers.media import media as decider
from projections.timers.timers import BY_NAME, timers
from schemas.log.messages import Command, Event, Role
from schemas.media import (
    ORIGINAL_BYTES_MAX,
    FailureReason,
    MediaDeleted,
    MediaFailed,
    MediaPutOff,
    MediaType,
    MediaUploaded,
    MediaWanted,
    RecordFailed,
    RecordFetched,
    RecordTryFailed,
    media_folder,
    media_stream,
)
from tests.infra.some_settings import some_settings
from tests.processors.reactions.test_media import photo
from tests.projections.history import BEGINNING, history, recorded, rows_of
from tests.web import answering, tripwire, web

OWNER, OTHER, ID = UUID(int=1), UUID(int=2), UUID(int=3)
STREAM = media_stream(ID)
FOLDER = media_folder(OWNER, ID)
KEY = PersonKey(OWNER, bytes(32))
SAID = {"media_id": ID, "owner_id": OWNER}
DELETED = MediaDeleted(deleted_at=BEGINNING, **SAID)
PHOTO = photo((64, 48))


def wanted(address: str, attempt: int = 1) -> MediaWanted:
    sealed = KEY.seal("address", address)
    return MediaWanted(address_sealed=sealed, attempt=attempt, wanted_at=BEGINNING, **SAID)


@dataclass
class Stand:
    """What the effect uses of its tools, and what it asked for."""

    settings: Settings
    here: bool = True
    sent: list[Command] = field(default_factory=list)

    @property
    def vault(self) -> Stand:
        return self

    @property
    def commands(self) -> Stand:
        return self

    async def person(self, _user_id: UUID) -> PersonKey | None:
        return KEY if self.here else None

    async def send(self, name: str, _recorded: object, commands: list[Command]) -> None:
        assert name == NAME == "fetch_media"  # part of the commands' ids: it never changes
        self.sent.extend(commands)

    @property
    def objects(self) -> Objects:
        return open_objects(self.settings)

    async def hear(self, event: Event) -> list[Command]:
        """What it asks for because of the event."""
        tools: Any = self
        before = len(self.sent)
        await FETCH_MEDIA.run(recorded(STREAM, 1, event), tools)
        return self.sent[before:]

    async def keys(self) -> list[str]:
        return sorted([key async for key, _ in self.objects.everything()])


@dataclass
class Seller:
    """The server of whoever keeps the pictures; what it answers can be changed."""

    host: str = ""
    answer: Any = None
    asked: int = 0

    async def serve(self, head: str, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        await self.answer(head, writer)

    @property
    def address(self) -> str:
        return f"http://{self.host}/cars/1.jpg"


@pytest.fixture
async def seller() -> AsyncIterator[Seller]:
    found = Seller(answer=answering("200 OK", "Content-Type: text/plain", body=PHOTO))
    async with web(found.serve) as found.host:
        yield found


@pytest.fixture
def stand(tmp_path: Path, seller: Seller) -> Stand:
    kept = (tmp_path / "kept").as_uri()
    return Stand(some_settings(objects_url=kept, fetch_allowed=seller.host))


def test_the_reactor_runs_it() -> None:
    assert FETCH_MEDIA in EFFECTS
    assert RUN_TIMEOUT_S > 2 * FETCH_TIMEOUT_S


async def test_a_picture_is_fetched_and_is_an_upload_from_then_on(
    stand: Stand, seller: Seller
) -> None:
    (command,) = await stand.hear(wanted(seller.address))
    assert isinstance(command, RecordFetched)
    assert (command.media_type, command.size) == (MediaType.PNG, len(PHOTO))
    assert command.asked_role is Role.SYSTEM
    assert await stand.objects.get(command.original) == PHOTO
    (event,) = decider.decide(command, decider.fold([wanted(seller.address)]))
    assert isinstance(event, MediaUploaded)
    assert event.original == command.original


async def test_done_twice_it_is_the_same(stand: Stand, seller: Seller) -> None:
    event = wanted(seller.address)
    assert await stand.hear(event) == await stand.hear(event)
    assert len(await stand.keys()) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (answering("200 OK", "Content-Type: image/jpeg", body=b"<svg/>"), FailureReason.UNREADABLE),
        (answering("200 OK", body=b""), FailureReason.UNREADABLE),
        (
            answering("200 OK", body=PHOTO + bytes(ORIGINAL_BYTES_MAX)),
            FailureReason.TOO_LARGE,
        ),
        (answering("404 Not Found", body=PHOTO), FailureReason.NOT_FETCHED),
        (answering("302 Found", "Location: file:///etc/passwd"), FailureReason.ADDRESS_REFUSED),
    ],
    ids=["no picture", "nothing", "too large", "gone", "elsewhere"],
)
async def test_what_can_not_be_had_fails_at_once(
    stand: Stand, seller: Seller, answer: Any, reason: FailureReason
) -> None:
    seller.answer = answer
    (command,) = await stand.hear(wanted(seller.address))
    assert isinstance(command, RecordFailed)
    assert command.reason is reason
    assert await stand.keys() == []


async def test_nothing_is_fetched_from_our_own_network(stand: Stand, seller: Seller) -> None:
    stand.settings = some_settings(objects_url=stand.settings.objects_url)
    async with tripwire() as wire:
        for address in (f"http://127.0.0.1:{wire.port}/", "http://127.0.0.1/", seller.address):
            (command,) = await stand.hear(wanted(address))
            assert isinstance(command, RecordFailed)
            assert command.reason is FailureReason.ADDRESS_REFUSED
        assert (wire.rings, seller.asked) == (0, 0)


async def test_an_address_that_does_not_open_fails_too(stand: Stand, seller: Seller) -> None:
    event = wanted(seller.address).model_copy(update={"address_sealed": "1nothing"})
    (command,) = await stand.hear(event)
    assert isinstance(command, RecordFailed)


async def test_whatever_goes_wrong_is_a_try_and_parks_nothing(
    stand: Stand, seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def __init__(self, *_: object) -> None:
            raise LookupError

    monkeypatch.setattr(fetching, "Fetcher", Broken)
    (command,) = await stand.hear(wanted(seller.address, attempt=2))
    assert isinstance(command, RecordTryFailed)
    assert command.attempt == 2


async def life(stand: Stand, seller: Seller) -> list[Event]:
    """All that becomes of it until it is here or given up: by its decider, the effect, and time."""
    log: list[Event] = [wanted(seller.address)]
    heard = 0
    while not isinstance(log[-1], MediaUploaded | MediaFailed):
        commands: list[Command] = []
        if heard < len(log):
            event, heard = log[heard], heard + 1
            if isinstance(event, MediaWanted):
                commands = await stand.hear(event)
        else:
            row = rows_of(timers, history(STREAM, *log))[STREAM]
            asked = {"asked_at": row.due_at, "asked_by": "time", "asked_role": Role.SYSTEM}
            commands = [BY_NAME[name].command(STREAM, asked) for name in row.names]
        for command in commands:
            log += decider.decide(command, decider.fold(log))  # type: ignore[arg-type]
    assert STREAM not in rows_of(timers, history(STREAM, *log))
    return log


async def test_a_server_that_is_down_is_asked_again_later_and_then_given_up(
    stand: Stand, seller: Seller
) -> None:
    seller.answer = answering("503 Service Unavailable")
    log = await life(stand, seller)
    assert seller.asked == len(FETCH_PAUSES) + 1
    (failed,) = [each for each in log if isinstance(each, MediaFailed)]
    assert failed.reason is FailureReason.NOT_FETCHED
    pauses = [each.until - each.put_off_at for each in log if isinstance(each, MediaPutOff)]
    assert pauses == list(FETCH_PAUSES)
    assert pauses[0] >= timedelta(minutes=1)


async def test_a_server_that_is_back_is_asked_for_what_is_missing(
    stand: Stand, seller: Seller
) -> None:
    down, up = answering("503 Service Unavailable"), seller.answer

    async def back_at_the_third(head: str, writer: asyncio.StreamWriter) -> None:
        await (up if seller.asked == 3 else down)(head, writer)

    seller.answer = back_at_the_third
    log = await life(stand, seller)
    assert isinstance(log[-1], MediaUploaded)
    assert seller.asked == 3


async def test_what_is_deleted_meanwhile_leaves_nothing(stand: Stand, seller: Seller) -> None:
    await stand.hear(wanted(seller.address))
    other = f"{media_folder(OTHER, ID)}/kept"
    await stand.objects.put(other, b"somebody else's")
    await stand.hear(DELETED)
    assert await stand.keys() == [other]


async def test_of_whoever_has_left_nothing_is_fetched(stand: Stand, seller: Seller) -> None:
    stand.here = False
    assert await stand.hear(wanted(seller.address)) == []
    assert (seller.asked, await stand.keys()) == (0, [])


async def test_of_whoever_leaves_meanwhile_nothing_is_kept(stand: Stand, seller: Seller) -> None:
    up = seller.answer

    async def leave(head: str, writer: asyncio.StreamWriter) -> None:
        stand.here = False
        await up(head, writer)

    seller.answer = leave
    assert await stand.hear(wanted(seller.address)) == []
    assert (seller.asked, await stand.keys()) == (1, [])
