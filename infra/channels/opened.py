"""The channels that the settings name, opened together and closed together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from infra.channels.fcm import Fcm
from infra.channels.mail import Mailer, SmtpMailer
from infra.channels.outbox import SinkPush, SinkSms, outbox
from infra.channels.posting import Poster
from infra.channels.push import Pushers, PushKind, PushSender
from infra.channels.sendgrid import SendGridMailer
from infra.channels.ses import SesMailer
from infra.channels.sms import SmsSender
from infra.channels.twilio import TwilioSms
from infra.channels.web_push import WebPush
from infra.fetching import Fetcher, GuardedNetwork
from infra.settings import Settings

_HTTPS = frozenset({443})


@dataclass(frozen=True)
class Channels:
    """Mail always; what else is set up: `sms` may be None, and `push.kinds` empty."""

    mailer: Mailer
    sms: SmsSender | None
    push: PushSender


@asynccontextmanager
async def open_channels(settings: Settings) -> AsyncIterator[Channels]:
    """What people are told by; connects nowhere before its first use. Raises SettingsError."""
    poster, guarded = Poster(), Poster(GuardedNetwork(Fetcher(ports=_HTTPS)))
    try:
        yield Channels(
            _mailer(settings, poster), _sms(settings, poster), _push(settings, poster, guarded)
        )
    finally:
        await poster.aclose()
        await guarded.aclose()


def push_kinds(settings: Settings) -> frozenset[PushKind]:
    """The kinds of subscription that can be sent to: others are of no use to anybody."""
    if settings.push_via == "sink":
        return SinkPush.kinds
    keys: dict[PushKind, SecretStr] = {"web": settings.vapid_key, "fcm": settings.fcm_account}
    return frozenset(kind for kind, key in keys.items() if key.get_secret_value())


def _mailer(settings: Settings, poster: Poster) -> Mailer:
    match settings.mail_via:
        case "smtp":
            return SmtpMailer(settings)
        case "sendgrid":
            return SendGridMailer(settings, poster)
        case "ses":
            return SesMailer(settings, poster)


def _sms(settings: Settings, poster: Poster) -> SmsSender | None:
    match settings.sms_via:
        case "none":
            return None
        case "twilio":
            return TwilioSms(settings, poster)
        case "sink":
            return SinkSms(outbox())


def _push(settings: Settings, poster: Poster, guarded: Poster) -> PushSender:
    if settings.push_via == "sink":
        return SinkPush(settings, outbox())
    senders: dict[PushKind, PushSender] = {}
    kinds = push_kinds(settings)
    if "web" in kinds:
        senders["web"] = WebPush(settings, guarded)
    if "fcm" in kinds:
        senders["fcm"] = Fcm(settings, poster)
    return Pushers(senders)
