"""Errors over HTTP: one shape for all of them, RFC 9457 problem details.

Whatever goes wrong leaves through `install`'s handlers, so a client has one thing to parse:
`{type, title, status, detail, reason, errors: [{pointer, detail}], correlation_id}`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from asgi_correlation_id import correlation_id
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import Response
from starlette.routing import Route

from api.wire.deadlines import NoAnswerInTimeError
from api.wire.emitted import json_of
from api.wire.faults import fault_of
from api.wire.json_bodies import AmbiguousJsonError
from api.wire.successes import NO_STORE, headers_told
from infra.clients.objects import ObjectsUnavailableError
from infra.credentials.passwords import PasswordsBusyError
from infra.pictures import PicturesBusyError
from infra.vault.vault import PersonErasedError, VaultUnavailableError
from schemas.log.messages import Fault
from schemas.log.recorded import Reply
from schemas.media import ORIGINAL_BYTES_MAX, VIDEO_BYTES_MAX
from schemas.refusals import told_of

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 1
BODY_BYTES_MAX = 1024 * 1024
UPLOAD_BYTES_MAX = 5 * 1024 * 1024 + 4096  # a picture and the form around it
IMAGES_MAX = 10  # in one form
IMAGES_BYTES_MAX = IMAGES_MAX * (ORIGINAL_BYTES_MAX + 1024 * 1024)
VIDEO_FORM_BYTES_MAX = VIDEO_BYTES_MAX + 64 * 1024  # a video and the form around it
_KEPT_OUT = frozenset({401, 403, 429})
_READING = frozenset({"GET", "HEAD"})
FAULTS_MAX = 50  # one answer never lists more; the rest shows after these are mended

log = structlog.get_logger()


class WriteUnavailableError(Exception):
    """No reply came in time: 503 with Retry-After. Whether the command took effect is open
    until its deadline has passed; the same Idempotency-Key finds out.
    """

    retry_after_s = RETRY_AFTER_S


class StoreUnavailableError(Exception):
    """A store that this read needs does not answer, or has not caught up in time."""

    def __init__(self, store: str, detail: str = "") -> None:
        super().__init__(store)
        self.store = store
        self.detail = detail or f"{store} does not answer; try again soon"


class Problem(Exception):  # noqa: N818 - a problem is an answer, not an error
    """An answer other than success; raise it anywhere below a route.

    `reason` is a stable code for programs, `detail` a sentence for people. Neither may quote
    personal data or an exception's text.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        detail: str = "",
        *,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
        version: int | None = None,
        told: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = dict(headers or {})
        self.version = version  # that there is, where another one was expected
        self.told = dict(told or {})


class Waiting(BaseModel):
    """A read model for which an event waits to be mended."""

    projection: str
    since: str
    reason: str


class ProblemBody(BaseModel):
    """What every error answer holds (RFC 9457)."""

    model_config = ConfigDict(title="Problem")

    type: str
    title: str
    status: int
    detail: str
    reason: str
    errors: list[Fault] = []
    correlation_id: str = ""
    version: int | None = Field(default=None, description="That there is now; on 412 only")
    parked: list[Waiting] = []


