"""V6.3.8: time does not tell whether somebody has an e-mail."""

from __future__ import annotations

import random

from tests.api.mailbox import forget
from tests.api.running import Mesh, new_email
from tests.api.timing import PAIRS, lead, lead_allowed, times


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
