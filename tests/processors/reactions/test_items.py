"""What follows for items from what becomes of their images, from time, and from who leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, cast
from uuid import UUID

import pytest

from processors.reacting.effects import Tools
from processors.reactions.items import WITHDRAW_ITEMS
from processors.reactions.reactor import REACTIONS
from schemas.identity import UserDeleted, user_stream
from schemas.items import (
    AddItemImage,
    DeleteItem,
    FailItemImage,
    ItemDeleted,
    RemoveItemImage,
    item_stream,
)
from schemas.log.messages import Command, Event, Role
from schemas.media import (
    DeleteMedia,
    FailureReason,
    ImageVariants,
    MediaDeleted,
    MediaFailed,
    MediaProcessed,
    Variant,
    VariantName,
    media_folder,
    media_stream,
)
from tests.producers.test_items import created
from tests.projections.history import recorded

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ITEM, OWNER, MEDIA, OTHER = (UUID(int=n) for n in range(1, 5))
(REACTION,) = (each for each in REACTIONS if each.name == "show_item_image")


def key(name: VariantName) -> str:
    return f"{media_folder(OWNER, MEDIA)}/{sha256(name.encode()).hexdigest()}.webp"


def processed(subject: str | None) -> MediaProcessed:
    sizes = [Variant(name=n, key=key(n), width=8, height=8, size=99) for n in VariantName]
    return MediaProcessed(
        media_id=MEDIA, owner_id=OWNER, subject=subject, variants=tuple(sizes), processed_at=NOW
    )


def failed(subject: str | None) -> MediaFailed:
    return MediaFailed(
        media_id=MEDIA,
        owner_id=OWNER,
        subject=subject,
        reason=FailureReason.GAVE_UP,
        failed_at=NOW,
    )


def deleted(subject: str | None) -> MediaDeleted:
    return MediaDeleted(media_id=MEDIA, owner_id=OWNER, subject=subject, deleted_at=NOW)


def following(event: Event) -> list[Command]:
    return [each.command for each in REACTION.envelopes(recorded(media_stream(MEDIA), 2, event))]


def test_IT_06_a_drawn_image_is_shown_with_its_three_variants() -> None:
    (command,) = following(processed(item_stream(ITEM)))
    assert isinstance(command, AddItemImage)
    assert (command.item_id, command.media_id) == (ITEM, MEDIA)
    assert command.variants == ImageVariants(**{n.value: key(n) for n in VariantName})
    assert command.asked_role is Role.SYSTEM


def test_IT_06_an_image_that_failed_is_told_of() -> None:
    (command,) = following(failed(item_stream(ITEM)))
    assert isinstance(command, FailItemImage)
    assert (command.item_id, command.media_id) == (ITEM, MEDIA)


def test_ME_05_an_image_that_is_deleted_is_taken_from_its_item() -> None:
    (command,) = following(deleted(item_stream(ITEM)))
    assert isinstance(command, RemoveItemImage)
    assert (command.item_id, command.media_id) == (ITEM, MEDIA)


@pytest.mark.parametrize("subject", [None, f"listing/{ITEM}", "item/" + "-" * 36])
def test_IT_06_pictures_of_other_things_are_left_alone(subject) -> None:
    assert following(processed(subject)) == []
    assert following(failed(subject)) == []
    assert following(deleted(subject)) == []


def test_IT_11_with_an_item_its_pictures_go() -> None:
    (reaction,) = (each for each in REACTIONS if each.name == "delete_item_images")
    event = ItemDeleted(item_id=ITEM, images=(MEDIA, OTHER), deleted_at=NOW)
    found = [each.command for each in reaction.envelopes(recorded(item_stream(ITEM), 5, event))]
    assert [each.stream_id for each in found] == [media_stream(MEDIA), media_stream(OTHER)]
    assert {type(each) for each in found} == {DeleteMedia}


@dataclass
class Store:
    """Tools of an effect: read models that hold what a test says, commands that are kept."""

    status: str
    ids: Sequence[UUID] = ()
    withheld: Sequence[UUID] = ()  # items of theirs of which something waits to be mended
    parked: bool = False  # the owner's row
    sent: list[tuple[str, Command]] = field(default_factory=list)
    looked: list[str] = field(default_factory=list)

    @property
    def postgres(self) -> Store:
        return self

    @property
    def commands(self) -> Store:
        return self

    async def send(self, name: str, _recorded: Any, commands: Sequence[Command]) -> None:
        self.sent += [(name, command) for command in commands]

    async def fetchval(self, query: str, projection: str, *_place: Any) -> Any:
        if "live_parked" in query:
            return user_stream(OWNER) if self.parked else None
        self.looked.append(f"until {projection} has read it")
        return 1_000

    async def fetchrow(self, query: str, *_values: Any) -> dict[str, Any] | None:
        if "reads.journal" in query:
            return {"kind": "user.deleted", "version": 3, "status": None}
        self.looked.append("owner")
        return None if self.parked else {"status": self.status}

    async def fetch(self, query: str, *values: Any) -> Any:
        if "live_parked" in query:
            return [
                {"stream_id": item_stream(each), "person": str(OWNER), "is_read": True}
                for each in self.withheld
            ]
        _, last, _ = values
        self.looked.append("items")
        return [{"key": str(each)} for each in sorted(self.ids) if str(each) > last]


LEFT = recorded(
    user_stream(OWNER), 2, UserDeleted(user_id=OWNER, email_hash="0" * 64, deleted_at=NOW)
)
CAME = recorded(item_stream(ITEM), 1, created())


async def test_PR_10_of_whoever_leaves_every_item_is_deleted() -> None:
    store = Store("deleted", ids=[ITEM, MEDIA, OTHER])
    await WITHDRAW_ITEMS.run(LEFT, cast("Tools", store))
    assert [command.stream_id for _, command in store.sent] == [
        item_stream(each) for each in (ITEM, MEDIA, OTHER)
    ]
    assert {type(command) for _, command in store.sent} == {DeleteItem}
    assert len({name for name, _ in store.sent}) == 3
    assert store.looked[:2] == ["until users has read it", "items"]


@pytest.mark.parametrize(("status", "count"), [("deleted", 1), ("active", 0), ("deactivated", 0)])
async def test_PR_10_an_item_that_comes_after_its_owner_has_left_is_deleted(status, count) -> None:
    store = Store(status)
    await WITHDRAW_ITEMS.run(CAME, cast("Tools", store))
    assert len(store.sent) == count
    assert store.looked == ["until items has read it", "owner"]


async def test_items_that_wait_to_be_mended_are_deleted_with_their_owner_too() -> None:
    store = Store("deleted", ids=[ITEM], withheld=[OTHER])
    await WITHDRAW_ITEMS.run(LEFT, cast("Tools", store))
    assert [command.stream_id for _, command in store.sent] == [
        item_stream(ITEM),
        item_stream(OTHER),
    ]


async def test_an_item_of_an_owner_whose_deletion_waits_to_be_mended_is_deleted() -> None:
    store = Store("", parked=True)
    await WITHDRAW_ITEMS.run(CAME, cast("Tools", store))
    assert len(store.sent) == 1
