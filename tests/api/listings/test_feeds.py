"""Feeds for others' catalogues: valid by the lists of fields that those publish, page by page."""

from __future__ import annotations

import csv
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import date
from io import StringIO
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest

from api.listings.feed_forms import (
    GOOGLE,
    META,
    Shop,
    TableFeed,
    json_ld,
    lines_of,
    page_json_of,
)
from api.wire.emitted import json_of
from projections.listings.listing_page import ListingPage
from schemas.listings import ListingStatus
from schemas.log.messages import Market
from schemas.values.vehicles import (
    Availability,
    BodyType,
    Condition,
    Drivetrain,
    FuelType,
    Transmission,
)
from tests.api.acting.selling import Seller, path_of, pointers_of, reason_of, token_of
from tests.api.running import Mesh
from tests.projections.cars import SELLER, day

# developers.facebook.com/docs/marketing-api/auto-ads/reference, "Supported Auto Inventory Catalog
# Fields - Vehicle", and, for the closed lists, facebook-ruby-business-sdk, ad_objects/vehicle.rb.
META_FIELDS: Final = frozenset(
    """
    vehicle_id vin title description url make model trim year mileage.value mileage.unit body_style
    drivetrain fuel_type transmission condition state_of_vehicle exterior_color price sale_price
    availability address latitude longitude date_first_on_lot dealer_id dealer_name
    """.split()  # noqa: SIM905 - a table for people
)
META_REQUIRED: Final = frozenset(
    """
    vehicle_id vin title description url make model year mileage.value mileage.unit image[0].url
    image[0].tag[0] body_style state_of_vehicle exterior_color price address latitude longitude
    """.split()  # noqa: SIM905 - a table for people
)
META_WORDS: Final[Mapping[str, frozenset[str]]] = {
    "availability": frozenset({"AVAILABLE", "NOT_AVAILABLE", "PENDING"}),
    "body_style": frozenset(
        """
        CONVERTIBLE COUPE CROSSOVER ESTATE GRANDTOURER HATCHBACK MINIBUS MINIVAN MPV NONE OTHER PICKUP
        ROADSTER SALOON SEDAN SMALL_CAR SPORTSCAR SUPERCAR SUPERMINI SUV TRUCK VAN WAGON
        """.split()  # noqa: SIM905 - a table for people
    ),
    "condition": frozenset({"EXCELLENT", "FAIR", "GOOD", "NONE", "OTHER", "POOR", "VERY_GOOD"}),
    "drivetrain": frozenset({"AWD", "FOUR_WD", "FWD", "NONE", "OTHER", "RWD", "TWO_WD"}),
    "fuel_type": frozenset(
        {*("DIESEL", "ELECTRIC", "FLEX", "GASOLINE", "HYBRID"), *("NONE", "OTHER", "PETROL")}
    ),
    "mileage.unit": frozenset({"KM", "MI"}),
    "state_of_vehicle": frozenset({"CPO", "NEW", "USED"}),
    "transmission": frozenset({"AUTOMATIC", "MANUAL", "NONE", "OTHER"}),
}

# developers.google.com/vehicle-listings/reference/feed-specification
GOOGLE_FIELDS: Final = frozenset(
    """
    vin id store_code place_id maps_url dealership_name dealership_address tracking_phone_number
    image_link additional_image_link link date_in_stock price vehicle_msrp condition
    certified_pre_owned make model trim year mileage exterior_color interior_color body_style
    """.split()  # noqa: SIM905 - a table for people
)
GOOGLE_REQUIRED: Final = frozenset(
    """
    vin store_code dealership_name dealership_address price condition make model year mileage
    """.split()  # noqa: SIM905 - a table for people
)

# schema.org/Car: its own properties and those of Vehicle, Product and Thing that we use or might.
CAR_PROPERTIES: Final = frozenset(
    """
    @context @type @id url name description image brand manufacturer model color itemCondition offers
    vehicleConfiguration vehicleModelDate productionDate dateVehicleFirstRegistered
    vehicleIdentificationNumber mileageFromOdometer bodyType fuelType vehicleTransmission
    driveWheelConfiguration vehicleEngine numberOfDoors vehicleSeatingCapacity numberOfPreviousOwners
    vehicleInteriorColor vehicleInteriorType knownVehicleDamages steeringPosition
    """.split()  # noqa: SIM905 - a table for people
)
OFFER_PROPERTIES: Final = frozenset(
    {
        *("@type", "url", "price", "priceCurrency", "availability", "itemCondition"),
        *("seller", "priceValidUntil"),
    }
)

