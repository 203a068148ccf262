"""Schemathesis asks every operation, as everybody whom a door lets in, what its schema allows
and what it forbids. Whatever comes back must be documented, and none of it 5xx: nothing is down.
More of it: `make fuzz`.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from random import randrange

import pytest

from projections.wallet import wallets
from tests.api.fuzzing import Effort, Fuzzed, fuzzed, table
from tests.api.fuzzing_people import (
    LAST_DEEDS,
    LEAVING,
    ROLES,
    Run,
    login_of,
    operations_of,
    shared_out,
    shop,
)
from tests.api.operations import OPERATIONS
from tests.api.running import Mesh
from tests.api.sockets import served

EXAMPLES = int(os.environ.get("MESH_FUZZ_EXAMPLES", "0"))
LARGE = EXAMPLES > 0
EFFORT = (
    Effort(
        EXAMPLES,
        "examples,coverage,fuzzing",
        os.environ.get("MESH_FUZZ_SEED", str(randrange(10**9))),
    )
    if LARGE
    else Effort(1, "examples,fuzzing", "29")
)
REACHED_MIN = 20_000 if LARGE else 250
AT_ONCE = 2
pytestmark = pytest.mark.timeout(7_200 if LARGE else 900)


@pytest.fixture(scope="module")
async def found(mesh: Mesh, all_readers: None, tmp_path_factory) -> list[Fuzzed]:
    """What came back, role by role."""
    made = await shop(mesh, size=8 if LARGE else 2)
    runs = [*await asyncio.gather(*map(made.run, ROLES)), made.leaving()]
    if not LARGE:
        runs = shared_out(runs)
    turn, folder = asyncio.Semaphore(AT_ONCE), tmp_path_factory.mktemp("fuzzing")
    async with served(mesh.settings) as api:

        async def ask(run: Run) -> Fuzzed:
            async with turn:
                return await fuzzed(api.url, run, EFFORT, folder)

        return list(await asyncio.gather(*map(ask, runs)))


def test_every_operation_is_asked_by_somebody() -> None:
    asked = {each for role in ROLES for each in operations_of(role)} | LAST_DEEDS
    assert {each.id for each in OPERATIONS} == asked


@pytest.mark.parametrize("role", [*ROLES, LEAVING])
async def test_NS_04_nothing_undocumented_comes_back(found: list[Fuzzed], role: str) -> None:
    (mine,) = (each for each in found if each.run.role == role)
    assert mine.faults == [], "\n".join(mine.faults)


async def test_requests_come_to_the_handlers(found: list[Fuzzed], capsys) -> None:
    if LARGE:
        with capsys.disabled():
            print(f"\n{table(found)}\nMESH_FUZZ_SEED={EFFORT.seed} asks the same again")
    reached = {each for run in found for each in run.tally if run.tally[each]["reached"]}
    assert {each.id for each in OPERATIONS} - reached == set()
    assert sum(each.total["reached"] for each in found) >= REACHED_MIN


async def seller_asks(mesh: Mesh, folder: Path, *operations: str) -> list[str]:
    """What is found wrong with these operations."""
    account = await mesh.account("seller")
    login = login_of(account)
    run = Run("seller", operations, login, login)
    async with served(mesh.settings) as api:
        return (await fuzzed(api.url, run, Effort(5, "fuzzing", "29"), folder)).faults


async def test_a_handler_that_breaks_and_one_that_is_never_asked_are_faults(
    mesh: Mesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(wallets, "by_owner", broken)
    asked = "read_wallet", "read_session", "read_tea_leaves"
    _report, *found = await seller_asks(mesh, tmp_path, *asked)
    assert found == ["seller: read_wallet: 5xx", "seller: read_tea_leaves: never asked"]


async def test_a_session_that_ends_underway_is_a_fault(mesh: Mesh, tmp_path: Path) -> None:
    (found,) = await seller_asks(mesh, tmp_path, "log_out", "read_session")
    assert "answers are 401, 403 or 429" in found
