"""Routes that ask their door before they read a byte of the request's body."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import APIRoute
from pydantic.fields import FieldInfo
from starlette.convertors import UUIDConvertor
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.backends.machines import machines_of
from api.backends.rate_limits import Limit, admit
from api.entry.auth import ANONYMOUS, Caller, authenticate
from api.entry.doors import ANYONE, Door, door_of
from api.wire.deadlines import AnswerWithin
from api.wire.json_bodies import JsonRequest
from api.wire.problems import Problem
from api.wire.queries import parameters_of, refuse_unclear

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Identify = Callable[[Request], Awaitable[Caller]]


class PolicedRoute(APIRoute):
    """A route whose function's door is kept: 401 without a valid token where one is needed, 403
    for other roles, 403 for everybody when there is no door; 429 for too much.

    A request that leaves FastAPI nothing to parse takes a short cut past its machinery, which
    is half of a read by id: see `_plain_call`.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self.door = door_of(endpoint)
        super().__init__(path, endpoint, **options)
        call = _plain_call(self)
        if call is not None:
            self.app = _short_cut(_policed(self, call), self.app)

    def get_route_handler(self) -> Handler:
        """FastAPI's handler behind the door."""
        handle = super().get_route_handler()
        if self.door is None or not self.door.any_query:
            handle = _of_known_query(self, handle)
        policed = _policed(self, handle)
        return _of_plain_json(policed) if self.body_field else policed


def _of_plain_json(handle: Handler) -> Handler:
    """`handle`, given its request before anything has read the body of it."""

    async def of_plain_json(request: Request) -> Response:
        return await handle(JsonRequest(request.scope, request.receive))

    return of_plain_json


def _of_known_query(route: APIRoute, handle: Handler) -> Handler:
    """`handle`, for queries that say nothing unknown: a filter that is misspelt must not quietly
    filter nothing.
    """
    # Made when first asked for, not at the start for every route.
    known = cache(lambda: parameters_of(route))

    async def of_known_query(request: Request) -> Response:
        if request.scope["query_string"]:
            refuse_unclear(request, known())
        return await handle(request)

    return of_known_query


def _policed(route: PolicedRoute, handle: Handler) -> Handler:
    door = route.door
    if door is None:
        return _denied
    identify = _by_key(
        route.operation_id, door, _whoever if door.access == ANYONE else _one_of(door)
    )
    if door.limits:
        identify = _counted(identify, door.limits)

    async def policed(request: Request) -> Response:
        async with AnswerWithin(door.answer_within_s(request.app.state.settings)):
            request.scope["caller"] = await identify(request)
            return await handle(request)

    return policed


async def _whoever(request: Request) -> Caller:
    # A token that is sent must be good, even where none is needed.
    signed_in = any(name == b"authorization" for name, _ in request.scope["headers"])
    return await authenticate(request) if signed_in else ANONYMOUS


def _one_of(door: Door) -> Identify:
    async def identify(request: Request) -> Caller:
        caller = await authenticate(request)
        if not door.lets_in(caller.role):
            raise Problem(403, "role_not_allowed", "Your role may not do this")
        return caller

    return identify


def _by_key(operation_id: str | None, door: Door, identify: Identify) -> Identify:
    """`identify`, and an API key names this operation among those that it opens."""

    async def by_key(request: Request) -> Caller:
        caller = await identify(request)
        opened = caller.operations is None or (door.keys and operation_id in caller.operations)
        if not opened:
            raise Problem(403, "operation_not_allowed", "This API key does not open that")
        return caller

    return by_key


def _counted(identify: Identify, limits: Sequence[Limit]) -> Identify:
    """`identify`, and whoever it is has not come too often. Who is not let in is counted, too,
    by address: nobody tries tokens uncounted.
    """

    async def counted(request: Request) -> Caller:
        limiter = machines_of(request).rate_limits
        try:
            caller = await identify(request)
        except Exception:
            await admit(limiter, request, ANONYMOUS, limits)
            raise
        await admit(limiter, request, caller, limits)
        return caller

    return counted


async def _denied(_request: Request) -> Response:
    raise Problem(403, "no_policy", "Nobody has said who may do this")


def _plain_call(route: APIRoute) -> Handler | None:
    """A direct call of the endpoint, right for requests without a query string: the path's ids
    are parsed by the router already, and what the query could say has a default. None where
    the endpoint asks for more: a body, headers, dependencies.
    """
    wanted, endpoint = route.dependant, route.endpoint
    more = (
        wanted.dependencies,
        wanted.body_params,
        wanted.header_params,
        wanted.cookie_params,
        wanted.websocket_param_name,
        wanted.http_connection_param_name,
        wanted.response_param_name,
        wanted.background_tasks_param_name,
        wanted.security_scopes_param_name,
    )
    signature = inspect.signature(endpoint).parameters
    parsed = all(
        isinstance(route.param_convertors[each.name], UUIDConvertor) for each in wanted.path_params
    )
    defaults = [signature[each.name].default for each in wanted.query_params]
    optional = not any(
        each is inspect.Parameter.empty or isinstance(each, FieldInfo) for each in defaults
    )
    if any(more) or not parsed or not optional or not inspect.iscoroutinefunction(endpoint):
        return None
    name = wanted.request_param_name
    if name is None:
        return lambda request: endpoint(**request.scope["path_params"])
    return lambda request: endpoint(**request.scope["path_params"], **{name: request})


def _short_cut(handle: Handler, whole: ASGIApp) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["query_string"]:
            await whole(scope, receive, send)
            return
        response = await handle(Request(scope, receive, send))
        await response(scope, receive, send)

    return app


def doors_of(app: FastAPI) -> dict[str, Door]:
    """The door of every operation that has one, by its id."""
    routes = (route for route in app.router.routes if isinstance(route, PolicedRoute))
    return {route.operation_id or "": route.door for route in routes if route.door}


def new_router(tag: str, *, prefix: str = "") -> APIRouter:
    """A router of one noun's policed routes."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=PolicedRoute)
