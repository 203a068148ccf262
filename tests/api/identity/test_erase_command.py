"""`mesh erase --prove`, against a mesh at work: it finds what is there, and nothing of whom it
has erased.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

import cli.erase
from cli.erase import DELIVERED, searched
from cli.erasing.documents import search_opensearch, search_redis
from cli.erasing.files import search_files
from cli.erasing.known import BehindError, known_by, until_folded
from cli.erasing.log_records import search_records
from cli.erasing.needles import Needles
from cli.erasing.pictures import search_objects
from cli.erasing.rows import search_clickhouse, search_postgres
from infra.clients.clickhouse import ClickHouse
from infra.clients.kafka import aio_producer
from infra.clients.objects import open_objects
from infra.clients.opensearch import open_opensearch
from infra.settings import Settings
from tests.api.acting.selling import Seller, token_of
from tests.api.running import Mesh, held_back
from tests.cli.harness.commands import Mesh as Command
from tests.cli.harness.commands import commands_on
from tests.stack import session_state

pytestmark = pytest.mark.usefixtures("all_readers")


@pytest.fixture
def command(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setattr(cli.erase, "state_folder", lambda: session_state().folder)
    return commands_on(mesh.settings, monkeypatch, cli.erase)


@pytest.fixture
def canary() -> tuple[str, Needles]:
    """A text that nobody else has, and what is looked for because of it."""
    email = f"canary-{uuid4().hex}@example.org"
    return email, Needles({"email": email})


async def somebody(mesh: Mesh) -> tuple[str, str, str]:
    """A person who tells of themselves, sells, logs in and mistypes: id, e-mail, name."""
    email, name = f"{uuid4().hex}@example.org", f"Nimal {uuid4().hex[:12]} Perera"
    joined = await mesh.register(email, name=name, role="seller")
    user_id = joined.json()["user"]["id"]
    await mesh.log_in(email, "wrong horse")
    tokens = (await mesh.log_in(email)).json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    seller = Seller(mesh, type("Account", (), {"headers": headers})())
    await seller.offer()
    told = await mesh.client.patch(
        f"/api/users/{user_id}",
        json={"phone": f"+9477{uuid4().int % 10**7:07}", "bio": f"I am {name}"},
        headers={**headers, "If-Match": "*"},
    )
    assert told.status_code == 200, told.text
    await said(mesh, headers, f"I am {name}, and I want that car")
    await mesh.client.post("/api/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    await mesh.until_read(await mesh.client.post("/api/auth/logout", headers=headers))
    return user_id, email, name


async def said(mesh: Mesh, headers: dict[str, str], content: str) -> None:
    """Something in a chat about somebody else's car."""
    listing = await Seller(mesh, await mesh.account("seller")).offer()
    body = {"listing_id": listing.json()["id"]}
    opening = {**headers, **token_of(listing)}
    opened = await mesh.client.post("/api/messages/conversations", json=body, headers=opening)
    assert opened.status_code == 201, opened.text
    path = f"/api/messages/{opened.json()['id']}"
    sent = await mesh.client.post(path, json={"content": content}, headers=headers)
    assert sent.status_code == 201, sent.text


async def test_PR_10_whoever_is_erased_is_found_nowhere(mesh: Mesh, command: Command) -> None:
    user_id, email, name = await somebody(mesh)
    result = await command("erase", "--yes", user_id, "--prove")
    assert result.exit_code == 0, result.output
    for place in (
        "Kafka's records",
        "Postgres' tables",
        "OpenSearch's documents",
        "ClickHouse's tables",
        "Redis' keys",
        "Objects",
        "Kafka's files",
        "Postgres' files",
        "OpenSearch's files",
        "ClickHouse's files",
        "Redis' files",
        "Logs and other files",
    ):
        assert place in result.stdout
    assert "Nothing readable of this person was found." in result.stdout
    assert await mesh.machines.vault.person(UUID(user_id)) is None
    assert email not in result.output
    assert name not in result.output


async def test_PR_10_what_a_person_wrote_for_all_to_see_is_found_and_told(
    mesh: Mesh, command: Command
) -> None:
    account = await mesh.account("seller")
    email = account.email
    await Seller(mesh, account).offer(description=f"Write to {email.upper()}")
    result = await command("erase", "--yes", account.user_id, "--prove", "--disks-elsewhere")
    assert result.exit_code == 1
    assert "FOUND in Kafka's records: commands.listings" in result.stderr
    assert "email (text)" in result.stderr
    assert email not in result.output.lower()


async def test_PR_10_once_the_key_is_gone_what_to_look_for_must_be_given(
    mesh: Mesh, command: Command
) -> None:
    account = await mesh.account()
    assert (await command("erase", "--yes", account.user_id)).exit_code == 0
    again = await command("erase", "--yes", account.user_id, "--prove", "--disks-elsewhere")
    assert again.exit_code == 1
    assert "--values-on-stdin" in again.stderr


