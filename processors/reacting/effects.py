"""Effects: what follows from an event outside the log, such as a mail.

    async def greet(recorded: Recorded[UserRegistered], tools: Tools) -> None:
        await tools.mailer.send(message, effect_id_of(recorded, "greet"))

    GREET = Effect("greet", (UserRegistered,), greet)

An effect runs at least once: a crash between the effect and its commit repeats it. So it hands
its id to the outside, or does what harms nobody when done twice. It runs never in a replay.
processors.reacting.lanes says how one is run, and what each of its errors leads to.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

import asyncpg
from opensearchpy import AsyncOpenSearch

from infra.channels.mail import Mailer
from infra.channels.push import PushSender
from infra.channels.sms import SmsSender
from infra.heartbeats import Heartbeats
from infra.pictures import Pictures
from infra.settings import Settings
from infra.sockets import Publisher
from infra.vault.vault import Vault
from infra.videos import Videos
from processors.reacting.commands import Commands
from processors.reacting.handlers import Handler
from schemas.log.recorded import Recorded


class EffectRefusedError(Exception):
    """The event can never have its effect; the text says why, and nothing personal."""


class OutsideDownError(Exception):
    """The outside takes nothing now: the same call may succeed later."""


@dataclass(frozen=True)
class Tools:
    """What effects may use. Each does without the others: whoever needs one that is down waits.

    `postgres` connects at its first use and is small: short statements only. `sms` is None where
    no provider is set up, and `push.kinds` names what is.
    """

    settings: Settings
    postgres: asyncpg.Pool
    vault: Vault
    mailer: Mailer
    sms: SmsSender | None
    push: PushSender
    commands: Commands
    pictures: Pictures
    videos: Videos
    opensearch: AsyncOpenSearch
    sockets: Publisher
    heartbeats: Heartbeats


@dataclass(frozen=True)
class Effect(Handler):
    """One effect of the events it hears.

    `within`: an older event has this effect no more. A new effect hears the log from its
    beginning: nobody should be welcomed years later because of that. None: however old it is,
    what must be done must be done.

    `repeatable`: to run it again does no harm and costs little, so that its positions are kept
    seldom. For what is heard often.
    """

    run: Callable[[Recorded[Any], Tools], Awaitable[None]]
    within: timedelta | None = None
    repeatable: bool = False


def effect_id_of(recorded: Recorded[Any], name: str) -> UUID:
    """The id of an event's effect of that name, the same at every repeat."""
    return uuid5(UUID(recorded.event_id), name)
