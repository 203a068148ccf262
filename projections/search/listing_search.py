"""Finding a listing among all. OpenSearch, one document per listing, drafts and sold ones too:
what becomes searchable again must be whole. Queries leave them out.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, get_args

from projections.projection import Projection, SearchIndex
from projections.vehicle_columns import changed_columns, stated_columns
from schemas.frozen import changed, frozen, names_of
from schemas.listings import (
    ListingCreated,
    ListingDeleted,
    ListingEvent,
    ListingHidden,
    ListingPriceChanged,
    ListingPublished,
    ListingShown,
    ListingSold,
    ListingStatus,
    ListingUnpublished,
    ListingUpdated,
)
from schemas.messages import Market
from schemas.money import major_units
from schemas.recorded import Recorded
from schemas.vehicles import GeoPoint


@frozen
class ListingDocument:
    """What can be searched for, and what a hit shows. `price` is in major units, for ranges
    over any currency; `name` is make and model, for suggestions.
    """

    listing_id: str
    seller_id: str
    market: Market
    status: ListingStatus
    created_at: datetime
    published_at: datetime | None = None
    title: str | None = None
    description: str | None = None
    price_minor: int | None = None
    currency: str | None = None
    price: float | None = None
    year: int | None = None
    make: str | None = None
    model: str | None = None
    name: str | None = None
    trim: str | None = None
    body_type: str | None = None
    mileage_km: int | None = None
    fuel_type: str | None = None
    transmission: str | None = None
    drivetrain: str | None = None
    condition: str | None = None
    power_kw: int | None = None
    exterior_color: str | None = None
    location: str | None = None
    place: GeoPoint | None = None
    features: tuple[str, ...] | None = None


_STATED = frozenset(names_of(ListingDocument)) - {"name", "price", "place"}


def key(recorded: Recorded[ListingEvent]) -> str:
    """The listing's id."""
    return str(recorded.event.listing_id)


def fold(row: ListingDocument | None, recorded: Recorded[ListingEvent]) -> ListingDocument | None:
    """The document after the event; none once the listing is deleted."""
    match recorded.event:
        case ListingCreated() as created:
            return _changed(
                ListingDocument(
                    listing_id=str(created.listing_id),
                    seller_id=created.seller_id,
                    market=created.market,
                    status=ListingStatus.DRAFT,
                    created_at=created.created_at,
                ),
                stated_columns(created.fields),
            )
        case ListingUpdated(fields=fields, cleared=cleared):
            return row and _changed(row, changed_columns(fields, cleared))
        case ListingPriceChanged(price_minor=price_minor, currency=currency):
            return row and _changed(row, {"price_minor": price_minor, "currency": currency})
        case ListingPublished(published_at=at):
            return row and changed(
                row, status=ListingStatus.ACTIVE, published_at=row.published_at or at
            )
        case ListingUnpublished():
            return row and changed(row, status=ListingStatus.DRAFT)
        case ListingHidden():
            return row and changed(row, status=ListingStatus.HIDDEN)
        case ListingShown():
            return row and changed(row, status=ListingStatus.ACTIVE)
        case ListingSold():
            return row and changed(row, status=ListingStatus.SOLD)
        case ListingDeleted():
            return None


def _changed(row: ListingDocument, columns: dict[str, Any]) -> ListingDocument:
    """The document with these columns, and with what follows from them."""
    stated = changed(row, **{name: columns[name] for name in columns.keys() & _STATED})
    place = stated.place
    if "lat" in columns:
        lat, lon = columns["lat"], columns["lon"]
        place = None if lat is None else GeoPoint(lat=lat, lon=lon)
    price = None
    if stated.price_minor is not None and stated.currency is not None:
        price = float(major_units(stated.price_minor, stated.currency))
    words = [word for word in (stated.make, stated.model) if word is not None]
    return changed(stated, place=place, price=price, name=" ".join(words) or None)


_KEYWORD = {"type": "keyword"}
_NUMBER = {"type": "long"}
_MOMENT = {"type": "date"}
_TEXT = {"type": "text", "analyzer": "words"}
_WORD = {**_KEYWORD, "copy_to": "words"}
# Read only together with everything else, in `words`.
_PROSE = {"type": "text", "index": False, "copy_to": "words"}


def _name(**subfields: Any) -> dict[str, Any]:
    """One facet value however it is spelt, `BMW` or `bmw`; `raw` keeps a spelling to show."""
    return {
        "type": "keyword",
        "normalizer": "folded",
        "ignore_above": 100,
        "fields": {"raw": {**_KEYWORD, "ignore_above": 100}, **subfields},
    }


_BEGUN = {"type": "text", "analyzer": "begun", "search_analyzer": "words"}
_FREE = {**_name(), "copy_to": "words"}

INDEX = SearchIndex(
    settings={
        "number_of_shards": 1,
        "analysis": {
            "char_filter": {
                # Sinhala writes conjuncts with joiners that people leave out when they search.
                "joiners": {"type": "mapping", "mappings": ["\\u200D=>", "\\u200C=>"]}
            },
            "normalizer": {"folded": {"type": "custom", "filter": ["lowercase", "asciifolding"]}},
            "filter": {"beginnings": {"type": "edge_ngram", "min_gram": 1, "max_gram": 15}},
            "analyzer": {
                "words": {
                    "type": "custom",
                    "char_filter": ["joiners"],
                    "tokenizer": "standard",
                    "filter": ["lowercase", "asciifolding"],
                },
                "begun": {
                    "type": "custom",
                    "char_filter": ["joiners"],
                    "tokenizer": "standard",
                    "filter": ["lowercase", "asciifolding", "beginnings"],
                },
            },
        },
    },
    mappings={
        "dynamic": "strict",
        "properties": {
            "words": {
                "type": "text",
                "analyzer": "words",
                "index_prefixes": {"min_chars": 3, "max_chars": 10},
            },
            "listing_id": _KEYWORD,
            "seller_id": _KEYWORD,
            "market": _KEYWORD,
            "status": _KEYWORD,
            "created_at": _MOMENT,
            "published_at": _MOMENT,
            "title": {**_TEXT, "copy_to": "words"},
            "description": _PROSE,
            "price_minor": {**_NUMBER, "index": False},
            "currency": _KEYWORD,
            "price": {"type": "scaled_float", "scaling_factor": 1_000},
            "year": _NUMBER,
            "make": {**_name(words=_TEXT, begun=_BEGUN), "copy_to": "words"},
            "model": {**_name(words=_TEXT), "copy_to": "words"},
            "name": _name(begun=_BEGUN),
            "trim": _PROSE,
            "body_type": _WORD,
            "mileage_km": _NUMBER,
            "fuel_type": _WORD,
            "transmission": _WORD,
            "drivetrain": _WORD,
            "condition": _WORD,
            "power_kw": _NUMBER,
            "exterior_color": _FREE,
            "location": _FREE,
            "place": {"type": "geo_point"},
            "features": _FREE,
        },
    },
)

listing_search = Projection(
    name="listing_search",
    version=2,
    hears=get_args(ListingEvent),
    key=key,
    fold=fold,
    row=ListingDocument,
    target=INDEX,
)