async def test_PR_10_nobody_is_erased_before_all_of_theirs_is_known(
    mesh: Mesh, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli.erase, "READ_WAIT_S", 3.0)
    account = await mesh.account()
    async with held_back(mesh, "journal"):
        told = await mesh.client.patch(
            f"/api/users/{account.user_id}",
            json={"bio": "I tell of myself"},
            headers={**account.headers, "If-Match": "*"},
        )
        assert told.status_code == 200, told.text
        result = await command("erase", "--yes", account.user_id, "--prove", "--disks-elsewhere")
    assert result.exit_code == 1
    assert "events behind the log: are the workers running?" in result.stderr
    assert await mesh.machines.vault.person(UUID(account.user_id)) is not None


async def test_PR_10_who_is_erased_and_not_known_is_told_so(
    mesh: Mesh, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers = iter([None, BehindError("journal is 1 events behind the log")])

    async def until_folded(*_: object) -> None:
        trouble = next(readers)
        if trouble is not None:
            raise trouble

    monkeypatch.setattr(cli.erase, "until_folded", until_folded)
    account = await mesh.account()
    result = await command("erase", "--yes", account.user_id, "--prove", "--disks-elsewhere")
    assert result.exit_code == 1
    assert f"{account.user_id} is erased, but journal is 1 events behind" in result.stderr
    assert "--values-on-stdin" in result.stderr
    assert await mesh.machines.vault.person(UUID(account.user_id)) is None


async def test_an_unknown_person_is_not_erased(command: Command) -> None:
    nobody = uuid4()
    result = await command("erase", "--yes", str(nobody))
    assert (result.exit_code, result.stderr) == (1, f"Nobody has the id {nobody}\n")


async def test_PR_10_a_person_is_known_by_all_that_was_sealed_for_them(mesh: Mesh) -> None:
    user_id, email, name = await somebody(mesh)
    key = await mesh.machines.vault.person(UUID(user_id))
    assert key is not None
    await until_folded(mesh.settings, mesh.machines.postgres, 20)
    found = await known_by(mesh.machines.postgres, key)
    assert f"I am {name}, and I want that car" in found.values()
    assert {"email": email, "name": name, "bio": f"I am {name}"}.items() <= found.items()
    assert found["phone"].startswith("+9477")


class OnlyParked:
    """A Postgres in which nothing stands but one parked record."""

    def __init__(self, value: bytes) -> None:
        self._value = value

    async def fetch(self, query: str, *_values: object) -> list[dict[str, bytes]]:
        return [{"value": self._value}] if "mesh.parked" in query else []


async def test_PR_10_what_the_journal_has_parked_is_looked_for_as_well(mesh: Mesh) -> None:
    user_id, email, name = await somebody(mesh)
    key = await mesh.machines.vault.person(UUID(user_id))
    await until_folded(mesh.settings, mesh.machines.postgres, 20)
    registered = await mesh.machines.postgres.fetchval(
        "SELECT data FROM reads.journal WHERE stream_id = $1 AND version = 1", f"user/{user_id}"
    )
    found = await known_by(OnlyParked(registered.encode()), key)
    assert {"email": email, "name": name}.items() <= found.items()
    assert await known_by(OnlyParked(b"\xff no JSON"), key) == {}


# The search can fail: a value put into each store is found there.


async def test_PR_10_a_plain_value_in_the_log_is_found(mesh: Mesh, canary) -> None:
    email, needles = canary
    producer = aio_producer(mesh.settings, "test-canary")
    await producer.start()
    try:
        await producer.send_and_wait(
            "commands.listings.parked",
            b"{}",
            partition=0,
            headers=[("note", base64.b64encode(b"x" + email.encode()))],
        )
    finally:
        await producer.stop()
    found = await search_records(mesh.settings, needles)
    assert [each.partition("@")[0] for each in found.found] == ["commands.listings.parked/0"]
    assert found.found[0].endswith("email (base64)")
    files = search_files("Kafka's files", session_state().folder / "kafka", needles)
    assert files.found != []


async def test_PR_10_a_plain_value_in_postgres_is_found(mesh: Mesh, canary) -> None:
    email, needles = canary
    pool = mesh.machines.postgres.pool
    await pool.execute("CREATE TABLE public.notes (a jsonb, b bytea, c text[], d text)")
    try:
        for column, value in (
            ("a", f'{{"x": ["{email}"]}}'),
            ("b", hashlib.sha256(email.encode()).digest()),
            ("c", ["one", f"mail {email}"]),
            ("d", "pad " * 50_000 + email),  # long enough to be compressed out of line
        ):
            await pool.execute(f"INSERT INTO public.notes ({column}) VALUES ($1)", value)
            found = await search_postgres(mesh.settings, needles)
            assert [each.partition(":")[0] for each in found.found] == ["public.notes"], column
            assert found.unsearched == []
            await pool.execute("TRUNCATE public.notes")
    finally:
        await pool.execute("DROP TABLE public.notes")


async def test_PR_10_a_plain_value_in_opensearch_is_found(mesh: Mesh, canary) -> None:
    email, needles = canary
    index = f"mesh-{mesh.settings.store_prefix}notes"
    client = open_opensearch(mesh.settings)
    try:
        await client.indices.create(index=index)
        await client.index(index=index, id="1", body={"deep": [{"note": email.upper()}]})
        found = await search_opensearch(mesh.settings, needles)
    finally:
        await client.indices.delete(index=index)
        await client.close()
    assert f"{index}/1: email (text)" in found.found


async def test_PR_10_a_plain_value_in_clickhouse_is_found(mesh: Mesh, canary) -> None:
    email, needles = canary
    clickhouse = ClickHouse(mesh.settings, clients_max=1)
    try:
        await clickhouse.execute(
            "CREATE TABLE notes (id UInt8, note LowCardinality(Nullable(String)))"
            " ENGINE = MergeTree ORDER BY id"
        )
        await clickhouse.insert("notes", ["id", "note"], [[1], [email.encode().hex()]])
        found = await search_clickhouse(mesh.settings, needles)
        await clickhouse.execute("DROP TABLE notes")
    finally:
        await clickhouse.close()
    assert [each.rpartition(".")[2] for each in found.found] == ["notes: email (hex)"]
    assert found.unsearched == []


@pytest.mark.parametrize("kind", ["string", "hash", "list", "set", "zset", "stream", "key"])
async def test_PR_10_a_plain_value_in_redis_is_found(mesh: Mesh, canary, kind: str) -> None:
    email, needles = canary
    redis: Any = mesh.machines.redis
    key = f"note:{uuid4().hex}"
    match kind:
        case "string":
            await redis.set(key, email)
        case "hash":
            await redis.hset(key, "field", email)
        case "list":
            await redis.rpush(key, "x", email)
        case "set":
            await redis.sadd(key, email)
        case "zset":
            await redis.zadd(key, {email: 1})
        case "stream":
            await redis.xadd(key, {"field": email})
        case _:
            key = f"note:{email}"
            await redis.set(key, "1")
    try:
        found = await search_redis(mesh.settings, needles)
    finally:
        await redis.delete(key)
    assert len(found.found) == 1
    assert found.found[0].endswith("email (text)")


async def test_PR_10_a_plain_value_in_an_object_or_its_key_is_found(
    mesh: Mesh, canary, tmp_path: Path
) -> None:
    email, needles = canary
    settings = mesh.settings.model_copy(update={"objects_url": tmp_path.as_uri()})
    await open_objects(settings).put("a/1", b"picture of " + email.encode())
    await open_objects(settings).put(f"a/{email.encode().hex()}", b"picture")
    found = await search_objects(settings, needles)
    assert sorted(each.rpartition(": ")[2] for each in found.found) == [
        "email (hex)",
        "email (text)",
    ]
    assert found.count == 2


def test_PR_10_a_plain_value_in_a_file_or_its_name_is_found(tmp_path: Path, canary) -> None:
    email, needles = canary
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "worker").write_bytes(b"\0" * 5_000_000 + email.encode())
    (tmp_path / f"{email}.webp").write_bytes(b"picture")
    (tmp_path / "mail" / "box").mkdir(parents=True)
    (tmp_path / "mail" / "box" / "1").write_text(email)
    (tmp_path / "mail" / "log").write_text(email)
    (tmp_path / "outbox").mkdir()
    (tmp_path / "outbox" / "1.json").write_text(email)
    found = search_files("files", tmp_path, needles, without=DELIVERED)
    assert sorted(found.found) == [
        "logs/worker: email (text)",
        "mail/log: email (text)",
        "the name of a file: email (text)",
    ]


async def test_PR_10_no_success_is_claimed_for_a_place_that_could_not_be_searched(
    mesh: Mesh, canary, tmp_path: Path
) -> None:
    _, needles = canary
    nowhere: Settings = mesh.settings.model_copy(
        update={
            "kafka_bootstrap": "127.0.0.1:1",
            "objects_url": "s3://nowhere",
            "objects_endpoint": "http://127.0.0.1:1",
            "objects_access_key": "nobody",
            "opensearch_url": "http://127.0.0.1:1",
            "database_url": type(mesh.settings.database_url)("postgresql://mesh@127.0.0.1:1/x"),
            "clickhouse_url": type(mesh.settings.clickhouse_url)("clickhouse://127.0.0.1:1/x"),
            "redis_url": type(mesh.settings.redis_url)("redis://127.0.0.1:1/0"),
        }
    )
    found = await searched(nowhere, needles, tmp_path / "gone")
    assert [each.place for each in found if each.clean] == []
    assert len(found) == 12
