"""What an import asks for about pictures: each fetched once, and shown in the order of the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from cli.imports.checking import check_import
from cli.imports.files.rows import Row
from cli.imports.job import Job, _listing
from cli.imports.outcomes import Outcome, Refusal
from cli.imports.pictures import Over, Pictures, picture_id_of
from cli.imports.translate import Translator
from cli.imports.updating import Updater
from infra.vault.vault import PersonKey
from producers.media import media
from schemas.listings import MarkSold, SetListingImages, seller_account
from schemas.log.messages import Market, Role
from schemas.log.recorded import CommandEnvelope
from schemas.media import FailureReason, FetchMedia, RecordFailed
from tests.cli.imports.reading import NOON, order, small
from tests.cli.imports.test_updating import CELLS, SELLER, Shop, commands_of, kinds
from tests.cli.imports.test_updating import MAPPING as PLAIN

A, B, C = (f"https://pictures.example/{each}.jpg" for each in "abc")
MAPPING = PLAIN.model_copy(update={"images": small(images="{columns: p, separator: ' '}").images})
OWNER = seller_account(SELLER)
KEY = PersonKey(OWNER, bytes(32))


class Gallery(Shop):
    """A shop with the books of uploads."""

    def __init__(self) -> None:
        super().__init__()
        self.uploads: dict[str, list[Any]] = {}
        self.over = Over()

    def do(self, command: Any) -> None:
        if not isinstance(command, FetchMedia):
            super().do(command)
            return
        history = self.uploads.setdefault(str(command.media_id), [])
        history += media.decide(command, media.fold(history))

    def run(self, *addresses: str, update: bool = True, **cells: str) -> list[CommandEnvelope]:
        """One run of the import over one car with these pictures."""
        row = Row(1, 2, {**CELLS, **cells, "p": " ".join(addresses)})
        asked = order(MAPPING)
        translator, pictures = Translator(asked), Pictures(asked, KEY, self.over)
        if update:
            translate = Updater(translator, self.known(), pictures).translate
        else:
            translate = _listing(translator, pictures)
        found = translate(row)
        self.found = [found]
        sent = commands_of(found)
        for envelope in sent:
            self.send(envelope)
        return list(sent)

    def shown(self) -> list[str]:
        """The addresses of the pictures that the listing shows, in their order."""
        by_id = {
            str(picture_id_of(self.listing_id, each, n)): each for each in (A, B, C) for n in (1, 2)
        }
        return [by_id[each] for each in self.page().image_ids]

    @property
    def listing_id(self) -> UUID:
        return UUID(next(iter(self.pages)))

    def fetched(self) -> list[str]:
        """The addresses that the last run asked to fetch."""
        commands = [each.command for each in commands_of(self.found[0])]
        return [
            KEY.unseal("address", each.address_sealed)
            for each in commands
            if isinstance(each, FetchMedia)
        ]


@pytest.fixture
def shop() -> Gallery:
    shop = Gallery()
    shop.run(B, A, update=False)
    return shop


def test_a_new_listing_has_its_pictures_fetched_and_then_shows_them_in_order(shop: Gallery) -> None:
    assert kinds(shop) == ["listing.create", "media.fetch", "media.fetch", "listing.set_images"]
    assert shop.fetched() == [B, A]
    assert shop.shown() == [B, A]


def test_they_belong_to_the_sellers_account_and_are_the_listings(shop: Gallery) -> None:
    for envelope in commands_of(shop.found[0]):
        if isinstance(command := envelope.command, FetchMedia):
            assert command.owner_id == OWNER
            assert command.asked_by == str(OWNER)
            assert command.subject == f"listing/{shop.listing_id}"
            assert A not in command.model_dump_json()
            assert B not in command.model_dump_json()


def test_the_same_file_asks_for_the_same_under_the_same_ids(shop: Gallery) -> None:
    again, first = Gallery(), commands_of(shop.found[0])
    repeated = again.run(B, A, update=False)
    assert [each.command_id for each in repeated] == [each.command_id for each in first]
    assert [each.fingerprint for each in repeated] == [each.fingerprint for each in first]


def test_other_pictures_of_a_listing_that_is_there_are_another_request(shop: Gallery) -> None:
    first = commands_of(shop.found[0])[0]
    assert Gallery().run(A, B, update=False)[0].command_id != first.command_id
    assert Gallery().run(A, update=False)[0].command_id != first.command_id


def test_without_pictures_a_listing_is_what_it_was_before_there_were_any() -> None:
    (alone,) = Gallery().run(update=False)
    plain = Translator(order(PLAIN)).translate(Row(1, 2, CELLS))
    assert isinstance(plain, CommandEnvelope)
    assert alone.command_id == plain.command_id


def test_an_update_of_the_same_file_sends_nothing(shop: Gallery) -> None:
    assert shop.run(B, A) == []
    assert isinstance(shop.found[0], Outcome)


@pytest.mark.parametrize(
    ("addresses", "fetched"),
    [((A, B), []), ((B,), []), ((), []), ((C, B, A), [C]), ((C,), [C]), ((A, C), [C])],
)
def test_an_update_fetches_what_is_new_and_follows_the_file(
    shop: Gallery, addresses: tuple[str, ...], fetched: list[str]
) -> None:
    shop.run(*addresses)
    assert kinds(shop) == ["media.fetch"] * len(fetched) + ["listing.set_images"]
    assert shop.fetched() == fetched
    assert shop.shown() == list(addresses)
    assert shop.run(*addresses) == []


def test_an_update_lists_what_is_new_with_its_pictures() -> None:
    shop = Gallery()
    shop.run(A)
    assert kinds(shop) == ["listing.create", "media.fetch", "listing.set_images"]


def test_fields_and_pictures_change_in_one_run(shop: Gallery) -> None:
    shop.run(A, price="9500")
    assert kinds(shop) == ["listing.update", "listing.set_images"]


def test_a_picture_that_went_and_comes_back_is_fetched_anew(shop: Gallery) -> None:
    was = picture_id_of(shop.listing_id, B, 1)
    shop.run(A)
    shop.over = Over(gone=frozenset({str(was)}))
    shop.run(A, B)
    assert shop.fetched() == [B]
    assert shop.page().image_ids[1] == str(picture_id_of(shop.listing_id, B, 2))
    assert shop.run(A, B) == []


def test_a_picture_that_never_can_be_had_is_not_asked_for_again(shop: Gallery) -> None:
    lost = picture_id_of(shop.listing_id, C, 1)
    shop.run(B, C)
    asked = {"asked_at": NOON, "asked_by": "effect", "asked_role": Role.SYSTEM}
    history = shop.uploads[str(lost)]
    failing = RecordFailed(media_id=lost, reason=FailureReason.UNREADABLE, **asked)
    history += media.decide(failing, media.fold(history))
    shop.over = Over(failed=frozenset({str(lost)}))
    shop.pages[str(shop.listing_id)] = _without(shop.page(), str(lost))
    assert shop.run(B, C) == []


def _without(page: Any, key: str) -> Any:

    return replace(page, image_ids=tuple(each for each in page.image_ids if each != key))


def test_what_was_sold_keeps_its_pictures(shop: Gallery) -> None:
    shop.by_hand(MarkSold)
    assert shop.run(C) == []
    (found,) = shop.found
    assert isinstance(found, Refusal)
    assert found.reason == "listing_sold"


def test_a_row_with_a_wrong_address_is_refused_and_nothing_is_sent() -> None:
    shop = Gallery()
    assert shop.run("ftp://pictures.example/a.jpg", update=False) == []
    (found,) = shop.found
    assert isinstance(found, Refusal)
    assert (found.reason, found.column) == ("not_an_address", "p")


def test_the_last_command_of_a_row_is_about_its_listing(shop: Gallery) -> None:
    """By it the report tells which listing a row has become."""
    for sent in (commands_of(shop.found[0]), shop.run(C, A)):
        assert isinstance(sent[-1].command, SetListingImages)


def test_a_check_shows_what_would_be_fetched_and_fetches_nothing(tmp_path: Path) -> None:
    file = tmp_path / "cars.csv"
    names = [*CELLS, "p"]
    rows = [{**CELLS, "id": "1", "p": f"{B} {A}"}, {**CELLS, "id": "2", "p": "car.jpg"}]
    lines = [",".join(names), *(",".join(row[name] for name in names) for row in rows)]
    file.write_text("\n".join((*lines, "")), "utf-8")
    checked = check_import(Job(file, MAPPING, Market.EXOTICS, SELLER, anyway=True), show=2)
    assert [each.images for each in checked.shown] == [(B, A), ()]
    assert [each.as_json("acceptable").get("images") for each in checked.shown] == [[B, A], None]
    refusal = checked.shown[1].outcome.refusal
    assert refusal is not None
    assert refusal.reason == "not_an_address"
