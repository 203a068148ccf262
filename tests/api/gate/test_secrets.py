"""Nothing readable of a person, and no secret, leaves the vault: canaries are sent through
everything and looked for in the log, the read models and the processes' own logs.
"""

from __future__ import annotations

import hashlib
import time
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import TopicPartition
from redis.asyncio import Redis

from api.backends.denylist import OVERLAP
from infra.clients.kafka import aio_consumer
from schemas.topics import TOPICS
from tests.api.acting.profiling import Person, path_to, stranger_sees
from tests.api.acting.selling import reason_of, token_of
from tests.api.mailbox import look
from tests.api.running import Mesh, claims_of
from tests.waiting import eventually

POLL_MS = 500


async def everything_in_kafka(mesh: Mesh) -> bytes:
    """Every record of every topic: keys, values and headers."""
    consumer = aio_consumer(mesh.settings, "canary-search")
    await consumer.start()
    try:
        places = [
            TopicPartition(topic.name, partition)
            for topic in TOPICS
            for partition in range(mesh.settings.topic_partitions)
        ]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        found: list[bytes] = []
        while any([await consumer.position(each) < ends[each] for each in places]):
            for batch in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                for record in batch:
                    found += [record.key or b"", record.value or b""]
                    found += [value for _, value in record.headers]
        return b"\n".join(found)
    finally:
        await consumer.stop()


async def everything_in_postgres(mesh: Mesh, schemas: tuple[str, ...]) -> str:
    """Every row of every table of these schemas, as text."""
    tables = await mesh.machines.postgres.fetch(
        "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY($1)", list(schemas)
    )
    rows: list[str] = []
    for table in tables:
        name = f'"{table["schemaname"]}"."{table["tablename"]}"'
        found = await mesh.machines.postgres.fetch(f"SELECT t::text AS row FROM {name} t")
        rows += [each["row"] or "" for each in found]
    return "\n".join(rows)


@pytest.fixture(scope="module")
async def canaries(mesh: Mesh) -> dict[str, str]:
    """Somebody joins, fails to log in, logs in, refreshes, tells of themselves and logs out;
    every secret of theirs."""
    mark = uuid4().hex
    email, password, name = f"canary-{mark}@example.org", f"pass-{mark}", f"Name {mark}"
    joined = await mesh.register(email, password=password, name=name)
    wrong = f"wrong-{mark}"
    await mesh.log_in(email, wrong)
    tokens = (await mesh.log_in(email, password)).json()
    refreshed = await mesh.client.post(
        "/api/auth/refresh", json={"refresh_token": tokens["refresh_token"]}
    )
    again = refreshed.json()
    signed_in = {"Authorization": f"Bearer {again['access_token']}"}
    phone = f"+94{uuid4().int % 10**10:010}"
    told = await mesh.client.put(
        f"/api/users/{again['user']['id']}",
        json={"full_name": f"N {mark}", "phone": phone, "location": mark, "bio": mark},
        headers={**signed_in, "If-Match": '"0"'},
    )
    assert told.status_code == 200, told.text
    out = await mesh.client.post("/api/auth/logout", headers=signed_in)
    assert (joined.status_code, refreshed.status_code, out.status_code) == (201, 200, 204)
    await mesh.until_read(out)
    return {
        "mark": mark,  # in the e-mail, the names, the profile's texts and both passwords
        "phone": phone,
        "refresh token": tokens["refresh_token"],
        "next refresh token": again["refresh_token"],
        "access token": tokens["access_token"],
        "signature": tokens["access_token"].rpartition(".")[2],
    }


async def test_ID_21_no_record_of_kafka_holds_a_secret(mesh: Mesh, canaries) -> None:
    log = await everything_in_kafka(mesh)
    assert len(log) > 1_000
    assert [name for name, value in canaries.items() if value.encode() in log] == []


async def test_ID_22_the_log_knows_a_refresh_token_by_its_hash(mesh: Mesh, canaries) -> None:
    """Otherwise the search above would have looked in the wrong place."""
    log = await everything_in_kafka(mesh)
    assert hashlib.sha256(canaries["next refresh token"].encode()).hexdigest().encode() in log


async def test_ID_21_no_password_hash_is_outside_the_vault(mesh: Mesh, canaries) -> None:
    assert b"$argon2" not in await everything_in_kafka(mesh)
    assert "$argon2" not in await everything_in_postgres(mesh, ("reads", "mesh"))
    assert "$argon2" in await everything_in_postgres(mesh, ("vault",))


async def test_ID_22_no_table_holds_a_secret(mesh: Mesh, canaries) -> None:
    tables = await everything_in_postgres(mesh, ("reads", "mesh", "vault", "public"))
    assert len(tables) > 1_000
    assert [name for name, value in canaries.items() if value in tables] == []


