"""Every adapter that speaks HTTP, as its tests have it: set up against a provider on loopback."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from infra.channels.fcm import Fcm
from infra.channels.mail import Message
from infra.channels.posting import Poster
from infra.channels.push import DeviceSubscription, PushMessage, WebSubscription
from infra.channels.sendgrid import SendGridMailer
from infra.channels.ses import SesMailer
from infra.channels.sms import Sms
from infra.channels.twilio import TwilioSms
from infra.channels.web_push import WebPush
from infra.channels.web_push_body import encoded
from infra.fetching import Fetcher, GuardedNetwork
from tests.infra.channels.given import settings_with
from tests.infra.channels.provider import Provider, Reply

ACCOUNT = "AC" + "0" * 32
SECRET, PERSON = "s3cretCanary", "canary-person"
NUMBER = "+94771234567"
AUTH = b"0123456789abcdef"
BROWSER = ec.generate_private_key(ec.SECP256R1())
SMS = Sms(NUMBER, f"{PERSON} wrote to you")
PUSH = PushMessage("New message", f"{PERSON} wrote to you", url="/chats/1")
MAIL = Message(f"{PERSON}@example.org", PERSON, "Welcome", "Hello\n", "<p>Hello</p>\n", "en")
DEVICE = DeviceSubscription(f"{PERSON}:APA91b")
TOKEN_REPLY = Reply(
    200, json.dumps({"access_token": SECRET, "expires_in": 3599, "token_type": "Bearer"}).encode()
)


@dataclass(frozen=True)
class Adapter:
    """One adapter and its provider. `send` sends something to somebody."""

    name: str
    provider: Provider
    sender: Any
    send: Callable[[UUID], Awaitable[None]]


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def browser_at(place: str) -> WebSubscription:
    public = b64(encoded(BROWSER.public_key()))
    return WebSubscription(f"https://{place}/push/{PERSON}", public, b64(AUTH))


@cache
def service_key() -> str:
    key = rsa.generate_private_key(65_537, 2_048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def service_account(url: str) -> str:
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "market",
            "private_key_id": "k1",
            "private_key": service_key(),
            "client_email": "push@market.iam.gserviceaccount.com",
            "token_uri": f"{url}/token",
        }
    )


def settings_of(name: str, own: Provider) -> Any:
    given: dict[str, dict[str, Any]] = {
        "twilio": {
            "sms_via": "twilio",
            "twilio_account": ACCOUNT,
            "twilio_token": SECRET,
            "twilio_from": "+15005550006",
            "twilio_url": own.url,
        },
        "sendgrid": {"mail_via": "sendgrid", "sendgrid_key": SECRET, "sendgrid_url": own.url},
        "ses": {
            "mail_via": "ses",
            "ses_region": "eu-west-1",
            "ses_access_key": "AKIDEXAMPLE",
            "ses_secret_key": SECRET,
            "ses_url": own.url,
        },
        "fcm": {"fcm_account": service_account(own.url), "fcm_url": own.url},
        "web": {"vapid_key": b64((7).to_bytes(32)), "push_hosts": "localhost"},
    }
    return settings_with(**given[name])


@asynccontextmanager
async def adapter(name: str, own: Provider, timeout_s: float = 5.0) -> AsyncIterator[Adapter]:
    settings = settings_of(name, own)
    place = f"localhost:{own.port}"
    network = GuardedNetwork(Fetcher(exempt=frozenset({place}))) if name == "web" else None
    poster = Poster(network, timeout_s)
    try:
        yield _made(name, own, settings, poster)
    finally:
        await poster.aclose()


def _made(name: str, own: Provider, settings: Any, poster: Poster) -> Adapter:
    match name:
        case "twilio":
            sms = TwilioSms(settings, poster)
            return Adapter(name, own, sms, lambda effect_id: sms.send(SMS, effect_id))
        case "sendgrid" | "ses":
            mailer = (SendGridMailer if name == "sendgrid" else SesMailer)(settings, poster)
            return Adapter(name, own, mailer, lambda effect_id: mailer.send(MAIL, effect_id))
        case "fcm":
            own.replies["/token"] = TOKEN_REPLY
            fcm = Fcm(settings, poster)
            return Adapter(name, own, fcm, lambda effect_id: fcm.send(PUSH, DEVICE, effect_id))
    web, to = WebPush(settings, poster), browser_at(f"localhost:{own.port}")
    return Adapter(name, own, web, lambda effect_id: web.send(PUSH, to, effect_id))


async def sent(own: Adapter) -> UUID:
    effect_id = uuid4()
    await own.send(effect_id)
    return effect_id
