"""Questions that come within one turn of the event loop, asked of a machine together.

Under load a round trip for each costs more processor time than everything that it is asked for;
without load a question goes out at once, alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

MOST = 500  # at a time

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Together(Generic[Question, Answer]):
    """`answers` gets at most MOST questions and gives as many answers, in their order; what it
    raises, everybody who asked gets.
    """

    def __init__(
        self, answers: Callable[[Sequence[Question]], Awaitable[Sequence[Answer]]]
    ) -> None:
        self._answers = answers
        self._waiting: list[tuple[Question, asyncio.Future[Answer]]] = []
        self._asking: set[asyncio.Task[None]] = set()

    async def ask(self, question: Question) -> Answer:
        """The answer."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._go)
        self._waiting.append((question, answer))
        return await answer

    def _go(self) -> None:
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), MOST):
            task = asyncio.create_task(self._ask(waiting[start : start + MOST]))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _ask(self, waiting: Sequence[tuple[Question, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._answers([question for question, _ in waiting])
        except BaseException as error:
            for _, answer in waiting:
                if not answer.done():
                    answer.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for (_, answer), found in zip(waiting, answers, strict=True):
            if not answer.done():  # whoever asked may have gone
                answer.set_result(found)
