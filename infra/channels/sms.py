"""SMS: one port, `SmsSender.send(sms, effect_id)`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from infra.channels.errors import ChannelRefusedError

TEXT_LENGTH_MAX = 1_600  # characters: ten messages' worth, and the most that Twilio takes
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")  # E.164


@dataclass(frozen=True)
class Sms:
    """One text to one person."""

    number: str  # E.164: +94771234567
    text: str

    def __repr__(self) -> str:
        return "Sms(…)"  # it is all personal, and a repr ends up in logs


class SmsSender(Protocol):
    """Sends SMS."""

    async def send(self, sms: Sms, effect_id: UUID) -> None:
        """Return when the provider has taken it; raises one of infra.channels.errors."""
        ...


def checked(sms: Sms) -> Sms:
    """The same one; raises ChannelRefusedError for what no provider would take."""
    if not _NUMBER.fullmatch(sms.number):
        reason = "the number is none in E.164's form"
        raise ChannelRefusedError(reason)
    if not sms.text.strip():
        reason = "the text is empty"
        raise ChannelRefusedError(reason)
    if len(sms.text) > TEXT_LENGTH_MAX:
        reason = f"the text has more than {TEXT_LENGTH_MAX} characters"
        raise ChannelRefusedError(reason)
    return sms
