"""The hourly sweep: only what is past its time goes, and twice is once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from infra.clients.postgres import open_pool
from infra.settings import Settings
from processors.reacting.commands import Commands, open_commands
from processors.reactions import reactor, sweeping
from processors.reactions.erasure import DESTROY_KEY
from processors.reactions.reactor import run_reactor
from processors.reactions.sweeping import SWEEP, Swept, sweep
from schemas.identity import session_stream, user_stream
from tests.api.acting.offering import campus, student
from tests.api.mailbox import VERIFY, look, mailed, refresh, verify
from tests.api.running import Account, Mesh, api, journal_kinds, journalled, problem
from tests.waiting import eventually


async def sweep_now(settings: Settings) -> Swept:
    """Sweep once."""
    async with (
        await open_pool(settings, size_max=1) as pool,
        open_commands(settings, "test-sweep") as commands,
    ):
        return await sweep(pool, commands, datetime.now(UTC))


async def brief_account(mesh: Mesh) -> Account:
    """Somebody whose session and proof are over, and both are read."""
    account = await passing_account(mesh)
    await eventually(lambda: _is_past(mesh, account))
    return account


async def passing_account(mesh: Mesh) -> Account:
    """Somebody whose session and proof are over within a second."""
    brief = {"refresh_token_s": 1, "verify_email_s": 1}
    async with api(mesh.settings.model_copy(update=brief)) as short:
        await eventually(lambda: short.machines.writes.started, 20)
        return await short.account()


async def _is_past(mesh: Mesh, account: Account) -> bool:
    return await mesh.machines.postgres.fetchval(
        "SELECT (SELECT until < now() FROM reads.sessions WHERE key = $1)"
        " AND (SELECT expires_at < now() FROM reads.verification_tokens WHERE key = $2)",
        account.session_id,
        f"{account.user_id}/{VERIFY}",
    )


async def _rows(mesh: Mesh, account: Account) -> int:
    return await mesh.machines.postgres.fetchval(
        "SELECT (SELECT count(*) FROM reads.sessions WHERE key = $1)"
        " + (SELECT count(*) FROM reads.verification_tokens WHERE user_id = $2)",
        account.session_id,
        account.user_id,
    )


async def test_CR_01_what_is_past_its_time_goes_and_nothing_else(mesh: Mesh) -> None:
    lasting, past = await mesh.account(), await brief_account(mesh)
    found = await sweep_now(mesh.settings)
    assert found.sessions >= 1
    assert found.people >= 1

    async def gone() -> bool:
        return await _rows(mesh, past) == 0

    await eventually(gone)
    assert await _rows(mesh, lasting) == 2
    assert (await look(mesh, lasting.access_token)).status_code == 200
    assert (await refresh(mesh, lasting.refresh_token)).status_code == 200


async def test_CR_01_sweeping_twice_is_sweeping_once(mesh: Mesh, commands: Commands) -> None:
    past = await brief_account(mesh)
    pool, now = mesh.machines.postgres.pool, datetime.now(UTC)
    await sweeping.sweep(pool, commands, now)
    await sweeping.sweep(pool, commands, now)

    async def gone() -> bool:
        return await _rows(mesh, past) == 0

    await eventually(gone)
    await sweeping.sweep(pool, commands, now + timedelta(seconds=1))
    after = await mesh.account()  # written after the sweeps
    await eventually(lambda: journal_kinds(mesh, user_stream(after.user_id)))
    kinds = await journalled(mesh, session_stream(past.session_id), "sessions.expired")
    assert kinds.count("sessions.expired") == 1
    kinds = await journalled(mesh, user_stream(past.user_id), "one_time_token.lapsed")
    assert kinds.count("one_time_token.lapsed") == 1


async def test_ID_23_a_swept_token_is_refused_as_before(mesh: Mesh) -> None:
    past = await brief_account(mesh)
    token = await mailed(mesh, past.user_id, VERIFY)
    assert problem(await verify(mesh, token)) == (410, "token_expired")
    await sweep_now(mesh.settings)

    async def gone() -> bool:
        return await _rows(mesh, past) == 0

    await eventually(gone)
    assert problem(await verify(mesh, token)) == (410, "token_spent")


async def test_CR_01_many_that_are_due_come_in_pages(
    mesh: Mesh, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "PAGE", 2)
    people = [await brief_account(mesh) for _ in range(3)]
    await sweeping.sweep(mesh.machines.postgres.pool, commands, datetime.now(UTC))

    async def gone() -> bool:
        return not any([await _rows(mesh, each) for each in people])

    assert await eventually(gone)


async def test_CR_01_the_reactor_sweeps_again_and_again(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    each_second = replace(SWEEP, name="test_sweep", cron="* * * * * *")
    monkeypatch.setattr(reactor, "JOBS", (each_second,))
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(run_reactor(mesh.settings, stop, (), (DESTROY_KEY,)))
        for _ in range(2):  # the second joins when the first has been swept
            past = await passing_account(mesh)
            kinds = await journalled(mesh, session_stream(past.session_id), "sessions.expired")
            assert kinds.count("session.started") == 1
            await journalled(mesh, user_stream(past.user_id), "one_time_token.lapsed")
        stop.set()


async def test_IT_05_the_reactor_ends_the_wait_for_images(mesh: Mesh) -> None:
    impatient = mesh.settings.model_copy(update={"item_images_wait_s": 0.5})
    async with api(impatient) as short:
        await eventually(lambda: short.machines.writes.started, 20)
        owner = await student(short, campus())
        for _ in range(2):
            item_id = await owner.have(drawn=False)
            assert (await owner.becomes(item_id, "failed"))["status"] == "active"
