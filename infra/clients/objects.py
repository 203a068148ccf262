"""The object store: bytes by key. A folder on this machine by default, an S3 bucket by setting.

OBJECTS_URL says which: nothing, or `file:///folder`, `s3://bucket/folder`, `memory:///`. Keys are
ours, made of ids and hashes; a client's text is never part of one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, ObjectStore, S3Store

from infra.settings import Settings, state_folder

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

CONNECT_TIMEOUT_S = 2
ANSWER_TIMEOUT_S = 5
DELETE_TIMEOUT_S = 30  # of a whole folder
FILE_TIMEOUT_S = 30  # of a whole file, in parts that each have the other bounds
PART_BYTES = 5 * 1024 * 1024  # the least that S3 takes
_BOUNDS: ClientConfig = {
    "connect_timeout": timedelta(seconds=CONNECT_TIMEOUT_S),
    "timeout": timedelta(seconds=ANSWER_TIMEOUT_S),
}
_RETRIES: RetryConfig = {"max_retries": 2, "retry_timeout": timedelta(seconds=ANSWER_TIMEOUT_S)}


class ObjectsUnavailableError(Exception):
    """The object store can't be reached or does not do what it should; try again."""


class Objects:
    """Bytes by key. Every method raises ObjectsUnavailableError when the store is away."""

    def __init__(self, make: Callable[[], ObjectStore]) -> None:
        self._make = make

    @cached_property
    def _store(self) -> ObjectStore:
        """Made at its first use: a process starts whatever is down."""
        return self._make()

    async def put(self, key: str, data: bytes) -> None:
        """Keep these bytes, whole or not at all; what was under the key before is replaced."""
        async with _answering(ANSWER_TIMEOUT_S):
            await obstore.put_async(self._store, key, data)

    async def get(self, key: str) -> bytes | None:
        """The bytes under a key; None when there are none."""
        async with _answering(ANSWER_TIMEOUT_S):
            try:
                found = await obstore.get_async(self._store, key)
                return bytes(await found.bytes_async())
            except FileNotFoundError:
                return None

    async def put_file(self, key: str, file: IO[bytes]) -> None:
        """The same of a file's bytes from where it stands, of which few are in memory at once."""
        async with _answering(FILE_TIMEOUT_S):
            await obstore.put_async(
                self._store, key, file, chunk_size=PART_BYTES, max_concurrency=2
            )

    async def fetch(self, key: str, into: Path) -> bool:
        """Write the bytes under a key into a file, of which few are in memory at once; False when
        there are none.
        """
        async with _answering(FILE_TIMEOUT_S):
            try:
                found = await obstore.get_async(self._store, key)
            except FileNotFoundError:
                return False
            with into.open("wb") as file:
                async for part in found.stream(min_chunk_size=1024 * 1024):
                    file.write(part)
        return True

    async def size(self, key: str) -> int | None:
        """How many bytes are under a key; None when there is nothing."""
        async with _answering(ANSWER_TIMEOUT_S):
            try:
                return int((await obstore.head_async(self._store, key))["size"])
            except FileNotFoundError:
                return None

    async def part(self, key: str, begins: int, ends: int) -> bytes | None:
        """The bytes from one place to before another; None when there is nothing under the key."""
        async with _answering(ANSWER_TIMEOUT_S):
            try:
                found = await obstore.get_range_async(self._store, key, start=begins, end=ends)
            except FileNotFoundError:
                return None
            return bytes(found)

    async def delete(self, keys: Iterable[str]) -> None:
        """Take objects away; those that are not there are no fault."""
        async with _answering(DELETE_TIMEOUT_S):
            for key in keys:
                await self._delete(key)

    async def delete_folder(self, folder: str) -> int:
        """Take away everything whose key begins with `folder/`; how many that were. It looks again
        until nothing is left: something may have been kept there meanwhile.
        """
        count = 0
        async with _answering(DELETE_TIMEOUT_S):
            while found := await self._delete_once(folder):
                count += found
        return count

    async def _delete_once(self, folder: str) -> int:
        count = 0
        async for found in obstore.list(self._store, folder):
            for each in found:
                await self._delete(each["path"])
                count += 1
        return count

    async def everything(self) -> AsyncIterator[tuple[str, bytes]]:
        """Every object there is, key and bytes: for a search of the whole store."""
        keys: list[str] = []
        async with _answering(DELETE_TIMEOUT_S):
            async for found in obstore.list(self._store):
                keys += [each["path"] for each in found]
        for key in keys:
            data = await self.get(key)
            if data is not None:
                yield key, data

    async def _delete(self, key: str) -> None:
        # A local folder tells of what is missing, S3 does not.
        with suppress(FileNotFoundError):
            await obstore.delete_async(self._store, key)


def open_objects(settings: Settings) -> Objects:
    """The store that the settings name. Connects nowhere yet."""
    url = settings.objects_url
    if not url:
        folder = state_folder() / "objects"
        return Objects(lambda: LocalStore(folder, mkdir=True))
    if url.startswith("s3://"):
        return Objects(lambda: _s3(settings, url))
    if url.startswith("file://"):
        return Objects(lambda: LocalStore.from_url(url, mkdir=True))
    return Objects(MemoryStore)


def _s3(settings: Settings, url: str) -> ObjectStore:
    """What is not set is left to the environment and the machine's role, as AWS's clients do."""
    stated: S3Config = {}
    if settings.objects_endpoint:
        stated["endpoint"] = settings.objects_endpoint
    if settings.objects_region:
        stated["region"] = settings.objects_region
    if settings.objects_access_key:
        stated["access_key_id"] = settings.objects_access_key
        stated["secret_access_key"] = settings.objects_secret_key.get_secret_value()
    plain = settings.objects_endpoint.startswith("http://")
    bounds: ClientConfig = {**_BOUNDS, "allow_http": plain}
    return S3Store.from_url(url, config=stated, client_options=bounds, retry_config=_RETRIES)


@asynccontextmanager
async def _answering(timeout_s: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except (BaseError, OSError, TimeoutError) as error:
        # Its text may name keys: it stays here.
        raise ObjectsUnavailableError from error
