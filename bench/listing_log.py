"""A big log of listing events, made from ads: what the replay bench reads.

The ads come from `../shared/data/used-car-ads/autos.csv` beside the project where it exists
(for benches only), else they are synthetic. They are used many times over with other ids.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from confluent_kafka import Producer

from infra.settings import Settings
from schemas.listings import (
    ListingCreated,
    ListingEvent,
    ListingPriceChanged,
    ListingPublished,
    ListingSold,
    listing_stream,
)
from schemas.log.messages import Market, iso
from schemas.log.partitioning import partition_of
from schemas.log.recorded import event_id_of, value_of
from schemas.values.vehicles import Mileage, VehicleFields

ADS = Path(__file__).parents[1].parent / "shared" / "data" / "used-car-ads" / "autos.csv"
TOPIC = "events.listings"
BLOCK = 1_000  # listings whose events lie among each other in the log
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
PLACEHOLDER = UUID(int=0)
FUELS = {"benzin": "petrol", "diesel": "diesel", "lpg": "lpg", "cng": "cng", "hybrid": "hybrid"}
BODIES = {"limousine": "sedan", "kleinwagen": "small_car", "kombi": "wagon", "bus": "van"}


class Value(NamedTuple):
    """One event's stored bytes around the listing's id, so that copies cost no encoding."""

    kind: bytes
    schema: bytes
    before: bytes
    after: bytes


def ads(limit: int = 5_000) -> list[VehicleFields]:
    """What the sellers state: real ads where the file exists, else made-up ones."""
    if not ADS.exists():
        return [_synthetic(number) for number in range(limit)]
    with ADS.open(encoding="cp1252", newline="") as file:
        rows = [row for _, row in zip(range(limit), csv.DictReader(file), strict=False)]
    return [_ad(row) for row in rows]


def _ad(row: dict[str, Any]) -> VehicleFields:
    year = int(row["yearOfRegistration"])
    return (
        VehicleFields.model_validate(
            {
                "title": (row["name"].replace("_", " ").strip() or "ohne Titel")[:160].ljust(
                    3, "."
                ),
                "price_minor": max(100, int(row["price"].strip("$").replace(",", "")) * 100),
                "currency": "EUR",
                "year": year if 1950 <= year <= 2016 else None,
                "make": row["brand"] or None,
                "model": row["model"] or None,
                "body_type": BODIES.get(row["vehicleType"]),
                "fuel_type": FUELS.get(row["fuelType"]),
                "transmission": "manual" if row["gearbox"] == "manuell" else "automatic",
                "mileage": {"value": int(row["odometer"].removesuffix("km").replace(",", ""))},
                "power_kw": round(int(row["powerPS"]) * 0.7355) or None,
                "damaged": {"ja": True, "nein": False}.get(row["notRepairedDamage"]),
                "location": row["postalCode"],
            },
            strict=False,
        )
        if int(row["powerPS"]) < 2_000
        else _synthetic(year)
    )


def _synthetic(number: int) -> VehicleFields:
    makes = ("toyota", "honda", "nissan", "bmw", "audi", "suzuki")
    return VehicleFields(
        title=f"{makes[number % 6]} no {number}, well kept, one careful owner",
        price_minor=100_000 + number * 37,
        currency="EUR",
        year=1990 + number % 30,
        make=makes[number % 6],
        model=f"model {number % 40}",
        mileage=Mileage(value=number * 113 % 300_000),
        location=f"{number % 90_000 + 10_000}",
    )


def _value(event: ListingEvent) -> Value:
    before, after = value_of(event).split(str(PLACEHOLDER).encode())
    return Value(event.kind.encode(), f"{event.kind}/{event.SCHEMA}".encode(), before, after)


def _life(fields: VehicleFields, *, sold: bool) -> tuple[Value, ...]:
    """A listing's events: created, published, cheaper, and sold or cheaper again."""
    price = fields.price_minor or 100_000
    cheaper = [
        ListingPriceChanged(
            listing_id=PLACEHOLDER,
            price_minor=int(price * factor),
            currency="EUR",
            previous_minor=price,
            previous_currency="EUR",
            changed_at=EPOCH + timedelta(days=2),
        )
        for factor in (0.95, 0.9)
    ]
    last: ListingEvent = (
        ListingSold(listing_id=PLACEHOLDER, sold_at=EPOCH + timedelta(days=9))
        if sold
        else cheaper[1]
    )
    created = ListingCreated(
        listing_id=PLACEHOLDER,
        seller_id=f"user/{UUID(int=1 + price % 500)}",
        market=Market.EXOTICS,
        fields=fields,
        created_at=EPOCH,
    )
    published = ListingPublished(listing_id=PLACEHOLDER, published_at=EPOCH)
    return tuple(map(_value, (created, published, cheaper[0], last)))


def _headers(value: Value, stream: bytes, version: int, when: bytes) -> list[tuple[str, bytes]]:
    command = str(uuid4())
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id_of(command, 0).encode()),
        ("ce_type", value.kind),
        ("ce_source", b"marketmesh"),
        ("ce_subject", stream),
        ("ce_time", when),
        ("ce_dataschema", value.schema),
        ("stream_version", b"%d" % version),
        ("command_id", command.encode()),
        ("event_index", b"0"),
        ("event_count", b"1"),
        ("correlation_id", command.encode()),
        ("causation_id", b""),
        ("actor", b"user/00000000-0000-0000-0000-0000000001f4"),
        ("fingerprint", b"0" * 64),
        ("writer_epoch", b"1"),
    ]


def _records(
    events: int, partitions: int
) -> Iterator[tuple[str, int, bytes, list[tuple[str, bytes]]]]:
    """(stream, partition, value, headers) of each record, in the log's order."""
    chance = random.Random(7)
    lives = [_life(fields, sold=chance.random() < 0.5) for fields in ads()]
    written = block = 0
    while True:
        listings = [str(uuid4()) for _ in range(BLOCK)]
        places = [partition_of(listing_stream(each), partitions) for each in listings]
        for step in range(4):
            when = iso(EPOCH + timedelta(minutes=block, seconds=step)).encode()
            for number, listing in enumerate(listings):
                if written == events:
                    return
                value = lives[(block * BLOCK + number) % len(lives)][step]
                stream = listing_stream(listing)
                headers = _headers(value, stream.encode(), step + 1, when)
                data = value.before + listing.encode() + value.after
                yield stream, places[number], data, headers
                written += 1
        block += 1


def write_log(settings: Settings, events: int, topic: str = TOPIC) -> None:
    """Append `events` listing events to `topic`, about four to a listing."""
    producer = Producer(
        {
            "bootstrap.servers": settings.kafka_bootstrap,
            "enable.idempotence": True,
            "linger.ms": 50,
            "batch.size": 500_000,
            "queue.buffering.max.messages": 200_000,
        }
    )
    for stream, partition, value, headers in _records(events, settings.topic_partitions):
        while True:
            try:
                producer.produce(topic, value, stream.encode(), partition, headers=list(headers))
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    if producer.flush(60):
        message = "the broker did not take the whole log within 60 s"
        raise TimeoutError(message)
