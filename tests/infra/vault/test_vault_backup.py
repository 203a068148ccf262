"""The vault in a file and back, on a real Postgres."""

from __future__ import annotations

import asyncio
import base64
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from infra.credentials.password_changes import PasswordChanges
from infra.vault.backup import TABLES, Since, backup, restore
from infra.vault.sealed_file import ForeignFileError
from infra.vault.vault import MasterKeyMissingError, Vault, Wrapping
from tests.infra.vault.vaults import VaultPlace, vault_place
from tests.stack import local_stack

PEOPLE = 1_100  # more than one batch
NOTHING = Since()


@pytest.fixture
async def place() -> AsyncIterator[VaultPlace]:
    async with vault_place(local_stack({"postgres"})) as fresh:
        yield fresh


@pytest.fixture
def vault(place: VaultPlace) -> Vault:
    return Vault(place.pool, place.settings)


async def join(vault: Vault, count: int = 1) -> dict[UUID, str]:
    """New people with passwords, and for each a text sealed for them."""
    sealed = {}
    for _ in range(count):
        user_id = uuid4()
        key = await vault.new_person(user_id, uuid4().hex * 2)
        await vault.first_password(user_id, f"hash of {user_id}")
        sealed[user_id] = key.seal("name", str(user_id))
    return sealed


async def opened(vault: Vault, sealed: dict[UUID, str]) -> set[UUID]:
    """Whose texts open."""
    keys = await vault.people(sealed)
    return {each for each, key in keys.items() if key.unseal("name", sealed[each]) == str(each)}


async def test_a_lost_vault_comes_back_and_everything_opens(
    place: VaultPlace, vault: Vault, tmp_path: Path
) -> None:
    sealed = await join(vault, PEOPLE)
    await vault.add_signing_key("kid", b"private")
    written = await backup(place.pool, vault.wrapping, tmp_path / "file")
    assert written == {"people": PEOPLE, "passwords": PEOPLE, "signing_keys": 1}
    await place.lose()
    done = await restore(place.pool, vault.wrapping, tmp_path / "file", NOTHING)
    assert done.added == written
    assert await opened(vault, sealed) == set(sealed)
    assert await vault.signing_keys() == [("kid", b"private")]
    somebody = next(iter(sealed))
    assert await vault.password_hash(somebody) == f"hash of {somebody}"


async def test_a_backup_is_one_moment_of_the_vault(
    place: VaultPlace, vault: Vault, tmp_path: Path
) -> None:
    sealed = await join(vault, 300)
    # Each of them has a password, or neither row may be in the file.
    _, found = await asyncio.gather(
        join(vault, 200), backup(place.pool, vault.wrapping, tmp_path / "file")
    )
    await place.lose()
    await restore(place.pool, vault.wrapping, tmp_path / "file", NOTHING)
    assert await opened(vault, sealed) == set(sealed)
    assert found["people"] - found["passwords"] in {0, 1}  # one may be between its two steps


