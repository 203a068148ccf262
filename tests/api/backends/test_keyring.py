"""The text of an API key: enough chance, one form, told apart from all else."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from api.backends.keyring import Keyring, new_key, parse_key
from api.wire.problems import StoreUnavailableError
from tests.api.operations import DOOR_OF

KEY_ID = UUID("01980000-0000-7000-8000-000000000003")


def test_NS_08_a_keys_text_has_one_form() -> None:
    assert re.fullmatch(r"mm_[A-Za-z0-9_-]{64}", new_key(KEY_ID).text)


def test_NS_08_no_two_keys_are_the_same() -> None:
    assert len({new_key(KEY_ID).text for _ in range(1_000)}) == 1_000


def test_NS_08_a_key_is_known_by_the_sha_256_of_its_text() -> None:
    key = new_key(KEY_ID)
    assert parse_key(key.text) == key
    assert key.hash == hashlib.sha256(key.text.encode()).hexdigest()


def test_NS_08_a_key_is_not_printed() -> None:
    key = new_key(KEY_ID)
    assert key.text not in repr(key) + str(key)


@pytest.mark.parametrize(
    "text",
    ["mm_", "mm_" + "A" * 63, "mm_" + "A" * 65, "mm_" + "é" * 64, "mm_" + "A" * 63 + "=",
     "mm_" + "+" * 64, " mm_" + "A" * 64],
)  # fmt: skip
def test_NS_08_what_is_no_key_is_none(text: str) -> None:
    assert parse_key(text) is None


def test_NS_08_no_key_makes_another_or_touches_an_account() -> None:
    personal = {name for name in DOOR_OF if "key" in name or "log_" in name or "session" in name}
    assert len(personal) > 10
    assert [name for name in personal if DOOR_OF[name].keys] == []


# Whose key it is.

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


class Rows:
    """A database with one key and its owner."""

    def __init__(self, key: dict[str, Any], user: dict[str, Any] | None) -> None:
        self._rows = {"reads.api_keys": key, "reads.users": user}

    async def fetchrow(self, query: str, *_: Any) -> Any:
        return next(row for table, row in self._rows.items() if table in query)


def ring(text: str, *, user: dict[str, Any] | None = None, cut: int = 0, **key: Any) -> Keyring:
    row = {
        "key": str(KEY_ID),
        "user_id": "somebody",
        "hash": hashlib.sha256(text.encode()).hexdigest(),
        "operations": "search suggest",
        "expires_at": NOW + HOUR,
        "revoked_at": None,
    }
    owner = {
        "role": "seller",
        "status": "active",
        "email_verified": True,
        "market": "campus",
        "version": 3,
    }
    rows = Rows(row | key, None if user == {} else owner | (user or {}))

    async def newest_cut(_: str) -> int:
        return cut

    return Keyring(rows, newest_cut, row_wait_s=0.0)  # type: ignore[arg-type]  # all that it asks for


async def test_GW_13_a_key_acts_as_its_owner_stands_now() -> None:
    text = new_key(KEY_ID).text
    holder = await ring(text).holder(text)
    assert holder is not None
    assert (holder.user_id, holder.role, holder.market) == ("somebody", "seller", "campus")
    assert holder.operations == {"search", "suggest"}


async def test_GW_13_an_owners_row_that_is_behind_lets_nobody_in() -> None:
    text = new_key(KEY_ID).text
    assert await ring(text, cut=3).holder(text) is not None
    with pytest.raises(StoreUnavailableError):
        await ring(text, cut=4).holder(text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"expires_at": NOW - HOUR},
        {"revoked_at": NOW},
        {"hash": "0" * 64},
        {"user": {"status": "banned"}},
        {"user": {"status": "deactivated"}},
        {"user": {"status": "deleted"}},
        {"user": {}},
    ],
)
async def test_GW_13_a_key_that_is_over_opens_nothing(wrong: dict[str, Any]) -> None:
    text = new_key(KEY_ID).text
    assert await ring(text, **wrong).holder(text) is None
