"""What follows for listings from where their seller stands: whoever is away has nothing on
offer, whoever is deleted has nothing at all.

Two effects see to it, for a person may go at the very moment at which a listing comes. One hears
of the person and looks for their listings; the other hears of a listing and looks for its seller.
Each first waits until what it has heard can be read by the other, and then looks. So whichever
looks last sees both, whatever the order. And as what was read may be outdated when the command
arrives, both look again after sending, until the answer stays the same.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from processors.reacting.effects import Effect, EffectRefusedError, OutsideDownError, Tools
from processors.reactions.withheld_rows import parked_of, person_of, standing_of, until, until_read
from projections.identity import users
from projections.listings import listing_page
from schemas.identity import (
    UserBanned,
    UserDeactivated,
    UserDeleted,
    UserReactivated,
    UserStatus,
    UserUnbanned,
)
from schemas.listings import (
    DeleteListing,
    HideListing,
    ListingPublished,
    ListingStatus,
    ShowListing,
)
from schemas.log.messages import Role
from schemas.log.recorded import Recorded

BATCH = 500
ROUNDS_MAX = 20
ASKED_BY = "effect/standing"
AWAY = frozenset({UserStatus.DEACTIVATED, UserStatus.BANNED})

StandingChanged = UserDeactivated | UserReactivated | UserBanned | UserUnbanned | UserDeleted

# The common case of a listing that comes: one look, and so one moment, at all three.
_LOOK = """
    SELECT listing.seller_id, seller.status, EXISTS (
        SELECT FROM mesh.live_parked AS waiting
        WHERE waiting.projection = 'users' AND listing.seller_id = ANY(waiting.row_keys)
    ) AS seller_waits
    FROM mesh.live_watermarks AS read
    LEFT JOIN reads.listing_page AS listing ON listing.key = $4
    LEFT JOIN reads.users AS seller ON seller.key = listing.seller_id
    WHERE read.projection = $1 AND read.topic = $2 AND read.partition = $3
        AND read.next_offset > $5
"""
_STANDING = "SELECT status, version FROM reads.users WHERE key = $1"
_LISTINGS = """
    SELECT key FROM reads.listing_page
    WHERE seller_id = $1 AND status <> $2 AND key > $3 ORDER BY key LIMIT $4
"""


async def settle_seller(recorded: Recorded[StandingChanged], tools: Tools) -> None:
    """All listings of a person whose standing has changed."""
    await until_read(tools, users.users, recorded)
    seller_id = str(recorded.event.user_id)
    async for listing_id in _listings_of(tools, seller_id):
        await _settle(tools, recorded, "settle_seller", listing_id, seller_id)


async def settle_listing(recorded: Recorded[ListingPublished], tools: Tools) -> None:
    """A listing that has come into view."""
    listing_id, place = recorded.event.listing_id, recorded.position
    row = await until(
        lambda: tools.postgres.fetchrow(
            _LOOK,
            listing_page.listing_page.name,
            place.topic,
            place.partition,
            str(listing_id),
            place.offset,
        ),
        listing_page.listing_page,
    )
    seller_id = row["seller_id"]
    if seller_id is None:
        seller_id = await person_of(tools, listing_page.listing_page, "seller_id", listing_id)
        if seller_id is None:
            message = "the listing can't be read"
            raise EffectRefusedError(message)
    elif row["status"] not in _ABSENT and not row["seller_waits"]:
        return
    await _settle(tools, recorded, "settle_listing", listing_id, seller_id)


async def _settle(
    tools: Tools, recorded: Recorded[Any], name: str, listing_id: UUID, seller_id: str
) -> None:
    """Ask for what the seller's standing demands, until it demands the same as before."""
    asked: tuple[UserStatus, int] | None = None
    for _ in range(ROUNDS_MAX):
        standing = await _standing_of(tools, seller_id, recorded)
        if standing is None or standing == asked:
            return
        status, version = standing
        command = _command(status, listing_id, recorded)
        # The version is in the name, and so in the command's id: the same wish of a later
        # standing is a command of its own.
        await tools.commands.send(f"{name}/{listing_id}/{status}/{version}", recorded, [command])
        asked = standing
    message = "a seller's standing changes all the time"
    raise OutsideDownError(message)


_ABSENT = AWAY | {UserStatus.DELETED}


def _command(
    status: UserStatus, listing_id: UUID, recorded: Recorded[Any]
) -> HideListing | ShowListing | DeleteListing:
    kind: type[HideListing | ShowListing | DeleteListing] = ShowListing
    if status is UserStatus.DELETED:
        kind = DeleteListing
    elif status in AWAY:
        kind = HideListing
    return kind(
        listing_id=listing_id,
        asked_at=recorded.recorded_at,
        asked_by=ASKED_BY,
        asked_role=Role.SYSTEM,
    )


async def _standing_of(
    tools: Tools, seller_id: str, recorded: Recorded[Any]
) -> tuple[UserStatus, int] | None:
    """Where a seller stands now, also where that waits to be mended: it may be a ban. None for
    sellers who are no persons (imported ones).
    """
    row = await tools.postgres.fetchrow(_STANDING, seller_id)
    if row is None:
        return await standing_of(tools, seller_id, recorded)
    return UserStatus(row["status"]), row["version"]


async def _listings_of(tools: Tools, seller_id: str) -> AsyncIterator[UUID]:
    last = ""
    while rows := await tools.postgres.fetch(
        _LISTINGS, seller_id, ListingStatus.DELETED, last, BATCH
    ):
        for row in rows:
            yield UUID(row["key"])
        last = rows[-1]["key"]
    # Nobody sees these, and nobody shall when they have been mended.
    for each in await parked_of(tools, listing_page.listing_page, "seller_id", seller_id):
        yield each


SETTLE_SELLER = Effect(
    "settle_seller",
    (UserDeactivated, UserReactivated, UserBanned, UserUnbanned, UserDeleted),
    settle_seller,
    in_order=False,
)
SETTLE_LISTING = Effect(
    "settle_listing", (ListingPublished,), settle_listing, repeatable=True, in_order=False
)
