"""The vault's rows, on a real Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from pydantic import SecretStr

from infra.clients.postgres import open_pool
from infra.settings import Settings
from infra.vault.vault import (
    PersonErasedError,
    UnsealError,
    Vault,
    VaultUnavailableError,
    create_schema,
)
from tests.infra.vault.vaults import VaultPlace, vault_place
from tests.stack import local_stack

HASH = "ab" * 32


@pytest.fixture(scope="module")
async def place() -> AsyncIterator[VaultPlace]:
    async with vault_place(local_stack({"postgres"})) as fresh:
        yield fresh


@pytest.fixture
def vault(place: VaultPlace) -> Vault:
    return Vault(place.pool, place.settings)


async def test_the_schema_is_made_by_many_at_once(place: VaultPlace) -> None:
    async with await open_pool(place.settings, size_max=4) as pool:
        made = await asyncio.gather(*(create_schema(pool) for _ in range(8)))
    assert made == [None] * 8


async def test_a_person_keeps_the_key_they_got_first(vault: Vault) -> None:
    user_id = uuid4()
    first, again = await vault.new_person(user_id, HASH), await vault.new_person(user_id, HASH)
    assert again.unseal("email", first.seal("email", "a@example.org")) == "a@example.org"
    found = await vault.person(user_id)
    assert found is not None
    assert found.unseal("name", first.seal("name", "Anna")) == "Anna"


async def test_who_has_no_email_yet_gets_the_first_there_is_and_keeps_key_and_email(
    vault: Vault,
) -> None:
    user_id, (first, second) = uuid4(), (uuid4().hex * 2, uuid4().hex * 2)
    before = await vault.new_person(user_id, "")
    for email_hash in (first, second, ""):
        later = await vault.new_person(user_id, email_hash)
        assert later.unseal("address", before.seal("address", "a")) == "a"
    assert await vault.people_with_email(first) == [user_id]
    assert await vault.people_with_email(second) == []


async def test_every_person_has_a_key_of_their_own(vault: Vault) -> None:
    anna, ben = await vault.new_person(uuid4(), HASH), await vault.new_person(uuid4(), HASH)
    with pytest.raises(UnsealError):
        ben.unseal("email", anna.seal("email", "a@example.org"))


async def test_the_unknown_have_no_key(vault: Vault) -> None:
    assert await vault.person(uuid4()) is None


async def test_keys_are_fetched_many_at_once(vault: Vault) -> None:
    known, unknown = [uuid4() for _ in range(3)], uuid4()
    for each in known:
        await vault.new_person(each, HASH)
    assert (await vault.people([*known, unknown])).keys() == set(known)


async def test_everyone_who_began_with_an_email_is_found(vault: Vault) -> None:
    email_hash = uuid4().hex * 2
    people = {uuid4(), uuid4()}
    for each in people:
        await vault.new_person(each, email_hash)
    assert set(await vault.people_with_email(email_hash)) == people


async def test_erasing_takes_key_and_password(vault: Vault) -> None:
    user_id = uuid4()
    await vault.new_person(user_id, HASH)
    await vault.first_password(user_id, "hash")
    assert await vault.erase(user_id)
    assert await vault.person(user_id) is None
    assert await vault.password_hash(user_id) is None
    assert not await vault.erase(user_id)


async def test_what_was_sealed_before_an_erasure_never_opens_again(vault: Vault) -> None:
    user_id = uuid4()
    sealed = (await vault.new_person(user_id, HASH)).seal("email", "a@example.org")
    await vault.forget_newcomer(user_id)
    with pytest.raises(UnsealError):
        (await vault.new_person(user_id, HASH)).unseal("email", sealed)


async def test_whoever_is_erased_gets_no_key_again(vault: Vault) -> None:
    user_id = uuid4()
    await vault.new_person(user_id, HASH)
    await vault.erase(user_id)
    with pytest.raises(PersonErasedError):
        await vault.new_person(user_id, HASH)
    assert await vault.person(user_id) is None


async def test_a_first_password_is_never_replaced_by_a_repeat(vault: Vault) -> None:
    user_id = uuid4()
    await vault.new_person(user_id, HASH)
    await vault.first_password(user_id, "first")
    await vault.first_password(user_id, "second")
    assert await vault.password_hash(user_id) == "first"


async def test_a_rehash_never_undoes_a_change(vault: Vault) -> None:
    user_id = uuid4()
    await vault.new_person(user_id, HASH)
    await vault.first_password(user_id, "old")
    await vault.replace_password(user_id, "old", "changed")
    await vault.replace_password(user_id, "old", "old in another scheme")
    assert await vault.password_hash(user_id) == "changed"


async def test_many_processes_agree_on_one_signing_key(place: VaultPlace) -> None:
    await place.pool.execute("DELETE FROM vault.signing_keys")
    vault = Vault(place.pool, place.settings)
    offers = [(f"kid-{number}", f"key-{number}".encode()) for number in range(8)]
    await asyncio.gather(*(vault.add_signing_key(*each) for each in offers))
    kept = await vault.signing_keys()
    assert len(kept) == 1
    assert kept[0] in offers


async def test_a_retired_signing_key_is_no_longer_given(place: VaultPlace) -> None:
    await place.pool.execute("DELETE FROM vault.signing_keys")
    vault = Vault(place.pool, place.settings)
    await vault.add_signing_key("old", b"old key")
    await place.pool.execute("UPDATE vault.signing_keys SET retired_at = now()")
    await vault.add_signing_key("new", b"new key")
    assert await vault.signing_keys() == [("new", b"new key")]


async def test_no_key_lies_in_the_tables_unwrapped(place: VaultPlace, vault: Vault) -> None:
    await place.pool.execute("DELETE FROM vault.signing_keys")
    await vault.add_signing_key("kid", b"-----a private key-----")
    stored = await place.pool.fetchval("SELECT wrapped_key FROM vault.signing_keys")
    assert b"private" not in stored


async def test_another_master_key_opens_nobody(place: VaultPlace, vault: Vault) -> None:
    user_id = uuid4()
    await vault.new_person(user_id, HASH)
    other = place.settings.model_copy(update={"master_key": SecretStr("QUJD" * 10 + "QUI=")})
    with pytest.raises(UnsealError):
        await Vault(place.pool, other).person(user_id)


async def test_without_postgres_the_vault_says_so(place: VaultPlace) -> None:
    nowhere: Settings = place.settings.model_copy(
        update={"database_url": SecretStr("postgresql://mesh@127.0.0.1:1/none")}
    )
    async with await open_pool(nowhere, size_min=0) as pool:
        with pytest.raises(VaultUnavailableError):
            await Vault(pool, nowhere).person(uuid4())
