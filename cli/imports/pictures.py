"""The pictures of an import's listings: what is to be fetched, and which a listing shows.

The import only says what it wants: the reactor fetches, however long that takes, and a listing shows
what has come. Ids follow from the listing and the address, so that the same file fetches nothing twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID, uuid5

from api.backends.database import Database
from cli.imports.translate import Order, enveloped
from infra.vault.vault import PersonKey
from schemas.listings import SetListingImages, listing_stream
from schemas.log.messages import Role
from schemas.log.recorded import CommandEnvelope
from schemas.media import FailureReason, FetchMedia

_OVER: Final = """
    SELECT key, failure FROM reads.media_files
    WHERE user_id = $1 AND status IN ('failed', 'deleted') AND key > $2 ORDER BY key LIMIT $3
"""
_AT_ONCE = 5_000
_FOR_GOOD: Final = frozenset(
    {FailureReason.UNREADABLE, FailureReason.TOO_LARGE, FailureReason.ADDRESS_REFUSED}
)


@dataclass(frozen=True)
class Over:
    """Pictures that there are no more. `failed`: they can't be shown, and nobody tries again. `gone`:
    deleted, or not to be had when they were asked for: whoever still wants them gets them under another id.
    """

    failed: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()


async def over_of(reads: Database, owner_id: UUID) -> Over:
    """What is over of somebody's pictures; raises StoreUnavailableError."""
    failed, gone, last = set[str](), set[str](), ""
    while rows := await reads.fetch(_OVER, str(owner_id), last, _AT_ONCE):
        last = rows[-1]["key"]
        for row in rows:
            (failed if row["failure"] in _FOR_GOOD else gone).add(row["key"])
    return Over(frozenset(failed), frozenset(gone))


def picture_id_of(listing_id: UUID, address: str, number: int) -> UUID:
    """The id of a listing's picture from an address, fetched for the `number`-th time (from 1)."""
    return uuid5(listing_id, f"picture\u001f{address}\u001f{number}")


@dataclass(frozen=True)
class Pictures:
    """The commands about one import's pictures. `key` is that of the account which they belong to."""

    order: Order
    key: PersonKey
    over: Over = field(default_factory=Over)

    def of_new(self, listing_id: UUID, addresses: Sequence[str]) -> tuple[CommandEnvelope, ...]:
        """What gives a new listing its pictures."""
        wanted = self._wanted(listing_id, addresses)
        if not wanted:
            return ()
        return (*self._fetching(listing_id, wanted), self._put(listing_id, wanted, "new"))

    def of_known(
        self, listing_id: UUID, addresses: Sequence[str], shown: Sequence[str], version: int
    ) -> tuple[CommandEnvelope, ...]:
        """What brings a listing that shows these pictures to those of the file."""
        wanted = self._wanted(listing_id, addresses)
        if list(wanted) == list(shown):
            return ()
        new = {each: address for each, address in wanted.items() if each not in shown}
        # Not the time, but the version: the same change wanted again later is another request.
        return (*self._fetching(listing_id, new), self._put(listing_id, wanted, str(version)))

    def _wanted(self, listing_id: UUID, addresses: Sequence[str]) -> dict[str, str]:
        """The ids of the pictures that the listing shall show, each with its address."""
        wanted = {str(self._id_of(listing_id, each)): each for each in addresses}
        return {key: address for key, address in wanted.items() if key not in self.over.failed}

    def _id_of(self, listing_id: UUID, address: str) -> UUID:
        number = 1
        while str(found := picture_id_of(listing_id, address, number)) in self.over.gone:
            number += 1
        return found

    def _fetching(self, listing_id: UUID, wanted: dict[str, str]) -> list[CommandEnvelope]:
        owner_id = self.key.user_id
        return [
            enveloped(
                self.order,
                FetchMedia(
                    media_id=UUID(key),
                    owner_id=owner_id,
                    subject=listing_stream(listing_id),
                    address_sealed=self.key.seal("address", address),
                    asked_at=self.order.asked_at,
                    asked_by=str(owner_id),
                    asked_role=Role.SELLER,
                ),
                f"fetch\n{address}".encode(),
            )
            for key, address in wanted.items()
        ]

    def _put(self, listing_id: UUID, wanted: dict[str, str], since: str) -> CommandEnvelope:
        command = SetListingImages(
            listing_id=listing_id,
            media_ids=tuple(map(UUID, wanted)),
            asked_at=self.order.asked_at,
            asked_by=self.order.seller_id,
            asked_role=Role.SELLER,
        )
        return enveloped(self.order, command, "\n".join(("images", since, *wanted)).encode())
