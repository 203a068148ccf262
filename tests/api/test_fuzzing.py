"""Schemathesis asks every operation what its schema allows and what it forbids. Whatever comes
back must be documented, and no 500. More of it: `make fuzz`.
"""

from __future__ import annotations

from pathlib import Path

from tests.api.fuzzing import fuzzed
from tests.api.running import Mesh, started
from tests.waiting import eventually

TAGS = ("identity", "profiles", "wallet", "api keys", "meta", "media")


async def test_NS_04_nothing_undocumented_comes_back(mesh: Mesh, tmp_path: Path) -> None:
    account = await mesh.account("admin")
    settings = mesh.settings.model_copy(update={"port": 0})
    server = started(settings, tmp_path / "api", "api", "--port", "0")
    try:
        await eventually(server.is_ready, 60, "the API serves")
        url = server.log.partition("serving on ")[2].split()[0]
        done = await fuzzed(url, account.headers, TAGS, examples=5)
    finally:
        server.stop()
    assert done.ok, done.report
    assert "No issues found" in done.report
