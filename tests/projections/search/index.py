"""An index of our own on the real OpenSearch, filled with listings by the projection's fold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson

from infra.settings import Settings
from processors.stores.rows import plain_row
from projections.search.listing_search import INDEX, ListingDocument, listing_search
from projections.search.query import Sort, search_body
from schemas.listings import listing_stream
from schemas.log.messages import Event
from schemas.search import Filters
from tests.projections.history import history, rows_of


@dataclass(frozen=True)
class SearchedIndex:
    """One index and the documents in it."""

    client: httpx.Client
    documents: list[ListingDocument]

    def ask(self, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.client.post("/_search", json=orjson.loads(orjson.dumps(body, default=str)))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def search(
        self, filters: Filters, sort: Sort = Sort.NEWEST, *, size: int = 100, **more: Any
    ) -> dict[str, Any]:
        return self.ask(search_body(filters, sort, size=size, **more))

    def ids(self, filters: Filters, sort: Sort = Sort.NEWEST, **more: Any) -> list[str]:
        """The ids of all hits, page by page."""
        found: list[str] = []
        after = None
        while True:
            body = search_body(filters, sort, size=100, after=after, **more)
            body.pop("aggs", None)  # the counts of facets cost more than the hits
            hits = self.ask(body)["hits"]["hits"]
            if not hits:
                return found
            found += [hit["_id"] for hit in hits]
            after = hits[-1]["sort"]


@contextmanager
def index_of(stack: Settings, lives: Iterable[tuple[UUID, list[Event]]]) -> Iterator[SearchedIndex]:
    """The documents that these listings' lives lead to, ready to be searched."""
    documents: list[ListingDocument] = []
    for listing_id, events in lives:
        documents += rows_of(listing_search, history(listing_stream(listing_id), *events)).values()
    url = f"{stack.opensearch_url}/test-{uuid4().hex}"
    with httpx.Client(base_url=url, timeout=30) as client:
        made = client.put("", json={"settings": INDEX.settings, "mappings": INDEX.mappings})
        assert made.status_code == 200, made.text
        try:
            lines = b"".join(
                orjson.dumps({"index": {"_id": each.listing_id}})
                + b"\n"
                + orjson.dumps(plain_row(each))
                + b"\n"
                for each in documents
            )
            headers = {"Content-Type": "application/x-ndjson"}
            loaded = client.post("/_bulk?refresh=true", content=lines, headers=headers).json()
            assert loaded["errors"] is False, loaded
            yield SearchedIndex(client, documents)
        finally:
            client.delete("").raise_for_status()
