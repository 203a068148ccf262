"""Strings that attack something, in every text field of every operation: they are only text.
Those that a command accepts are stored and read back in test_stored_injections.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.acting.selling import CAR, token_of
from tests.api.operations import DOCUMENT, OPERATIONS, Operation
from tests.api.running import Account, Mesh

PAUSE_S = 20  # what the strings ask for; no answer takes that long by itself
STRINGS = (
    "' OR '1'='1",
    "'; DROP SCHEMA reads CASCADE; --",
    f"1; SELECT pg_sleep({PAUSE_S})--",
    f"' || (SELECT pg_sleep({PAUSE_S})) || '",
    "' UNION SELECT key, email_sealed FROM reads.users --",
    "1)) OR 1=1 /*",
    "\\'; TRUNCATE vault.people; --",
    f"1' AND sleep({PAUSE_S}) AND '1",
    '"}}],"must_not":[{"match_all":{}}',
    "*) OR _exists_:seller_id OR (title:*",
    "$(sleep 20)`sleep 20`|sleep 20",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "../../../../etc/passwd",
    "%00%0d%0aX-Made: up",
    "<script>alert(1)</script>",
    "\r\nX-Made: up\r\n\r\n",
)
INSIDE = ("syntax error", "asyncpg", "psycopg", "opensearch_py", "clickhouse_driver", "traceback")


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def takes_text(schema: dict[str, Any]) -> bool:
    found = resolved(schema)
    if "anyOf" in found:
        return any(takes_text(each) for each in found["anyOf"])
    return bool(found.get("type") == "string")


def bodies(operation: Operation) -> Iterator[dict[str, Any]]:
    """The example of its body, with one field after another replaced by some of the strings."""
    content = operation.document.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return
    schema = resolved(content["schema"])
    choices = [resolved(each) for each in schema.get("anyOf", [schema])]
    for choice in choices:
        example = (choice.get("examples") or content.get("examples") or [{}])[0]
        for place, (name, field) in enumerate(choice.get("properties", {}).items()):
            for text in STRINGS[place % 4 :: 4]:
                if takes_text(field):
                    yield {**example, name: text}
                elif resolved(field).get("type") == "array":
                    yield {**example, name: [text]}


def queries(operation: Operation) -> Iterator[dict[str, str]]:
    """Each parameter of its query, whatever it takes, with half of the strings."""
    parameters = operation.document.get("parameters", [])
    names = [each["name"] for each in parameters if each["in"] == "query"]
    for place, name in enumerate(names):
        yield from ({name: text} for text in STRINGS[place % 2 :: 2])


@pytest.fixture(scope="module")
async def admin(mesh: Mesh) -> Account:
    """Somebody whom no door keeps from the queries behind it."""
    return await mesh.account("admin")


@pytest.mark.parametrize("operation", OPERATIONS, ids=[each.id for each in OPERATIONS])
@pytest.mark.asvs("V1.2.4")
async def test_NS_05_no_text_is_a_command(mesh: Mesh, admin: Account, operation) -> None:
    asks = [{"json": body} for body in bodies(operation)]
    asks += [{"params": query} for query in queries(operation)]
    headers = {**admin.headers, "If-Match": "*"}
    people = await mesh.machines.postgres.fetchval("SELECT count(*) FROM reads.users")
    for ask in asks:
        began = time.monotonic()
        answer = await mesh.client.request(operation.method, operation.path, headers=headers, **ask)
        assert answer.status_code < 500, ask
        assert time.monotonic() - began < PAUSE_S, ask
        assert not [word for word in INSIDE if word in answer.text.lower()], ask
        assert "X-Made" not in answer.headers, ask
    assert await mesh.machines.postgres.fetchval("SELECT count(*) FROM reads.users") >= people > 0


@pytest.mark.parametrize("text", STRINGS)
@pytest.mark.asvs("V1.2.4")
async def test_NS_05_no_header_is_a_command(mesh: Mesh, admin: Account, text: str) -> None:
    sent = text.encode("ascii").replace(b"\r\n", b" ").strip()
    for name in ("Idempotency-Key", "Consistency-Token", "If-None-Match", "X-Request-ID"):
        answer = await mesh.client.get(
            "/api/listings/mine", headers={**admin.headers, name: sent.decode()}
        )
        # The others mean nothing to a read, whatever they hold.
        assert answer.status_code == (400 if name == "Consistency-Token" else 200), name


async def test_NS_06_a_script_in_a_title_is_inert(mesh: Mesh, admin: Account) -> None:
    script = "<script>alert(document.cookie)</script><img src=x onerror=alert(1)>"
    body = {**CAR, "title": script, "description": script, "publish": True}
    made = await mesh.client.post("/api/listings", json=body, headers=admin.headers)
    assert made.status_code == 201, made.text
    path = f"/api/listings/{made.json()['id']}"
    for address in (path, f"{path}/history"):
        headers = {**admin.headers, **token_of(made), "Accept": "text/html"}
        shown = await mesh.client.get(address, headers=headers)
        assert shown.status_code == 200
        assert script in str(shown.json())
        assert shown.headers["Content-Type"] == "application/json"
        assert shown.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
