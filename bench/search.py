"""How good the search is, and how quick: a search with text, five facets and a radius, through our API,
and OpenSearch asked by itself.

    python -m bench.search [--ads 100000] [--rounds 3] [--seconds 5]

Fills an index of its own with so many listings, as the worker would, and asks for what some of
them are: a word, make, body, fuel, transmission and currency chosen, within 300 km. `raw` sends
OpenSearch the very body that the API sends. `one search by all` is the same search over and over,
whose answer is kept. They take turns every half second, over a few
connections in a closed loop; no other search comes twice within seconds. Suggestions are asked for
what one of the listings' makes begins with.

How good: the judged searches of tests.projections.search.judged over some thousand real ads, or the
sample's where their file is not there. nDCG@10 says how well the first ten hits are ordered, recall@100 how
much of what is asked for is on the first page; 1 is perfect.
"""

from __future__ import annotations

import argparse
import asyncio
import atexit
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import cycle, islice
from statistics import median
from urllib.parse import quote, urlencode, urlsplit
from uuid import UUID

import orjson
import uvloop

from bench.closed_loop import load
from bench.lag import percentile_ms
from bench.listing_log import EPOCH, ads
from bench.read import database, server
from bench.stack import Figure, conclude, run, table
from infra.clients.opensearch import alias_of, open_opensearch
from infra.settings import Settings
from processors.feeding.generations import ensure_generations
from processors.stores.opening import opened_stores
from processors.stores.port import Change, Generation, Held
from projections.favorites.favorites import favorites
from projections.search.listing_search import ListingDocument, fold, listing_search
from projections.search.query import Sort, search_body
from schemas.listings import (
    ListingCreated,
    ListingEvent,
    ListingPublished,
    listing_stream,
)
from schemas.log.messages import Market
from schemas.log.positions import Position
from schemas.log.recorded import Recorded
from schemas.search import Filters
from schemas.values.vehicles import GeoPoint, VehicleFields
from tests.cli.imports.ads import BIGGEST_ADS
from tests.projections.search.index import index_of
from tests.projections.search.judged import (
    JUDGED,
    NDCG_MIN,
    RANKED,
    RECALL_MIN,
    RECALLED,
    Quality,
    lives_of,
    quality_of,
    some_ads,
)
from tests.stack import local_stack, stop_started

GOAL = 1.5
GOAL_MS = 150.0
GOAL_SUGGESTIONS_MS = 40.0
QUERIES = 2_000
CONNECTIONS = 4
SLICE_S = 0.5
BATCH = 2_000
RADIUS_KM = 300
PAGE = 20
FACETS = {
    "make": "make",
    "body": "body_type",
    "fuel": "fuel_type",
    "transmission": "transmission",
    "currency": "currency",
}
# Somewhere in the middle of a continent, some 800 km wide.
SOUTH, NORTH, WEST, EAST = 47.5, 54.5, 6.5, 14.5

Requests = Mapping[str, Sequence[bytes]]


@dataclass(frozen=True)
class Took:
    """The milliseconds that 95 and 50 % of the answers took at most, and answers a second."""

    p95_ms: float
    p50_ms: float
    per_second: float


# The listings.


def documents(count: int) -> Iterator[ListingDocument]:
    """So many of them, each as a listing that was created and published."""
    dice = random.Random(1)
    known = ads()
    for number in range(count):
        where = GeoPoint(lat=dice.uniform(SOUTH, NORTH), lon=dice.uniform(WEST, EAST))
        fields = known[number % len(known)].model_copy(update={"geo": where})
        yield _document(number, fields)


def _document(number: int, fields: VehicleFields) -> ListingDocument:
    listing_id = UUID(int=number + 1)
    events: list[ListingEvent] = [
        ListingCreated(
            listing_id=listing_id,
            seller_id=str(UUID(int=1 + number % 500)),
            market=Market.EXOTICS,
            fields=fields,
            created_at=EPOCH,
        ),
        ListingPublished(listing_id=listing_id, published_at=EPOCH + timedelta(seconds=number)),
    ]
    row: ListingDocument | None = None
    for version, event in enumerate(events, start=1):
        row = fold(row, _recorded(event, version, EPOCH + timedelta(seconds=number)))
    assert row is not None
    return row


def _recorded(event: ListingEvent, version: int, when: datetime) -> Recorded[ListingEvent]:
    return Recorded(
        event=event,
        event_id="",
        kind=event.kind,
        stream_id=listing_stream(event.listing_id),
        version=version,
        recorded_at=when,
        command_id="",
        index=0,
        count=1,
        correlation_id="",
        causation_id="",
        actor="",
        fingerprint="",
        writer_epoch=1,
        position=Position("events.listings", 0, version),
    )


