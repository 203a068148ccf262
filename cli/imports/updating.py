"""`mesh import --update`: what a file says of listings that are there already, and what it lacks.

Which listings are a source's own is known by their seller, `import:SOURCE`, under whose name nobody
but an import lists anything. What the mapping fills follows the file; what it doesn't fill is left
alone. What people have taken back, sold or deleted stays so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from api.backends.database import Database
from cli.imports.files.rows import Row
from cli.imports.outcomes import Outcome, Refusal, RefusedBy
from cli.imports.pictures import Pictures
from cli.imports.sending.sending import Translated
from cli.imports.translate import Translator, enveloped
from projections.vehicle_columns import changed_columns, stated_columns
from schemas.listings import (
    CreateListing,
    ListingStatus,
    PublishListing,
    UnpublishListing,
    UpdateListing,
    listing_stream,
)
from schemas.log.messages import Role
from schemas.log.recorded import CommandEnvelope
from schemas.log.recorded import value_of as json_of
from schemas.values.vehicles import VehicleFields

MISSING_MAX = 0.2  # of what is on offer
ALWAYS_MAX = 3  # whoever offers four cars may well sell one
_AT_ONCE = 5_000
_ON_OFFER = frozenset({ListingStatus.ACTIVE, ListingStatus.HIDDEN})
_TAKEN_BACK = frozenset({ListingStatus.DRAFT, ListingStatus.EXPIRED})
_OVER = {
    ListingStatus.SOLD: "listing_sold",
    ListingStatus.DELETED: "listing_deleted",
}
_MEANT = {
    "listing_sold": "is sold: take it out of the file",
    "listing_deleted": "was deleted by hand, and an import brings nothing back that somebody deleted",
}
_KNOWN = """
    SELECT * FROM reads.listing_page WHERE seller_id = $1 AND key > $2 ORDER BY key LIMIT $3
"""
_BY_WHOM = """
    SELECT DISTINCT ON (stream_id) stream_id, actor FROM reads.journal
    WHERE stream_id = ANY($1::text[]) AND kind = 'listing.unpublished'
    ORDER BY stream_id, version DESC
