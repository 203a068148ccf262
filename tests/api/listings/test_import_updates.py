"""Updates from a dealer's file, into a whole mesh: what the next file changed, withdrew and
brought back, and nothing that people did by hand undone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from cli.imports import job as importing
from cli.imports.files.table import open_table
from cli.imports.job import Job, Summary
from cli.imports.language.mapping_file import parse_mapping
from cli.imports.outcomes import Outcome
from cli.imports.sending.report import Tally
from cli.imports.sending.sending import Limits
from schemas.listings import DeleteListing, UnpublishListing
from schemas.log.messages import Market, Role
from tests.api.acting.offering import sent
from tests.api.running import Mesh
from tests.waiting import eventually

MAPPING = """version: 1
source: {source}
key: [id]
fields:
  title: {{as: template, template: "{{make}} {{year}}"}}
  make: {{as: text, column: make}}
  year: {{as: integer, column: year}}
  currency: {{as: constant, value: EUR}}
  price_minor: {{as: money, column: price}}
  mileage: {{as: distance, column: km, unit: km}}
  trim: {{as: text, column: trim}}
  features: {{as: list, column: extras, separator: "|"}}
  geo: {{as: geo, lat: lat, lon: lon}}
  date_in_stock: {{as: date, column: stock, forms: DD.MM.YYYY}}
"""


# What the page has read and the journal, which says who took a listing back, has not.
UNREAD = """
    NOT EXISTS (
        SELECT FROM reads.journal AS j
        WHERE j.stream_id = 'listing/' || listing_page.key AND j.version >= listing_page.version
    )
"""


class Noted(list[Outcome]):
    """A report and a progress in memory."""

    def write(self, outcome: Outcome) -> None:
        self.append(outcome)

    def show(self, tally: Tally) -> None:
        pass

    finish = show


@dataclass
class Dealer:
    """A source of its own, and its file as it is today."""

    mesh: Mesh
    file: Path
    source: str = field(default_factory=lambda: f"dealer-{uuid4().hex[:12]}")
    prices: dict[int, str] = field(default_factory=lambda: dict.fromkeys(range(1, 6), "9400"))
    ids: dict[int, str] = field(default_factory=dict)

    async def update(self, **more: Any) -> Summary:
        rows = [
            f"{n},VW,2004,{p},145000,GTI,ABS|LED,6.9,79.8,31.01.2026"
            for n, p in self.prices.items()
        ]
        head = "id,make,year,price,km,trim,extras,lat,lon,stock"
        self.file.write_text("\n".join([head, *rows]), "utf-8")
        mapping = parse_mapping(MAPPING.format(source=self.source))
        job = Job(self.file, mapping, Market.EXOTICS, mapping.seller_id, update=True, **more)
        noted = Noted()
        with open_table(self.file, mapping.file) as table:
            where = importing._Noted(noted, noted)
            found = await importing._import(self.mesh.settings, job, table, where, Limits())
        numbers = list(self.prices)
        self.ids |= {numbers[each.row - 1]: each.listing_id for each in noted if each.row}
        assert found.tally.refused == Counter()
        return found

    async def page(self, number: int) -> dict[str, Any]:
        (row,) = await self._rows("key = $2", self.ids[number])
        return row

    async def _rows(self, condition: str, *values: Any) -> list[dict[str, Any]]:
        query = f"SELECT * FROM reads.listing_page WHERE seller_id = $1 AND {condition}"
        found = await self.mesh.machines.postgres.fetch(query, f"import:{self.source}", *values)
        return [dict(row) for row in found]

    async def statuses(self) -> Counter[str]:
        return Counter(row["status"] for row in await self._rows("true"))

    async def settled(self, **statuses: int) -> None:
        async def there() -> bool:
            unread = await self._rows(UNREAD)
            return not unread and await self.statuses() == statuses

        await eventually(there, 20, f"the listings are {statuses}")

    async def by_hand(self, command: type[Any], number: int) -> None:
        asked = {"asked_at": datetime.now(UTC), "asked_by": "staff", "asked_role": Role.MODERATOR}
        await sent(self.mesh, command(listing_id=self.ids[number], **asked))


@pytest.fixture
async def dealer(mesh: Mesh, tmp_path: Path) -> Dealer:
    dealer = Dealer(mesh, tmp_path / "ads.csv")
    assert (await dealer.update()).changes == {"created": 5}
    await dealer.settled(active=5)
    return dealer


async def test_a_second_run_of_the_same_file_does_nothing(dealer: Dealer) -> None:
    before = await dealer._rows("true")
    assert (await dealer.update()).changes == {"unchanged": 5}
    assert await dealer._rows("true") == before


async def test_the_next_file_changes_withdraws_and_brings_back(dealer: Dealer) -> None:
    dealer.prices[2] = "8900"
    del dealer.prices[3]
    assert (await dealer.update()).changes == {"unchanged": 3, "changed": 1, "withdrawn": 1}
    await dealer.settled(active=4, draft=1)
    assert (await dealer.page(2))["price_minor"] == 890_000
    assert (await dealer.update()).changes == {"unchanged": 4}
    dealer.prices[3] = "9000"
    assert (await dealer.update()).changes == {"unchanged": 4, "returned": 1}
    await dealer.settled(active=5)
    assert (await dealer.page(3))["price_minor"] == 900_000


async def test_what_people_did_by_hand_stays(dealer: Dealer) -> None:
    await dealer.by_hand(UnpublishListing, 1)
    await dealer.by_hand(DeleteListing, 2)
    await dealer.settled(active=3, draft=1, deleted=1)
    del dealer.prices[2]
    changes = (await dealer.update()).changes
    assert changes == {"unchanged": 3, "left_taken_back": 1}
    await dealer.settled(active=3, draft=1, deleted=1)


async def test_a_file_that_lacks_most_withdraws_nothing_unless_that_is_meant(
    dealer: Dealer,
) -> None:
    for number in (2, 3, 4, 5):
        del dealer.prices[number]
    found = await dealer.update()
    assert found.held_back == "4 of 5 listings on offer are not in the file"
    assert found.changes == {"unchanged": 1}
    assert (await dealer.update(limit=1)).held_back is None  # a part of a file says nothing of it
    assert await dealer.statuses() == {"active": 5}
    assert (await dealer.update(anyway=True)).changes == {"unchanged": 1, "withdrawn": 4}
    await dealer.settled(active=1, draft=4)