NEVER = "2026-02-30T12:00:00.000000Z/01980000-0000-7000-8000-000000000001"
SHOP = Shop("Perera Motors", "https://shop.example", "https://api.example")
VIN = "1HGCM82633A004352"
FULL: dict[str, Any] = {
    "key": "01980000-0000-7000-8000-000000000001",
    **asdict(
        ListingPage(
            seller_id=SELLER,
            market=Market.EXOTICS,
            status=ListingStatus.ACTIVE,
            version=3,
            created_at=day(0),
            updated_at=day(0),
            expires_at=day(90),
            title="Honda Accord, one owner",
            description='Serviced, "as new"\nand clean',
            price_minor=850_000,
            currency="USD",
            year=2003,
            make="Honda",
            model="Accord",
            vin=VIN,
            mileage=42_000,
            mileage_unit="KMT",
            mileage_km=42_000,
            engine_cc=2_400,
            power_kw=118,
            exterior_color="Black",
            location="Colombo",
            lat=6.9271,
            lon=79.8612,
            date_in_stock=date(2026, 3, 1),
            large_keys=("media/a/b/1.webp", "", "media/a/b/2.webp"),
        )
    ),
}


def read(feed: TableFeed, **more: Any) -> dict[str, str] | None:
    """The listing's line as whoever takes the feed reads it; None: it has none."""
    lines = lines_of(feed, [FULL | more], SHOP)
    text = StringIO()
    csv.writer(text).writerows([feed.header(), *lines])
    found = list(csv.DictReader(StringIO(text.getvalue())))
    return found[0] if found else None


def line(feed: TableFeed, **more: Any) -> dict[str, str]:
    found = read(feed, **more)
    assert found is not None
    return found


def test_BY_18_metas_table_has_the_fields_that_meta_knows_and_requires() -> None:
    assert META.required == META_REQUIRED
    assert META.columns.keys() >= META_REQUIRED
    images = {name for name in META.columns if name.startswith("image[")}
    assert META.columns.keys() - images <= META_FIELDS
    assert images == {f"image[{n}].{part}" for n in range(5) for part in ("url", "tag[0]")}


def test_BY_18_googles_table_has_the_fields_that_google_knows_and_requires() -> None:
    assert GOOGLE.required == GOOGLE_REQUIRED
    assert GOOGLE_REQUIRED <= GOOGLE.columns.keys() <= GOOGLE_FIELDS


CHOICES: Final[Mapping[str, Any]] = {
    "body_type": BodyType,
    "drivetrain": Drivetrain,
    "fuel_type": FuelType,
    "transmission": Transmission,
    "condition": Condition,
    "availability": Availability,
    "mileage_unit": ("KMT", "SMI"),
}


@pytest.mark.parametrize("name", CHOICES)
def test_BY_18_metas_words_are_of_its_closed_lists(name: str) -> None:
    for value in CHOICES[name]:
        found = line(META, **{name: value})
        assert {
            word: found[word] for word in META_WORDS if found[word] not in META_WORDS[word]
        } == {}


def test_BY_18_what_is_new_says_so_to_all() -> None:
    new = {"condition": Condition.NEW}
    assert (line(META, **new)["state_of_vehicle"], line(META)["state_of_vehicle"]) == (
        "NEW",
        "USED",
    )
    assert (line(GOOGLE, **new)["condition"], line(GOOGLE)["condition"]) == ("new", "used")
    assert json_ld(FULL | new, SHOP)["itemCondition"] == "https://schema.org/NewCondition"


COLUMN_OF: Final[Mapping[str, str]] = {
    **{name: name for name in ("title", "description", "make", "model", "year", "vin")},
    "mileage.value": "mileage",
    "exterior_color": "exterior_color",
    "price": "price_minor",
    "address": "location",
    "latitude": "lat",
}


@pytest.mark.parametrize("field", COLUMN_OF)
def test_BY_18_what_lacks_a_required_field_has_no_line(field: str) -> None:
    assert read(META, **{COLUMN_OF[field]: None}) is None


def test_BY_18_without_a_picture_there_is_no_line_for_meta() -> None:
    assert read(META, large_keys=("",)) is None
    assert read(GOOGLE, large_keys=()) is not None


def test_BY_18_google_is_told_of_no_vin_that_does_not_fit() -> None:
    assert read(GOOGLE, vin="WP0ZZZ99ZTS392124") is None
    assert read(GOOGLE, vin=None) is None


def test_BY_18_a_line_says_what_the_listing_says() -> None:
    meta, google = line(META), line(GOOGLE)
    assert (meta["price"], google["price"]) == ("8500.00 USD", "8500.00 USD")
    assert (meta["mileage.value"], meta["mileage.unit"]) == ("42000", "KM")
    assert (google["mileage"], line(GOOGLE, mileage_unit="SMI")["mileage"]) == (
        "42000 km",
        "42000 miles",
    )
    assert meta["description"] == FULL["description"]
    assert json.loads(meta["address"]) == {"city": "Colombo"}
    assert [meta[f"image[{each}].url"] for each in range(3)] == [
        "https://api.example/api/media/a/b/1.webp",
        "https://api.example/api/media/a/b/2.webp",
        "",
    ]
    assert google["link"] == meta["url"] == f"https://shop.example/listings/{FULL['key']}"


