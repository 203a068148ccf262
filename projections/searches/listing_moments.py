"""When each listing was worth telling of, and what it was then: what a search would have found, had
it been saved a month ago. OpenSearch, one document a listing, its moments nested in it.

The moments are those that the live matcher goes by (projections.searches.moments), each with all
that a search asks, so that a look back runs the very query of the search over them. What a listing
cost or where it was then stays; its words are those of now, so that what somebody has taken out of
a description is not found in it any more. A listing that is deleted, hidden or a draft again is not
looked back at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, get_args

from projections.projection import Projection, SearchIndex
from projections.search.listing_search import INDEX as LISTINGS
from projections.search.listing_search import ListingDocument, key
from projections.search.query import SEARCH_TIMEOUT, fitting
from projections.searches.filter_sets import FIELDS
from projections.searches.moments import Offered, after
from schemas.listings import ListingDeleted, ListingEvent, ListingStatus, seller_account
from schemas.log.frozen import changed, frozen
from schemas.log.messages import Market
from schemas.log.recorded import Recorded
from schemas.search import Filters
from schemas.searches import MatchReason
from schemas.values.vehicles import GeoPoint

LOOKED_BACK = timedelta(days=30)
MOMENTS_MAX = 40  # of one listing, the last ones; a price that drops more often in a month is none
_WITHDRAWN = (ListingStatus.DRAFT, ListingStatus.HIDDEN)  # nobody is shown what it was
_IN = "moments"


@frozen
class Moment:
    """When and why, and what a search asks of the listing then."""

    at: datetime
    reason: MatchReason
    status: ListingStatus
    market: Market
    words: str
    place: GeoPoint | None = None
    price: float | None = None
    year: int | None = None
    mileage_km: int | None = None
    power_kw: int | None = None
    make_key: str | None = None
    model_key: str | None = None
    body_type: str | None = None
    fuel_type: str | None = None
    transmission: str | None = None
    drivetrain: str | None = None
    condition: str | None = None
    color_key: str | None = None
    location_keys: tuple[str, ...] | None = None
    feature_keys: tuple[str, ...] | None = None
    currency: str | None = None


@frozen
class ListingMoments:
    """A listing's moments, the first first, and what the next one follows from. `seller` is the
    account of whoever offers it.
    """

    seller: str
    status: ListingStatus
    document: ListingDocument
    ever: bool = False
    told_minor: int = 0
    told_currency: str = ""
    moments: tuple[Moment, ...] = ()


def fold(row: ListingMoments | None, recorded: Recorded[Any]) -> ListingMoments | None:
    """The moments after the event; none of a deleted listing."""
    offered = Offered()
    moments: tuple[Moment, ...] = ()
    if row is not None:
        offered = Offered(row.document, row.ever, row.told_minor, row.told_currency)
        moments = row.moments
    offered, reason = after(offered, recorded)
    document = offered.document
    if document is None:
        return None
    if row is not None and _words(row.document) != _words(document):
        moments = tuple(changed(each, words=_words(document)) for each in moments)
    if reason is not None:
        moments = _with(moments, _moment(document, reason, recorded.recorded_at))
    return ListingMoments(
        seller=str(seller_account(document.seller_id)),
        status=document.status,
        document=document,
        ever=offered.ever,
        told_minor=offered.told_minor,
        told_currency=offered.told_currency,
        moments=moments,
    )


def _with(moments: tuple[Moment, ...], moment: Moment) -> tuple[Moment, ...]:
    """Those of the time that is looked back at, with one more."""
    recent = [each for each in moments if each.at > moment.at - LOOKED_BACK]
    return (*recent[1 - MOMENTS_MAX :], moment)


def _moment(document: ListingDocument, reason: MatchReason, at: datetime) -> Moment:
    asked = {name: getattr(document, name) for name in FIELDS}
    return Moment(at=at, reason=reason, words=_words(document), **asked)


def _words(document: ListingDocument) -> str:
    return " ".join(filter(None, (document.words, document.description)))


_ASKED = {name: LISTINGS.mappings["properties"][name] for name in (*FIELDS, "words")}

listing_moments = Projection(
    name="listing_moments",
    version=1,
    hears=get_args(ListingEvent),
    key=key,
    fold=fold,
    erased_by=(ListingDeleted,),
    row=ListingMoments,
    target=SearchIndex(
        settings=LISTINGS.settings,
        mappings={
            "dynamic": "strict",
            "properties": {
                "seller": {"type": "keyword"},
                "status": {"type": "keyword"},
                "document": {"type": "object", "enabled": False},
                "ever": {"type": "boolean", "index": False},
                "told_minor": {"type": "long", "index": False},
                "told_currency": {"type": "keyword", "index": False},
                _IN: {
                    "type": "nested",
                    "properties": {
                        "at": {"type": "date_nanos"},
                        "reason": {"type": "keyword"},
                        **_ASKED,
                    },
                },
            },
        },
    ),
)


@dataclass(frozen=True)
class LookedBack:
    """How many listings a search would have told somebody of within LOOKED_BACK, by reason: each
    once a reason, as its alert does, but for a price that drops below what was told before.
    """

    new: int
    price_drops: int
    back_on_market: int


def looking_back(filters: Filters, since: datetime, user_id: str) -> dict[str, Any]:
    """Count the listings that fit at their moments since then, but for the person's own."""
    asked = fitting(filters)["bool"]
    fits = {"bool": {kind: _nested(asked[kind]) for kind in ("filter", "must") if kind in asked}}
    recent = {"range": {f"{_IN}.at": {"gte": since.isoformat()}}}
    moments = {"bool": {"filter": [recent, fits]}}
    return {
        "query": {"bool": {
            "filter": [{"nested": {"path": _IN, "query": moments}}],
            "must_not": [{"term": {"seller": user_id}}, {"terms": {"status": [*_WITHDRAWN]}}],
        }},
        "size": 0,
        "track_total_hits": False,
        "timeout": SEARCH_TIMEOUT,
        "aggs": {_IN: {"nested": {"path": _IN}, "aggs": {
            "fitting": {"filter": moments, "aggs": {
                "reasons": {
                    "terms": {"field": f"{_IN}.reason", "size": len(MatchReason)},
                    "aggs": {"listings": {"reverse_nested": {}}},
                }
            }},
        }}},
    }  # fmt: skip


def _nested(clause: Any) -> Any:
    """A clause of a search, asked of a moment: its fields are within it."""
    if isinstance(clause, list):
        return [_nested(each) for each in clause]
    ((kind, asked),) = clause.items()
    if kind == "bool":
        return {kind: {name: _nested(each) if isinstance(each, list) else each
                       for name, each in asked.items()}}  # fmt: skip
    fields = _ASKED.keys() & asked.keys()
    return {kind: {f"{_IN}.{name}" if name in fields else name: each
                   for name, each in asked.items()}}  # fmt: skip


def looked_back(answer: Mapping[str, Any]) -> LookedBack:
    """What was counted."""
    buckets = answer["aggregations"][_IN]["fitting"]["reasons"]["buckets"]
    counted = {bucket["key"]: int(bucket["listings"]["doc_count"]) for bucket in buckets}
    return LookedBack(
        new=counted.get(MatchReason.NEW, 0),
        price_drops=counted.get(MatchReason.PRICE_DROP, 0),
        back_on_market=counted.get(MatchReason.BACK_ON_MARKET, 0),
    )
