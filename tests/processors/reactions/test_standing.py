"""Listings follow their seller's standing, whatever happens at the same moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from processors.reacting.effects import OutsideDownError
from processors.reactions.standing import ROUNDS_MAX, settle_listing, settle_seller
from schemas.identity import UserBanned, UserDeactivated, UserDeleted, UserReactivated, UserStatus
from schemas.identity.values import BanReason
from schemas.listings import (
    DeleteListing,
    HideListing,
    ListingPublished,
    ShowListing,
    listing_stream,
)
from schemas.log.messages import Command, Event, Role
from tests.projections.history import recorded

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SELLER = uuid4()
STANDINGS = {
    UserDeactivated: UserDeactivated(user_id=SELLER, deactivated_at=NOW),
    UserReactivated: UserReactivated(user_id=SELLER, status=UserStatus.ACTIVE, reactivated_at=NOW),
    UserBanned: UserBanned(user_id=SELLER, reason=BanReason.FRAUD, banned_at=NOW),
    UserDeleted: UserDeleted(user_id=SELLER, email_hash="0" * 64, deleted_at=NOW),
}


@dataclass
class Shop:
    """Tools of an effect: read models that hold what a test says, commands that are kept.

    Each look at the seller takes the next of `standings`; the last one stays.
    """

    standings: list[tuple[str, int]]
    listings: Sequence[UUID] = ()
    parked: str = ""  # the kind of the last event that says where the seller stands
    withheld: Sequence[UUID] = ()  # listings of theirs of which something waits to be mended
    sent: list[tuple[str, Command]] = field(default_factory=list)
    looked: list[str] = field(default_factory=list)

    @property
    def postgres(self) -> Shop:
        return self

    @property
    def commands(self) -> Shop:
        return self

    async def send(self, name: str, _recorded: Any, commands: Sequence[Command]) -> None:
        self.sent += [(name, command) for command in commands]

    async def fetchval(self, query: str, projection: str, *_place: Any) -> Any:
        if "live_parked" in query:
            waits = self.withheld if projection == "listing_page" else self.parked
            return "stream/that-waits" if waits else None
        if "reads.journal" in query:
            return str(SELLER)
        self.looked.append(f"until {projection} has read it")
        return 1_000

    async def fetchrow(self, query: str, *_values: object) -> dict[str, Any] | None:
        if "listing_page" in query:
            assert "read.next_offset > " in query
            self.looked.append("listing once it can be read, and seller, at one moment")
            status = self.standings[0][0] if self.standings else None
            seller = None if self.withheld else str(SELLER)
            return {"seller_id": seller, "status": status, "seller_waits": bool(self.parked)}
        if "reads.journal" in query:
            return {"kind": self.parked, "version": 7, "status": "active"}
        if not self.standings:
            return None
        status, version = self.standings[0]
        if len(self.standings) > 1:
            self.standings.pop(0)
        return {"status": status, "version": version}

    async def fetch(self, query: str, *values: Any) -> Any:
        if "live_parked" in query:
            others = [{"stream_id": listing_stream(uuid4()), "person": "x", "is_read": True}]
            return others + [
                {"stream_id": listing_stream(each), "person": str(SELLER), "is_read": True}
                for each in self.withheld
            ]
        _, _, last, _ = values
        self.looked.append("listings")
        return [{"key": str(each)} for each in sorted(self.listings) if str(each) > last]

    @property
    def kinds(self) -> list[type]:
        return [type(command) for _, command in self.sent]


def of_seller(event: Event) -> Any:
    return recorded(f"user/{SELLER}", 2, event)


def of_listing(listing_id: UUID) -> Any:
    event = ListingPublished(listing_id=listing_id, published_at=NOW)
    return recorded(listing_stream(listing_id), 2, event)


@pytest.mark.parametrize(
    ("heard", "status", "asked"),
    [
        (UserDeactivated, "deactivated", HideListing),
        (UserBanned, "banned", HideListing),
        (UserReactivated, "active", ShowListing),
        (UserDeleted, "deleted", DeleteListing),
    ],
)
async def test_PR_09_PR_10_every_listing_follows_its_seller(heard, status, asked) -> None:
    shop = Shop([(status, 5)], listings=[uuid4() for _ in range(3)])
    await settle_seller(of_seller(STANDINGS[heard]), shop)
    assert shop.kinds == [asked] * 3
    assert {command.listing_id for _, command in shop.sent} == set(shop.listings)
    assert {command.asked_role for _, command in shop.sent} == {Role.SYSTEM}


@pytest.mark.parametrize(
    ("status", "asked"),
    [
        ("active", []),
        ("pending", []),
        ("deactivated", [HideListing]),
        ("banned", [HideListing]),
        ("deleted", [DeleteListing]),
    ],
)
async def test_PR_09_a_listing_that_comes_follows_its_seller(status, asked) -> None:
    shop = Shop([(status, 5)])
    await settle_listing(of_listing(uuid4()), shop)
    assert shop.kinds == asked


async def test_a_listing_of_nobody_registered_is_left_alone() -> None:
    shop = Shop([])
    await settle_listing(of_listing(uuid4()), shop)
    assert shop.sent == []


async def test_PR_09_each_side_can_be_read_before_it_looks_at_the_other() -> None:
    seller = Shop([("deactivated", 2)], listings=[uuid4()])
    await settle_seller(of_seller(STANDINGS[UserDeactivated]), seller)
    assert seller.looked[:2] == ["until users has read it", "listings"]
    listing = Shop([("active", 2)])
    await settle_listing(of_listing(uuid4()), listing)
    assert listing.looked == ["listing once it can be read, and seller, at one moment"]


async def test_PR_09_a_seller_who_comes_back_meanwhile_has_the_listing_shown() -> None:
    shop = Shop([("deactivated", 2), ("active", 3)])
    await settle_listing(of_listing(uuid4()), shop)
    assert shop.kinds == [HideListing, ShowListing]


async def test_PR_09_a_repeat_asks_the_same_under_the_same_name_and_later_wishes_under_others() -> (
    None
):
    shop = Shop([("deactivated", 2), ("active", 3), ("deactivated", 4)])
    heard = of_listing(uuid4())
    await settle_listing(heard, shop)
    assert shop.kinds == [HideListing, ShowListing, HideListing]
    assert len({name for name, _ in shop.sent}) == 3
    again = Shop([("deactivated", 4)])
    await settle_listing(heard, again)
    assert again.sent == shop.sent[2:]


async def test_a_standing_that_never_stays_is_tried_again_later() -> None:
    shop = Shop([("deactivated", number) for number in range(2 * ROUNDS_MAX)])
    with pytest.raises(OutsideDownError):
        await settle_listing(of_listing(uuid4()), shop)


WAITING = {
    "user.deactivated": HideListing,
    "user.banned": HideListing,
    "user.reactivated": ShowListing,
    "user.deleted": DeleteListing,
}


@pytest.mark.parametrize("kind", WAITING)
async def test_a_seller_whose_standing_waits_to_be_mended_stands_where_the_journal_says(
    kind: str,
) -> None:
    seller = Shop([], listings=[uuid4()], parked=kind)
    await settle_seller(of_seller(STANDINGS[UserBanned]), seller)
    listing = Shop([], parked=kind)
    await settle_listing(of_listing(uuid4()), listing)
    assert seller.kinds == listing.kinds == [WAITING[kind]]
    assert "until journal has read it" in seller.looked


async def test_listings_that_wait_to_be_mended_follow_their_seller_too() -> None:
    listing, waiting = uuid4(), uuid4()
    shop = Shop([("deleted", 5)], listings=[listing], withheld=[waiting])
    await settle_seller(of_seller(STANDINGS[UserDeleted]), shop)
    assert {command.listing_id for _, command in shop.sent} == {listing, waiting}
    assert shop.kinds == [DeleteListing] * 2


async def test_a_listing_that_comes_and_waits_to_be_mended_follows_its_seller() -> None:
    heard = of_listing(uuid4())
    shop = Shop([("banned", 5)], withheld=[heard.event.listing_id])
    await settle_listing(heard, shop)
    assert shop.kinds == [HideListing]
