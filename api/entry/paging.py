"""Lists a page at a time: by an opaque signed cursor, or by page number to a bounded depth.

A cursor holds the sort values of the last row shown, so rows that come and go in between
neither repeat nor hide others. It is signed and belongs to one query: it can't be made up,
nor carried to another filter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

import orjson
from fastapi import Depends, Query, Request
from itsdangerous import BadSignature, URLSafeSerializer
from starlette.responses import Response

from api.backends.machines import machines_of
from api.wire.emitted import json_of
from api.wire.problems import Problem
from infra.settings import Settings
from projections.reads import Slice
from schemas.log.messages import Fault

LIMIT_MAX = 100
LIMIT_DEFAULT = 20
DEPTH_MAX = 10_000
CURSOR_LENGTH_MAX = 2_000
_FORM = "cursor 2"  # another number with each new form: what was sealed in an older one is refused
_MOMENT = "at"
_OWN = frozenset({"cursor", "limit", "page"})

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Page:
    """Which part of a list is wanted: after `after`'s sort values, or from row `offset` on."""

    limit: int
    offset: int
    after: tuple[Any, ...] | None
    number: int
    request: Request

    @property
    def part(self) -> Slice:
        """The rows to ask for: one more than is shown tells whether more follow."""
        return Slice(self.limit + 1, self.offset, self.after)

    def shown(
        self, rows: Sequence[Row], *order: str
    ) -> tuple[Sequence[Row], tuple[Any, ...] | None]:
        """Of the rows that `part` gave those to show and, when others follow, the last one's
        values of the columns that the list is sorted by.
        """
        if len(rows) <= self.limit:
            return rows, None
        rows = rows[: self.limit]
        return rows, tuple(rows[-1][name] for name in order)

    def response(
        self,
        items: Sequence[Any],
        last: Sequence[Any] | None,
        /,
        *,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> Response:
        """`{items, next_cursor, …}` with a Link header; `last` holds the sort values of the
        last item when more items follow it, else None.
        """
        cursor, link = self.next_of(last)
        body = {"items": items, "next_cursor": cursor, **more}
        sent = {"Cache-Control": "no-cache", **link, **(headers or {})}
        return Response(json_of(body), 200, sent, "application/json")

    def next_of(self, last: Sequence[Any] | None) -> tuple[str | None, dict[str, str]]:
        """The cursor of the page that follows and the header that links to it; none without
        `last`.
        """
        if last is None:
            return None, {}
        cursor = _seal(self.request, last)
        return cursor, {"Link": f'<{self._next_url(cursor)}>; rel="next"'}

    def _next_url(self, cursor: str) -> str:
        kept = [(k, v) for k, v in self.request.query_params.multi_items() if k not in _OWN]
        query = urlencode([*kept, ("limit", self.limit), ("cursor", cursor)])
        return f"{self.request.url.path}?{query}"


def _serializer(request: Request) -> URLSafeSerializer:
    settings: Settings = machines_of(request).settings
    filters = sorted((k, v) for k, v in request.query_params.multi_items() if k not in _OWN)
    salt = orjson.dumps([request.url.path, filters]).decode()
    return URLSafeSerializer(settings.lookup_key.get_secret_value(), salt=f"{_FORM} {salt}")


def _seal(request: Request, values: Sequence[Any]) -> str:
    return str(_serializer(request).dumps([_told(each) for each in values]))


def _open(request: Request, cursor: str) -> tuple[Any, ...]:
    try:
        return tuple(_meant(each) for each in _serializer(request).loads(cursor))
    except (BadSignature, TypeError):
        raise Problem(
            422,
            "cursor_invalid",
            f"Take `cursor` from the last answer's `{_next_in(request)}`, with the same filters",
            faults=[Fault(pointer="?cursor", detail="is not a cursor of this query")],
        ) from None


def _told(value: Any) -> Any:
    """JSON knows no moments."""
    return {_MOMENT: value.isoformat()} if isinstance(value, datetime) else value


def _meant(value: Any) -> Any:
    return datetime.fromisoformat(value[_MOMENT]) if isinstance(value, dict) else value


async def _page(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="Items on a page")] = LIMIT_DEFAULT,
    cursor: Annotated[
        str | None,
        Query(max_length=CURSOR_LENGTH_MAX),
    ] = None,
    page: Annotated[
        int | None, Query(ge=1, le=DEPTH_MAX, description="Page number, from 1; to 10,000 items")
    ] = None,
) -> Page:
    if cursor is not None and page is not None:
        fault = Fault(pointer="?page", detail="send either `page` or `cursor`")
        raise Problem(422, "invalid", "A page has one address", faults=[fault])
    number = page or 1
    if number * limit > DEPTH_MAX:
        fault = Fault(pointer="?page", detail=f"page x limit goes to {DEPTH_MAX}: use `cursor`")
        told = f"That far in, follow `{_next_in(request)}`"
        raise Problem(422, "page_too_deep", told, faults=[fault])
    after = None if cursor is None else _open(request, cursor)
    return Page(limit, (number - 1) * limit, after, number, request)


Paging = Annotated[Page, Depends(_page)]


def next_field_of(route: object) -> str:
    """The field of the route's answers that holds the cursor of the page that follows."""
    fields = getattr(getattr(route, "response_model", None), "model_fields", {})
    return "next" if "next" in fields else "next_cursor"


def _next_in(request: Request) -> str:
    return next_field_of(request.scope.get("route"))


def is_paged(asked: object) -> bool:
    """Whether a route that asks for this shows pages."""
    return asked is _page
