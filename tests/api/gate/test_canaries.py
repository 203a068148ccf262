"""Secrets and personal data are sent through a mesh in which things break, and then looked for
wherever anything is written down, in every form.
"""

from __future__ import annotations

import re
from uuid import uuid4

import pytest

from cli.erasing.documents import search_opensearch, search_redis
from cli.erasing.log_records import search_records
from cli.erasing.needles import Needles
from cli.erasing.rows import search_clickhouse, search_postgres
from tests.api.running import Mesh, api, processes
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("all_readers")


async def live(mesh: Mesh, mark: str) -> dict[str, str]:
    """Somebody joins, mistypes, logs in, refreshes, reuses, and is refused; their secrets."""
    email, password = f"canary-{mark}@example.org", f"pass-{mark}-word"
    name, wrong = f"Name {mark}", f"wrong-{mark}-word"
    await mesh.register(email, password=password, name=name)
    await mesh.register(email, password=password, name=name)
    await mesh.register(f"{email}@", password=password, name=name, role=mark)
    await mesh.log_in(email, wrong)
    tokens = (await mesh.log_in(email, password)).json()
    for _ in range(2):
        await mesh.client.post(
            "/api/auth/refresh", json={"refresh_token": tokens.get("refresh_token", mark)}
        )
    found = {"email": email, "password": password, "name": name, "wrong password": wrong}
    if "access_token" in tokens:
        found |= {
            "access token": tokens["access_token"],
            "signature": tokens["access_token"].rpartition(".")[2],
            "refresh token": tokens["refresh_token"],
        }
    return {f"{name} of {mark}": value for name, value in found.items()}


async def break_things(mesh: Mesh, mark: str) -> dict[str, str]:
    """Processes are killed while somebody is at it, and stores are away."""
    with processes(mesh.settings, [("writer",), ("reactor",)]) as doomed:
        for process in doomed:
            process.running.kill()
            process.running.wait()
        found = await live(mesh, f"{mark}-killed")
        logs = "".join(process.log for process in doomed)
    assert Needles(found).found_in(logs.encode()) == set()
    secret = type(mesh.settings.database_url)
    for name, address in (
        ("database_url", secret("postgresql://mesh@127.0.0.1:1/none")),
        ("redis_url", secret("redis://127.0.0.1:1/0")),
        ("kafka_bootstrap", "127.0.0.1:1"),
    ):
        impatient = {"write_timeout_s": 0.2, "read_wait_s": 0.2}
        settings = mesh.settings.model_copy(update={name: address, **impatient})
        async with api(settings) as broken:
            found |= await live(broken, f"{mark}-{name}")
    return found


def astray(found: list[str]) -> list[str]:
    """What was found, but for that by which the log knows a refresh token: the SHA-256 of its
    256 random bits.
    """
    names = {where: where.partition(": ")[2].split(", ") for where in found}
    return [
        where
        for where, forms in names.items()
        if not all(re.fullmatch(r"refresh token of \S+ \(sha256\)", form) for form in forms)
    ]


@pytest.mark.asvs("V16.2.5")
async def test_V16_no_canary_is_written_down_even_when_things_break(
    mesh: Mesh, running, capfd
) -> None:
    mark = uuid4().hex
    first = await live(mesh, mark)
    assert f"refresh token of {mark}" in first, "they have logged in"
    values = first | await break_things(mesh, mark)

    async def works_again() -> bool:
        return (await mesh.register()).status_code == 201

    await eventually(works_again, 60, "the mesh works again")
    needles = Needles(values)
    stores = [
        await search(mesh.settings, needles)
        for search in (
            search_records,
            search_postgres,
            search_opensearch,
            search_clickhouse,
            search_redis,
        )
    ]
    for each in stores:
        assert (each.place, astray(each.found), each.unsearched) == (each.place, [], [])
    metrics = await mesh.client.get("/metrics")
    assert metrics.status_code == 200
    out, err = capfd.readouterr()
    assert "route" in out + err
    for text in (metrics.text, out, err, *(process.log for process in running.processes)):
        assert needles.found_in(text.encode()) == set()