async def test_a_backup_is_its_owners_and_readable_with_the_master_key_only(
    place: VaultPlace, vault: Vault, tmp_path: Path
) -> None:
    (user_id,) = await join(vault)
    path = tmp_path / "file"
    await backup(place.pool, vault.wrapping, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for text in (str(user_id), user_id.hex, "hash of", "wrapped_key"):
        assert text.encode() not in path.read_bytes()
    foreign = place.settings.model_copy(
        update={"master_key": SecretStr(base64.b64encode(os.urandom(32)).decode())}
    )
    with pytest.raises(MasterKeyMissingError):
        await restore(place.pool, Wrapping(foreign), path, NOTHING)


async def test_an_altered_backup_changes_nothing(
    place: VaultPlace, vault: Vault, tmp_path: Path
) -> None:
    await join(vault, PEOPLE)
    path = tmp_path / "file"
    await backup(place.pool, vault.wrapping, path)
    altered = bytearray(path.read_bytes())
    altered[-20] ^= 1  # in the last chunk: all before it is true
    path.write_bytes(altered)
    await place.lose()
    with pytest.raises(ForeignFileError):
        await restore(place.pool, vault.wrapping, path, NOTHING)
    assert await place.pool.fetchval("SELECT count(*) FROM vault.people") == 0


async def test_newer_rows_are_never_replaced(
    place: VaultPlace, vault: Vault, tmp_path: Path
) -> None:
    (user_id,) = await join(vault)
    await backup(place.pool, vault.wrapping, tmp_path / "file")
    await vault.replace_password(user_id, f"hash of {user_id}", "a newer one")
    later = await join(vault)
    done = await restore(place.pool, vault.wrapping, tmp_path / "file", NOTHING)
    assert await vault.password_hash(user_id) == "a newer one"
    assert done.added["people"] == done.added["passwords"] == 0
    assert done.differing == {"people": 0, "passwords": 1}
    assert await opened(vault, later) == set(later)


async def test_whoever_was_erased_since_stays_erased(
    place: VaultPlace, vault: Vault, tmp_path: Path
) -> None:
    erased, kept = await join(vault), await join(vault)
    await backup(place.pool, vault.wrapping, tmp_path / "file")
    (user_id,) = erased
    await vault.erase(user_id)
    done = await restore(place.pool, vault.wrapping, tmp_path / "file", NOTHING)
    assert await vault.person(user_id) is None
    assert await vault.password_hash(user_id) is None
    assert done.left_out["people"] == done.left_out["passwords"] == 1
    assert await opened(vault, kept) == set(kept)


async def test_whom_the_log_calls_deleted_stays_erased_even_in_a_lost_vault(
    place: VaultPlace, vault: Vault, tmp_path: Path
) -> None:
    erased, kept = await join(vault), await join(vault)
    await backup(place.pool, vault.wrapping, tmp_path / "file")
    await place.lose()
    since = Since(deleted=frozenset(erased))
    await restore(place.pool, vault.wrapping, tmp_path / "file", since)
    assert await opened(vault, erased | kept) == set(kept)
    await restore(place.pool, vault.wrapping, tmp_path / "file", NOTHING)
    assert await opened(vault, erased | kept) == set(kept)


async def test_a_password_changed_since_does_not_come_back(
    place: VaultPlace, vault: Vault, tmp_path: Path
) -> None:
    (changed,), (kept,) = await join(vault), await join(vault)
    await backup(place.pool, vault.wrapping, tmp_path / "file")
    await place.lose()
    since = Since(passwords_changed={changed: 5})
    await restore(place.pool, vault.wrapping, tmp_path / "file", since)
    assert await vault.password_hash(changed) is None
    assert await vault.person(changed) is not None
    assert await vault.password_hash(kept) == f"hash of {kept}"


async def test_a_change_that_waits_comes_back_and_is_applied(
    place: VaultPlace, vault: Vault, tmp_path: Path
) -> None:
    (user_id,) = await join(vault)
    changes, change_id = PasswordChanges(place.pool), uuid4()
    await changes.wait(change_id, user_id, "another hash")
    await backup(place.pool, vault.wrapping, tmp_path / "file")
    await place.lose()
    since = Since(passwords_changed={user_id: 5})
    await restore(place.pool, vault.wrapping, tmp_path / "file", since)
    assert await changes.current_hash(user_id, change_id, 5) == "another hash"


async def test_a_backup_of_before_a_rotation_still_comes_back_with_its_key(
    place: VaultPlace, vault: Vault, tmp_path: Path
) -> None:
    sealed = await join(vault, 3)
    await backup(place.pool, vault.wrapping, tmp_path / "file")
    await place.lose()
    later = place.settings.model_copy(
        update={
            "master_key": SecretStr(base64.b64encode(os.urandom(32)).decode()),
            "other_master_keys": place.settings.master_key,
        }
    )
    await restore(place.pool, Wrapping(later), tmp_path / "file", NOTHING)
    assert await opened(Vault(place.pool, later), sealed) == set(sealed)


async def test_every_table_of_the_vault_is_in_a_backup(place: VaultPlace) -> None:
    rows = await place.pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'vault'")
    assert {row["tablename"] for row in rows} == set(TABLES)
