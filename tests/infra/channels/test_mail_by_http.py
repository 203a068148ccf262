"""Mail over providers' APIs: what SendGrid and SES are asked, and what their recorded answers mean."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from typing import Any
from uuid import UUID, uuid4

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from infra.channels.errors import (
    ChannelRefusedError,
    ChannelUnavailableError,
)
from infra.channels.mail import EFFECT_HEADER
from infra.channels.ses import PATH, Signer
from tests.infra.channels.adapters import MAIL, PERSON, SECRET, adapter, sent
from tests.infra.channels.provider import Asked, Reply, provider

LINK = "https://market.example.org/api/search/alerts/unsubscribe/x"
SES_TAKEN = Reply(200, b'{"MessageId":"0102018a2c"}', ("Content-Type: application/json",))


async def asked_by(name: str, reply: Reply, effect_id: UUID, **other: str) -> Asked:
    async with provider() as server, adapter(name, server) as own:
        server.reply = reply
        await own.sender.send(replace(MAIL, **other), effect_id)
    (asked,) = server.asked
    return asked


async def refused_by(name: str, reply: Reply) -> Exception:
    async with provider() as server, adapter(name, server) as own:
        server.reply = reply
        with pytest.raises((ChannelRefusedError, ChannelUnavailableError)) as told:
            await sent(own)
    return told.value


async def test_NO_14_sendgrid_is_asked_as_its_reference_says() -> None:
    effect_id = uuid4()
    asked = await asked_by("sendgrid", Reply(202), effect_id, unsubscribe_url=LINK)
    assert asked.path == "/v3/mail/send"
    assert asked.headers["authorization"] == f"Bearer {SECRET}"
    assert asked.headers["content-type"] == "application/json"
    tracking = asked.json.pop("tracking_settings")
    assert asked.json | {"tracking_settings": tracking} == {
        "personalizations": [{"to": [{"email": MAIL.address, "name": PERSON}]}],
        "from": {"email": "no-reply@example.org", "name": "Marketmesh"},
        "subject": "Welcome",
        "content": [
            {"type": "text/plain", "value": "Hello\n"},
            {"type": "text/html", "value": "<p>Hello</p>\n"},
        ],
        "headers": {
            "Message-ID": f"<{effect_id}@example.org>",
            EFFECT_HEADER: str(effect_id),
            "Content-Language": "en",
            "List-Unsubscribe": f"<{LINK}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "Auto-Submitted": "auto-generated",
        },
        "tracking_settings": tracking,
    }
    # A link that resets a password must not lead over somebody else's server.
    assert {name: each["enable"] for name, each in tracking.items()} == {
        "click_tracking": False,
        "open_tracking": False,
        "subscription_tracking": False,
    }


async def test_NO_14_ses_is_given_the_whole_mail_as_we_compose_it() -> None:
    effect_id = uuid4()
    asked = await asked_by("ses", SES_TAKEN, effect_id, unsubscribe_url=LINK)
    assert (asked.method, asked.path) == ("POST", PATH)
    assert set(asked.json) == {"Content"}
    raw = b64decode(asked.json["Content"]["Raw"]["Data"])
    mail = message_from_bytes(raw, policy=default)
    assert (mail["To"], mail["Subject"]) == (f"{PERSON} <{MAIL.address}>", "Welcome")
    assert mail[EFFECT_HEADER] == str(effect_id)
    assert mail["List-Unsubscribe"] == f"<{LINK}>"


async def test_ses_writes_to_no_mailbox_beyond_ascii() -> None:
    async with provider() as server, adapter("ses", server) as own:
        with pytest.raises(ChannelRefusedError):
            await own.sender.send(replace(MAIL, address="jürgen@example.org"), uuid4())
    assert server.asked == []


@pytest.mark.parametrize("body", [b"", b"{}", "ආයුබෝවන්".encode()])
@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1"])
def test_a_signature_is_that_of_amazons_own_client(body: bytes, region: str) -> None:
    """botocore signs the same request, with the time that ours has."""
    url = f"https://email.{region}.amazonaws.com{PATH}"
    ours = Signer("AKIDEXAMPLE", SECRET, region).headers(url, body, datetime.now(UTC))
    signer = SigV4Auth(Credentials("AKIDEXAMPLE", SECRET), "ses", region)
    request = AWSRequest("POST", url, headers={"Content-Type": "application/json"}, data=body)
    request.context["timestamp"] = ours["X-Amz-Date"]
    request.headers["Host"] = ours["Host"]
    request.headers["X-Amz-Date"] = ours["X-Amz-Date"]
    theirs = signer.signature(
        signer.string_to_sign(request, signer.canonical_request(request)), request
    )
    assert ours["Authorization"].rpartition("Signature=")[2] == theirs
    assert f"/{region}/ses/aws4_request, SignedHeaders=content-type;host;x-amz-date," in str(ours)


def sendgrid_error(status: int, message: str, field: str | None) -> Reply:
    told: dict[str, Any] = {"errors": [{"message": message, "field": field, "help": None}]}
    return Reply(status, json.dumps(told).encode(), ("Content-Type: application/json",))


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (
            sendgrid_error(400, f"Does not contain a valid address: {MAIL.address}.", "to"),
            ChannelRefusedError,
        ),
        (sendgrid_error(413, "The JSON payload is too large.", None), ChannelRefusedError),
        (
            sendgrid_error(401, "The provided authorization grant is invalid", None),
            ChannelUnavailableError,
        ),
        (
            sendgrid_error(403, "The from address does not match a verified Sender", "from"),
            ChannelUnavailableError,
        ),
        (sendgrid_error(429, "too many requests", None), ChannelUnavailableError),
        (sendgrid_error(500, "internal", None), ChannelUnavailableError),
    ],
    ids=lambda each: str(each.status) if isinstance(each, Reply) else each.__name__,
)
async def test_what_sendgrid_answers_decides_whether_to_try_again(
    reply: Reply, expected: type[Exception]
) -> None:
    assert type(await refused_by("sendgrid", reply)) is expected


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (400, "MessageRejected", ChannelRefusedError),
        (400, "MessageRejected:http://internal.amazon.com/coral/", ChannelRefusedError),
        (400, "BadRequestException", ChannelRefusedError),
        (400, "MailFromDomainNotVerifiedException", ChannelUnavailableError),
        (400, "SendingPausedException", ChannelUnavailableError),
        (400, "AccountSuspendedException", ChannelUnavailableError),
        (400, "LimitExceededException", ChannelUnavailableError),
        (403, "SignatureDoesNotMatch", ChannelUnavailableError),
        (404, "NotFoundException", ChannelUnavailableError),
        (413, "", ChannelRefusedError),
        (429, "TooManyRequestsException", ChannelUnavailableError),
        (500, "InternalFailure", ChannelUnavailableError),
    ],
)
async def test_what_ses_answers_decides_whether_to_try_again(
    status: int, kind: str, expected: type[Exception]
) -> None:
    told = json.dumps({"message": f"Email address is not verified: {MAIL.address}"}).encode()
    headers = (f"x-amzn-ErrorType: {kind}",) if kind else ()
    assert type(await refused_by("ses", Reply(status, told, headers))) is expected
