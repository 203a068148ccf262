"""How the API speaks HTTP, whatever it is asked: the rows of OWASP's ASVS 5.0 that a machine can
check. No server is behind this API.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.api.alone import api_alone
from tests.api.running import PASSWORD, Mesh, problem

JSON = {"Content-Type": "application/json"}
REGISTER = "/api/auth/register"
THING = "01980000-0000-7000-8000-000000000001"

# Every kind of answer: what to ask, and the status that it has.
ASKED: dict[str, tuple[int, tuple[str, str], dict[str, Any]]] = {
    "JSON": (200, ("GET", "/health/live"), {}),
    "a public list": (200, ("GET", "/api/meta/enums"), {}),
    "the document": (200, ("GET", "/openapi.json"), {}),
    "metrics": (200, ("GET", "/metrics"), {}),
    "what is known": (304, ("GET", "/test/read"), {"headers": {"If-None-Match": '"7"'}}),
    "no JSON": (400, ("POST", REGISTER), {"content": "{", "headers": JSON}),
    "no token": (401, ("GET", "/api/auth/session"), {}),
    "a bad token": (401, ("GET", "/test/read"), {"headers": {"Authorization": "Bearer x"}}),
    "no policy": (403, ("GET", "/test/nobody"), {}),
    "no such path": (404, ("GET", "/api/nothing"), {}),
    "no such method": (405, ("DELETE", REGISTER), {}),
    "another version": (412, ("GET", "/test/late"), {}),
    "too large": (413, ("POST", REGISTER), {"headers": {"Content-Length": "9999999"}}),
    "another media type": (415, ("POST", REGISTER), {"content": "x"}),
    "invalid": (422, ("POST", REGISTER), {"json": {}}),
    "no version": (428, ("PUT", "/test/change"), {}),
    "a surprise": (500, ("GET", "/test/surprise"), {}),
    "a store is away": (503, ("GET", "/test/store"), {}),
    "not ready": (503, ("GET", "/health/ready"), {}),
}
CACHED = {"a public list"}  # the same for everybody


@pytest.fixture(scope="module")
async def alone() -> AsyncIterator[Mesh]:
    async with api_alone() as mesh:
        yield mesh


@pytest.fixture(scope="module")
async def answers(alone: Mesh) -> dict[str, httpx.Response]:
    """One of each kind."""
    found = {
        name: await alone.client.request(*what, **more) for name, (_, what, more) in ASKED.items()
    }
    assert {name: each.status_code for name, each in found.items()} == {
        name: status for name, (status, _, _) in ASKED.items()
    }
    return found


HEADERS = {
    "V3_4_1": ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
    "V3_4_3": ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    "V3_4_4": ("X-Content-Type-Options", "nosniff"),
    "V3_4_5": ("Referrer-Policy", "no-referrer"),
    "V3_4_6": ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    "V3_5_8": ("Cross-Origin-Resource-Policy", "same-site"),
}


@pytest.mark.parametrize("row", HEADERS)
@pytest.mark.asvs("V3.4.1", "V3.4.3", "V3.4.4", "V3.4.5", "V3.4.6")
def test_NS_02_V3_4_every_kind_of_answer_has_the_header(answers, row: str) -> None:
    name, value = HEADERS[row]
    assert {kind: each.headers.get_list(name) for kind, each in answers.items()} == {
        kind: [value] for kind in answers
    }


async def test_V3_4_2_no_other_origin_is_let_in(alone: Mesh) -> None:
    for origin in ("https://evil.example", "null", "http://mesh.test.evil.example"):
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        for method in ("GET", "POST", "OPTIONS"):
            answer = await alone.client.request(method, REGISTER, headers=asked)
            assert not [name for name in answer.headers if name.startswith("access-control")]


def test_V14_3_2_no_answer_is_kept_unless_it_is_for_everybody(answers) -> None:
    kept = {kind for kind, each in answers.items() if each.headers["Cache-Control"] != "no-store"}
    assert kept - {"what is known"} == CACHED
    assert answers["a public list"].headers["Cache-Control"] == "public, max-age=300"
    assert "public" not in answers["what is known"].headers["Cache-Control"]


def test_V4_1_1_every_body_says_what_it_is(answers) -> None:
    for kind, each in answers.items():
        media_type = each.headers.get("Content-Type", "")
        if not each.content:
            continue
        if media_type.startswith("text/"):
            assert "charset=utf-8" in media_type, kind
        else:
            assert media_type in ("application/json", "application/problem+json"), kind
            json.loads(each.content)


def test_V16_5_1_every_error_is_a_problem_without_an_inside(answers) -> None:
    for kind, each in answers.items():
        if each.status_code >= 400:
            assert each.headers["Content-Type"] == "application/problem+json", kind
            assert not [
                word for word in ("Traceback", 'File "', "asyncpg", ".py") if word in each.text
            ]


def test_V13_4_6_no_answer_names_what_it_is_made_of(answers) -> None:
    for kind, each in answers.items():
        told = " ".join((*each.headers.keys(), *each.headers.values())).lower()
        assert not [word for word in ("server", "powered", "uvicorn", "python") if word in told], (
            kind
        )


def test_NS_07_no_answer_sets_a_cookie(answers) -> None:
    assert [kind for kind, each in answers.items() if "Set-Cookie" in each.headers] == []


# Methods.


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "DEBUG", "PROPFIND"])
@pytest.mark.parametrize(
    ("path", "status"), [("/health/live", 405), (REGISTER, 405), ("/", 404), ("/openapi.json", 405)]
)
async def test_V13_4_4_no_method_but_the_routes_own(
    alone: Mesh, method: str, path: str, status: int
) -> None:
    secret = {"X-Secret": "reflected", "Cookie": "a=reflected"}
    answer = await alone.client.request(method, path, headers=secret)
    assert answer.status_code == status
    assert "reflected" not in answer.text + str(answer.headers)


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"])
async def test_V4_1_4_no_header_makes_another_method_of_it(alone: Mesh, header: str) -> None:
    answer = await alone.client.get(REGISTER, headers={header: "POST"})
    assert problem(answer) == (405, "method_not_allowed")


# What a client says of where it is.


@pytest.mark.parametrize("host", ["evil.example", "evil.example:1", "a b", "", "[::1]", "x" * 300])
async def test_V4_1_3_no_answer_believes_the_host(alone: Mesh, host: str) -> None:
    for path in ("/test/list?limit=2", "/api/nothing", "/openapi.json", "/health/live/"):
        answer = await alone.client.get(path, headers={"Host": host})
        told = answer.text + str(answer.headers)
        assert "evil.example" not in told
        assert not answer.has_redirect_location


@pytest.mark.parametrize(
    "header",
    ["X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "X-Original-URL",
     "X-Rewrite-URL", "Forwarded", "X-Real-IP", "True-Client-IP"],
)  # fmt: skip
async def test_V4_1_3_no_header_leads_elsewhere(alone: Mesh, header: str) -> None:
    plain = await alone.client.get("/test/list?limit=2")
    led = await alone.client.get("/test/list?limit=2", headers={header: "/metrics"})
    assert (led.status_code, led.text) == (plain.status_code, plain.text)
    assert led.headers["Link"] == plain.headers["Link"]


async def test_V4_2_4_no_answer_carries_a_line_of_the_clients(alone: Mesh) -> None:
    sent = {"X-Request-ID": "abcdefgh\r\nX-Made: up"}
    answer = await alone.client.get("/api/nothing%0d%0aX-Made:%20up", headers=sent)
    assert "X-Made" not in answer.headers
    assert len(answer.headers["X-Request-ID"]) == 32


@pytest.mark.parametrize(
    "name", ["Idempotency-Key", "Content-Type", "Host", "X-Request-ID", "Transfer-Encoding"]
)
async def test_V15_3_7_two_of_what_there_is_one_of_are_refused(alone: Mesh, name: str) -> None:
    """They must not be read one way here and another there."""
    headers = [(name, "application/json"), (name, "text/plain")]
    answer = await alone.client.post("/test/send", headers=headers)
    assert problem(answer) == (400, "bad_request")


async def test_V15_3_7_two_authorizations_are_none(alone: Mesh) -> None:
    headers = [("Authorization", "Bearer a"), ("Authorization", "Bearer b")]
    answer = await alone.client.get("/api/auth/session", headers=headers)
    assert problem(answer) == (401, "token_invalid")


# What is not for everybody.


@pytest.mark.parametrize(
    "path",
    ["/docs", "/redoc", "/docs/oauth2-redirect", "/admin", "/debug", "/.git/config", "/.env",
     "/server-status", "/swagger", "/graphql", "/actuator", "/static/..%2f..%2f.env"],
)  # fmt: skip
async def test_V13_4_5_nothing_is_there_that_was_not_meant(alone: Mesh, path: str) -> None:
    assert problem(await alone.client.get(path)) == (404, "not_found")


async def test_V13_4_5_metrics_are_not_for_the_world(alone: Mesh) -> None:
    transport = httpx.ASGITransport(alone.app, client=("203.0.113.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://mesh.test") as client:
        assert problem(await client.get("/metrics")) == (403, "role_not_allowed")


async def test_V13_4_2_the_application_does_not_debug(alone: Mesh) -> None:
    assert alone.app.debug is False
    answer = await alone.client.get("/test/surprise", headers={"Accept": "text/html"})
    assert answer.headers["Content-Type"] == "application/problem+json"


# Cookies and other sites.

COOKIES = {"Cookie": "session=x; access_token=x; Authorization=Bearer x; refresh_token=x"}
FORM = {
    "Origin": "https://evil.example",
    "Sec-Fetch-Site": "cross-site",
    "Content-Type": "application/x-www-form-urlencoded",
}


async def test_NS_07_a_cookie_lets_nobody_in(alone: Mesh) -> None:
    answer = await alone.client.post("/api/auth/logout", headers=COOKIES)
    assert problem(answer) == (401, "token_missing")


@pytest.mark.parametrize("path", ["/api/auth/logout", "/api/listings", "/api/auth/keys"])
async def test_NS_07_another_sites_form_gets_nothing(alone: Mesh, path: str) -> None:
    """Whatever cookies the browser adds. It can't add the header that counts."""
    answer = await alone.client.post(path, headers=COOKIES | FORM, content="title=x")
    assert problem(answer) == (401, "token_missing")