async def held(redis: Redis, key: str) -> Any:
    """Whatever lies under a key, of any type; nothing when it has just lapsed."""
    reads = {
        "string": redis.get,
        "list": partial(redis.lrange, start=0, end=-1),
        "set": redis.smembers,
        "zset": partial(redis.zrange, start=0, end=-1),
        "hash": redis.hgetall,
    }
    kind = await redis.type(key)
    return await reads[kind](key) if kind != "none" else None


async def everything_in_redis(mesh: Mesh) -> dict[str, str]:
    """What lies under every key, as text."""
    redis = mesh.machines.redis
    return {key: str(await held(redis, key)) async for key in redis.scan_iter(count=1_000)}


async def test_RD_08_redis_holds_no_secret(mesh: Mesh, canaries) -> None:
    text = str(await everything_in_redis(mesh))
    assert "denied:" in text
    assert [name for name, value in canaries.items() if value in text] == []


async def test_RD_01_redis_knows_of_a_session_that_it_has_ended_and_of_no_token(mesh: Mesh) -> None:
    account = await mesh.account()
    tokens = (account.access_token, account.refresh_token)
    ids = [account.user_id, account.session_id, claims_of(account.access_token)["jti"]]
    hashes = [hashlib.sha256(each.encode()).hexdigest() for each in tokens]

    async def told() -> dict[str, str]:
        found = await everything_in_redis(mesh)
        needles = [*tokens, *ids, *hashes]
        return {
            key: value for key, value in found.items() if any(n in key + value for n in needles)
        }

    assert (await look(mesh, account.access_token)).status_code == 200
    assert await told() == {}
    out = await mesh.client.post("/api/auth/logout", headers=account.headers)
    assert out.status_code == 204
    assert await told() == {f"denied:{account.session_id}": "1"}
    left = claims_of(account.access_token)["exp"] - time.time()
    kept = await mesh.machines.redis.ttl(f"denied:{account.session_id}")
    assert left - 1 <= kept <= mesh.settings.access_token_s + OVERLAP.total_seconds()


async def test_RD_07_a_change_of_a_person_is_in_the_next_read_and_nothing_of_them_in_redis(
    mesh: Mesh,
) -> None:
    mark, admin = uuid4().hex, Person(mesh, await mesh.account("admin"))
    person = Person(mesh, await mesh.account("buyer"))
    page = path_to(person.account)
    for version, bio in enumerate((f"first {mark}", f"second {mark}")):
        told = await person.told(version, bio=bio, location=mark)
        assert (await stranger_sees(mesh, person.account, told))["bio"] == bio
    granted = await admin.ask("PUT", f"{page}/role", json={"role": "seller"})
    assert (await stranger_sees(mesh, person.account, granted))["role"] == "seller"
    banned = await admin.ask("POST", f"{page}/ban", json={"reason": "fraud"})
    hidden = await mesh.client.get(page, headers=token_of(banned))
    assert reason_of(hidden) == (404, "user_unknown")
    redis = await everything_in_redis(mesh)
    texts = (mark, person.account.email, "Test Person")
    assert [text for text in texts if text in str(redis)] == []
    # Not even the id, but in what voids tokens.
    named = [key for key in redis if person.account.user_id in key + redis[key]]
    assert named == [f"cut:{person.account.user_id}"]


@pytest.mark.asvs("V16.2.5")
async def test_V16_no_log_line_holds_a_secret(mesh: Mesh, capfd) -> None:
    mark = uuid4().hex
    email, password = f"canary-{mark}@example.org", f"pass-{mark}"
    await mesh.register(email, password=password, name=f"Name {mark}")
    await mesh.register(email, password=password)
    await mesh.register(f"{mark}@", password=mark, name=mark, role=mark)
    await mesh.log_in(email, f"wrong-{mark}")
    tokens = (await mesh.log_in(email, password)).json()
    await mesh.client.get("/api/auth/session", headers={"Authorization": f"Bearer {mark}"})
    await mesh.client.get(f"/api/{mark}?token={mark}")

    def lines() -> str:
        out, err = capfd.readouterr()
        seen.append(out + err)
        return "".join(seen)

    seen: list[str] = []
    await eventually(lambda: "route" in lines())
    text = lines()
    assert mark not in text
    assert tokens["refresh_token"] not in text
    assert tokens["access_token"] not in text


@pytest.mark.asvs("V16.2.5")
async def test_V16_no_process_writes_a_secret_into_its_log(running, canaries) -> None:
    assert running.processes, "MESH_TEST_RUNNING keeps the logs elsewhere: unset it"
    logs = "\n".join(process.log for process in running.processes)
    assert "ready" in logs
    assert [name for name, value in canaries.items() if value in logs] == []
