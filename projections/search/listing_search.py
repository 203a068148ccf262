"""Finding a listing among all. OpenSearch, one document per listing, drafts and sold ones too:
what becomes searchable again must be whole. Queries leave them out.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, get_args

from projections.image_columns import NAMES
from projections.listings.listing_images import image_changes
from projections.projection import Projection, SearchIndex
from projections.search.spelling import compact, folded, places, prose, spellings, wholes
from projections.vehicle_columns import changed_columns, stated_columns
from schemas.listings import (
    ListingCreated,
    ListingDeleted,
    ListingEvent,
    ListingPriceChanged,
    ListingPublished,
    ListingStatus,
    ListingUpdated,
    status_after,
)
from schemas.log.frozen import changed, frozen, names_of
from schemas.log.messages import Market
from schemas.log.recorded import Recorded
from schemas.values.money import major_units
from schemas.values.vehicles import GeoPoint


@frozen
class ListingDocument:
    """What can be searched for, and what a hit shows. `price` is in major units, for ranges;
    `name` is make and model, for suggestions. A `…_key` is what all spellings of a value have in
    common, `…_begun` what somebody may begin to type; `words` are those of all short texts,
    `title_words` those of the title alone. `description` holds the words of the description alone.
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
    words: str | None = None
    title_words: str | None = None
    make_key: str | None = None
    model_key: str | None = None
    name_key: str | None = None
    make_begun: str | None = None
    name_begun: str | None = None
    location_begun: str | None = None
    color_key: str | None = None
    location_keys: tuple[str, ...] | None = None
    feature_keys: tuple[str, ...] | None = None
    image_ids: tuple[str, ...] = ()
    thumbnail_keys: tuple[str, ...] = ()
    medium_keys: tuple[str, ...] = ()
    large_keys: tuple[str, ...] = ()


DERIVED = frozenset(
    {
        "name", "price", "place", "words", "title_words", "make_key", "model_key", "name_key",
        "make_begun", "name_begun", "location_begun", "color_key", "location_keys", "feature_keys",
    }
)  # fmt: skip
_STATED = frozenset(names_of(ListingDocument)) - DERIVED - {*NAMES}
_SHORT = ("title", "make", "model", "name", "trim", "body_type", "fuel_type", "transmission",
          "drivetrain", "condition", "exterior_color", "location")  # fmt: skip


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
                    created_at=recorded.recorded_at,
                ),
                stated_columns(created.fields),
            )
        case ListingUpdated(fields=fields, cleared=cleared):
            return row and _changed(row, changed_columns(fields, cleared))
        case ListingPriceChanged(price_minor=price_minor, currency=currency):
            return row and _changed(row, {"price_minor": price_minor, "currency": currency})
        case ListingDeleted():
            return None
        case event:
            return row and _moved(row, event, recorded.recorded_at)


def _moved(row: ListingDocument, event: ListingEvent, at: datetime) -> ListingDocument:
    """The document where the event has left it in its life, and with which images."""
    published = row.published_at
    if isinstance(event, ListingPublished):
        published = published or at
    status = status_after(event, row.status)
    return changed(row, status=status, published_at=published, **image_changes(row, event))


def _changed(row: ListingDocument, columns: dict[str, Any]) -> ListingDocument:
    """The document with these columns, and with what follows from them."""
    if columns.get("description") is not None:
        columns = {**columns, "description": prose(columns["description"])}
    stated = changed(row, **{name: columns[name] for name in columns.keys() & _STATED})
    place = stated.place
    if "lat" in columns:
        lat, lon = columns["lat"], columns["lon"]
        place = None if lat is None else GeoPoint(lat=lat, lon=lon)
    price = None
    if stated.price_minor is not None and stated.currency is not None:
        price = float(major_units(stated.price_minor, stated.currency))
    names = [word for word in (stated.make, stated.model) if word is not None]
    stated = changed(stated, place=place, price=price, name=" ".join(names) or None)
    return changed(stated, words=_words(stated), **_keys(stated))


