"""Waiting in tests: for a condition, with a bound. The one place where tests may sleep.

A sleep proves nothing: too short and the test is flaky, too long and it is slow. So tests
poll what they claim, and `let_pass` is only for time that is itself the input (a pause that a
fault run injects, a load that goes on for so long).
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")

# Generous, as what comes in time costs nothing: a busy machine starts a process in seconds.
TIMEOUT_S = 30.0
PAUSE_S = 0.02
PAUSE_MAX_S = 0.25


@overload
async def eventually(
    condition: Callable[[], Awaitable[T]], timeout_s: float = ..., what: str = ...
) -> T: ...


@overload
async def eventually(condition: Callable[[], T], timeout_s: float = ..., what: str = ...) -> T: ...


async def eventually(
    condition: Callable[[], T | Awaitable[T]], timeout_s: float = TIMEOUT_S, what: str = ""
) -> T:
    """The first truthy value of `condition()`, awaited where it can be; AssertionError, with the
    last value seen, when none came within `timeout_s` seconds. Exceptions pass through."""
    deadline, pause = time.monotonic() + timeout_s, PAUSE_S
    while True:
        found = condition()
        value: T = await found if inspect.isawaitable(found) else found
        if value:
            return value
        _fail_when_late(deadline, timeout_s, what or _name_of(condition), value)
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, PAUSE_MAX_S)


def eventually_blocking(
    condition: Callable[[], T], timeout_s: float = TIMEOUT_S, what: str = ""
) -> T:
    """The same for tests without an event loop."""
    deadline, pause = time.monotonic() + timeout_s, PAUSE_S
    while True:
        value = condition()
        if value:
            return value
        _fail_when_late(deadline, timeout_s, what or _name_of(condition), value)
        time.sleep(pause)
        pause = min(pause * 1.5, PAUSE_MAX_S)


async def quick_once(act: Callable[[], Awaitable[float]], within_s: float, tries: int = 3) -> None:
    """AssertionError unless one of so many `act()` takes less than `within_s` seconds; each
    returns how long it took. A busy machine may hold up one, not all.
    """
    took: list[float] = []
    while len(took) < tries:
        took.append(await act())
        if took[-1] < within_s:
            return
    message = f"never within {within_s} s; took {took}"
    raise AssertionError(message)


async def let_pass(seconds: float, *, because: str) -> None:
    """Let time pass that is an input of the test, `because` saying of what; never a proof."""
    assert because
    await asyncio.sleep(seconds)


def _fail_when_late(deadline: float, timeout_s: float, what: str, value: object) -> None:
    if time.monotonic() >= deadline:
        message = f"not within {timeout_s} s: {what}; last seen: {value!r}"
        raise AssertionError(message)


def _name_of(condition: Callable[[], object]) -> str:
    return getattr(condition, "__qualname__", repr(condition))
