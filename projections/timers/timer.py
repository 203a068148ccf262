"""What a timer is: the events that set and stop it, and the command that is asked for when due.

    LIFT_BAN = Timer("lift_ban", (UserBanned, UserUnbanned, UserDeleted), _until, _lift)

A due time is never kept by hand: it follows from the log like everything else, so that it is
replayed and verified, and gone when the event that voids it has happened. Whether the command still
fits is for its decider to say: between due and decided something may have happened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.log.messages import Command, Event
from schemas.log.recorded import Recorded


@dataclass(frozen=True)
class Timer:
    """One timer of each stream that sets it. `name` is part of its commands' ids, so it never
    changes.

    `due`: when an event that it hears says that the command is due; None: there is nothing (more)
    to wait for. `command`: what is asked for, of the stream's id and the fields that say who asks.
    """

    name: str
    hears: tuple[type[Event], ...]
    due: Callable[[Recorded[Any]], datetime | None]
    command: Callable[[str, Mapping[str, Any]], Command]