def _words(row: ListingDocument) -> str | None:
    texts = [*(getattr(row, name) for name in _SHORT), *(row.features or ())]
    found = {word: None for text in texts if text for word in spellings(text)}
    whole = [each for text in (row.model, row.name) if text for each in wholes(text)]
    return " ".join([*found, *(each for each in whole if each not in found)]) or None


def _keys(row: ListingDocument) -> dict[str, Any]:
    return {
        "title_words": row.title and folded(row.title),
        "make_key": row.make and compact(row.make),
        "model_key": row.model and compact(row.model),
        "name_key": row.name and compact(row.name),
        "make_begun": row.make and _begun(row.make),
        "name_begun": row.name and _begun(row.name),
        "location_begun": row.location and _begun(row.location),
        "color_key": row.exterior_color and folded(row.exterior_color),
        "location_keys": row.location and places(row.location),
        "feature_keys": row.features and tuple(dict.fromkeys(map(folded, row.features))),
    }


def _begun(name: str) -> str:
    return " ".join(dict.fromkeys([*spellings(name), *wholes(name)]))


_KEYWORD = {"type": "keyword"}
_NUMBER = {"type": "long"}
_MOMENT = {"type": "date"}
_WORDS = {"type": "text", "analyzer": "spelt"}
_LABEL = {**_KEYWORD, "ignore_above": 100}
# Shown with a hit, or kept for the next change: found by what is derived from it.
_SHOWN = {"type": "keyword", "index": False, "doc_values": False}
_BEGUN = {"type": "text", "analyzer": "begun", "search_analyzer": "spelt"}

INDEX = SearchIndex(
    settings={
        "number_of_shards": 1,
        "analysis": {
            "filter": {"beginnings": {"type": "edge_ngram", "min_gram": 1, "max_gram": 60}},
            "analyzer": {
                # What projections.search.spelling has made ready.
                "spelt": {"type": "custom", "tokenizer": "whitespace"},
                "begun": {
                    "type": "custom",
                    "tokenizer": "whitespace",
                    "filter": ["beginnings"],
                },
            },
        },
    },
    mappings={
        "dynamic": "strict",
        "properties": {
            "words": {
                **_WORDS,
                "index_prefixes": {"min_chars": 3, "max_chars": 10},
            },
            "listing_id": _KEYWORD,
            "seller_id": _KEYWORD,
            "market": _KEYWORD,
            "status": _KEYWORD,
            "created_at": _MOMENT,
            "published_at": _MOMENT,
            "title": _SHOWN,
            "title_words": _WORDS,
            "description": {"type": "text", "index": False, "copy_to": "words"},
            "price_minor": {**_NUMBER, "index": False},
            "currency": _KEYWORD,
            "price": {"type": "scaled_float", "scaling_factor": 1_000},
            "year": _NUMBER,
            "make": _LABEL,
            "model": _LABEL,
            "name": {**_KEYWORD, "ignore_above": 201},
            "make_key": _KEYWORD,
            "model_key": _KEYWORD,
            "name_key": _KEYWORD,
            "make_begun": _BEGUN,
            "name_begun": _BEGUN,
            "location_begun": _BEGUN,
            "trim": _SHOWN,
            "body_type": _KEYWORD,
            "mileage_km": _NUMBER,
            "fuel_type": _KEYWORD,
            "transmission": _KEYWORD,
            "drivetrain": _KEYWORD,
            "condition": _KEYWORD,
            "power_kw": _NUMBER,
            "exterior_color": _LABEL,
            "color_key": _KEYWORD,
            "location": _LABEL,
            "location_keys": _KEYWORD,
            "place": {"type": "geo_point"},
            "features": _LABEL,
            "feature_keys": _KEYWORD,
            **dict.fromkeys(NAMES, _SHOWN),
        },
    },
)

listing_search = Projection(
    name="listing_search",
    version=5,
    hears=get_args(ListingEvent),
    key=key,
    fold=fold,
    erased_by=(ListingDeleted,),
    row=ListingDocument,
    target=INDEX,
)