"""

Known = Mapping[str, Mapping[str, Any]]


async def listings_of(reads: Database, seller_id: str) -> dict[str, Mapping[str, Any]]:
    """A seller's listings as everyone reads them, by id; each that was taken back has in `returns`
    whether an import did so. Raises StoreUnavailableError.
    """
    found: dict[str, Mapping[str, Any]] = {}
    last = ""
    while rows := await reads.fetch(_KNOWN, seller_id, last, _AT_ONCE):
        last = rows[-1]["key"]
        back = [listing_stream(row["key"]) for row in rows if row["status"] == ListingStatus.DRAFT]
        actors = {row["stream_id"]: row["actor"] for row in await reads.fetch(_BY_WHOM, back)}
        for row in rows:
            returns = actors.get(listing_stream(row["key"])) == seller_id
            found[row["key"]] = {**row, "returns": returns}
    return found


@dataclass
class Updater:
    """Translates rows into what they change; afterwards it knows which listings the file lacks."""

    translator: Translator
    known: Known
    pictures: Pictures | None = None  # None where the mapping says nothing of any
    counts: Counter[str] = field(default_factory=Counter)
    _met: set[str] = field(default_factory=set)
    _unread: int = 0

    def translate(self, row: Row) -> Translated:
        """The commands that bring a row's listing to what the row says, or why there are none."""
        found = self.translator.translate(row)
        if self.translator.listing_id is None:
            self._unread += 1
        else:
            self._met.add(str(self.translator.listing_id))
        if isinstance(found, Refusal):
            return found
        row_there = self.known.get(str(self.translator.listing_id))
        if row_there is None:
            self.counts["created"] += 1
            return (found, *self._of_new())
        assert isinstance(found.command, CreateListing)
        changes = self._changes(found.command, row_there)
        return changes or Outcome(row.number, row.line, str(self.translator.listing_id))

    def _changes(
        self, wanted: CreateListing, there: Mapping[str, Any]
    ) -> tuple[CommandEnvelope, ...] | Refusal:
        status = ListingStatus(there["status"])
        if status in _OVER:
            self.counts["left_alone"] += 1
            reason = _OVER[status]
            return Refusal(RefusedBy.WRITER, reason, _MEANT[reason])
        update = self._update(wanted.fields, there)
        changes = [self._enveloped(update, there)] if update is not None else []
        changes += self._repicturing(there)
        if status is ListingStatus.DRAFT and there["returns"]:
            publish = PublishListing(**self._asked(there))
            changes.append(self._enveloped(publish, there))
            self.counts["returned"] += 1
        elif status in _TAKEN_BACK:
            self.counts["left_taken_back"] += 1
        else:
            self.counts["changed" if changes else "unchanged"] += 1
        return tuple(changes)

    def _update(self, fields: VehicleFields, there: Mapping[str, Any]) -> UpdateListing | None:
        """What the mapping fills and the listing says otherwise."""
        stated = fields.stated()
        emptied = [name for name in self.translator.order.mapping.fields if name not in stated]
        clear = tuple(
            name
            for name in emptied
            if any(there[column] is not None for column in changed_columns(_NONE, [name]))
        )
        wanted = stated_columns(fields)
        if not clear and all(_same(there[name], value) for name, value in wanted.items()):
            return None
        return UpdateListing(**self._asked(there), fields=fields, clear=clear)

    def _of_new(self) -> tuple[CommandEnvelope, ...]:
        found = self.translator
        if self.pictures is None or found.listing_id is None:
            return ()
        return self.pictures.of_new(found.listing_id, found.addresses)

    def _repicturing(self, there: Mapping[str, Any]) -> tuple[CommandEnvelope, ...]:
        if self.pictures is None:
            return ()
        listing_id, addresses = UUID(there["key"]), self.translator.addresses
        return self.pictures.of_known(
            listing_id, addresses, there["image_ids"], int(there["version"])
        )

    def missing(self) -> list[str]:
        """The ids of listings on offer that no row of the file stands for."""
        return [key for key in self._on_offer() if key not in self._met]

    def doubt(self) -> str | None:
        """Why nothing should be withdrawn, though the file lacks listings."""
        missing, offered = len(self.missing()), sum(1 for _ in self._on_offer())
        if not missing:
            return None
        if self._unread:
            return f"{self._unread} rows can't be read at all, and {missing} listings may be among them"
        if not self._met or missing > max(ALWAYS_MAX, offered * MISSING_MAX):
            return f"{missing} of {offered} listings on offer are not in the file"
        return None

    def withdraw(self, row: Row) -> CommandEnvelope:
        """The command that takes back a listing which the file lacks, named by its id alone."""
        there = self.known[row.cells["listing_id"]]
        return self._enveloped(UnpublishListing(**self._asked(there)), there)

    def _on_offer(self) -> Iterator[str]:
        return (key for key, row in self.known.items() if row["status"] in _ON_OFFER)

    def _asked(self, there: Mapping[str, Any]) -> dict[str, Any]:
        order = self.translator.order
        return {
            "listing_id": UUID(there["key"]),
            "asked_at": order.asked_at,
            "asked_by": order.seller_id,
            "asked_role": Role.SELLER,
        }

    def _enveloped(
        self, command: UpdateListing | PublishListing | UnpublishListing, there: Mapping[str, Any]
    ) -> CommandEnvelope:
        # Not the time, but the version: the same change wanted again later is another request.
        what = json_of(command.fields) if isinstance(command, UpdateListing) else b""
        clear = ",".join(command.clear) if isinstance(command, UpdateListing) else ""
        content = f"{command.kind}\n{there['version']}\n{clear}\n".encode() + what
        return enveloped(self.translator.order, command, content)


_NONE = VehicleFields()


def _same(there: Any, wanted: Any) -> bool:
    return bool((tuple(there) if isinstance(there, list) else there) == wanted)
