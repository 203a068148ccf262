"""What an update of a source's listings sends: what has changed, and nothing twice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from cli.imports.files.rows import Row
from cli.imports.language.mapping import Mapping
from cli.imports.outcomes import Outcome, Refusal
from cli.imports.translate import Translator
from cli.imports.updating import Updater
from producers.decider import Rejected
from producers.listings.listings import listings
from projections.listings.listing_page import ListingPage, fold
from schemas.listings import DeleteListing, ListingStatus, MarkSold, UnpublishListing
from schemas.log.messages import Role
from schemas.log.recorded import CommandEnvelope, Recorded
from tests.cli.imports.reading import NOON, order, rule

MAPPING = rule(
    "{title: {as: template, template: '{make} {year}'}, make: {as: text, column: make}, year: "
    "{as: integer, column: year}, currency: {as: constant, value: EUR}, price_minor: {as: money, "
    "column: price}, mileage: {as: distance, column: km, unit: km}, trim: {as: text, column: trim}, "
    "features: {as: list, column: extras, separator: '|'}, geo: {as: geo, lat: lat, lon: lon}, "
    "date_in_stock: {as: date, column: stock, forms: DD.MM.YYYY}}"
).model_copy(update={"key": ("id",)})
CELLS = {
    "id": "1",
    "make": "VW",
    "year": "2004",
    "price": "9400",
    "km": "145000",
    "trim": "GTI",
    "extras": "ABS|Sunroof",
    "lat": "6.9",
    "lon": "79.8",
    "stock": "31.01.2026",
}
SELLER = MAPPING.seller_id


class Shop:
    """The rules of listings and their pages, in memory."""

    def __init__(self) -> None:
        self.events: dict[str, list[Any]] = {}
        self.pages: dict[str, ListingPage | None] = {}
        self.actors: dict[str, str] = {}

    def send(self, envelope: CommandEnvelope) -> None:
        self.do(envelope.command)

    def do(self, command: Any) -> None:
        key = str(command.listing_id)
        history = self.events.setdefault(key, [])
        for event in listings.decide(command, listings.fold(history)):
            history.append(event)
            self.pages[key] = fold(self.pages.get(key), recorded(event, len(history)))
            if event.kind == "listing.unpublished":
                self.actors[key] = command.asked_by

    def known(self) -> dict[str, dict[str, Any]]:
        """As a store gives them: tuples come as lists."""
        return {
            key: {
                "key": key,
                "returns": self.actors.get(key) == SELLER,
                **{
                    name: list(value) if isinstance(value, tuple) else value
                    for name in page.__dataclass_fields__
                    for value in [getattr(page, name)]
                },
            }
            for key, page in self.pages.items()
            if page is not None
        }

    def update(self, *rows: dict[str, str], mapping: Mapping = MAPPING, bad: int = 0) -> Updater:
        """One run: everything that the rows ask for is done."""
        updater = Updater(Translator(order(mapping)), self.known())
        self.found = []
        for number, cells in enumerate(rows, start=1):
            found = updater.translate(Row(number, number + 1, cells))
            self.found.append(found)
            for envelope in commands_of(found):
                self.send(envelope)
        for _ in range(bad):
            updater.translate(Row(0, 0, {}, Refusal("file", "malformed")))  # type: ignore[arg-type]
        if updater.doubt() is None:
            for key in updater.missing():
                updater.counts["withdrawn"] += 1
                self.send(updater.withdraw(Row(1, 0, {"listing_id": key})))
        return updater

    def statuses(self) -> list[str]:
        return [page.status.value for page in self.pages.values() if page is not None]

    def page(self) -> ListingPage:
        (page,) = self.pages.values()
        assert page is not None
        return page

    def by_hand(self, command: type[Any], by: str = "somebody", **more: Any) -> None:
        for key in self.pages:
            asked = {"asked_at": NOON, "asked_by": by, "asked_role": Role.MODERATOR}
            self.do(command(listing_id=key, **asked, **more))


def recorded(event: Any, version: int) -> Recorded[Any]:
    found: Any = type("R", (), {})()
    found.event, found.version = event, version
    found.recorded_at = datetime(2026, 1, 3, tzinfo=UTC)
    return found


def commands_of(found: object) -> tuple[CommandEnvelope, ...]:
    if isinstance(found, CommandEnvelope):
        return (found,)
    return found if isinstance(found, tuple) else ()


def kinds(shop: Shop) -> list[str]:
    return [each.command.kind for found in shop.found for each in commands_of(found)]


@pytest.fixture
def shop() -> Shop:
    shop = Shop()
    shop.update(CELLS)
    assert (kinds(shop), shop.statuses()) == (["listing.create"], ["active"])
    return shop


def cars(*numbers: int) -> list[dict[str, str]]:
    return [{**CELLS, "id": str(number)} for number in numbers]


def test_a_row_that_says_what_is_listed_sends_nothing(shop: Shop) -> None:
    updater = shop.update(CELLS)
    (found,) = shop.found
    assert isinstance(found, Outcome)
    assert found.listing_id == next(iter(shop.pages))
    assert updater.counts == {"unchanged": 1}


@pytest.mark.parametrize(
    ("column", "cell", "name", "value"),
    [
        ("price", "8,900", "price_minor", 890_000),
        ("trim", "", "trim", None),
        ("trim", "GTD", "trim", "GTD"),
        ("extras", "ABS", "features", ("ABS",)),
        ("stock", "01.02.2026", "date_in_stock", datetime(2026, 2, 1, tzinfo=UTC).date()),
        ("km", "146000", "mileage_km", 146_000),
        ("lat", "7.1", "lat", 7.1),
    ],
)
def test_what_a_row_says_otherwise_is_changed_once(
    shop: Shop, column: str, cell: str, name: str, value: object
) -> None:
    assert shop.update({**CELLS, column: cell}).counts == {"changed": 1}
    assert kinds(shop) == ["listing.update"]
    assert getattr(shop.page(), name) == value
    assert shop.update({**CELLS, column: cell}).counts == {"unchanged": 1}


def test_a_change_there_and_back_and_there_again_is_three_commands(shop: Shop) -> None:
    ids = set()
    for price in ("8,900", "9,400", "8,900"):
        shop.update({**CELLS, "price": price})
        ids |= {each.command_id for found in shop.found for each in commands_of(found)}
    assert len(ids) == 3


def test_what_the_mapping_does_not_fill_is_left_alone(shop: Shop) -> None:
    fewer = {name: each for name, each in MAPPING.fields.items() if name != "trim"}
    updater = shop.update(CELLS, mapping=MAPPING.model_copy(update={"fields": fewer}))
    assert updater.counts == {"unchanged": 1}
    assert shop.page().trim == "GTI"


def test_what_the_file_lacks_is_withdrawn_and_comes_back_with_it() -> None:
    shop = Shop()
    shop.update(*cars(1, 2, 3))
    assert shop.update(*cars(1, 2)).counts == {"unchanged": 2, "withdrawn": 1}
    assert shop.statuses() == ["active", "active", "draft"]
    assert shop.update(*cars(1, 2)).counts == {"unchanged": 2}
    back = [*cars(1, 2), {**CELLS, "id": "3", "price": "8,000"}]
    assert shop.update(*back).counts == {"unchanged": 2, "returned": 1}
    assert kinds(shop) == ["listing.update", "listing.publish"]
    assert shop.statuses() == ["active"] * 3
    assert shop.update(*back).counts == {"unchanged": 3}


def test_what_somebody_took_back_by_hand_stays_so(shop: Shop) -> None:
    shop.by_hand(UnpublishListing)
    for _ in range(2):
        assert shop.update(CELLS).counts == {"left_taken_back": 1}
    assert shop.statuses() == ["draft"]


@pytest.mark.parametrize(
    ("command", "status", "reason"),
    [
        (DeleteListing, ListingStatus.DELETED, "listing_deleted"),
        (MarkSold, ListingStatus.SOLD, "listing_sold"),
    ],
)
def test_what_is_deleted_or_sold_is_never_brought_back(
    shop: Shop, command: type[Any], status: ListingStatus, reason: str
) -> None:
    shop.by_hand(command)
    updater = shop.update(CELLS)
    (found,) = shop.found
    assert isinstance(found, Refusal)
    assert (found.reason, updater.counts) == (reason, {"left_alone": 1})
    assert shop.page().status is status


def test_a_feed_that_lacks_more_than_a_fifth_withdraws_nothing() -> None:
    shop = Shop()
    shop.update(*cars(*range(20)))
    updater = shop.update(*cars(*range(15)))
    assert updater.doubt() == "5 of 20 listings on offer are not in the file"
    assert shop.statuses() == ["active"] * 20
    assert shop.update(*cars(*range(16))).counts["withdrawn"] == 4


def test_an_empty_feed_withdraws_nothing_however_little_there_is(shop: Shop) -> None:
    assert shop.update().doubt() == "1 of 1 listings on offer are not in the file"


def test_a_row_that_cannot_be_read_may_stand_for_any_listing() -> None:
    shop = Shop()
    shop.update(*cars(1, 2))
    assert "1 rows can't be read at all" in str(shop.update(*cars(1), bad=1).doubt())
    assert shop.statuses() == ["active", "active"]


def test_a_row_that_is_refused_keeps_its_listing(shop: Shop) -> None:
    assert shop.update({**CELLS, "price": "9.400"}).missing() == []
    (found,) = shop.found
    assert isinstance(found, Refusal)
    assert shop.statuses() == ["active"]


def test_a_change_that_no_listing_may_have_is_left_to_the_writer(shop: Shop) -> None:
    with pytest.raises(Rejected, match="fields_missing"):
        shop.update({**CELLS, "km": ""})
