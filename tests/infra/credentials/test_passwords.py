"""Password hashes: both schemes, nothing cut, never too many at once."""

from __future__ import annotations

import asyncio
import threading
import unicodedata
from collections.abc import Iterator

import bcrypt
import pytest

from infra.credentials import passwords as module
from infra.credentials.passwords import Passwords, PasswordsBusyError
from infra.settings import Settings

LONG = "x" * 72
COSTS = {"memory_kib": 64, "passes": 1}


@pytest.fixture(params=["argon2", "bcrypt"])
def passwords(request: pytest.FixtureRequest) -> Iterator[Passwords]:
    hashing = Passwords(request.param, **COSTS)
    yield hashing
    hashing.close()


@pytest.mark.parametrize(("scheme", "prefix"), [("argon2", "$argon2id$"), ("bcrypt", "$2b$12$")])
async def test_ID_19_a_hash_starts_with_its_scheme(scheme, prefix) -> None:
    hashing = Passwords(scheme, **COSTS)
    assert (await hashing.hash("correct horse")).startswith(prefix)


async def test_ID_19_V11_4_2_by_default_a_hash_costs_what_rfc_9106_asks_for() -> None:
    stated = {
        name: Settings.model_fields[f"argon2_{name}"].default for name in ("memory_kib", "passes")
    }
    stored = await Passwords("argon2", **stated).hash("correct horse")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


async def test_ID_19_a_hash_that_cost_less_is_made_anew() -> None:
    cheap = await Passwords("argon2", **COSTS).hash("correct horse")
    dearer = {**COSTS, "passes": COSTS["passes"] + 1}
    right, newer = await Passwords("argon2", **dearer).verify("correct horse", cheap)
    assert right
    assert newer is not None
    assert newer.startswith("$argon2id$v=19$m=64,t=2,p=4$")


async def test_ID_19_the_right_password_verifies(passwords: Passwords) -> None:
    stored = await passwords.hash("correct horse")
    assert await passwords.verify("correct horse", stored) == (True, None)
    assert await passwords.verify("wrong horse", stored) == (False, None)


@pytest.mark.parametrize("tail", ["a", "ab", "\0", "é" * 30])
@pytest.mark.asvs("V6.2.8")
async def test_ID_19_nothing_past_72_bytes_is_cut(passwords: Passwords, tail: str) -> None:
    stored = await passwords.hash(LONG + tail)
    assert (await passwords.verify(LONG + tail, stored))[0]
    assert not (await passwords.verify(LONG, stored))[0]
    assert not (await passwords.verify(LONG + tail + "z", stored))[0]


async def test_ID_19_a_nul_byte_ends_nothing(passwords: Passwords) -> None:
    stored = await passwords.hash("before\0after")
    assert not (await passwords.verify("before\0other", stored))[0]
    assert not (await passwords.verify("before", stored))[0]


async def test_ID_19_hashes_of_bcrypt_elsewhere_verify_and_are_made_anew() -> None:
    imported = bcrypt.hashpw(b"correct horse", bcrypt.gensalt(12)).decode()
    right, newer = await Passwords("argon2", **COSTS).verify("correct horse", imported)
    assert right
    assert newer is not None
    assert newer.startswith("$argon2id$")


async def test_ID_19_a_weaker_bcrypt_is_made_anew() -> None:
    weak = bcrypt.hashpw(b"correct horse", bcrypt.gensalt(4)).decode()
    _, newer = await Passwords("bcrypt", **COSTS).verify("correct horse", weak)
    assert newer is not None
    assert newer.startswith("$2b$12$")


async def test_ID_19_what_is_no_hash_verifies_nothing(passwords: Passwords) -> None:
    assert await passwords.verify("anything", "plain text") == (False, None)


async def test_too_many_at_once_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_MAX", 3)
    hashing, release = Passwords("argon2", **COSTS), threading.Event()
    monkeypatch.setattr(hashing._hash, "hash", lambda _: str(release.wait(10)))
    waiting = [asyncio.create_task(hashing.hash("x")) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(PasswordsBusyError):
        await hashing.hash("one too many")
    release.set()
    assert await asyncio.gather(*waiting) == ["True"] * 3
    assert await hashing.hash("room again") == "True"


FORMS = ("NFC", "NFD")
SPELLED = "pässwörd für Zoë"


@pytest.mark.parametrize("typed", FORMS)
@pytest.mark.parametrize("chosen", FORMS)
async def test_ID_19_how_a_keyboard_composes_letters_is_no_part_of_a_password(
    passwords: Passwords, chosen: str, typed: str
) -> None:
    stored = await passwords.hash(unicodedata.normalize(chosen, SPELLED))
    assert await passwords.verify(unicodedata.normalize(typed, SPELLED), stored) == (True, None)
    assert not (await passwords.verify("passwörd für Zoë", stored))[0]


@pytest.mark.parametrize("typed", FORMS)
@pytest.mark.parametrize("chosen", FORMS)
async def test_ID_19_an_older_hash_of_either_form_is_known_and_made_anew(
    passwords: Passwords, chosen: str, typed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(module, "prepared", str)
        stored = await passwords.hash(unicodedata.normalize(chosen, SPELLED))
    right, newer = await passwords.verify(unicodedata.normalize(typed, SPELLED), stored)
    assert right
    assert (newer is None) == (chosen == "NFC")
    assert await passwords.verify(SPELLED, newer or stored) == (True, None)


def test_ID_19_a_password_is_prepared_as_an_opaque_string() -> None:
    """RFC 8265: other spaces are spaces, what is composed is one, and width and case stay."""
    assert module.prepared("a\u00a0b\u3000c") == "a b c"
    assert module.prepared("e\u0301") == "\u00e9"
    assert module.prepared("\uff21 \ufb01 A") == "\uff21 \ufb01 A"


async def test_ID_19_a_digest_is_the_same_for_the_same_secret_and_salt(
    passwords: Passwords,
) -> None:
    first, again = [await passwords.digest(SPELLED, bytes(32)) for _ in range(2)]
    assert first == again
    assert first != await passwords.digest("another", bytes(32))
    assert first != await passwords.digest(SPELLED, bytes([1] * 32))
