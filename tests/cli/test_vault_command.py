"""`mesh vault`: the commands, on a real Postgres and a real log."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

import cli.vault
from infra.clients.kafka import ensure_topics
from infra.settings import Settings
from infra.vault.vault import Vault, Wrapping
from schemas.identity import PasswordChanged, UserDeleted
from tests.cli.harness.commands import Mesh, commands_on
from tests.infra.vault.vaults import VaultPlace, vault_place
from tests.stack import local_stack
from tests.worlds import append_events


@pytest.fixture
async def place() -> AsyncIterator[VaultPlace]:
    settings = local_stack({"postgres", "kafka"})
    await ensure_topics(settings)
    async with vault_place(settings) as fresh:
        yield fresh


def rotated(settings: Settings) -> Settings:
    fresh = base64.b64encode(os.urandom(32)).decode()
    return settings.model_copy(
        update={"master_key": SecretStr(fresh), "other_master_keys": settings.master_key}
    )


async def join(place: VaultPlace) -> UUID:
    vault, user_id = Vault(place.pool, place.settings), uuid4()
    await vault.new_person(user_id, uuid4().hex * 2)
    await vault.first_password(user_id, f"hash of {user_id}")
    return user_id


async def test_rotate_says_when_no_row_needs_an_old_key(
    place: VaultPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    await join(place)
    mesh: Mesh = commands_on(rotated(place.settings), monkeypatch, cli.vault)
    result = await mesh("vault", "rotate")
    assert result.exit_code == 0, result.output
    assert "1 rows wrapped anew" in result.stdout
    assert "No row needs another master key" in result.stdout


async def test_rotate_says_which_key_is_still_needed(
    place: VaultPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    await join(place)
    alone = rotated(place.settings).model_copy(update={"other_master_keys": SecretStr("")})
    mesh: Mesh = commands_on(alone, monkeypatch, cli.vault)
    result = await mesh("vault", "rotate")
    assert result.exit_code == 1
    old = Wrapping(place.settings).master_key_id
    assert f"1 rows still need master key {old} (not among OTHER_MASTER_KEYS)" in result.stderr


async def test_a_restore_asks_the_log_who_is_gone_and_whose_password_is_another(
    place: VaultPlace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept, deleted, changed = [await join(place) for _ in range(3)]
    mesh: Mesh = commands_on(place.settings, monkeypatch, cli.vault)
    saved = await mesh("vault", "backup", str(tmp_path / "file"))
    assert saved.exit_code == 0, saved.output
    now = datetime.now(UTC)
    await append_events(
        place.settings,
        [
            (
                f"user/{deleted}",
                [UserDeleted(user_id=deleted, email_hash="0" * 64, deleted_at=now)],
            ),
            (
                f"user/{changed}",
                [
                    PasswordChanged(
                        user_id=changed, change_id=uuid4(), session_id=uuid4(), changed_at=now
                    )
                ],
            ),
        ],
    )
    await place.pool.execute("DROP SCHEMA vault CASCADE")
    result = await mesh("vault", "restore", str(tmp_path / "file"))
    assert result.exit_code == 0, result.output
    vault = Vault(place.pool, place.settings)
    assert (await vault.people([kept, deleted, changed])).keys() == {kept, changed}
    assert await vault.password_hash(kept) == f"hash of {kept}"
    assert await vault.password_hash(changed) is None


async def test_a_backup_never_replaces_a_file(
    place: VaultPlace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine")
    mesh: Mesh = commands_on(place.settings, monkeypatch, cli.vault)
    result = await mesh("vault", "backup", str(tmp_path / "file"))
    assert (result.exit_code, "there already" in result.stderr) == (1, True)
    assert (tmp_path / "file").read_text() == "mine"


async def test_a_foreign_file_is_refused_in_one_line(
    place: VaultPlace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("something else")
    mesh: Mesh = commands_on(place.settings, monkeypatch, cli.vault)
    result = await mesh("vault", "restore", str(tmp_path / "file"))
    assert (result.exit_code, "no such file" in result.stderr) == (1, True)