UNSEEN = [
    "",
    " ",
    "\N{NO-BREAK SPACE}",
    "\N{ZERO WIDTH SPACE}",
    "\N{ZERO WIDTH NO-BREAK SPACE}",
    "\n\0",
]
SIGNS = [
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\N{FULLWIDTH EQUALS SIGN}",
    "\N{SMALL COMMERCIAL AT}",
    "=\u0338",
]
NUMBERS = {"latitude", "longitude"}


def begins_a_formula(value: str) -> bool:
    """By the letters alone that a reader may pass over or fold, not by how we take them away."""
    seen = "".join(each for each in value if each.isprintable() and not each.isspace())
    return value[:1] in {"\t", "\r"} or unicodedata.normalize("NFKC", seen)[:1] in set("=+-@≠")


@pytest.mark.parametrize("unseen", UNSEEN)
@pytest.mark.parametrize("sign", SIGNS)
def test_no_text_is_a_formula_in_a_table(sign: str, unseen: str) -> None:
    text = f"{unseen}{sign}{unseen}{sign}cmd|' /C calc'!A0"
    texts = [name for name, value in FULL.items() if type(value) is str and name != "vin"]
    for feed in (META, GOOGLE):
        every = FULL | dict.fromkeys(texts, text) | {"mileage_unit": "KMT", "currency": "USD"}
        (found,) = lines_of(feed, [every], replace(SHOP, name=text))
        cells = dict(zip(feed.header(), found, strict=True))
        formulas = {name for name, cell in cells.items() if begins_a_formula(cell)}
        assert formulas - NUMBERS == set()
        assert cells["make"] == "cmd|' /C calc'!A0"


def test_a_text_that_is_no_formula_stays_as_it_is() -> None:
    for text in ("Citroën C-Crosser = as new", "කොළඹ", "911"):
        assert line(META, title=text)["title"] == text


def test_the_images_of_a_listing_are_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = Shop.images_of
    monkeypatch.setattr(
        Shop, "images_of", lambda shop, row: asked.append(row["key"]) or real(shop, row)
    )
    for feed in (META, GOOGLE):
        lines_of(feed, [FULL, FULL], SHOP)
    assert len(asked) == 4


HOSTILE = "</script><script>alert(1)</script>"


@pytest.mark.parametrize("title", [HOSTILE, "<!--<script>", "A & B", "a\u2028b\u2029c", "Škoda"])
def test_json_inside_a_page_can_not_end_its_script(title: str) -> None:
    car = json_ld(FULL | {"title": title}, SHOP)
    told = page_json_of(car)
    assert json.loads(told) == json.loads(json_of(car))
    assert json.loads(told)["name"] == title
    assert set(told.decode()) & set("<>&\u2028\u2029") == set()


def test_BY_18_json_ld_has_properties_of_a_car_with_its_offer() -> None:
    every = FULL | {
        "trim": "EX",
        "body_type": "sedan",
        "fuel_type": "petrol",
        "doors": 4,
        "seats": 5,
        "transmission": "manual",
        "drivetrain": "fwd",
        "owners": 1,
        "interior_color": "Grey",
        "first_registration": "2003-05",
        "condition": "good",
        "availability": "in_stock",
    }
    car = json_ld(every, SHOP)
    assert car.keys() <= CAR_PROPERTIES
    assert len(car) == 28  # all that a listing may state
    assert car["offers"].keys() == OFFER_PROPERTIES
    assert (car["@context"], car["@type"], car["offers"]["@type"]) == (
        "https://schema.org",
        "Car",
        "Offer",
    )
    assert (car["offers"]["price"], car["offers"]["priceCurrency"]) == ("8500.00", "USD")
    assert car["mileageFromOdometer"]["unitCode"] == "KMT"
    assert car["driveWheelConfiguration"] == "https://schema.org/FrontWheelDriveConfiguration"


def test_BY_18_json_ld_says_nothing_of_what_is_not_stated() -> None:
    bare = FULL | dict.fromkeys(("description", "make", "vin", "mileage", "engine_cc", "power_kw"))
    car = json_ld(bare | {"price_minor": None, "large_keys": ()}, SHOP)
    unstated = {"description", "brand", "vehicleIdentificationNumber", "mileageFromOdometer"}
    assert car.keys() & (unstated | {"vehicleEngine", "offers", "image"}) == set()


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({}, "InStock"),
        ({"status": ListingStatus.SOLD}, "SoldOut"),
        ({"availability": Availability.RESERVED}, "Reserved"),
        ({"availability": Availability.PRE_ORDER}, "PreOrder"),
    ],
)
def test_BY_18_an_offer_says_whether_it_can_be_had(more: dict[str, Any], word: str) -> None:
    assert json_ld(FULL | more, SHOP)["offers"]["availability"] == f"https://schema.org/{word}"


