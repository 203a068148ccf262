"""The channels that the settings name, opened together and closed together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from infra.channels.mail import Mailer, SmtpMailer
from infra.channels.push import Pushers, PushSender
from infra.channels.sms import SmsSender
from infra.settings import Settings


@dataclass(frozen=True)
class Channels:
    """Mail always; what else is set up: `sms` may be None, and `push.kinds` empty."""

    mailer: Mailer
    sms: SmsSender | None
    push: PushSender


@asynccontextmanager
async def open_channels(settings: Settings) -> AsyncIterator[Channels]:
    """What people are told by; connects nowhere before its first use."""
    yield Channels(SmtpMailer(settings), None, Pushers({}))
