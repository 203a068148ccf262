"""The signs of listings: what they fold to, and how many planted duplicates are found by them."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping
from io import BytesIO
from itertools import combinations
from uuid import UUID

import asyncpg
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from infra.pictures import look_of
from infra.settings import Settings
from processors.stores.port import Change, Generation, Held
from processors.stores.postgres import open_postgres_store
from projections.listings.duplicate_rules import evidence
from projections.listings.listing_signs import (
    ListingSigns,
    alike,
    by_id,
    listing_signs,
    on_offer,
)
from schemas.listings import (
    ListingImage,
    ListingImageDrawn,
    ListingImageFailed,
    ListingImageRemoved,
    ListingImagesAdded,
)
from schemas.log.messages import Event
from schemas.media import ImageVariants
from schemas.values.vehicles import Mileage, VehicleFields
from tests.projections.cars import (
    ID,
    STREAM,
    created,
    day,
    deleted,
    published,
    unpublished,
    updated,
)
from tests.projections.history import history, rows_of
from tests.worlds import world

LOOK = "0f0f33335555aaaa"
IMAGES = [UUID(int=number) for number in range(1, 4)]
STORY = " ".join(f"word{number}" for number in range(40))
VIN = "WP0ZZZ99ZTS392124"


def variants(look: str | None = LOOK) -> ImageVariants:
    return ImageVariants(thumbnail="media/s", medium="media/m", large="media/l", look=look)


def kept(*events: Event) -> ListingSigns:
    (row,) = rows_of(listing_signs, history(STREAM, *events)).values()
    assert isinstance(row, ListingSigns)
    return row


def added(*images: ListingImage) -> ListingImagesAdded:
    return ListingImagesAdded(listing_id=ID, images=images, added_at=day(1))


def test_images_have_looks_once_they_are_drawn() -> None:
    two = added(*(ListingImage(media_id=each) for each in IMAGES[:2]))
    drawn = ListingImageDrawn(
        listing_id=ID, media_id=IMAGES[1], variants=variants(), drawn_at=day(1)
    )
    assert kept(created(), two, drawn).looks == ("", LOOK)
    assert kept(
        created(), added(ListingImage(media_id=IMAGES[0], variants=variants(None)))
    ).looks == ("",)


def test_what_goes_takes_its_look_along() -> None:
    three = added(*(ListingImage(media_id=each, variants=variants()) for each in IMAGES))
    gone = ListingImageRemoved(listing_id=ID, media_id=IMAGES[0], removed_at=day(2))
    failed = ListingImageFailed(listing_id=ID, media_id=IMAGES[2], failed_at=day(2))
    row = kept(created(), three, gone, failed)
    assert (row.image_ids, row.looks) == ((str(IMAGES[1]),), (LOOK,))


def test_signs_follow_what_is_stated() -> None:
    stated = kept(created(VehicleFields(description=STORY, vin=VIN, mileage=Mileage(value=9))))
    assert (stated.vin, stated.mileage_km, len(stated.sketch)) == (VIN, 9, 38)
    emptied = kept(created(VehicleFields(description=STORY, vin=VIN)), updated(None, "vin"))
    assert (emptied.vin, any(sign.startswith("vin") for sign in emptied.signs)) == (None, False)
    assert kept(created(VehicleFields(description=STORY)), updated(None, "description")).signs == ()


def test_a_deleted_listing_has_no_signs() -> None:
    events = history(STREAM, created(), published(1), deleted(2))
    assert rows_of(listing_signs, events) == {}


def test_no_word_of_an_ad_can_be_read() -> None:
    row = repr(kept(created(VehicleFields(description=STORY, make="Porsche", model="Targa"))))
    assert [word for word in ("word1", "orsche", "arga") if word in row] == []


# A planted set: cars of few models, a dealer who describes all cars alike, and duplicates.

VOCABULARY = [f"word{number}" for number in range(400)]
PLANTED = 60


def picture(seed: int) -> Image.Image:
    chance = random.Random(seed)
    drawn = Image.new("RGB", (640, 480), tuple(chance.randrange(256) for _ in range(3)))
    pen = ImageDraw.Draw(drawn)
    for _ in range(40):
        x, y = chance.randrange(640), chance.randrange(480)
        box = (x, y, x + chance.randrange(30, 260), y + chance.randrange(30, 200))
        pen.rectangle(box, fill=tuple(chance.randrange(256) for _ in range(3)))
    return drawn


def altered(drawn: Image.Image, chance: random.Random) -> Image.Image:
    """What comes of a picture that is taken from another ad: smaller, lighter, compressed, signed."""
    width = chance.randrange(300, 600)
    small = drawn.resize((width, width * 3 // 4))
    lighter = ImageEnhance.Brightness(small).enhance(chance.uniform(0.85, 1.15))
    ImageDraw.Draw(lighter).text((8, 8), "my shop", fill=(255, 255, 255))
    data = BytesIO()
    lighter.save(data, "JPEG", quality=chance.randrange(35, 80))
    return Image.open(data)


def story(chance: random.Random) -> str:
    return " ".join(chance.choices(VOCABULARY, k=60))


def reworded(text: str, chance: random.Random) -> str:
    words = text.split()
    for _ in range(2):
        words[chance.randrange(len(words))] = chance.choice(VOCABULARY)
    return " ".join([*words, "call", "me"])


class Ad:
    """What a planted listing states."""

    def __init__(self, number: int, chance: random.Random) -> None:
        dealer = number % 4 == 0
        self.vin = f"WP0ZZZ99ZTS{number:06}" if number % 3 else None
        self.make, self.model = chance.choice([("Audi", "A4"), ("Audi", "A6"), ("Fiat", "Uno")])
        self.year = chance.randrange(2012, 2020)
        self.mileage = chance.randrange(5_000, 200_000)
        self.text = story(random.Random(0)) if dealer else story(chance)
        self.looks = [look_of(picture(number * 10 + each)) for each in range(2)]

    def copied(self, kind: int, number: int, chance: random.Random) -> Ad:
        """The same vehicle in another ad, known by one sign only."""
        copy = Ad(number, chance)
        copy.vin = self.vin if kind == 0 else None
        copy.make, copy.model, copy.year = self.make, self.model, self.year
        if kind == 1:
            drawn = picture(number % 1_000 * 10)
            copy.looks = [look_of(altered(drawn, chance)), *copy.looks]
        elif kind == 2:
            copy.text, copy.mileage = reworded(self.text, chance), self.mileage + 100
        return copy

    def signs(self, number: int) -> ListingSigns:
        stated = VehicleFields(
            description=self.text,
            make=self.make,
            model=self.model,
            year=self.year,
            mileage=Mileage(value=self.mileage),
            vin=self.vin,
        )
        images = tuple(
            ListingImage(media_id=UUID(int=number * 100 + each), variants=variants(look))
            for each, look in enumerate(self.looks)
        )
        return kept(created(stated), added(*images), published(2))


def planted() -> tuple[dict[str, ListingSigns], set[frozenset[str]]]:
    """Every listing by its id, and the pairs that are of one vehicle."""
    chance = random.Random(17)
    ads = {number: Ad(number, chance) for number in range(1, 241)}
    pairs = set()
    for number in range(1, PLANTED + 1):
        kind = number % 3
        original = ads[number]
        original.vin = original.vin or f"WP0ZZZ99ZTS{number:06}"
        ads[1_000 + number] = original.copied(kind, 1_000 + number, chance)
        pairs.add(frozenset({_id(number), _id(1_000 + number)}))
    return {_id(number): ad.signs(number) for number, ad in ads.items()}, pairs


def _id(number: int) -> str:
    return str(UUID(int=number))


async def _fill(settings: Settings, rows: Mapping[str, ListingSigns]) -> None:
    store = await open_postgres_store(settings)
    try:
        generation = Generation(listing_signs, 1)
        await store.create(generation)
        async with store.session(generation) as session:
            changes = [Change(key, Held(row, 1)) for key, row in rows.items()]
            await session.write(changes, {})
        await store.publish([generation])
    finally:
        await store.close()


ROWS, PAIRS = planted()


@pytest.fixture(scope="module")
async def reads(stack: Settings) -> AsyncIterator[asyncpg.Pool]:
    async with world(stack) as mesh:
        await _fill(mesh.settings, ROWS | {_id(9_999): kept(created(), unpublished(1))})
        yield mesh.pool


async def test_BY_17_planted_duplicates_are_found_and_little_else(reads) -> None:
    found = set()
    for key, row in ROWS.items():
        others = await alike(reads, key, row)
        found |= {frozenset({key, other}) for other, signs in others if evidence(row, signs)}
    assert len(PAIRS) == PLANTED
    assert len(found & PAIRS) >= 0.9 * len(PAIRS)
    assert len(found & PAIRS) >= 0.95 * len(found)


async def test_BY_17_each_kind_of_sign_finds_its_duplicates(reads) -> None:
    found: dict[str, int] = {}
    for pair in PAIRS:
        one, other = sorted(pair)
        for each in evidence(ROWS[one], ROWS[other]):
            found[each.kind] = found.get(each.kind, 0) + 1
    assert found.keys() == {"vin", "picture", "text"}
    assert min(found.values()) >= 18
    assert len(list(combinations(ROWS, 2))) > 100 * PLANTED


async def test_signs_come_back_as_they_were_folded(reads) -> None:
    assert await by_id(reads, _id(1)) == (_id(1), ROWS[_id(1)])
    assert await by_id(reads, "nothing") is None


async def test_what_is_on_offer_is_walked_through_once(reads) -> None:
    seen: list[str] = []
    while part := await on_offer(reads, seen[-1] if seen else "", 70):
        seen += [key for key, _ in part]
    assert seen == sorted(ROWS)
