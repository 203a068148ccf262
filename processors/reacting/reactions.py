"""Reactions: which event leads to which commands. Pure; the lanes send them.

def confirm_email(recorded: Recorded[UserRegistered]) -> Sequence[Command]:
return [ConfirmEmail(..., **asked("confirm_email", recorded))]

CONFIRM_EMAIL = Reaction("confirm_email", (UserRegistered,), confirm_email)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from processors.reacting.commands import following
from processors.reacting.effects import Tools
from processors.reacting.handlers import Handler
from schemas.log.messages import Command, Role
from schemas.log.recorded import CommandEnvelope, Recorded


@dataclass(frozen=True)
class Reaction(Handler):
    """The commands that follow from the events it hears. Asking twice is asking once, so its
    positions are kept seldom.
    """

    react: Callable[[Recorded[Any]], Sequence[Command]]
    within: ClassVar[timedelta | None] = None
    repeatable: ClassVar[bool] = True

    def envelopes(self, recorded: Recorded[Any]) -> list[CommandEnvelope]:
        """The commands, with ids that are the same whenever the event is heard again."""
        return following(self.name, recorded, self.react(recorded))

    async def run(self, recorded: Recorded[Any], tools: Tools) -> None:
        """Return when the broker has them."""
        await tools.commands.hand_over(self.envelopes(recorded))


def asked(reaction: str, recorded: Recorded[Any]) -> dict[str, Any]:
    """The fields that every command of a reaction has: asked when and because it was recorded."""
    return {
        "asked_at": recorded.recorded_at,
        "asked_by": f"reaction/{reaction}",
        "asked_role": Role.SYSTEM,
    }
