"""What surrounds every request: its id, a bound on the body, security headers, metrics, one log
line. One pure ASGI layer and cheap: a read by id has about 30 µs for all of this.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes
from uuid import UUID, uuid4

import structlog
from asgi_correlation_id import correlation_id
from fastapi import FastAPI, HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.backends.rate_limits import TOLD, headers_of
from api.entry import pictures
from api.wire.caching import for_caches
from api.wire.deadlines import waiting_for_the_client
from api.wire.problems import (
    BODY_BYTES_MAX,
    IMAGES_BYTES_MAX,
    UPLOAD_BYTES_MAX,
    VIDEO_FORM_BYTES_MAX,
    Problem,
    http_problem_response,
    problem_response,
    surprise_response,
)
from infra.metrics import HTTP_REQUESTS, HTTP_SECONDS
from schemas.log.messages import Fault

ASKED_BY_HEAD = "asked_by_head"
UNMATCHED = "unmatched"  # one label for every unknown path: clients must not make up series

_REQUEST_ID = b"x-request-id"
_REQUEST_ID_FORM = re.compile(rb"[A-Za-z0-9_.-]{8,64}")
# Whose bodies may be larger than all others, and how large.
_UPLOADS = (
    (re.compile(r"POST /api/users/[0-9A-Fa-f-]{36}/avatar"), UPLOAD_BYTES_MAX),
    (
        re.compile(
            r"POST /api/((media/)?images|images/process|items"
            r"|listings/[0-9A-Fa-f-]{32,36}/(images|spin))"
        ),
        IMAGES_BYTES_MAX,
    ),
    (re.compile(r"POST /api/media/videos"), VIDEO_FORM_BYTES_MAX),
)
# As the router takes them, in any case and with hyphens or without, but not as we write them.
_OTHER_ID = re.compile(
    r"/(?![0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:/|$))"
    r"([0-9A-Fa-f]{8}(?:-?[0-9A-Fa-f]{4}){3}-?[0-9A-Fa-f]{12})(?=/|$)"
)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"cross-origin-resource-policy", b"same-site"),
)

log = structlog.get_logger()


class Edge:
    """The layer around the routes, so that it sees every answer of theirs.

    The request's id lies in asgi-correlation-id's context variable, where logs and that
    library's own extensions look for it; its middleware would do the same at thrice the cost.
    """

    def __init__(
        self, app: ASGIApp, body_bytes_max: int = BODY_BYTES_MAX, pictures_url: str = "/api"
    ) -> None:
        self._app = app
        self._body_bytes_max = body_bytes_max
        self._pictures_url = pictures_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["method"] == "HEAD":
            # A copy: the server must know that this answer ends with its headers.
            as_get = {**scope, "method": "GET", ASKED_BY_HEAD: True}
            await self._serve(as_get, receive, _without_body(send))
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, status = time.perf_counter(), 0
        looked_at = [each for each in scope["headers"] if each[0] in _ONCE]
        sent = dict(looked_at)
        signed = any(name == b"authorization" for name, _ in scope["headers"])
        request_id = _request_id(sent.get(_REQUEST_ID))
        correlation_id.set(request_id)
        pictures.base.set(self._pictures_url)

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(message["headers"], request_id, signed=signed)
                if TOLD in scope:
                    message["headers"] += headers_of(scope[TOLD])
            await send(message)

        try:
            if len(sent) != len(looked_at):
                raise _sent_twice(looked_at)  # noqa: TRY301 - answered like those from below
            _refuse_unread(scope, sent)
            scope["path"] = _in_one_form(scope["path"])
            await self._app(scope, self._bounded(scope, sent, receive), send_on)
        except Problem as problem:
            await problem_response(problem)(scope, receive, send_on)
        except HTTPException as error:
            await http_problem_response(error)(scope, receive, send_on)
        except ClientDisconnect:
            status = 499  # They have gone in the middle of their request: nobody to answer.
        except Exception as error:
            if status:
                raise  # Half an answer is out: only closing the connection tells the truth.
            await surprise_response(error)(scope, receive, send_on)
        finally:
            _observe(scope, status or 499, time.perf_counter() - began)

    def _bounded(self, scope: Scope, sent: dict[bytes, bytes], receive: Receive) -> Receive:
        """`receive`, checked against the bound where the request has a body at all."""
        length = sent.get(b"content-length")
        if length is None and b"transfer-encoding" not in sent:
            return receive
        asked = f"{scope['method']} {scope['path']}"
        larger = (most for form, most in _UPLOADS if form.fullmatch(asked))
        bound = next(larger, self._body_bytes_max)
        if length is not None and length.isdigit() and int(length) > bound:
            raise HTTPException(413)
        counted = self._counted(receive, bound) if b"transfer-encoding" in sent else receive
        return waiting_for_the_client(counted)

    def _counted(self, receive: Receive, bound: int) -> Receive:
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > bound:
                raise HTTPException(413)
            return message

        return counted


def _refuse_unread(scope: Scope, sent: Mapping[bytes, bytes]) -> None:
    """Raise the problem of what would be read as something else than was meant."""
    coding = sent.get(b"content-encoding", b"identity")
    if coding.strip().lower() not in (b"", b"identity"):
        fault = Fault(pointer="header:Content-Encoding", detail="is not known here: leave it out")
        headers = {"Accept-Encoding": "identity"}
        raise Problem(
            415, "content_encoding", "Send the body as it is", faults=[fault], headers=headers
        )
    query = scope["query_string"]
    if query.isascii() and b"%" not in query:
        return
    try:
        unquote_to_bytes(query).decode()
    except UnicodeDecodeError:
        detail = "The query is not UTF-8: encode it so, then escape it"
        raise Problem(400, "query_not_utf8", detail) from None


def _in_one_form(path: str) -> str:
    """The path with each id as we write it, so that what is remembered by path, such as keys of
    repeats, knows it again however it is written.
    """
    return _OTHER_ID.sub(lambda found: f"/{UUID(found[1])}", path)


def _without_body(send: Send) -> Send:
    """What an answer to HEAD is: the one to GET without its body (RFC 9110, 9.3.2)."""

    async def headers_only(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return headers_only


def _sent_twice(looked_at: Sequence[tuple[bytes, bytes]]) -> Problem:
    names = [name for name, _ in looked_at]
    twice = sorted({name.decode("latin-1").title() for name in names if names.count(name) > 1})
    faults = [
        Fault(pointer=f"header:{name}", detail="is sent twice: send it once") for name in twice
    ]
    return Problem(400, "bad_request", f"{' and '.join(twice)}: send it once", faults=faults)


# What there is one of: two would be read one way here and another way by a proxy or a library.
_ONCE = frozenset(
    {
        _REQUEST_ID,
        b"content-length",
        b"transfer-encoding",
        b"host",
        b"content-type",
        b"idempotency-key",
        b"content-encoding",
    }
)


def _request_id(sent: bytes | None) -> str:
    """The client's id if it has our form, else a new one: it goes into logs and the log."""
    if sent is not None and _REQUEST_ID_FORM.fullmatch(sent):
        return sent.decode("ascii")
    return uuid4().hex


def _add_headers(headers: list[tuple[bytes, bytes]], request_id: str, *, signed: bool) -> None:
    for_caches(headers, signed=signed)
    own = {name for name, _ in headers}  # a page says itself which script is its own
    headers += [each for each in _SECURITY if each[0] not in own]
    headers.append((_REQUEST_ID, request_id.encode("ascii")))


@lru_cache(maxsize=2_000)
def _meters(method: str, route: str, status: int) -> tuple[Any, Any]:
    return (
        HTTP_REQUESTS.labels(method, route, str(status)),
        HTTP_SECONDS.labels(method, route),
    )


def _observe(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", UNMATCHED)
    method = "HEAD" if ASKED_BY_HEAD in scope else scope["method"]
    method = method if method in _METHODS else "OTHER"
    requests, durations = _meters(method, route, status)
    requests.inc()
    durations.observe(seconds)
    log.info("request", method=method, route=route, status=status, ms=round(seconds * 1e3, 2))


def install(app: FastAPI) -> None:
    """Put the layer around `app`."""
    app.add_middleware(Edge, pictures_url=app.state.settings.pictures_url)
