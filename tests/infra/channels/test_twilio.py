"""SMS: one contract for Twilio and for the sink, and what Twilio's recorded answers mean."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from infra.channels.errors import (
    ChannelRefusedError,
    ChannelUnavailableError,
)
from infra.channels.outbox import Outbox, SinkSms
from infra.channels.posting import Poster
from infra.channels.sms import TEXT_LENGTH_MAX, Sms, SmsSender
from infra.channels.twilio import TwilioSms
from tests.infra.channels.adapters import (
    ACCOUNT,
    NUMBER,
    PERSON,
    SECRET,
    SMS,
    adapter,
    sent,
    settings_of,
)
from tests.infra.channels.provider import Provider, Reply, provider

PATH = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
SERVICE = "MG" + "a" * 32
# As Twilio's reference shows it, of a message that has just been queued.
QUEUED = {
    "account_sid": ACCOUNT,
    "api_version": "2010-04-01",
    "body": SMS.text,
    "date_created": "Thu, 24 Aug 2023 05:01:45 +0000",
    "date_sent": None,
    "direction": "outbound-api",
    "error_code": None,
    "error_message": None,
    "from": "+15005550006",
    "messaging_service_sid": None,
    "num_media": "0",
    "num_segments": "1",
    "price": None,
    "sid": "SM" + "0" * 32,
    "status": "queued",
    "to": NUMBER,
    "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Messages/SM{'0' * 32}.json",
}


def refusal(code: int, status: int = 400) -> Reply:
    told = {
        "code": code,
        "message": f"The 'To' number {NUMBER} is not a valid phone number.",
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return Reply(status, json.dumps(told).encode())


@dataclass(frozen=True)
class Port:
    """A sender, and a look at what it has sent: numbers and texts."""

    sender: SmsSender
    sent: Callable[[], list[tuple[str, str]]]


@pytest_asyncio.fixture(params=["sink", "twilio"])
async def port(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Port]:
    if request.param == "sink":
        box = Outbox(tmp_path / "outbox")
        yield Port(SinkSms(box), lambda: [(each.to, each.text) for each in box.newest()])
        return
    async with provider() as server, adapter("twilio", server) as own:
        server.reply = Reply(201, json.dumps(QUEUED).encode())
        yield Port(own.sender, lambda: [(each["To"], each["Body"]) for each in forms(server)])


def forms(server: Provider) -> list[dict[str, str]]:
    return [each.form for each in server.of(PATH)]


@pytest.mark.parametrize("text", ["Your code is 123456", "ආයුබෝවන්", "வணக்கம்", "a&b=c+d%20\n🙂"])
async def test_NO_02_an_sms_comes_to_its_number_as_it_was_written(port: Port, text: str) -> None:
    await port.sender.send(Sms(NUMBER, text), uuid4())
    assert port.sent() == [(NUMBER, text)]


@pytest.mark.parametrize(
    "number",
    ["", "0771234567", "+", "+0771234567", "+94 77 123", "+1234567890123456", "+9477123456٣",
     f"{NUMBER}\n", f"{NUMBER}&To=+1", "whatsapp:+94771234567"],
)  # fmt: skip
async def test_what_is_no_number_gets_nothing(port: Port, number: str) -> None:
    with pytest.raises(ChannelRefusedError) as told:
        await port.sender.send(Sms(number, "Hello"), uuid4())
    assert "7712" not in str(told.value)
    assert port.sent() == []


@pytest.mark.parametrize("text", ["", " \n", "x" * (TEXT_LENGTH_MAX + 1)])
async def test_a_text_that_nobody_takes_is_refused(port: Port, text: str) -> None:
    with pytest.raises(ChannelRefusedError):
        await port.sender.send(Sms(NUMBER, text), uuid4())
    assert port.sent() == []


async def test_the_longest_text_is_taken(port: Port) -> None:
    await port.sender.send(Sms(NUMBER, "x" * TEXT_LENGTH_MAX), uuid4())
    assert [len(text) for _, text in port.sent()] == [TEXT_LENGTH_MAX]


def test_an_sms_shows_nobody_in_a_traceback() -> None:
    assert NUMBER not in repr(SMS)
    assert PERSON not in repr(SMS)


# What only Twilio says.


async def test_NO_14_twilio_is_asked_as_its_reference_says() -> None:
    async with provider() as server, adapter("twilio", server) as own:
        server.reply = Reply(201, json.dumps(QUEUED).encode())
        await sent(own)
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", PATH)
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    expected = b64encode(f"{ACCOUNT}:{SECRET}".encode()).decode()
    assert asked.headers["authorization"] == f"Basic {expected}"
    assert asked.form == {"To": NUMBER, "Body": SMS.text, "From": "+15005550006"}


@pytest.mark.parametrize(
    ("sender", "field"), [(SERVICE, "MessagingServiceSid"), ("Market", "From"), ("MGroup", "From")]
)
async def test_a_messaging_service_is_named_as_one(sender: str, field: str) -> None:
    async with provider() as server:
        server.reply = Reply(201, json.dumps(QUEUED).encode())
        settings = settings_of("twilio", server).model_copy(update={"twilio_from": sender})
        poster = Poster()
        await TwilioSms(settings, poster).send(SMS, uuid4())
        await poster.aclose()
    assert forms(server) == [{"To": NUMBER, "Body": SMS.text, field: sender}]


@pytest.mark.parametrize("code", [21211, 21408, 21604, 21608, 21610, 21612, 21614, 21617])
async def test_what_twilio_says_of_a_number_is_final(code: int) -> None:
    async with provider() as server, adapter("twilio", server) as own:
        server.reply = refusal(code)
        with pytest.raises(ChannelRefusedError, match=f"^Twilio answered 400, code {code}$"):
            await sent(own)


@pytest.mark.parametrize(
    "reply",
    [refusal(20003, 401), refusal(20404, 404), refusal(20429, 429), refusal(21606), refusal(21659),
     refusal(21701), refusal(20005), refusal(21611), refusal(20003, 403)],
    ids=lambda each: f"{each.status}-{json.loads(each.body)['code']}",
)  # fmt: skip
async def test_what_twilio_says_of_ourselves_is_an_outage(reply: Reply) -> None:
    async with provider() as server, adapter("twilio", server) as own:
        server.reply = reply
        with pytest.raises(ChannelUnavailableError):
            await sent(own)
