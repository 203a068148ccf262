"""The peer: one process of the library `eventsourcing`, saving one-event aggregates.

    python -m bench.peer_eventsourcing SECONDS

Waits for a line on standard input, saves for so many seconds, prints how many it saved.
POSTGRES_* name the database, as the library wants it.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate

from bench.listing_log import ads


class Listing(Aggregate):
    """As much of a listing as our own created event states."""

    def __init__(self, seller_id: str, market: str, fields: dict[str, Any]) -> None:
        self.seller_id = seller_id
        self.market = market
        self.fields = fields


def main(seconds: float) -> None:
    app: Application[Any] = Application()
    fields = [ad.model_dump(mode="json", exclude_none=True) for ad in ads(1_000)]
    app.save(Listing("user/1", "exotics", fields[0]))  # Connections and tables are there now.
    print("ready", flush=True)
    sys.stdin.readline()
    saved = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        app.save(Listing("user/1", "exotics", fields[saved % len(fields)]))
        saved += 1
    print(json.dumps({"saved": saved}), flush=True)
    app.close()


if __name__ == "__main__":
    main(float(sys.argv[1]))
