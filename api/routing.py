"""Routes that check the policy before they read a byte of the request's body."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from pydantic.fields import FieldInfo
from starlette.convertors import UUIDConvertor
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.auth import ANONYMOUS, authenticate
from api.policy import ANYONE, access_of
from api.problems import Problem

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class PolicedRoute(APIRoute):
    """A route whose operation's row in api.policy is enforced: 401 without a valid token where
    one is needed, 403 for other roles, 403 for everybody when there is no row.

    A request that leaves FastAPI nothing to parse takes a short cut past its machinery, which
    is half of a read by id: see `_plain_call`.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        call = _plain_call(self)
        if call is not None:
            self.app = _short_cut(_policed(self.operation_id, call), self.app)

    def get_route_handler(self) -> Handler:
        """FastAPI's handler behind the policy's check."""
        return _policed(self.operation_id, super().get_route_handler())


def _policed(operation_id: str | None, handle: Handler) -> Handler:
    access = access_of(operation_id)
    if access is None:
        return _denied
    if access is ANYONE:
        return _open_to_anyone(handle)

    async def policed(request: Request) -> Response:
        caller = await authenticate(request)
        if caller.role not in access:
            raise Problem(403, "role_not_allowed", "Your role may not do this")
        request.scope["caller"] = caller
        return await handle(request)

    return policed


def _open_to_anyone(handle: Handler) -> Handler:
    async def policed(request: Request) -> Response:
        # A token that is sent must be good, even where none is needed.
        signed_in = any(name == b"authorization" for name, _ in request.scope["headers"])
        request.scope["caller"] = await authenticate(request) if signed_in else ANONYMOUS
        return await handle(request)

    return policed


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


def new_router(tag: str, *, prefix: str = "") -> APIRouter:
    """A router of one noun's policed routes."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=PolicedRoute)
