"""Another master key takes over row by row, on a real Postgres."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from infra.settings import Settings
from infra.vault.rotation import WRAPPED, rotate, rows_by_master_key
from infra.vault.vault import PersonErasedError, Vault, Wrapping
from tests.infra.vault.vaults import VaultPlace, vault_place
from tests.stack import local_stack

HASH = "ab" * 32
PEOPLE = 1_200  # more than two batches


@pytest.fixture
async def place() -> AsyncIterator[VaultPlace]:
    async with vault_place(local_stack({"postgres"})) as fresh:
        yield fresh


def with_new_key(settings: Settings) -> Settings:
    """The same settings after another master key has taken over."""
    fresh = base64.b64encode(os.urandom(32)).decode()
    return settings.model_copy(
        update={"master_key": SecretStr(fresh), "other_master_keys": settings.master_key}
    )


async def people(vault: Vault, count: int = PEOPLE) -> dict[UUID, str]:
    """New people, and for each a text sealed for them."""
    found = {}
    for _ in range(count):
        user_id = uuid4()
        found[user_id] = (await vault.new_person(user_id, HASH)).seal("name", str(user_id))
    return found


async def all_open(vault: Vault, sealed: dict[UUID, str]) -> bool:
    keys = await vault.people(sealed)
    return all(keys[each].unseal("name", text) == str(each) for each, text in sealed.items())


async def test_after_a_rotation_the_new_key_alone_opens_everything(place: VaultPlace) -> None:
    sealed = await people(Vault(place.pool, place.settings))
    await Vault(place.pool, place.settings).add_signing_key("kid", b"private")
    later = with_new_key(place.settings)
    told: list[int] = []
    rotation = await rotate(place.pool, Wrapping(later), told.append)
    assert rotation.rewrapped == PEOPLE + 1 == sum(told)
    alone = Vault(place.pool, later.model_copy(update={"other_master_keys": SecretStr("")}))
    assert await all_open(alone, sealed)
    assert await alone.signing_keys() == [("kid", b"private")]
    assert await rows_by_master_key(place.pool) == {Wrapping(later).master_key_id: PEOPLE + 1}


async def test_a_repeated_rotation_finds_nothing_to_do(place: VaultPlace) -> None:
    await people(Vault(place.pool, place.settings), 3)
    later = Wrapping(with_new_key(place.settings))
    assert (await rotate(place.pool, later)).rewrapped == 3
    assert (await rotate(place.pool, later)).rewrapped == 0


async def test_a_rotation_broken_off_goes_on_where_it_was(place: VaultPlace) -> None:
    sealed = await people(Vault(place.pool, place.settings))
    later = with_new_key(place.settings)

    def die(_rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await rotate(place.pool, Wrapping(later), die)
    assert len(await rows_by_master_key(place.pool)) == 2
    assert await all_open(Vault(place.pool, later), sealed)
    assert 0 < (await rotate(place.pool, Wrapping(later))).rewrapped < PEOPLE


async def test_people_read_join_and_go_while_keys_are_rotated(place: VaultPlace) -> None:
    before = Vault(place.pool, place.settings)
    sealed = await people(before)
    later = with_new_key(place.settings)
    vault = Vault(place.pool, later)
    gone = list(sealed)[PEOPLE // 2]
    ending = asyncio.Event()

    async def live() -> None:
        while not ending.is_set():
            assert await all_open(vault, {each: sealed[each] for each in list(sealed)[::100]})
            newcomer = uuid4()
            # A process with the settings of before still wraps by the earlier key.
            sealed[newcomer] = (await before.new_person(newcomer, HASH)).seal("name", str(newcomer))

    await vault.erase(gone)
    text = sealed.pop(gone)
    async with asyncio.TaskGroup() as group:
        group.create_task(live())
        await rotate(place.pool, Wrapping(later))
        ending.set()
    await rotate(place.pool, Wrapping(later))
    alone = Vault(place.pool, later.model_copy(update={"other_master_keys": SecretStr("")}))
    assert await all_open(alone, sealed)
    assert await alone.person(gone) is None
    with pytest.raises(PersonErasedError):
        (await alone.new_person(gone, HASH)).unseal("name", text)


async def test_two_rotations_at_once_do_no_harm(place: VaultPlace) -> None:
    sealed = await people(Vault(place.pool, place.settings))
    later = with_new_key(place.settings)
    both = await asyncio.gather(*(rotate(place.pool, Wrapping(later)) for _ in range(2)))
    assert sum(each.rewrapped for each in both) == PEOPLE
    assert await all_open(Vault(place.pool, later), sealed)


async def test_rows_of_a_key_that_is_not_given_are_told_and_left(place: VaultPlace) -> None:
    sealed = await people(Vault(place.pool, place.settings), 3)
    foreign = with_new_key(place.settings).model_copy(update={"other_master_keys": SecretStr("")})
    rotation = await rotate(place.pool, Wrapping(foreign))
    assert rotation.rewrapped == 0
    assert rotation.missing == {Wrapping(place.settings).master_key_id: 3}
    assert await all_open(Vault(place.pool, place.settings), sealed)


async def test_a_damaged_row_is_named_and_holds_nobody_up(place: VaultPlace) -> None:
    first, second = list(await people(Vault(place.pool, place.settings), 2))
    await place.pool.execute(
        "UPDATE vault.people SET wrapped_key = $2 WHERE user_id = $1", first, os.urandom(60)
    )
    rotation = await rotate(place.pool, Wrapping(with_new_key(place.settings)))
    assert rotation.rewrapped == 1
    assert rotation.damaged == [f"person/{first}"]
    assert second != first


async def test_every_wrapped_key_of_the_vault_is_rotated(place: VaultPlace) -> None:
    rows = await place.pool.fetch(
        "SELECT table_name FROM information_schema.columns"
        " WHERE table_schema = 'vault' AND column_name = 'wrapped_key'"
    )
    assert {row["table_name"] for row in rows} == {each.name for each in WRAPPED}
