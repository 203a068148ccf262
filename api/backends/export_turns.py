"""Who may take an export now: long answers, made one at a time, so that short ones stay quick."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field

from api.wire.problems import Problem


@dataclass
class ExportTurns:
    """The exports under way in this process: one a person, and of all of them one works at a time,
    a piece at a time. The others go on waiting with what they have, and hold nothing up.
    """

    _people: set[str] = field(default_factory=set)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def taking_turns(self, user_id: str, pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        """The pieces, each made in its turn; raises a 409 problem while the person's last export
        is still under way.
        """
        if user_id in self._people:
            raise Problem(409, "export_running", "Your last export is still under way: wait for it")
        return self._each(user_id, pieces)

    async def _each(self, user_id: str, pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        # Not before the answer begins: whoever has gone by then would never be done.
        self._people.add(user_id)
        try:
            while True:
                async with self._turn:
                    piece = await anext(pieces, None)
                if piece is None:
                    return
                yield piece
                await asyncio.sleep(0)
        finally:
            self._people.discard(user_id)
