"""How much is tried: less in `make test`, all of it in the targets that take their time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, TypeVar
from zlib import crc32

T = TypeVar("T")

FULL_SIZE: Final = "MESH_FULL_SIZE" in os.environ


def a_third(things: Sequence[T], name: str) -> Sequence[T]:
    """Every third of them, another third for another name, so that each is tried with some; all of
    them at full size.
    """
    return things if FULL_SIZE else things[crc32(name.encode()) % 3 :: 3]


def one_of(things: Sequence[T], name: str) -> Sequence[T]:
    """One of them, another for another name; all of them at full size."""
    return things if FULL_SIZE else [things[crc32(name.encode()) % len(things)]]
