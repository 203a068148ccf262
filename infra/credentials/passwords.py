"""Password hashes: Argon2id or bcrypt 12, both accepted, one made. Hashing is slow on purpose
and takes memory, so it runs in a few threads with a bounded queue before them.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Semaphore
from typing import Literal, TypeVar

from argon2.low_level import Type, hash_secret_raw
from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher

ARGON2_LANES = 4
BCRYPT_ROUNDS = 12
BCRYPT_BYTES_MAX = 72  # bcrypt reads no further; what follows would not count
WORKERS = 2
WAITING_MAX = 16  # at some 200 ms each: whoever comes later would wait for over two seconds

# Of a digest, for its life: with other figures a repeat would look like another request.
DIGEST_KIB, DIGEST_PASSES, DIGEST_BYTES, SALT_BYTES = 19_456, 2, 32, 16

T = TypeVar("T")
Scheme = Literal["argon2", "bcrypt"]


class PasswordsBusyError(Exception):
    """Too many passwords are being hashed already; try again soon."""


def prepared(password: str) -> str:
    """A password as it is hashed: the same letters are the same password however a keyboard
    composes them (RFC 8265, OpaqueString). Its case and width are the person's own.
    """
    spaced = "".join(" " if unicodedata.category(each) == "Zs" else each for each in password)
    return unicodedata.normalize("NFC", spaced)


def _spellings(password: str) -> list[str]:
    """The prepared password, and what else an older hash may be of: it was taken as it came."""
    others = (unicodedata.normalize(form, password) for form in ("NFC", "NFD"))
    return list(dict.fromkeys((prepared(password), password, *others)))


class _LongBcryptHasher(BcryptHasher):
    """bcrypt for passwords of any length: longer than 72 bytes, or with a NUL byte, they are
    hashed down first. Shorter ones are as everywhere, so imported hashes verify.
    """

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        return super().hash(_fitted(password), salt=salt)

    def verify(self, password: str | bytes, hash: str | bytes) -> bool:  # noqa: A002 - pwdlib's
        return super().verify(_fitted(password), hash)


def _fitted(password: str | bytes) -> bytes:
    text = password.encode() if isinstance(password, str) else password
    if len(text) <= BCRYPT_BYTES_MAX and b"\0" not in text:
        return text
    digest = hmac.digest(b"marketmesh long password", text, hashlib.sha384)
    return base64.b64encode(digest)  # 64 bytes without NUL


class Passwords:
    """Hashes and verifies in threads. `decoy` costs as much as verifying a real one.

    On the memory of an Argon2id hash and the passes over it depends what a guess at a stolen
    one costs.
    """

    def __init__(self, scheme: Scheme, *, memory_kib: int, passes: int) -> None:
        argon2 = Argon2Hasher(time_cost=passes, memory_cost=memory_kib, parallelism=ARGON2_LANES)
        bcrypt = _LongBcryptHasher(BCRYPT_ROUNDS)
        self._hash = PasswordHash((argon2, bcrypt) if scheme == "argon2" else (bcrypt, argon2))
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="passwords")
        self._room = Semaphore(WAITING_MAX)
        self._decoy_hash = self._hash.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """A new hash in the scheme of the settings; raises PasswordsBusyError."""
        return await self._in_thread(lambda: self._hash.hash(prepared(password)))

    async def verify(self, password: str, stored: str) -> tuple[bool, str | None]:
        """Whether it is the password, and its hash in the present scheme where the stored one
        is of another, or of another spelling; raises PasswordsBusyError.
        """
        return await self._in_thread(lambda: self._verify(password, stored))

    async def decoy(self, password: str) -> None:
        """Take the time that verifying takes, for somebody we don't know."""
        await self._in_thread(lambda: self._verify(password, self._decoy_hash))

    async def digest(self, secret: str, salt: bytes) -> str:
        """The same for the same secret and salt, and slow to try guesses on; raises
        PasswordsBusyError.
        """
        return await self._in_thread(
            lambda: hash_secret_raw(
                prepared(secret).encode(),
                salt[:SALT_BYTES],
                time_cost=DIGEST_PASSES,
                memory_cost=DIGEST_KIB,
                parallelism=ARGON2_LANES,
                hash_len=DIGEST_BYTES,
                type=Type.ID,
            ).hex()
        )

    def close(self) -> None:
        """Let the threads go; what waits is dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, password: str, stored: str) -> tuple[bool, str | None]:
        first, *others = _spellings(password)
        try:
            right, newer = self._hash.verify_and_update(first, stored)
            if right or not any(self._hash.verify(each, stored) for each in others):
                return right, newer
        except UnknownHashError:
            return False, None
        return True, self._hash.hash(first)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if not self._room.acquire(blocking=False):
            raise PasswordsBusyError
        hashing = self._threads.submit(work)
        # Once it is done, and not when whoever asked has gone: until then a thread is busy with it.
        hashing.add_done_callback(lambda _: self._room.release())
        return await asyncio.wrap_future(hashing)
