"""The peer of the replay bench: the library `eventsourcing` projecting into a Postgres view.

    python -m bench.peer_projection EVENTS

Records the same lives of listings (created, published, cheaper, sold or cheaper again) as
events of its own aggregates, then lets its ProjectionRunner fold them into a table with the
same columns that change, from an empty view to the last event, and prints the seconds that
took. Its store and view are what its documentation shows for Postgres: one transaction an
event, holding the row and the tracking record. POSTGRES_* name the database.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from eventsourcing.application import Application
from eventsourcing.dispatch import singledispatchmethod
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.sql import SQL, Identifier

from bench.listing_log import ads

EVENTS_EACH = 4
SAVED_AT_ONCE = 100
WAIT_S = 3_600.0


class Listing(Aggregate):
    """A listing whose events state what ours do."""

    class Created(Aggregate.Created):
        """A draft exists."""

        seller_id: str
        fields: dict[str, Any]

    class Published(Aggregate.Event):
        """Everyone can see it."""

    class PriceChanged(Aggregate.Event):
        """The asking price moved."""

        price_minor: int

    class Sold(Aggregate.Event):
        """It found a buyer."""

    @event(Created)
    def __init__(self, seller_id: str, fields: dict[str, Any]) -> None:
        self.seller_id = seller_id
        self.fields = fields
        self.status = "draft"

    @event(Published)
    def publish(self) -> None:
        """Everyone can see it."""
        self.status = "active"

    @event(PriceChanged)
    def reprice(self, price_minor: int) -> None:
        """The asking price moved."""
        self.fields["price_minor"] = price_minor

    @event(Sold)
    def sell(self) -> None:
        """It found a buyer."""
        self.status = "sold"


class Listings(Application[Any]):
    """Where they are saved."""


class Page(PostgresTrackingRecorder):
    """The view: one row a listing, written with the tracking record in one transaction."""

    def __init__(self, datastore: PostgresDatastore, **kwargs: Any) -> None:
        super().__init__(datastore, **kwargs)
        self.page = "listing_page"
        self.sql_create_statements.append(
            SQL(
                "CREATE TABLE IF NOT EXISTS {0}.{1} (key uuid PRIMARY KEY, seller_id text,"
                " status text, price_minor bigint, fields jsonb)"
            ).format(Identifier(self.datastore.schema), Identifier(self.page))
        )

    def write(self, tracking: Tracking, statement: str, values: tuple[Any, ...]) -> None:
        """One statement and the tracking record, all or nothing."""
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(
                SQL(statement).format(Identifier(self.datastore.schema), Identifier(self.page)),
                values,
            )


class PageProjection(Projection[Page]):
    """How events change the row."""

    name = "page"

    @singledispatchmethod
    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        """Nothing else is heard."""
        del domain_event
        self.view.insert_tracking(tracking)

    @process_event.register
    def created(self, domain_event: Listing.Created, tracking: Tracking) -> None:
        """A row."""
        fields = domain_event.fields
        self.view.write(
            tracking,
            "INSERT INTO {}.{} VALUES (%s, %s, 'draft', %s, %s)",
            (
                domain_event.originator_id,
                domain_event.seller_id,
                fields.get("price_minor"),
                json.dumps(fields),
            ),
        )

    @process_event.register
    def published(self, domain_event: Listing.Published, tracking: Tracking) -> None:
        """Shown."""
        self._set(tracking, "status", "active", domain_event.originator_id)

    @process_event.register
    def repriced(self, domain_event: Listing.PriceChanged, tracking: Tracking) -> None:
        """Cheaper."""
        self._set(tracking, "price_minor", domain_event.price_minor, domain_event.originator_id)

    @process_event.register
    def sold(self, domain_event: Listing.Sold, tracking: Tracking) -> None:
        """Gone."""
        self._set(tracking, "status", "sold", domain_event.originator_id)

    def _set(self, tracking: Tracking, column: str, value: Any, key: Any) -> None:
        self.view.write(
            tracking, f"UPDATE {{}}.{{}} SET {column} = %s WHERE key = %s", (value, key)
        )


def record(events: int) -> int:
    """Save lives of listings; the last notification's id."""
    app = Listings()
    fields = [ad.model_dump(mode="json", exclude_none=True) for ad in ads()]
    listings: list[Listing] = []
    for number in range(events // EVENTS_EACH):
        listing = Listing("user/1", dict(fields[number % len(fields)]))
        listing.publish()
        listing.reprice(number + 1)
        listing.sell()
        listings.append(listing)
        if len(listings) == SAVED_AT_ONCE:
            app.save(*listings)
            listings.clear()
    app.save(*listings)
    last = app.recorder.max_notification_id()
    app.close()
    return last or 0


def main(events: int) -> None:
    """Record, project, print the seconds that projecting took."""
    last = record(events)
    began = time.monotonic()
    with ProjectionRunner(
        application_class=Listings, projection_class=PageProjection, view_class=Page
    ) as runner:
        runner.wait(last, timeout=WAIT_S)
        took = time.monotonic() - began
    print(json.dumps({"events": last, "seconds": took}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
