"""Changed passwords on their way into the vault, on a real Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from infra.clients.postgres import open_pool
from infra.credentials import password_changes
from infra.credentials.password_changes import PasswordChanges
from infra.settings import Settings
from infra.vault.vault import Vault, VaultUnavailableError, create_schema
from tests.worlds import World, world

HASH = "ab" * 32


@pytest.fixture(scope="module")
async def place(stack: Settings) -> AsyncIterator[World]:
    async with world(stack) as fresh:
        await create_schema(fresh.pool)
        await password_changes.create_schema(fresh.pool)
        await password_changes.create_schema(fresh.pool)  # harmless when it is there
        yield fresh


@pytest.fixture
def vault(place: World) -> Vault:
    return Vault(place.pool, place.settings)


@pytest.fixture
def changes(place: World) -> PasswordChanges:
    return PasswordChanges(place.pool)


@pytest.fixture
async def person(vault: Vault) -> UUID:
    user_id = uuid4()
    await vault.new_person(user_id, HASH)
    await vault.first_password(user_id, "first")
    return user_id


async def waiting(changes: PasswordChanges, person: UUID, password_hash: str) -> UUID:
    change_id = uuid4()
    assert await changes.wait(change_id, person, password_hash)
    return change_id


async def test_ID_10_a_hash_that_waits_counts_only_once_applied(changes, vault, person) -> None:
    change = await waiting(changes, person, "second")
    assert await vault.password_hash(person) == "first"
    await changes.apply(change, person, 3)
    assert await vault.password_hash(person) == "second"


async def test_ID_10_whoever_reads_a_change_that_waits_applies_it(changes, vault, person) -> None:
    change = await waiting(changes, person, "second")
    assert await changes.current_hash(person, None, 0) == "first"
    found = await asyncio.gather(*(changes.current_hash(person, change, 3) for _ in range(5)))
    assert set(found) == {"second"}
    assert await vault.password_hash(person) == "second"


async def test_ID_10_a_late_change_never_undoes_a_newer_one(changes, vault, person) -> None:
    early = await waiting(changes, person, "second")
    late = await waiting(changes, person, "third")
    await changes.apply(late, person, 5)
    await changes.apply(early, person, 3)
    assert await vault.password_hash(person) == "third"


async def test_ID_10_applying_twice_is_applying_once(changes, vault, person) -> None:
    change = await waiting(changes, person, "second")
    await changes.apply(change, person, 3)
    await vault.replace_password(person, "second", "second anew")
    await changes.apply(change, person, 3)
    assert await vault.password_hash(person) == "second anew"


async def test_ID_10_a_refused_change_leaves_nothing(changes, vault, person) -> None:
    change = await waiting(changes, person, "second")
    await changes.drop(change)
    assert await changes.current_hash(person, change, 3) == "first"


async def test_ID_10_nobody_applies_the_change_of_another(changes, vault, person) -> None:
    change, other = await waiting(changes, person, "second"), uuid4()
    await vault.new_person(other, HASH)
    await changes.apply(change, other, 3)
    assert await vault.password_hash(other) is None
    assert await vault.password_hash(person) == "first"


async def test_ID_10_who_had_no_password_gets_one(changes, vault) -> None:
    person = uuid4()
    await vault.new_person(person, HASH)
    assert await changes.current_hash(person, None, 0) is None
    await changes.apply(await waiting(changes, person, "first"), person, 3)
    assert await vault.password_hash(person) == "first"


async def test_ID_10_for_the_erased_no_hash_waits(changes, vault, person) -> None:
    change = await waiting(changes, person, "second")
    await vault.erase(person)
    assert await changes.current_hash(person, change, 3) is None
    assert not await changes.wait(uuid4(), person, "third")


async def test_CR_01_only_hashes_that_wait_too_long_are_swept(changes, vault, person) -> None:
    change = await waiting(changes, person, "second")
    await changes.sweep(datetime.now(UTC) - timedelta(days=1))
    assert await changes.current_hash(person, change, 3) == "second"
    left = await waiting(changes, person, "third")
    await changes.sweep(datetime.now(UTC) + timedelta(days=1))
    assert await changes.current_hash(person, left, 4) == "second"


async def test_ID_10_a_vault_that_is_away_says_so(place: World) -> None:
    pool = await open_pool(place.settings, size_min=0)
    await pool.close()
    with pytest.raises(VaultUnavailableError):
        await PasswordChanges(pool).drop(uuid4())