async def fill(settings: Settings, count: int) -> list[ListingDocument]:
    """Put the listings into the index as a worker would; those that will be asked for."""
    asked: list[ListingDocument] = []
    every = max(1, count // QUERIES)
    await ensure_generations(settings, (listing_search, favorites))
    async with opened_stores(settings, (listing_search,)) as stores:
        rows = documents(count)
        for start in range(0, count, BATCH):
            batch = list(islice(rows, BATCH))
            asked += [row for at, row in enumerate(batch, start) if at % every == 0]
            async with stores["opensearch"].session(Generation(listing_search, 1)) as session:
                await session.write([Change(row.listing_id, Held(row, 2)) for row in batch], {})
            print(f"\r{start + len(batch):,} of {count:,} listings", end="", file=sys.stderr)
    print(file=sys.stderr)
    async with open_opensearch(settings) as opensearch:
        await opensearch.indices.refresh(index=alias_of(settings, listing_search.name))
    random.Random(2).shuffle(asked)
    return asked


# What is asked.


def search_for(row: ListingDocument) -> dict[str, str]:
    """The parameters of somebody who looks for such a listing."""
    chosen = {name: getattr(row, field) for name, field in FACETS.items()}
    assert row.place is not None
    return {
        "q": (row.model or row.make or "car").replace("_", " "),
        **{name: str(value) for name, value in chosen.items() if value is not None},
        "lat": f"{row.place.lat:.4f}",
        "lon": f"{row.place.lon:.4f}",
        "radius_km": str(RADIUS_KM),
    }


def requests_for(settings: Settings, rows: Sequence[ListingDocument]) -> Requests:
    """What each of those that are compared is asked, in one order."""
    index = alias_of(settings, listing_search.name)
    searches = [search_for(row) for row in rows]
    begun = [quote((row.make or "bmw")[:4]) for row in rows]
    return {
        "search": [_get(f"/api/search?{urlencode(each)}&limit={PAGE}") for each in searches],
        "one search by all": [_get(f"/api/search?{urlencode(searches[0])}&limit={PAGE}")],
        "raw search": [_post(f"/{index}/_search", _body(each)) for each in searches],
        "suggestions": [_get(f"/api/search/suggestions?q={each}") for each in begun],
    }


def _body(parameters: Mapping[str, str]) -> bytes:
    facets = {name: (parameters[name],) for name in FACETS if name in parameters}
    alone = {name: value for name, value in parameters.items() if name not in facets}
    if "currency" in facets:
        alone["currency"], *_ = facets.pop("currency")
    filters = Filters.model_validate({**alone, **facets}, strict=False)
    return orjson.dumps(search_body(filters, Sort.RELEVANCE, size=PAGE))


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def _post(path: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


# The measurement.


def one_round(ports: Mapping[str, int], requests: Requests, seconds: float) -> dict[str, Took]:
    """Each of them for so long, in slices that take turns."""
    times: dict[str, list[float]] = {name: [] for name in requests}
    slices = max(1, round(seconds / SLICE_S))
    for turn in range(slices):
        for name, wanted in requests.items():
            times[name] += uvloop.run(
                load(ports[name], loops(wanted, turn / slices), seconds=SLICE_S)
            )
    return {
        name: Took(
            percentile_ms(found, 0.95),
            percentile_ms(found, 0.5),
            len(found) / (slices * SLICE_S),
        )
        for name, found in times.items()
    }


def loops(requests: Sequence[bytes], start: float) -> list[Iterator[bytes]]:
    """What each connection asks, none of them what another does; `start` is a share of them."""
    places = [(start + n / CONNECTIONS) % 1.0 for n in range(CONNECTIONS)]
    return [islice(cycle(requests), int(place * len(requests)), None) for place in places]


async def measured(count: int, rounds: int, seconds: float) -> dict[str, list[Took]]:
    """Every round of each."""
    async with database(local_stack()) as settings:
        rows = await fill(settings, count)
        with ExitStack() as stack:
            port, _ = stack.enter_context(server("ours", settings))
            requests = requests_for(settings, rows)
            raw = urlsplit(settings.opensearch_url).port or 9200
            ports = {name: raw if name.startswith("raw") else port for name in requests}
            found: dict[str, list[Took]] = {name: [] for name in requests}
            await asyncio.to_thread(one_round, ports, requests, seconds)  # warm
            for number in range(rounds):
                for name, took in (
                    await asyncio.to_thread(one_round, ports, requests, seconds)
                ).items():
                    found[name].append(took)
                print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return found


def judged() -> Quality:
    """How good the search is over the biggest file of ads that is there."""
    ads = some_ads(BIGGEST_ADS)
    with index_of(local_stack(), lives_of(ads)) as index:
        found = quality_of(index, ads)
    print(f"{len(JUDGED)} judged searches over {len(ads):,} ads", file=sys.stderr)
    return found


def figures(found: Mapping[str, Sequence[Took]], quality: Quality) -> list[Figure]:
    """Medians over the rounds; of how good it is, means against what a test holds."""
    p95 = {name: median(each.p95_ms for each in rounds) for name, rounds in found.items()}
    return [
        Figure(f"nDCG@{RANKED}", quality.mean_ndcg, NDCG_MIN, "of 1", 1.0),
        Figure(f"recall@{RECALLED}", quality.mean_recall, RECALL_MIN, "of 1", 1.0),
        Figure("search, p95", p95["search"], p95["raw search"], "ms", GOAL, at_most=True),
        Figure("search, p95, in its time", p95["search"], GOAL_MS, "ms", 1.0, at_most=True),
        Figure(
            "suggestions, p95", p95["suggestions"], GOAL_SUGGESTIONS_MS, "ms", 1.0, at_most=True
        ),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ads", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    asked = parser.parse_args()
    try:
        quality = judged()
        found = asyncio.run(measured(asked.ads, asked.rounds, asked.seconds))
    finally:
        # Not left to the interpreter's end, when threads can't be started any more.
        atexit.unregister(stop_started)
        stop_started()
    table(
        [
            {
                "": name,
                "p50 ms": f"{median(each.p50_ms for each in rounds):.1f}",
                "p95 ms": f"{median(each.p95_ms for each in rounds):.1f}",
                "a second": f"{median(each.per_second for each in rounds):.0f}",
            }
            for name, rounds in found.items()
        ]
    )
    conclude(figures(found, quality))


if __name__ == "__main__":
    run(main)
