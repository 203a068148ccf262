"""What one place was searched for, and what was found there."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from cli.erasing.needles import Needles

FOUND_MAX = 100  # told a place: one is too many already


@dataclass
class Searched:
    """One place: how much of it was read, where something was found, and what of it could not
    be searched. A place is clean when all of it was read and nothing was found.
    """

    place: str
    of_what: str  # what `count` counts
    count: int = 0
    size: int = 0  # bytes read
    found: list[str] = field(default_factory=list)  # where, and which value in which form
    unsearched: list[str] = field(default_factory=list)  # what, and why

    @property
    def clean(self) -> bool:
        """Whether it is shown that nothing is here."""
        return not self.found and not self.unsearched

    def look(self, where: str, data: bytes, needles: Needles) -> None:
        """Search one thing."""
        self.look_through(where, [data], needles)

    def look_through(self, where: str, pieces: Iterable[bytes], needles: Needles) -> None:
        """Search one thing that comes in pieces."""
        self.add(where, *needles.found_in_pieces(pieces))

    def add(self, where: str, size: int, names: Collection[str]) -> None:
        """Note one thing that was searched, and which forms it holds."""
        self.count += 1
        self.size += size
        if names and len(self.found) < FOUND_MAX:
            self.found.append(f"{where}: {', '.join(sorted(names))}")

    def could_not(self, what: str, error: BaseException | str) -> None:
        """Note what could not be searched. Of errors only the kind: texts may quote data."""
        why = error if isinstance(error, str) else type(error).__name__
        self.unsearched.append(f"{what}: {why}")