_EXAMPLES: dict[int, tuple[str, str]] = {
    400: ("json_invalid", "The body is not JSON: look near byte 17"),
    401: ("token_missing", "Send an access token: `Authorization: Bearer …`"),
    402: ("tokens_missing", told_of("tokens_missing")),
    403: ("role_not_allowed", "Your role may not do this"),
    404: ("not_found", "There is no such thing"),
    405: ("method_not_allowed", "This path does not know that method"),
    409: ("email_taken", told_of("email_taken")),
    410: ("gone", "This is no longer there"),
    412: ("version_mismatch", "It has changed since you read it: read again, then repeat"),
    413: ("body_too_large", "The body is larger than this path takes"),
    415: ("media_type", "Send `Content-Type: application/json`"),
    416: ("range_not_satisfiable", "There are 1000 bytes: ask for some of these"),
    422: ("invalid", "1 field is not as it should be"),
    428: ("if_match_required", "Send `If-Match` with the ETag that you last read"),
    429: ("rate_limited", "At most 10 in 900 s: wait, then repeat"),
    503: ("store_unavailable", "postgres does not answer; try again soon"),
}
_EVERYWHERE = (413, 422, 503)  # what any operation may answer


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of an operation: the named errors and those that any may give."""
    return {status: _described(status) for status in sorted({*statuses, *_EVERYWHERE})}


def _described(status: int) -> dict[str, Any]:
    reason, detail = _EXAMPLES[status]
    example = body_of(status, reason, detail, (), "3f0e8d1c5b9a4e0f8c7d6b5a49382716")
    described: dict[str, Any] = {
        "description": HTTPStatus(status).phrase,
        "content": {
            MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
        },
    }
    if status in (429, 503):
        described["headers"] = headers_told(["Retry-After"])
    return described


def body_of(
    status: int, reason: str, detail: str, faults: Sequence[Fault], request_id: str
) -> dict[str, Any]:
    """The members of a problem document."""
    phrase = HTTPStatus(status).phrase
    return {
        "type": f"urn:marketmesh:problem:{reason}",
        "title": phrase,
        "status": status,
        "detail": detail or phrase,
        "reason": reason,
        "errors": [{"pointer": each.pointer, "detail": each.detail} for each in faults],
        "correlation_id": request_id,
    }


def problem_response(problem: Problem) -> Response:
    """The HTTP answer for a problem."""
    body = body_of(
        problem.status,
        problem.reason,
        problem.detail,
        problem.faults[:FAULTS_MAX],
        correlation_id.get() or "",
    )
    if problem.version is not None:
        body["version"] = problem.version
    headers = {**NO_STORE, **problem.headers}
    return Response(json_of({**body, **problem.told}), problem.status, headers, MEDIA_TYPE)


def unavailable(reason: str, detail: str) -> Problem:
    """503 with Retry-After: nothing is wrong with the request, repeat it soon."""
    return Problem(503, reason, detail, headers={"Retry-After": str(RETRY_AFTER_S)})


def invalid(faults: Sequence[Fault]) -> Problem:
    """422 for fields that are not as they should be."""
    count = "1 field is" if len(faults) == 1 else f"{len(faults)} fields are"
    return Problem(422, "invalid", f"{count} not as it should be", faults=faults)


def unauthenticated(reason: str, detail: str) -> Problem:
    """401 with the challenge that RFC 6750 asks for."""
    error = "" if reason == "token_missing" else ', error="invalid_token"'
    challenge = f'Bearer realm="marketmesh"{error}'
    return Problem(401, reason, detail, headers={"WWW-Authenticate": challenge})


def refusal(reply: Reply) -> Problem:
    """The problem that tells a client of a command's refusal."""
    detail = told_of(reply.reason)
    reason = reply.reason or reply.outcome
    if reply.status == HTTPStatus.PRECONDITION_FAILED:
        detail = f"It is at version {reply.version} now: read it again, then repeat"
        headers = {"ETag": f'"{reply.version}"'}
        return Problem(reply.status, reason, detail, headers=headers, version=reply.version)
    return Problem(reply.status, reason, detail, faults=reply.faults)


def accepted(reply: Reply) -> Reply:
    """The reply to an accepted command; raises the problem that tells of a refusal."""
    if reply.outcome != "accepted":
        raise refusal(reply)
    return reply


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem document."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(StoreUnavailableError, _on_store_unavailable)
    app.add_exception_handler(WriteUnavailableError, _on_write_unavailable)
    app.add_exception_handler(NoAnswerInTimeError, _on_no_answer_in_time)
    app.add_exception_handler(VaultUnavailableError, _on_vault_unavailable)
    app.add_exception_handler(PersonErasedError, _on_person_erased)
    app.add_exception_handler(PasswordsBusyError, _on_passwords_busy)
    app.add_exception_handler(ObjectsUnavailableError, _on_objects_unavailable)
    app.add_exception_handler(PicturesBusyError, _on_pictures_busy)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(StarletteHTTPException, _on_http_exception)


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    if error.status in _KEPT_OUT:
        who = request.scope.get("known", "")
        route = getattr(request.scope.get("route"), "path", "")
        log.warning("kept_out", status=error.status, reason=error.reason, who=who, route=route)
    return problem_response(await _or_withheld(request, error))


async def _or_withheld(request: Request, problem: Problem) -> Problem:
    """What can't be found may only be withheld, for less time than is remembered."""
    if problem.status == HTTPStatus.NOT_FOUND and "reads" in request.scope:
        withheld = request.app.state.machines.withheld
        try:
            await withheld.refuse(request, request.scope["reads"], fresh_s=0.0)
        except Problem as repaired:
            return repaired
    return problem


async def _on_store_unavailable(_request: Request, error: Exception) -> Response:
    assert isinstance(error, StoreUnavailableError)
    log.warning("store_unavailable", store=error.store)
    return problem_response(unavailable("store_unavailable", error.detail))