@pytest.fixture(scope="module")
async def seller(mesh: Mesh) -> Seller:
    return Seller(mesh, await mesh.account("seller"))


@pytest.fixture
async def dealer(mesh: Mesh) -> Seller:
    """Somebody whose feeds no other test fills."""
    return Seller(mesh, await mesh.account("dealer"))


async def test_BY_18_a_listing_is_told_as_json_ld_to_everyone(mesh, seller) -> None:
    offered = await seller.offer()
    answer = await mesh.client.get(f"{path_of(offered)}/json-ld", headers=token_of(offered))
    assert answer.headers["content-type"] == "application/ld+json"
    assert (answer.json()["@type"], answer.json()["model"]) == ("Car", "911")
    assert answer.json()["offers"]["price"] == "85000.00"


async def walked(reader: Seller, path: str, first: httpx.Response) -> list[httpx.Response]:
    """Every page of a feed, by its Link."""
    found = [first]
    while link := found[-1].headers.get("Link"):
        found.append(await reader.ask("GET", link.partition("<")[2].partition(">")[0]))
        assert found[-1].status_code == 200, found[-1].text
    return found


async def feed_of(dealer: Seller, path: str, last: httpx.Response, **params: Any) -> Any:
    params = {"seller_id": dealer.account.user_id, **params}
    return await walked(dealer, path, await dealer.read(path, last, **params))


async def test_BY_18_pages_by_position_hold_every_listing_once(dealer) -> None:
    offered = [await dealer.offer(vin=VIN, make="Honda") for _ in range(7)]
    draft = await dealer.create()
    gone = await dealer.offer()
    last = await dealer.ask("POST", f"{path_of(gone)}/unpublish")
    pages = await feed_of(dealer, "/api/feeds/vehicles.jsonld", last, limit=2)
    assert {page.headers["Cache-Control"] for page in pages} <= {"no-cache", "private, no-cache"}
    found = [
        each["@id"].rpartition("/")[2] for page in pages for each in page.json()["itemListElement"]
    ]
    assert sorted(found) == sorted(each.json()["id"] for each in offered)
    assert draft.json()["id"] not in found
    assert [page.json()["numberOfItems"] for page in pages] == [2, 2, 2, 1]


async def test_BY_18_what_changes_while_somebody_reads_on_is_not_passed_over(dealer) -> None:
    offered = [await dealer.offer() for _ in range(6)]
    path, params = "/api/feeds/vehicles.jsonld", {"seller_id": dealer.account.user_id, "limit": 3}
    first = await dealer.read(path, offered[-1], **params)
    last = await dealer.ask(
        "PATCH", path_of(offered[0]), json={"price_minor": 5}, headers={"If-Match": "*"}
    )
    await dealer.read(path_of(offered[0]), last)
    pages = await walked(dealer, path, first)
    found = {
        each["@id"].rpartition("/")[2] for page in pages for each in page.json()["itemListElement"]
    }
    assert found == {each.json()["id"] for each in offered}


@pytest.mark.parametrize("path", ["/api/feeds/meta-vehicles.csv", "/api/feeds/google-vehicles.csv"])
async def test_BY_18_the_tables_come_as_csv_with_their_header(dealer, path: str) -> None:
    whole = await dealer.offer(vin=VIN, make="Honda", location="Colombo", description="Clean")
    await dealer.offer(vin=None)
    (page,) = await feed_of(dealer, path, whole, limit=100)
    assert page.headers["content-type"].startswith("text/csv")
    assert "no-cache" in page.headers["Cache-Control"]
    rows = list(csv.DictReader(StringIO(page.text)))
    feed = META if "meta" in path else GOOGLE
    assert page.text.splitlines()[0].split(",") == feed.header()
    ids = {row.get("id") for row in rows}
    assert (whole.json()["id"] in ids) is (feed is GOOGLE)  # without a picture Meta takes none


async def test_BY_18_a_feed_is_bounded_and_says_what_it_takes(dealer) -> None:
    path = "/api/feeds/vehicles.jsonld"
    me = {"seller_id": dealer.account.user_id}
    for params, place in (
        ({"limit": 101}, "?limit"),
        ({"after": "x"}, "?after"),
        ({"after": NEVER}, "?after"),
    ):
        answer = await dealer.ask("GET", path, params=me | params)
        assert (reason_of(answer)[0], pointers_of(answer)) == (422, [place])
    nobody = await dealer.ask("GET", path, params={"seller_id": uuid4().hex})
    assert (nobody.status_code, nobody.json()["itemListElement"]) == (200, [])
