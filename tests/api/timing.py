"""Whether answers to two kinds of questions can be told apart by their time.

Asked in turn, so that whatever else the machine does befalls both. What counts is how often one
kind takes longer than the other, over all pairs: no outlier and no slow minute moves that.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Sequence
from math import sqrt

# `make timing` asks for a thousand pairs.
PAIRS = int(os.environ.get("MESH_TIMING_PAIRS", "60"))
LEAD_MAX = 0.1  # who bets on the slower kind wins six times of ten at the most
SIGMAS = 4.0  # that chance alone leads further in so few pairs: once in 15,000 runs

Question = Callable[[], Awaitable[object]]


def lead(first: Sequence[float], second: Sequence[float]) -> float:
    """How much more often than half of the time a `first` is longer than a `second`: from -0.5,
    never, to 0.5, always.
    """
    ordered = sorted(second)
    longer = sum((bisect_left(ordered, x) + bisect_right(ordered, x)) / 2 for x in first)
    return longer / (len(first) * len(second)) - 0.5


def lead_allowed(pairs: int) -> float:
    """What a lead may come to, with so few pairs."""
    return max(LEAD_MAX, SIGMAS * sqrt((2 * pairs + 1) / (12 * pairs**2)))


async def times(pairs: int, *questions: Question) -> list[list[float]]:
    """How long each question takes, asked in turn."""
    found: list[list[float]] = [[] for _ in questions]
    for _ in range(pairs):
        for question, taken in zip(questions, found, strict=True):
            began = time.perf_counter()
            await question()
            taken.append(time.perf_counter() - began)
    return found
