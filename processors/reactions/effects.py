"""Effects: what follows from an event outside the log, such as a mail.

    async def greet(recorded: Recorded[UserRegistered], tools: Tools) -> None:
        await tools.mailer.send(message, effect_id_of(recorded, "greet"))

    GREET = Effect("greet", (UserRegistered,), greet)

An effect runs at least once: a crash between the effect and its commit repeats it. So it hands
its id to the outside, or does what harms nobody when done twice. It runs never in a replay.
processors.reactions.effect_runner says how one is run, and what each of its errors leads to.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

import asyncpg

from infra.mail import Mailer
from infra.pictures import Pictures
from infra.settings import Settings
from infra.vault import Vault
from processors.reactions.commands import Commands
from schemas.messages import Event
from schemas.recorded import Recorded
from schemas.registry import kind_of
from schemas.topics import topics_of


class EffectRefusedError(Exception):
    """The event can never have its effect; the text says why, and nothing personal."""


class OutsideDownError(Exception):
    """The outside takes nothing now: the same call may succeed later."""


@dataclass(frozen=True)
class Tools:
    """What effects may use. Each does without the others: whoever needs one that is down waits.

    `postgres` connects at its first use and is small: short statements only.
    """

    settings: Settings
    postgres: asyncpg.Pool
    vault: Vault
    mailer: Mailer
    commands: Commands
    pictures: Pictures


@dataclass(frozen=True)
class Effect:
    """One effect of the events it hears. `name` is its consumer group and part of its effects'
    ids, so it never changes.

    `within`: an older event has this effect no more. A new effect hears the log from its
    beginning, and a broker forgets groups that sleep for long: nobody should be welcomed twice
    because of that. None: however old it is, what must be done must be done.

    `repeatable`: to run it again does no harm and costs little, so that its offsets are
    committed seldom. For what is heard often: a commit costs the broker more than an event.
    """

    name: str
    hears: tuple[type[Event], ...]
    run: Callable[[Recorded[Any], Tools], Awaitable[None]]
    within: timedelta | None = None
    repeatable: bool = False

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of events that it hears."""
        return frozenset(kind_of(each) for each in self.hears)

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that hold them."""
        return topics_of(*self.hears)

    def group(self, settings: Settings) -> str:
        """The consumer group: how far this effect has come. Of one set of stores: another has
        other people in its vault.
        """
        return f"mesh.{settings.store_prefix}effect.{self.name}"


def effect_id_of(recorded: Recorded[Any], name: str) -> UUID:
    """The id of an event's effect of that name, the same at every repeat."""
    return uuid5(UUID(recorded.event_id), name)