@pytest.mark.parametrize("path", [REGISTER, "/api/auth/login"])
@pytest.mark.parametrize("media_type", ["application/x-www-form-urlencoded", "text/plain"])
async def test_NS_07_a_form_can_not_ask_for_what_needs_no_token(alone, path, media_type) -> None:
    body = json.dumps({"email": "a@example.org", "password": PASSWORD, "name": "A"})
    headers = {**FORM, "Content-Type": media_type}
    answer = await alone.client.post(path, content=body, headers=headers)
    assert problem(answer) == (415, "media_type")


# Addresses hold no secret.


@pytest.mark.parametrize("name", ["access_token", "token", "api_key", "authorization"])
async def test_V14_2_1_a_token_in_an_address_is_none(alone: Mesh, name: str) -> None:
    answer = await alone.client.get("/api/auth/session", params={name: "Bearer x"})
    assert problem(answer) == (401, "token_missing")


@pytest.mark.asvs("V16.2.5")
async def test_V14_2_1_no_query_stands_in_the_log(alone: Mesh, monkeypatch) -> None:
    logged: list[dict[str, Any]] = []
    monkeypatch.setattr("api.entry.middleware.log.info", lambda _event, **said: logged.append(said))
    await alone.client.get("/test/list?limit=2&q=canary-in-a-query")
    assert logged
    assert "canary" not in str(logged)
