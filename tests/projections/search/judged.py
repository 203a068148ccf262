"""Judged searches over real ads: what people type, and which ads it asks for by what their sellers
state. The judge reads fields and titles; it uses nothing of the search.

Where an ad is sold is made up, each city in three scripts: the ads' own places are far from Sri Lanka.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

from cli.imports.outcomes import RefusedError
from cli.imports.translate import fields_of
from projections.search.query import Sort
from schemas.log.messages import Event
from schemas.search import Filters
from schemas.values.vehicles import GeoPoint, VehicleFields
from tests.cli.imports.ads import Ads
from tests.projections.cars import created, published
from tests.projections.search.index import SearchedIndex

ADS_MAX = 3_000
RANKED = 10  # of nDCG
RECALLED = 100  # a page at most
# Floors of the means, a little below what they are.
NDCG_MIN = 0.98
RECALL_MIN = 0.99

# City: its spellings in three scripts, in which sellers and seekers write, and where it is.
CITIES: Mapping[str, tuple[tuple[str, ...], float, float]] = {
    "Colombo": (("Colombo", "කොළඹ", "கொழும்பு", "Kolomba"), 6.93, 79.86),
    "Kandy": (("Kandy", "මහනුවර", "கண்டி", "Mahanuwara"), 7.29, 80.63),
    "Galle": (("Galle", "ගාල්ල", "காலி"), 6.05, 80.22),
    "Jaffna": (("Jaffna", "යාපනය", "யாழ்ப்பாணம்", "Yarlpanam"), 9.66, 80.02),
    "Negombo": (("Negombo", "මීගමුව", "நீர்கொழும்பு"), 7.21, 79.84),
    "Nuwara Eliya": (("Nuwara Eliya", "නුවරඑළිය", "நுவரெலியா"), 6.97, 80.78),
    "Kurunegala": (("Kurunegala", "කුරුණෑගල", "குருணாகல்"), 7.48, 80.36),
    "Batticaloa": (("Batticaloa", "මඩකලපුව", "மட்டக்களப்பு"), 7.72, 81.70),
}
MAKES: Mapping[str, tuple[str, ...]] = {
    "Toyota": ("toyota", "ටොයොටා", "டொயோட்டா"),
    "Honda": ("HONDA", "හොන්ඩා", "ஹோண்டா"),
    "Nissan": ("nissan", "නිසාන්", "நிசான்"),
    "Suzuki": ("suzuki", "සුසුකි", "சுசுகி"),
    "Mitsubishi": ("mitsubishi", "මිට්සුබිෂි", "மிட்சுபிஷி"),
    "Mazda": ("mazda", "මැස්ඩා", "மஸ்டா"),
    "BMW": ("bmw", "B.M.W.", "බීඑම්ඩබ්ලිව්", "பிஎம்டபிள்யூ"),
    "Mercedes-Benz": ("mercedes", "merc", "Benz", "mercedes benz", "MercedesBenz",
                      "මර්සිඩීස් බෙන්ස්", "மெர்சிடிஸ் பென்ஸ்"),
    "Audi": ("audi", "අවුඩි", "ஆடி"),
    "Volkswagen": ("volkswagen", "VW", "v-w", "වොක්ස්වැගන්", "வோக்ஸ்வேகன்"),
    "Ford": ("ford", "ෆෝඩ්", "ஃபோர்டு"),
    "Peugeot": ("peugeot", "පියුජෝ", "பியூஜோ"),
    "Renault": ("renault", "රෙනෝ", "ரெனால்ட்"),
    "Hyundai": ("hyundai", "හයුන්ඩායි", "ஹூண்டாய்"),
    "Volvo": ("volvo", "වොල්වෝ", "வால்வோ"),
    "Porsche": ("porsche", "පෝර්ෂේ", "போர்ஷே"),
    "Chevrolet": ("chevrolet", "chevy", "செவ்ரோலெட்"),
    "Škoda": ("skoda", "Škoda", "ස්කොඩා"),
    "Citroën": ("citroen", "Citroën", "CITROËN"),
    "Alfa Romeo": ("alfa romeo", "alfaromeo", "Alfa-Romeo"),
}  # fmt: skip
MODELS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("Volkswagen", "Golf"): ("vw golf", "golf volkswagen", "වොක්ස්වැගන් golf", "Golf", "vw gol"),
    ("Volkswagen", "Passat"): ("volkswagen passat", "passat vw"),
    ("Audi", "A4"): ("audi a4", "audi a-4", "audi a 4", "a4 අවුඩි", "audia4"),
    ("Audi", "A6"): ("Audi A6", "a 6 audi"),
    ("Opel", "Corsa"): ("opel corsa", "corsa", "opel cors"),
    ("Ford", "Fiesta"): ("ford fiesta", "fiesta", "ෆෝඩ් fiesta"),
    ("Ford", "Focus"): ("ford focus", "fordfocus"),
    ("Smart", "Fortwo"): ("smart fortwo", "smart for two", "smart for-two"),
    ("Renault", "Megane"): ("renault megane", "Renault Mégane", "රෙනෝ megane"),
    ("Renault", "Twingo"): ("twingo", "renault twingo"),
    ("Škoda", "Octavia"): ("skoda octavia", "Škoda Octavia"),
    ("Seat", "Ibiza"): ("seat ibiza", "ibiza seat"),
    ("Mini", "Cooper"): ("mini cooper", "mini-cooper"),
    ("Honda", "Civic"): ("honda civic", "හොන්ඩා civic", "ஹோண்டா civic"),
    ("Nissan", "Micra"): ("nissan micra", "නිසාන් micra"),
    ("Mitsubishi", "Colt"): ("mitsubishi colt", "மிட்சுபிஷி colt"),
}  # fmt: skip


@dataclass(frozen=True)
class Ad:
    """What is judged: what the seller states, and the city in English."""

    listing_id: UUID
    fields: VehicleFields
    city: str


@dataclass(frozen=True)
class Judged:
    """A search, and what an ad must state to be what it asks for."""

    parameters: Mapping[str, Any]
    want: Mapping[str, Any]

    @property
    def filters(self) -> Filters:
        """Without how it is sorted."""
        return Filters.model_validate(
            {name: value for name, value in self.parameters.items() if name != "sort"}
        )


def _near(city: str) -> dict[str, Any]:
    _, lat, lon = CITIES[city]
    return {"lat": lat, "lon": lon, "radius_km": 15}


def _all_judged() -> list[Judged]:
    makes = [Judged({"q": typed}, {"make": make}) for make, each in MAKES.items() for typed in each]
    models = [
        Judged({"q": typed}, {"make": make, "model": model})
        for (make, model), each in MODELS.items()
        for typed in each
    ]
    chosen = [
        Judged({"make": [typed]}, {"make": make})
        for make in ("Volkswagen", "Mercedes-Benz", "Toyota")
        for typed in MAKES[make]
    ]
    places = [
        Judged({"q": f"{make} {typed}"}, {"make": name, "city": city})
        for city, make, name in (("Colombo", "vw", "Volkswagen"), ("Kandy", "bmw", "BMW"),
                                 ("Nuwara Eliya", "அவுடி", "Audi"), ("Jaffna", "opel", "Opel"))
        for typed in CITIES[city][0]
    ]  # fmt: skip
    located = [
        Judged({"location": [typed], "fuel": ["diesel"]}, {"city": city, "fuel": "diesel"})
        for city in ("Colombo", "Galle", "Batticaloa")
        for typed in CITIES[city][0]
    ]
    return [*makes, *models, *chosen, *places, *located, *OTHERS]


GOLF = {"make": "Volkswagen", "model": "Golf"}
OTHERS = [
    # What a listing is, in our words for it.
    Judged({"q": "golf diesel"}, {**GOLF, "fuel": "diesel"}),
    Judged({"q": "diesel golf automatic"}, {**GOLF, "fuel": "diesel", "transmission": "automatic"}),
    Judged({"q": "bmw diesel wagon"}, {"make": "BMW", "fuel": "diesel", "body": "wagon"}),
    Judged({"q": "audi convertible"}, {"make": "Audi", "body": "convertible"}),
    Judged({"q": "benz suv"}, {"make": "Mercedes-Benz", "body": "suv"}),
    Judged({"q": "hybrid ටොයොටා"}, {"make": "Toyota", "fuel": "hybrid"}),
    # With a wrong letter.
    Judged({"q": "volkswagon golf"}, GOLF),
    Judged({"q": "porshe"}, {"make": "Porsche"}),
    Judged({"q": "toytoa"}, {"make": "Toyota"}),
    Judged({"q": "peugot"}, {"make": "Peugeot"}),
    Judged({"q": "hyundia"}, {"make": "Hyundai"}),
    Judged({"q": "mitsubshi colt"}, {"make": "Mitsubishi", "model": "Colt"}),
    Judged({"q": "ටොයොතා"}, {"make": "Toyota"}),
    Judged({"q": "டொயோட்ட"}, {"make": "Toyota"}),
    Judged({"q": "opel corssa"}, {"make": "Opel", "model": "Corsa"}),
    # With filters beside the words, or alone.
    Judged({"q": "golf", "price_max": 3_000}, {**GOLF, "price": (0, 3_000)}),
    Judged({"q": "golf", "price_min": 3_000, "price_max": 6_000}, {**GOLF, "price": (3_000, 6_000)}),
    Judged({"q": "vw golf", "year_min": 2010}, {**GOLF, "year": (2010, 9_999)}),
    Judged({"q": "golf", "mileage_max": 100_000}, {**GOLF, "km": (0, 100_000)}),
    Judged({"q": "bmw", "fuel": ["diesel"], "year_min": 2008}, {"make": "BMW", "fuel": "diesel", "year": (2008, 9_999)}),
    Judged({"q": "audi", "transmission": ["automatic"]}, {"make": "Audi", "transmission": "automatic"}),
    Judged({"make": ["Benz"], "body": ["convertible"]}, {"make": "Mercedes-Benz", "body": "convertible"}),
    Judged({"make": ["vw"], "model": ["golf"], "year_max": 1999}, {**GOLF, "year": (0, 1_999)}),
    Judged({"body": ["wagon"], "fuel": ["diesel"], "price_max": 2_000}, {"body": "wagon", "fuel": "diesel", "price": (0, 2_000)}),
    Judged({"fuel": ["hybrid"]}, {"fuel": "hybrid"}),
    Judged({"year_min": 1970, "year_max": 1985}, {"year": (1_970, 1_985)}),
    Judged({"price_min": 20_000}, {"price": (20_000, math.inf)}),
    Judged({"q": "golf", **_near("Kandy")}, {**GOLF, "city": "Kandy"}),
    Judged({"q": "opel", **_near("Galle")}, {"make": "Opel", "city": "Galle"}),
    Judged({"q": "අවුඩි", **_near("Negombo")}, {"make": "Audi", "city": "Negombo"}),
    Judged({"fuel": ["diesel"], "sort": "distance", **_near("Jaffna")}, {"fuel": "diesel", "city": "Jaffna"}),
]  # fmt: skip
JUDGED = _all_judged()


# The ads.


def some_ads(source: Ads) -> list[Ad]:
    """So many of a file's ads as the import reads them, each somewhere in Sri Lanka."""
    return [_ad(number, each) for number, each in enumerate(islice(_readable(source), ADS_MAX))]


def _readable(source: Ads) -> Iterable[VehicleFields]:
    mapping = source.mapping
    for row in source.rows():
        try:
            fields = fields_of(mapping, row)
        except RefusedError:
            continue
        if fields.year is not None and fields.price_minor:
            yield fields


def _ad(number: int, fields: VehicleFields) -> Ad:
    city, (spellings, lat, lon) = list(CITIES.items())[number % len(CITIES)]
    spelling = spellings[number // len(CITIES) % len(spellings)]
    place = GeoPoint(lat=lat + number % 7 / 200, lon=lon)
    stated = fields.model_copy(update={"location": spelling, "geo": place})
    return Ad(UUID(int=number + 1), stated, city)


def lives_of(ads: Iterable[Ad]) -> list[tuple[UUID, list[Event]]]:
    """Each published."""
    return [
        (ad.listing_id, [created(ad.fields, 0, ad.listing_id), published(0, ad.listing_id)])
        for ad in ads
    ]


# The judge.


def grade(ad: Ad, want: Mapping[str, Any]) -> int:
    """2: all of it is stated; 1: all but the model, which the title names; 0: not what is asked for."""
    fields = ad.fields
    stated = {
        "make": fields.make, "model": fields.model, "fuel": fields.fuel_type, "body": fields.body_type,
        "transmission": fields.transmission, "city": ad.city, "year": fields.year,
        "price": (fields.price_minor or 0) / 100, "km": fields.mileage and fields.mileage.value,
    }  # fmt: skip
    unmet = {name for name, value in want.items() if not _is(stated[name], value)}
    if unmet == {"model"} and _named_in(fields.title or "", want["model"]):
        return 1
    return 0 if unmet else 2


def _is(stated: Any, wanted: Any) -> bool:
    if stated is None:
        return False
    if isinstance(wanted, tuple):
        low, high = wanted
        return bool(low <= stated <= high)
    return _bare(str(stated)) == _bare(wanted)


def _bare(text: str) -> str:
    letters = unicodedata.normalize("NFD", text.casefold())
    return "".join(each for each in letters if not unicodedata.combining(each))


def _named_in(title: str, model: str) -> bool:
    return re.search(rf"\b{re.escape(model.casefold())}\b", title.casefold()) is not None


# The figures.


@dataclass(frozen=True)
class Quality:
    """Of each search how well its first hits are ordered, and how much of what it asks for is on its
    first page.
    """

    ndcg: Mapping[str, float]
    recall: Mapping[str, float]

    @property
    def mean_ndcg(self) -> float:
        """Over all searches."""
        return sum(self.ndcg.values()) / len(self.ndcg)

    @property
    def mean_recall(self) -> float:
        """Over all searches."""
        return sum(self.recall.values()) / len(self.recall)


def quality_of(index: SearchedIndex, ads: Sequence[Ad]) -> Quality:
    """Ask all of them."""
    ndcg, recall = {}, {}
    for each in JUDGED:
        grades = {str(ad.listing_id): grade(ad, each.want) for ad in ads}
        relevant = sum(value > 0 for value in grades.values())
        found = [grades[hit] for hit in first_hits(index, each)]
        name = str(dict(each.parameters))
        ndcg[name] = _gain(found) / _gain(sorted(grades.values(), reverse=True))
        recall[name] = sum(value > 0 for value in found) / min(relevant, RECALLED)
    return Quality(ndcg, recall)


def first_hits(index: SearchedIndex, judged: Judged) -> list[str]:
    """The ids of the first page, as the API finds them: with typos where nothing fits without."""
    filters = judged.filters
    sort = Sort(judged.parameters.get("sort", "relevance" if filters.q else "newest"))
    hits = index.search(filters, sort, size=RECALLED)["hits"]["hits"]
    if filters.q and not hits:
        hits = index.search(filters, sort, size=RECALLED, typos=True)["hits"]["hits"]
    return [hit["_id"] for hit in hits]


def _gain(grades: Sequence[int]) -> float:
    gains = (
        float(2**each - 1) / math.log2(place + 2) for place, each in enumerate(grades[:RANKED])
    )
    return sum(gains, 0.0)
