"""The golden set (SE-01): a small catalogue, and what thirty searches in it must find."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from schemas.listings import ListingSold
from schemas.log.messages import Event
from schemas.values.vehicles import GeoPoint, Mileage, VehicleFields
from tests.projections.cars import created, day, published

COLOMBO = GeoPoint(lat=6.927, lon=79.861)
KANDY = GeoPoint(lat=7.291, lon=80.634)
GALLE = GeoPoint(lat=6.053, lon=80.221)


def _car(title: str, make: str, model: str, year: int, price: int, km: int, **more: Any) -> dict:
    return {
        "title": title,
        "make": make,
        "model": model,
        "year": year,
        "price_minor": price * 100,
        "currency": "USD",
        "mileage": Mileage(value=km),
        **more,
    }


CATALOGUE: dict[str, dict] = {
    "911": _car("Porsche 911 Carrera 4S", "Porsche", "911", 2019, 85_000, 42_000,
                fuel_type="petrol", transmission="automatic", body_type="coupe", power_kw=331,
                features=("Sunroof", "Sport Chrono"), location="Colombo", geo=COLOMBO),
    "cayenne": _car("Porsche Cayenne Diesel, one owner", "Porsche", "Cayenne", 2015, 38_000,
                    120_000, fuel_type="diesel", transmission="automatic", body_type="suv",
                    power_kw=193, features=("Tow bar",), location="Kandy", geo=KANDY),
    "taycan": _car("Taycan Turbo S", "Porsche", "Taycan", 2022, 140_000, 9_000,
                   fuel_type="electric", transmission="automatic", body_type="sedan",
                   power_kw=560, location="Colombo", geo=COLOMBO),
    "golf7": _car("VW Golf 1.6 TDI", "Volkswagen", "Golf", 2014, 4_900, 150_000,
                  fuel_type="diesel", transmission="manual", body_type="hatchback", power_kw=77,
                  location="Galle", geo=GALLE),
    "golfgti": _car("Golf GTI Performance", "Volkswagen", "Golf", 2018, 21_000, 60_000,
                    fuel_type="petrol", transmission="manual", body_type="hatchback",
                    power_kw=180, location="Colombo", geo=COLOMBO),
    "golfplus": _car("Golf Plus, family car", "volkswagen", "Golf Plus", 2009, 3_500, 180_000,
                     fuel_type="petrol", transmission="manual", body_type="van", power_kw=75),
    "gold": _car("Gold coloured Corolla", "Toyota", "Corolla", 2012, 7_000, 90_000,
                 fuel_type="petrol", transmission="automatic", body_type="sedan",
                 exterior_color="Gold", location="Kandy", geo=KANDY),
    "aqua": _car("Toyota Aqua G Limited", "Toyota", "Aqua", 2017, 13_500, 70_000,
                 fuel_type="hybrid", transmission="cvt", body_type="hatchback",
                 location="Negombo", description="Unregistered, reversing camera"),
    "octavia": _car("Škoda Octavia Combi", "Škoda", "Octavia", 2016, 9_900, 110_000,
                    fuel_type="diesel", transmission="manual", body_type="wagon", power_kw=110),
    "320d": _car("BMW 320d Touring", "BMW", "320d", 2013, 8_700, 160_000, fuel_type="diesel",
                 transmission="automatic", body_type="wagon", power_kw=135,
                 features=("Tow bar", "Sunroof"), location="Colombo", geo=COLOMBO),
    "m3": _car("BMW M3 Competition", "BMW", "M3", 2021, 79_000, 15_000, fuel_type="petrol",
               transmission="automatic", body_type="sedan", power_kw=375),
    "x5": _car("X5 xDrive30d", "bmw", "X5", 2018, 41_000, 88_000, fuel_type="diesel",
               transmission="automatic", body_type="suv", power_kw=190,
               exterior_color="Black", location="Galle", geo=GALLE),
    "eclass": _car("Mercedes-Benz E-Class", "Mercedes-Benz", "E 220 d", 2017, 23_000, 95_000,
                   fuel_type="diesel", transmission="automatic", body_type="sedan",
                   condition="excellent", location="Colombo", geo=COLOMBO),
    "sinhala": _car("ටොයොටා විට්ස් 2015", "Toyota", "Vitz", 2015, 8_200, 85_000,
                    fuel_type="petrol", transmission="cvt", body_type="hatchback",
                    location="කොළඹ"),
    "tamil": _car("டொயோட்டா விற்பனைக்கு", "Toyota", "Premio", 2016, 16_000, 65_000,
                  fuel_type="petrol", body_type="sedan", location="யாழ்ப்பாணம்"),
    "draft": _car("Porsche 911 draft", "Porsche", "911", 2020, 90_000, 1_000),
    "sold": _car("Porsche 911 sold", "Porsche", "911", 2018, 80_000, 50_000),
}  # fmt: skip

# (name, parameters, what it finds). Order matters where `sort` is given.
GOLDEN: list[tuple[str, dict[str, Any], list[str]]] = [
    ("make_as_a_word", {"q": "porsche"}, ["911", "cayenne", "taycan"]),
    ("capitals", {"q": "PORSCHE"}, ["911", "cayenne", "taycan"]),
    ("unfinished_word", {"q": "pors"}, ["911", "cayenne", "taycan"]),
    ("make_and_model", {"q": "porsche 911"}, ["911"]),
    ("words_in_any_order", {"q": "911 porsche"}, ["911"]),
    ("fuel_as_a_word", {"q": "porsche diesel"}, ["cayenne"]),
    ("golf_is_not_gold", {"q": "golf"}, ["golf7", "golfgti", "golfplus"]),
    ("golf_diesel_cheap", {"q": "golf", "fuel": ["diesel"], "price_max": 5000}, ["golf7"]),
    ("accents", {"q": "skoda"}, ["octavia"]),
    ("accents_typed", {"q": "Škoda"}, ["octavia"]),
    ("hyphens", {"q": "mercedes benz e class"}, ["eclass"]),
    ("words_of_the_description", {"q": "camera"}, ["aqua"]),
    ("features_as_words", {"q": "tow bar"}, ["cayenne", "320d"]),
    ("sinhala", {"q": "ටොයොටා විට්ස්"}, ["sinhala"]),
    ("make_in_sinhala", {"q": "ටොයොටා"}, ["gold", "aqua", "sinhala", "tamil"]),
    ("sinhala_joiners", {"q": "කොළ\u200dඹ toyota"}, ["sinhala"]),
    ("tamil_unfinished", {"q": "விற்பனை"}, ["tamil"]),
    ("nothing", {"q": "submarine"}, []),
    ("make_in_any_case", {"make": ["BMW"]}, ["320d", "m3", "x5"]),
    ("two_makes", {"make": ["bmw", "Porsche"], "body": ["suv"]}, ["cayenne", "x5"]),
    ("feature", {"features": ["sunroof"]}, ["911", "320d"]),
    ("two_facets", {"fuel": ["diesel"], "transmission": ["manual"]}, ["golf7", "octavia"]),
    ("years", {"year_min": 2021}, ["taycan", "m3"]),
    ("mileage", {"mileage_max": 15_000}, ["taycan", "m3"]),
    ("power", {"power_min": 300, "power_max": 400}, ["911", "m3"]),
    ("near_galle", {"lat": 6.05, "lon": 80.22, "radius_km": 20}, ["golf7", "x5"]),
    ("cheapest_first", {"body": ["wagon", "van"], "sort": "price"},
     ["golfplus", "320d", "octavia"]),
    ("dearest_first", {"make": ["porsche"], "sort": "-price"}, ["taycan", "911", "cayenne"]),
    ("least_driven_first", {"make": ["bmw"], "sort": "mileage"}, ["m3", "x5", "320d"]),
    ("nearest_first", {"lat": 7.29, "lon": 80.63, "radius_km": 60, "fuel": ["diesel"],
                       "sort": "distance"}, ["cayenne"]),
    ("best_first", {"q": "diesel", "make": ["porsche", "bmw"], "sort": "relevance"},
     ["cayenne", "x5", "320d"]),
]  # fmt: skip


def id_of(name: str) -> UUID:
    return UUID(int=1 + list(CATALOGUE).index(name))


def name_of(listing_id: str) -> str:
    return list(CATALOGUE)[UUID(listing_id).int - 1]


def catalogue() -> list[tuple[UUID, list[Event]]]:
    lives = []
    for number, (name, fields) in enumerate(CATALOGUE.items()):
        listing_id = id_of(name)
        life: list[Event] = [created(VehicleFields(**fields), number, listing_id)]
        if name != "draft":
            life.append(published(number, listing_id))
        if name == "sold":
            life.append(ListingSold(listing_id=listing_id, sold_at=day(30)))
        lives.append((listing_id, life))
    return lives
