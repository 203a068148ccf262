"""How many commands an import may have in flight: as many as are answered soon.

A mesh that is asked for more than it can do answers all of it late. Once answers come later than
they are waited for, each command is sent again while it is still in the log, and the more there
is to do the less gets done.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

FIRST = 64


@dataclass
class Window:
    """One sender's room. Each answer within `soon_s` seconds makes it larger by one, so that it
    doubles in the time of one answer, up to `most`; each later one makes it smaller by one.
    """

    most: int
    soon_s: float
    size: int = FIRST
    in_flight: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.size = min(self.size, self.most)

    async def enter(self) -> None:
        """Return when there is room for one more, and take it."""
        while self.in_flight >= self.size:
            self._changed.clear()
            await self._changed.wait()
        self.in_flight += 1

    def leave(self, took_s: float) -> None:
        """Give the room back, answered after so many seconds."""
        self.in_flight -= 1
        self.size = min(max(self.size + (1 if took_s < self.soon_s else -1), 1), self.most)
        self._changed.set()