async def _on_vault_unavailable(_request: Request, _error: Exception) -> Response:
    log.warning("store_unavailable", store="vault")
    return problem_response(unavailable("store_unavailable", "The vault does not answer"))


async def _on_person_erased(_request: Request, _error: Exception) -> Response:
    return problem_response(Problem(410, "user_deleted", "This account is no longer there"))


async def _on_passwords_busy(_request: Request, _error: Exception) -> Response:
    log.warning("passwords_busy")
    return problem_response(unavailable("busy", "Too many are logging in at once; try again soon"))


async def _on_objects_unavailable(_request: Request, _error: Exception) -> Response:
    log.warning("store_unavailable", store="objects")
    return problem_response(unavailable("store_unavailable", "The object store does not answer"))


async def _on_pictures_busy(_request: Request, _error: Exception) -> Response:
    log.warning("pictures_busy")
    return problem_response(unavailable("busy", "Too many pictures at once; try again soon"))


async def _on_write_unavailable(request: Request, _error: Exception) -> Response:
    log.warning("write_unavailable")
    detail = f"Nobody confirmed the write in time. {_whether_done(request)}"
    return problem_response(unavailable("write_unavailable", detail))


async def _on_no_answer_in_time(request: Request, _error: Exception) -> Response:
    log.warning("no_answer_in_time")
    then = "Try again soon" if request.method in _READING else _whether_done(request)
    return problem_response(unavailable("no_answer_in_time", f"This took too long. {then}"))


def _whether_done(request: Request) -> str:
    if "Idempotency-Key" in request.headers:
        return "It may have been done: repeat it with the same Idempotency-Key"
    return "It may have been done: look whether it was before you repeat it"


def surprise_response(error: Exception) -> Response:
    """The answer to what nobody foresaw; logged here, without the exception's text, which may
    quote secrets or personal data.
    """
    note_surprise(error)
    return problem_response(
        Problem(500, "unexpected", "Something broke here; it has been logged under this id")
    )


def note_surprise(error: Exception) -> None:
    """Log what nobody foresaw: what and where, but not the exception's text."""
    log.error("unexpected_error", error=type(error).__name__, where=_where(error))


def _where(error: BaseException) -> list[str]:
    """The innermost frames of a traceback, `file:line function`, without any values."""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return frames[-8:]


_REASONS = {
    400: ("bad_request", "The body is not in the form that its `Content-Type` says: send it whole"),
    404: ("not_found", "There is nothing at this path"),
    405: ("method_not_allowed", "This path does not know that method"),
    413: ("body_too_large", "The body is larger than this path takes"),
}


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # The framework names the methods of the first route that has this path; many may.
        error.headers = {"Allow": ", ".join(sorted(_methods_at(request)))}
    return http_problem_response(error)


def _methods_at(request: Request) -> set[str]:
    """Every method that some route has for the request's path; HEAD is GET without a body."""
    found = {
        method
        for route in request.app.router.routes
        if isinstance(route, Route) and route.path_regex.match(request.scope["path"])
        for method in route.methods or ()
    }
    return found | ({"HEAD"} if "GET" in found else set())


def http_problem_response(error: StarletteHTTPException) -> Response:
    """The answer to what the framework raises: unknown paths, methods, bodies too large."""
    reason, detail = _REASONS.get(error.status_code, ("http_error", ""))
    match error.__cause__:
        case UnicodeDecodeError():
            reason, detail = "json_invalid", "The body is not UTF-8: encode it so"
        case RecursionError():
            reason, detail = "json_invalid", "The body is nested too deeply: make it flatter"
        case AmbiguousJsonError() as cause:
            reason, detail = "json_invalid", str(cause)
        case ValueError():  # Python's JSON reads no number of more than 4,300 digits
            reason, detail = "json_invalid", "The body has a number of too many digits: shorten it"
    return problem_response(Problem(error.status_code, reason, detail, headers=error.headers))


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        return problem_response(_not_json(found[0]))
    if any(each["loc"] == ("body",) for each in found) and not _says_json(request):
        return problem_response(
            Problem(415, "media_type", "Send a JSON body with `Content-Type: application/json`")
        )
    return problem_response(invalid([fault_of(each) for each in found]))


def _not_json(found: Mapping[str, Any]) -> Problem:
    place = found["loc"][-1]
    return Problem(400, "json_invalid", f"The body is not JSON: look near character {place}")


def _says_json(request: Request) -> bool:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )
