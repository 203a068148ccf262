"""V6.3.8: time does not tell whether somebody has an e-mail."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from infra.settings import Settings
from tests.api.mailbox import forget
from tests.api.running import Mesh, api, new_email, problem
from tests.api.timing import PAIRS, lead, lead_allowed, times
from tests.stack import CHEAP_HASHES
from tests.waiting import eventually

FEW = 20


async def test_ID_04_known_and_unknown_emails_take_the_same_time_to_log_in(mesh: Mesh) -> None:
    """With hashes that cost next to nothing: their time, and its noise, would hide the rest."""
    email = new_email()
    await mesh.until_read(await mesh.register(email))
    known, unknown = await times(
        PAIRS,
        lambda: mesh.log_in(email, "wrong password"),
        lambda: mesh.log_in(new_email(), "wrong password"),
    )
    assert abs(lead(known, unknown)) < lead_allowed(PAIRS)


@pytest.fixture
async def costly(mesh: Mesh) -> AsyncIterator[Mesh]:
    """An API whose hashes cost what they cost in production."""
    real = {name: Settings.model_fields[name].default for name in CHEAP_HASHES}
    async with api(mesh.settings.model_copy(update=real)) as found:
        await eventually(lambda: found.machines.writes.started, 20, "the gateway has started")
        yield found


async def test_ID_04_known_and_unknown_emails_take_the_same_time_with_hashes_as_costly_as_they_are(
    costly: Mesh,
) -> None:
    """A hash left out is most of the time that the other question takes, so few are enough."""
    email = new_email()
    await costly.until_read(await costly.register(email))
    known, unknown = await times(
        FEW,
        lambda: costly.log_in(email, "wrong password"),
        lambda: costly.log_in(new_email(), "wrong password"),
    )
    assert abs(lead(known, unknown)) < lead_allowed(FEW) < 0.4


@pytest.fixture
def verified(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Of each password that is verified: the scheme and the cost of what it is held to."""
    passwords, found = mesh.machines.passwords, []
    really = passwords._verify

    def verify(password: str, stored: str) -> tuple[bool, str | None]:
        found.append(stored.rpartition("$")[0].rpartition("$")[0])
        return really(password, stored)

    monkeypatch.setattr(passwords, "_verify", verify)
    return found


@pytest.mark.asvs("V6.3.8")
@pytest.mark.parametrize("who", ["unknown", "known", "banned", "deleted", "without a password"])
async def test_ID_04_every_log_in_costs_one_hash_whoever_it_is(mesh: Mesh, verified, who) -> None:
    email = await email_of(mesh, who)
    verified.clear()
    answer = await mesh.log_in(email, "wrong password")
    assert problem(answer) == (401, "credentials_invalid")
    cost = "m={argon2_memory_kib},t={argon2_passes}".format_map(CHEAP_HASHES)
    assert verified == [f"$argon2id$v=19${cost},p=4"]


async def _is_forgotten(mesh: Mesh, email: str) -> bool:
    return not await mesh.machines.vault.people_with_email(
        mesh.machines.vault.wrapping.lookup_hash(email)
    )


async def email_of(mesh: Mesh, who: str) -> str:
    """The e-mail of somebody like that."""
    if who == "unknown":
        return new_email()
    account = await mesh.account()
    if who == "banned":
        staff = await mesh.account("admin")
        path = f"/api/users/{account.user_id}/ban"
        done = await mesh.client.post(path, json={"reason": "fraud"}, headers=staff.headers)
        await mesh.until_read(done)
    elif who == "deleted":
        done = await mesh.client.delete(f"/api/users/{account.user_id}", headers=account.headers)
        await mesh.until_read(done)
        await eventually(lambda: _is_forgotten(mesh, account.email))
    elif who == "without a password":
        # As whoever joins through a provider: the vault has none of theirs.
        await mesh.machines.postgres.pool.execute(
            "DELETE FROM vault.passwords WHERE user_id = $1", UUID(account.user_id)
        )
    return account.email


async def test_ID_09_known_and_unknown_emails_take_the_same_time_to_forget(mesh: Mesh) -> None:
    email = new_email()
    await mesh.until_read(await mesh.register(email))
    known, unknown = await times(
        PAIRS, lambda: forget(mesh, email), lambda: forget(mesh, new_email())
    )
    assert abs(lead(known, unknown)) < lead_allowed(PAIRS)


def test_V6_3_8_a_difference_in_time_is_seen_through_the_noise() -> None:
    """Pure: a fifth more, under noise of the same size, is caught; none is not."""
    chance = random.Random(7)
    plain = [10 + chance.gauss(0, 2) for _ in range(1_000)]
    same = [10 + chance.gauss(0, 2) for _ in range(1_000)]
    slower = [12 + chance.gauss(0, 2) for _ in range(1_000)]
    assert abs(lead(plain, same)) < lead_allowed(1_000) == 0.1
    assert lead(slower, plain) > lead_allowed(60) > lead_allowed(1_000)
