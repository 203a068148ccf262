"""What all routes share: errors in one shape, versions, pages, headers, an API that starts
whatever is down. The API here has no server behind it: every address is a closed port.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from api.entry.doors import SIGNED_IN
from api.wire.problems import BODY_BYTES_MAX
from tests.api.alone import api_alone
from tests.api.going_wrong import SECRET
from tests.api.running import PASSWORD, Mesh

MEMBERS = {"type", "title", "status", "detail", "reason", "errors", "correlation_id"}
JSON = {"Content-Type": "application/json"}
REGISTER = "/api/auth/register"


@pytest.fixture(scope="module")
async def alone() -> AsyncIterator[Mesh]:
    """An API without any server, and some routes that go wrong."""
    async with api_alone() as mesh:
        yield mesh


def assert_problem(answer: httpx.Response, status: int, reason: str) -> dict[str, object]:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    found: dict[str, object] = answer.json()
    assert found.keys() == MEMBERS
    assert (found["status"], found["reason"]) == (status, reason)
    assert found["type"] == f"urn:marketmesh:problem:{reason}"
    assert found["correlation_id"] == answer.headers["X-Request-ID"]
    return found


async def test_GW_02_an_unknown_path_is_a_problem(alone: Mesh) -> None:
    assert_problem(await alone.client.get("/api/nothing"), 404, "not_found")


async def test_a_wrong_method_is_a_problem_that_names_the_right_ones(alone: Mesh) -> None:
    answer = await alone.client.delete(REGISTER)
    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == "POST"


async def test_a_wrong_method_is_told_of_every_route_with_that_path(alone: Mesh) -> None:
    answer = await alone.client.put("/api/auth/keys")
    assert answer.headers["Allow"] == "GET, HEAD, POST"


@pytest.mark.asvs("V16.5.1", "V16.5.4")
async def test_GW_14_a_surprise_tells_nothing_of_itself(alone: Mesh, capfd) -> None:
    answer = await alone.client.get("/test/surprise")
    assert_problem(answer, 500, "unexpected")
    assert SECRET not in answer.text


@pytest.mark.asvs("V16.5.4")
async def test_a_surprise_is_logged_with_its_place_but_not_its_text(
    alone: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[dict[str, object]] = []
    monkeypatch.setattr(
        "api.wire.problems.log.error", lambda event, **fields: logged.append(fields)
    )
    await alone.client.get("/test/surprise")
    assert logged[0]["error"] == "RuntimeError"
    assert "going_wrong.py" in str(logged[0]["where"])
    assert SECRET not in str(logged)


async def test_a_refusal_carries_reason_status_and_faults(alone: Mesh) -> None:
    found = assert_problem(await alone.client.get("/test/refusal"), 422, "bad")
    assert found["errors"] == [{"pointer": "/price", "detail": "is required: add it"}]


async def test_a_version_mismatch_says_which_version_there_is(alone: Mesh) -> None:
    answer = await alone.client.get("/test/late")
    assert (answer.status_code, answer.headers["ETag"]) == (412, '"9"')
    assert answer.json()["version"] == 9


@pytest.mark.asvs("V16.5.2")
async def test_NP_09_a_store_that_is_down_is_503_with_retry_after(alone: Mesh) -> None:
    answer = await alone.client.get("/test/store")
    assert_problem(answer, 503, "store_unavailable")
    assert answer.headers["Retry-After"] == "1"


async def told_of_being_late(alone: Mesh, method: str, path: str, **headers: str) -> str:
    answer = await alone.client.request(method, path, headers=headers)
    assert answer.status_code == 503
    return str(answer.json()["detail"])


async def test_a_read_that_takes_too_long_is_told_nothing_of_writes(alone: Mesh) -> None:
    told = await told_of_being_late(alone, "GET", "/test/slow")
    assert told == "This took too long. Try again soon"


@pytest.mark.parametrize("path", ["/test/slow", "/test/unconfirmed"])
async def test_a_late_write_with_a_key_is_to_be_repeated_with_it(alone: Mesh, path: str) -> None:
    told = await told_of_being_late(alone, "POST", path, **{"Idempotency-Key": "a"})
    assert told.endswith("It may have been done: repeat it with the same Idempotency-Key")


@pytest.mark.parametrize("path", ["/test/slow", "/test/unconfirmed"])
async def test_a_late_write_without_a_key_is_told_of_none(alone: Mesh, path: str) -> None:
    told = await told_of_being_late(alone, "POST", path)
    assert told.endswith("It may have been done: look whether it was before you repeat it")


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", REGISTER), ("POST", "/api/auth/login"), ("GET", "/.well-known/jwks.json")],
)
async def test_NP_09_without_stores_their_routes_are_503(alone: Mesh, method, path) -> None:
    body = {"email": "a@example.org", "password": PASSWORD}
    more = {"name": "Anna"} if path == REGISTER else {}
    answer = await alone.client.request(
        method, path, json={**body, **more} if method == "POST" else None
    )
    assert_problem(answer, 503, "store_unavailable")
    assert "Retry-After" in answer.headers


@pytest.mark.parametrize("path", ["/health/live", "/api/meta/enums", "/openapi.json"])
async def test_NP_09_without_stores_everything_else_answers(alone: Mesh, path: str) -> None:
    assert (await alone.client.get(path)).status_code == 200


async def test_NB_04_ready_names_what_is_down(alone: Mesh) -> None:
    answer = await alone.client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
    found = answer.json()["dependencies"]
    assert {name for name, each in found.items() if each["needed"]} == {"writes", "postgres"}
    assert not any(each["up"] for each in found.values())


async def test_NB_04_what_never_reached_the_broker_has_not_started(alone: Mesh) -> None:
    answer = await alone.client.get("/health/startup")
    assert_problem(answer, 503, "starting")
    assert "Retry-After" in answer.headers


async def test_GW_11_a_body_that_is_no_json_is_400(alone: Mesh) -> None:
    answer = await alone.client.post(REGISTER, content="{nope", headers=JSON)
    assert_problem(answer, 400, "json_invalid")


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", None])
async def test_GW_11_a_body_of_another_media_type_is_415(alone: Mesh, media_type) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    answer = await alone.client.post(REGISTER, content="email=a", headers=headers)
    assert_problem(answer, 415, "media_type")


async def test_invalid_fields_are_named_with_their_fix(alone: Mesh) -> None:
    body = {"email": "nobody", "password": "short", "nmae": "Anna", "role": "admin"}
    answer = await alone.client.post(REGISTER, json=body)
    found = assert_problem(answer, 422, "invalid")
    faults = {each["pointer"]: each["detail"] for each in found["errors"]}
    assert faults == {
        "/email": "is no e-mail address: write it like name@example.org",
        "/password": "is too short: at least 8",
        "/name": "is required: add it",
        "/role": "should be 'buyer', 'seller' or 'dealer'",
        "/nmae": "is not known here: remove it, or mind its spelling",
    }


async def test_invalid_fields_are_never_quoted(alone: Mesh) -> None:
    body = {"email": f"{SECRET}@", "password": [SECRET], "name": SECRET * 10, SECRET: 1}
    answer = await alone.client.post(REGISTER, json={**body, "role": SECRET})
    assert answer.status_code == 422
    assert SECRET not in answer.text.replace(f'"/{SECRET}"', "")


async def test_a_query_that_is_wrong_is_pointed_at(alone: Mesh) -> None:
    answer = await alone.client.get("/test/list?limit=101")
    found = assert_problem(answer, 422, "invalid")
    assert [each["pointer"] for each in found["errors"]] == ["?limit"]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.asvs("V5.2.1")
async def test_a_body_over_one_mebibyte_is_413(alone: Mesh, chunked: bool) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(BODY_BYTES_MAX // 1024 + 1):
            yield b" " * 1024

    content = chunks() if chunked else b" " * (BODY_BYTES_MAX + 1)
    answer = await alone.client.post(REGISTER, content=content, headers=JSON)
    assert_problem(answer, 413, "body_too_large")


async def test_a_body_of_one_mebibyte_is_read(alone: Mesh) -> None:
    answer = await alone.client.post(REGISTER, content=b" " * BODY_BYTES_MAX, headers=JSON)
    assert_problem(answer, 400, "json_invalid")


@pytest.mark.asvs("V8.3.1")
async def test_ID_24_an_operation_without_a_door_is_denied(alone: Mesh) -> None:
    assert_problem(await alone.client.get("/test/nobody"), 403, "no_policy")


async def test_GW_09_no_token_is_401_with_a_challenge(alone: Mesh) -> None:
    answer = await alone.client.get("/api/auth/session")
    assert_problem(answer, 401, "token_missing")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="marketmesh"'


async def test_GW_09_garbage_is_401_invalid_token(alone: Mesh) -> None:
    answer = await alone.client.get(
        "/api/auth/session", headers={"Authorization": "Bearer garbage"}
    )
    assert_problem(answer, 401, "token_invalid")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


async def test_GW_10_without_a_token_nothing_is_read_of_the_body(alone: Mesh) -> None:
    answer = await alone.client.post("/api/auth/logout", content="{nope", headers=JSON)
    assert_problem(answer, 401, "token_missing")


async def test_a_bad_token_is_refused_even_where_none_is_needed(alone: Mesh) -> None:
    answer = await alone.client.get("/api/meta/enums", headers={"Authorization": "Bearer x"})
    assert_problem(answer, 401, "token_invalid")


async def test_every_answer_has_the_security_headers(alone: Mesh) -> None:
    for path in ("/health/live", "/api/nothing", "/test/surprise"):
        headers = (await alone.client.get(path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], path
        assert headers["Strict-Transport-Security"].startswith("max-age=31536000"), path
        assert headers["Cache-Control"] == "no-store", path


async def test_NB_02_a_request_id_is_kept_and_given_back(alone: Mesh) -> None:
    answer = await alone.client.get("/health/live", headers={"X-Request-ID": "trace-1234"})
    assert answer.headers["X-Request-ID"] == "trace-1234"


@pytest.mark.parametrize("sent", ["", "short", "x" * 65, "with space here", "semi;colon;x"])
async def test_NB_02_a_strange_request_id_is_replaced(alone: Mesh, sent: str) -> None:
    answer = await alone.client.get("/health/live", headers={"X-Request-ID": sent})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-ID"])


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "identity, gzip", "\x01"])
async def test_a_body_in_a_coding_of_its_own_is_415(alone: Mesh, coding: str) -> None:
    headers = {**JSON, "Content-Encoding": coding}
    answer = await alone.client.post(REGISTER, content=b"{}", headers=headers)
    found = assert_problem(answer, 415, "content_encoding")
    assert found["errors"][0]["pointer"] == "header:Content-Encoding"
    assert answer.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("coding", ["identity", "Identity", ""])
async def test_a_body_as_it_is_may_say_so(alone: Mesh, coding: str) -> None:
    headers = {**JSON, "Content-Encoding": coding}
    answer = await alone.client.post(REGISTER, content=b"{}", headers=headers)
    assert_problem(answer, 422, "invalid")


# Versions.


async def test_a_write_answers_with_etag_and_location(alone: Mesh) -> None:
    answer = await alone.client.put("/test/change", headers={"If-Match": '"6"'})
    assert answer.json() == {"versions": [6]}
    assert (answer.headers["ETag"], answer.headers["Location"]) == ('"7"', "/test/read")


async def test_a_change_without_if_match_is_428(alone: Mesh) -> None:
    assert_problem(await alone.client.put("/test/change"), 428, "if_match_required")


@pytest.mark.parametrize(
    ("tags", "versions"),
    [
        ('"6", "7"', [6, 7]),
        ('"6","six" ,W/"7",\t"8"', [6, 8]),
        ('"6",,"7"', [6, 7]),
        (' , "6", ,', [6]),
        ('W/"6"', []),
        ('"six"', []),
        ('"06"', []),
        ('""', []),
    ],
)
async def test_of_a_list_of_tags_each_strong_one_may_match(
    alone: Mesh, tags: str, versions: list[int]
) -> None:
    answer = await alone.client.put("/test/change", headers={"If-Match": tags})
    assert answer.json() == {"versions": versions}


async def test_tags_may_be_sent_in_several_headers(alone: Mesh) -> None:
    sent = [("If-Match", '"6"'), ("If-Match", '"7"')]
    answer = await alone.client.put("/test/change", headers=sent)
    assert answer.json() == {"versions": [6, 7]}


@pytest.mark.parametrize("tags", ["6", "", '"6', '"6" "7"', '*, "6"', "x", ",", '"6",*'])
async def test_what_is_no_list_of_tags_is_400_and_named(alone: Mesh, tags: str) -> None:
    answer = await alone.client.put("/test/change", headers={"If-Match": tags})
    found = assert_problem(answer, 400, "if_match_invalid")
    assert found["errors"][0]["pointer"] == "header:If-Match"


async def test_if_match_anything_expects_no_version(alone: Mesh) -> None:
    answer = await alone.client.put("/test/change", headers={"If-Match": "*"})
    assert answer.json() == {"versions": None}


@pytest.mark.parametrize("known", ['"7"', 'W/"7"', '"1", "7"', "*"])
async def test_GW_12_what_is_known_is_304(alone: Mesh, known: str) -> None:
    answer = await alone.client.get("/test/read", headers={"If-None-Match": known})
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["ETag"] == '"7"'


@pytest.mark.parametrize("known", ['"6"', '"77"', "7", ""])
async def test_GW_12_what_has_changed_is_200(alone: Mesh, known: str) -> None:
    answer = await alone.client.get("/test/read", headers={"If-None-Match": known})
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"7"')


# Pages.


async def test_GW_12_cursors_lead_through_a_list(alone: Mesh) -> None:
    first = await alone.client.get("/test/list?limit=3&color=red")
    assert first.json()["items"] == [0, 1, 2]
    link = re.fullmatch(r'<(.+)>; rel="next"', first.headers["Link"])
    assert link is not None
    second = await alone.client.get(link[1])
    assert second.json()["items"] == [3, 4, 5]


async def test_GW_12_a_cursor_belongs_to_its_filters(alone: Mesh) -> None:
    cursor = (await alone.client.get("/test/list?color=red")).json()["next_cursor"]
    same = await alone.client.get("/test/list", params={"color": "red", "cursor": cursor})
    assert same.status_code == 200
    other = await alone.client.get("/test/list", params={"color": "blue", "cursor": cursor})
    assert_problem(other, 422, "cursor_invalid")


@pytest.mark.parametrize("cursor", ["", "x", "WzFd.forged", "WzFd." + "A" * 43])
async def test_GW_12_a_made_up_cursor_is_refused(alone: Mesh, cursor: str) -> None:
    answer = await alone.client.get("/test/list", params={"cursor": cursor})
    assert_problem(answer, 422, "cursor_invalid")


async def test_GW_12_page_numbers_work_to_ten_thousand_items(alone: Mesh) -> None:
    last = await alone.client.get("/test/list?page=100&limit=100")
    assert last.json()["items"][-1] == 9_999
    answer = await alone.client.get("/test/list?page=101&limit=100")
    assert_problem(answer, 422, "page_too_deep")


async def test_GW_12_a_page_has_one_address(alone: Mesh) -> None:
    cursor = (await alone.client.get("/test/list")).json()["next_cursor"]
    answer = await alone.client.get("/test/list", params={"page": 2, "cursor": cursor})
    assert_problem(answer, 422, "invalid")


# Idempotency keys.


async def send(mesh: Mesh, key: str | None, **more: object) -> dict[str, str]:
    headers = {"Idempotency-Key": key} if key is not None else {}
    answer = await mesh.client.post("/test/send", headers=headers, **more)
    assert answer.status_code == 200, answer.text
    found: dict[str, str] = answer.json()
    return found


async def test_a_key_is_the_command_id(alone: Mesh) -> None:
    assert (await send(alone, "k1"))["command_id"] == (await send(alone, "k1"))["command_id"]
    assert (await send(alone, "k1"))["command_id"] != (await send(alone, "k2"))["command_id"]


async def test_without_a_key_every_request_is_another_command(alone: Mesh) -> None:
    assert (await send(alone, None))["command_id"] != (await send(alone, None))["command_id"]


async def test_the_fingerprint_tells_requests_apart(alone: Mesh) -> None:
    first = await send(alone, "k1", content=b"{}")
    assert (await send(alone, "k1", content=b"{}")) == first
    assert (await send(alone, "k1", content=b"[]"))["fingerprint"] != first["fingerprint"]
    assert (await send(alone, "k1", content=b"{}", params={"a": 1}))["fingerprint"] != (
        first["fingerprint"]
    )


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "tab\tbed"])
async def test_a_key_that_is_none_is_refused(alone: Mesh, key: str) -> None:
    answer = await alone.client.post("/test/send", headers={"Idempotency-Key": key})
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"


# The short cut past FastAPI.

THING = "01980000-0000-7000-8000-000000000001"


async def test_P20_a_request_without_a_query_takes_the_short_cut(alone: Mesh) -> None:
    answer = await alone.client.get(f"/test/one/{THING}")
    assert answer.json() == {"id": THING, "n": None, "whole": False}


async def test_P20_a_query_is_parsed_and_checked(alone: Mesh) -> None:
    answer = await alone.client.get(f"/test/one/{THING}?n=3")
    assert answer.json() == {"id": THING, "n": 3, "whole": True}
    assert_problem(await alone.client.get(f"/test/one/{THING}?n=three"), 422, "invalid")


async def test_P20_the_short_cut_keeps_doors_and_problems(alone: Mesh) -> None:
    assert_problem(await alone.client.get("/test/one/no-id"), 404, "not_found")
    bad = {"Authorization": "Bearer x"}
    answer = await alone.client.get(f"/test/one/{THING}", headers=bad)
    assert_problem(answer, 401, "token_invalid")


# Metrics.


async def test_NB_01_metrics_carry_the_route_and_not_the_path(alone: Mesh) -> None:
    await alone.client.get("/test/read")
    await alone.client.get("/some/made/up/path")
    found = (await alone.client.get("/metrics")).text
    assert 'mesh_http_requests_total{method="GET",route="/test/read",status="200"}' in found
    assert 'route="unmatched",status="404"' in found
    assert "/some/made/up" not in found


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
async def test_metrics_are_not_for_what_a_proxy_passes_on(alone: Mesh, header: str) -> None:
    answer = await alone.client.get("/metrics", headers={header: "127.0.0.1"})
    assert_problem(answer, 403, "role_not_allowed")


async def test_metrics_are_not_for_other_machines(alone: Mesh) -> None:
    transport = httpx.ASGITransport(alone.app, client=("203.0.113.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://mesh.test") as client:
        assert_problem(await client.get("/metrics"), 403, "role_not_allowed")


def test_signed_in_is_everybody_but_the_system() -> None:
    assert "system" not in {role.value for role in SIGNED_IN}
