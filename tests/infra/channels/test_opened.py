"""Which channels the settings open, and what they need for it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from infra.channels.errors import ChannelRefusedError
from infra.channels.mail import SmtpMailer
from infra.channels.opened import open_channels, push_kinds
from infra.channels.outbox import SinkPush, SinkSms
from infra.channels.push import Pushers
from infra.channels.sendgrid import SendGridMailer
from infra.channels.ses import SesMailer
from infra.channels.twilio import TwilioSms
from infra.settings import SettingsError
from tests.infra.channels.adapters import ACCOUNT, PUSH, SECRET, b64, browser_at, service_account
from tests.infra.channels.given import settings_with
from tests.web import tripwire

SENDGRID = {"mail_via": "sendgrid", "sendgrid_key": SECRET}
SES = {
    "mail_via": "ses",
    "ses_region": "eu-west-1",
    "ses_access_key": "AKIDEXAMPLE",
    "ses_secret_key": SECRET,
}
TWILIO = {
    "sms_via": "twilio",
    "twilio_account": ACCOUNT,
    "twilio_token": SECRET,
    "twilio_from": "+15005550006",
}
VAPID = {"vapid_key": b64((7).to_bytes(32))}
FCM = {"fcm_account": service_account("http://127.0.0.1:1")}


async def test_NO_14_without_a_setting_there_is_mail_by_smtp_and_nothing_else() -> None:
    async with open_channels(settings_with()) as channels:
        assert isinstance(channels.mailer, SmtpMailer)
        assert channels.sms is None
        assert channels.push.kinds == push_kinds(settings_with()) == frozenset()


@pytest.mark.parametrize(("chosen", "expected"), [(SENDGRID, SendGridMailer), (SES, SesMailer)])
async def test_NO_14_mail_goes_by_whom_the_setting_names(
    chosen: dict[str, Any], expected: type
) -> None:
    async with open_channels(settings_with(**chosen)) as channels:
        assert isinstance(channels.mailer, expected)


@pytest.mark.parametrize(
    ("chosen", "expected"), [(TWILIO, TwilioSms), ({"sms_via": "sink"}, SinkSms)]
)
async def test_NO_14_sms_go_by_whom_the_setting_names(
    chosen: dict[str, Any], expected: type
) -> None:
    async with open_channels(settings_with(**chosen)) as channels:
        assert isinstance(channels.sms, expected)


@pytest.mark.parametrize(
    ("chosen", "kinds"),
    [(VAPID, {"web"}), (FCM, {"fcm"}), (VAPID | FCM, {"web", "fcm"})],
    ids=["web", "fcm", "both"],
)
async def test_NO_14_push_goes_where_there_are_keys(
    chosen: dict[str, Any], kinds: set[str]
) -> None:
    settings = settings_with(**chosen)
    async with open_channels(settings) as channels:
        assert isinstance(channels.push, Pushers)
        assert channels.push.kinds == push_kinds(settings) == kinds


async def test_the_sink_of_push_takes_every_kind_whatever_keys_there_are() -> None:
    settings = settings_with(push_via="sink", **VAPID)
    async with open_channels(settings) as channels:
        assert isinstance(channels.push, SinkPush)
        assert channels.push.kinds == push_kinds(settings) == {"web", "fcm"}


@pytest.mark.parametrize("port", ["", ":{port}"])
async def test_V1_3_6_what_browsers_name_is_asked_behind_the_guard(port: str) -> None:
    settings = settings_with(**VAPID, push_hosts="localhost")
    async with tripwire() as wire, open_channels(settings) as channels:
        to = browser_at("localhost" + port.format(port=wire.port))
        with pytest.raises(ChannelRefusedError):
            await channels.push.send(PUSH, to, uuid4())
    assert wire.rings == 0


@pytest.mark.parametrize(
    ("chosen", "name"),
    [(each, name) for each in (SENDGRID, SES, TWILIO) for name in each if not name.endswith("_via")],
    ids=lambda each: each if isinstance(each, str) else next(iter(each)),
)  # fmt: skip
def test_what_a_choice_needs_is_named_at_the_start(chosen: dict[str, Any], name: str) -> None:
    with pytest.raises(SettingsError, match=name.upper()) as told:
        settings_with(**{**chosen, name: ""})
    assert SECRET not in str(told.value)


@pytest.mark.parametrize("name", ["sendgrid_url", "ses_url", "twilio_url", "fcm_url"])
@pytest.mark.parametrize(
    "url", ["http://api.example.org", "https://a.example/path", "https://u:p@a.example", "a.example",
            "http://127.0.0.1.example.org:80", "https://a.example\n"]
)  # fmt: skip
def test_a_provider_is_never_asked_in_the_clear(name: str, url: str) -> None:
    with pytest.raises(SettingsError, match=name.upper()):
        settings_with(**{name: url})


@pytest.mark.parametrize("hosts", ["*", "https://fcm.googleapis.com", "a b", "10.0.0.0/8"])
def test_push_services_are_named_one_by_one(hosts: str) -> None:
    with pytest.raises(SettingsError, match="PUSH_HOSTS"):
        settings_with(push_hosts=hosts)


def test_no_secret_of_a_channel_shows_in_the_settings() -> None:
    settings = settings_with(**(SES | SENDGRID | TWILIO | FCM | VAPID))
    assert SECRET not in repr(settings)
    assert "PRIVATE KEY" not in repr(settings)
    assert VAPID["vapid_key"] not in repr(settings)
