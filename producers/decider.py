"""The decider: what may happen (decide) and what has happened (evolve), as one value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Generic, Literal, TypeVar

from schemas.log.messages import Command, Event, Fault

C = TypeVar("C", bound=Command)
S = TypeVar("S")
E = TypeVar("E", bound=Event)

RefusalStatus = Literal[402, 403, 404, 409, 410, 412, 422]


class Rejected(Exception):  # noqa: N818 - a refusal is an answer, not an error
    """The rules forbid the command; `reason` is a stable code for clients."""

    def __init__(
        self, reason: str, status: RefusalStatus = 409, faults: Sequence[Fault] = ()
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Decider(Generic[C, S, E]):
    """The rules of one kind of stream. Both functions are pure; evolve never refuses."""

    initial: S
    decide: Callable[[C, S], Sequence[E]]
    evolve: Callable[[S, E], S]

    def fold(self, history: Iterable[E]) -> S:
        """The state that a history leads to."""
        return reduce(self.evolve, history, self.initial)
