"""One bound for everything that a request waits for.

Each wait has a bound of its own, but a route waits more than once: bounds add up. So a request
has a time by which it is answered, whatever it waits for; then the answer is 503. What must know
how much of the time is left (a command tells the writer until when it may be done) asks `left`.
"""

from __future__ import annotations

import asyncio
from contextvars import Context, ContextVar, copy_context
from types import TracebackType

from starlette.types import Message, Receive

AGAIN_S = 0.1  # a clean-up that hangs as well is cut off after so long


class NoAnswerInTimeError(Exception):
    """What was asked takes longer than anybody waits: 503 with Retry-After."""


class AnswerWithin:
    """Everything inside the block ends within so many seconds; raises NoAnswerInTimeError where
    it does not. Some clients' clean-up waits for a server that is frozen, so it is interrupted,
    too.
    """

    def __init__(self, seconds: float) -> None:
        self._left_s = seconds
        self._interrupted = 0

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._loop = task, asyncio.get_running_loop()
        self._before = task.cancelling()
        self.resume()
        self._token = _NOW.set(self)

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        _NOW.reset(self._token)
        self._handle.cancel()
        asked_by_others = self._before
        for _ in range(self._interrupted):
            asked_by_others = self._task.uncancel()
        ours = self._interrupted and asked_by_others <= self._before
        if ours and isinstance(error, asyncio.CancelledError):
            raise NoAnswerInTimeError from error

    @property
    def left_s(self) -> float:
        """How long may be waited from now on."""
        return max(self._ends_at - self._loop.time(), 0.0)

    def pause(self) -> None:
        """Stop the clock: the client is to send the rest of its request."""
        self._left_s = self.left_s
        self._handle.cancel()

    def resume(self) -> None:
        """Let the clock run on."""
        self._ends_at = self._loop.time() + self._left_s
        self._handle = self._loop.call_at(self._ends_at, self._interrupt)

    def _interrupt(self) -> None:
        self._interrupted += 1
        self._task.cancel()
        self._handle = self._loop.call_later(AGAIN_S, self._interrupt)


_NOW: ContextVar[AnswerWithin | None] = ContextVar("answer_within", default=None)


def left(bound_s: float) -> float:
    """How long a wait may take that by itself may take `bound_s` seconds."""
    now = _NOW.get()
    return bound_s if now is None else min(bound_s, now.left_s)


def without_end() -> Context:
    """The present context without its request's time: for what is done for several requests at
    once. Each of them still is answered by its own.
    """
    context = copy_context()
    context.run(_NOW.set, None)
    return context


def waiting_for_the_client(receive: Receive) -> Receive:
    """`receive`, while which the clock stands still: how long a request may take to arrive is
    bounded by the server.
    """

    async def received() -> Message:
        now = _NOW.get()
        if now is None:
            return await receive()
        now.pause()
        try:
            return await receive()
        finally:
            now.resume()

    return received
