"""The mail port: one contract for the fake, for real SMTP and for providers' APIs, and what SMTP alone may do."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from aiosmtpd.smtp import SMTP, AuthResult, Envelope
from pydantic import SecretStr

from infra.channels import mail
from infra.channels.errors import (
    ChannelDeferredError,
    ChannelRefusedError,
    ChannelUnavailableError,
)
from infra.channels.mail import EFFECT_HEADER, Mailer, Message, SmtpMailer
from infra.channels.ses import SesMailer
from infra.settings import SettingsError
from infra.stack.servers.mail import mailbox
from tests.infra.channels.adapters import adapter
from tests.infra.channels.given import self_signed, settings_with
from tests.infra.channels.provider import Asked, provider
from tests.outbox import SENDER, Outbox, text_of
from tests.stack import local_stack, session_state

Sent = Callable[[UUID], list[EmailMessage]]


def message_to(address: str = "nimal@example.org", **other: str) -> Message:
    plain = Message(
        address=address,
        name="Nimal Perera",
        subject="Welcome",
        text="Hello\n",
        html="<p>Hello</p>\n",
        language="en",
    )
    return replace(plain, **other)


@dataclass(frozen=True)
class Port:
    """A mailer, and a look at what it has sent."""

    mailer: Mailer
    sent: Sent


@pytest_asyncio.fixture(params=["fake", "smtp", "sendgrid", "ses"])
async def port(request: pytest.FixtureRequest) -> AsyncIterator[Port]:
    if request.param == "fake":
        outbox = Outbox()
        yield Port(outbox, lambda wanted: _of(outbox.sent, wanted))
        return
    if request.param == "smtp":
        settings = local_stack({"mail"}).model_copy(update={"mail_from": SENDER})
        box = mailbox(session_state())
        yield Port(
            SmtpMailer(settings),
            lambda wanted: _of([each.message for each in reversed(box.newest(200))], wanted),
        )
        return
    async with provider() as server, adapter(request.param, server) as own:
        read = as_mail if request.param == "sendgrid" else in_full
        yield Port(own.sender, lambda wanted: _of([read(each) for each in server.asked], wanted))


def in_full(asked: Asked) -> EmailMessage:
    """A mail as SES is given it."""
    raw = b64decode(asked.json["Content"]["Raw"]["Data"])
    mail = message_from_bytes(raw, policy=default)
    assert isinstance(mail, EmailMessage)
    return mail


def as_mail(asked: Asked) -> EmailMessage:
    """A mail as SendGrid makes it of what it is given."""
    told = asked.json
    mail = EmailMessage(policy=default)
    for name, value in told["headers"].items():
        mail[name] = value
    ((to,),) = (each["to"] for each in told["personalizations"])
    local, _, domain = to["email"].rpartition("@")
    mail["To"] = Address(to["name"], local, domain)
    mail["From"] = f"{told['from']['name']} <{told['from']['email']}>"
    mail["Subject"] = told["subject"]
    (plain, html) = (each["value"] for each in told["content"])
    mail.set_content(plain)
    mail.add_alternative(html, subtype="html")
    return mail


def _of(mails: list[EmailMessage], wanted: UUID) -> list[EmailMessage]:
    return [each for each in mails if each[EFFECT_HEADER] == str(wanted)]


async def test_a_mail_arrives_as_text_and_as_html(port: Port) -> None:
    effect_id = uuid4()
    await port.mailer.send(message_to(), effect_id)
    (found,) = port.sent(effect_id)
    assert (text_of(found), text_of(found, "html")) == ("Hello\n", "<p>Hello</p>\n")
    assert found["To"] == "Nimal Perera <nimal@example.org>"
    assert found["From"] == SENDER
    assert found["Auto-Submitted"] == "auto-generated"


async def test_a_repeat_is_recognised_by_its_ids(port: Port) -> None:
    effect_id, other = uuid4(), uuid4()
    for each in (effect_id, effect_id, other):
        await port.mailer.send(message_to(), each)
    ids = [each["Message-ID"] for each in port.sent(effect_id)]
    assert ids == [f"<{effect_id}@example.org>"] * 2
    assert port.sent(other)[0]["Message-ID"] != ids[0]


@pytest.mark.parametrize("address", ["jürgen@example.org", "නිමල්@example.org", "straße@exämple.org"])
async def test_a_mailbox_of_any_letters_gets_its_mail(port: Port, address: str) -> None:
    effect_id = uuid4()
    if isinstance(port.mailer, SesMailer):  # it writes to none such, and says so
        with pytest.raises(ChannelRefusedError):
            await port.mailer.send(message_to(address), effect_id)
        return
    await port.mailer.send(message_to(address), effect_id)
    (found,) = port.sent(effect_id)
    (to,) = found["To"].addresses
    # The parser gives what stands in a header as UTF-8 (RFC 6532) byte by byte.
    read = to.addr_spec.encode(errors="surrogateescape").decode()
    assert (to.display_name, read) == ("Nimal Perera", address)


@pytest.mark.parametrize(
    ("name", "text"), [("නිමල් පෙරේරා", "ආයුබෝවන්"), ("நிமல் பெரேரா", "வணக்கம்"), ("Åsa", "Grüße")]
)
async def test_every_script_survives(port: Port, name: str, text: str) -> None:
    effect_id = uuid4()
    message = message_to(name=name, subject=text, text=f"{text}\n", html=f"<p>{text}</p>\n")
    await port.mailer.send(message, effect_id)
    (found,) = port.sent(effect_id)
    assert (found["Subject"], text_of(found)) == (text, f"{text}\n")
    assert found["To"].addresses[0].display_name == name


@pytest.mark.parametrize(
    "hostile",
    [
        {"address": "nimal@example.org\r\nBcc: eve@example.org"},
        {"address": "nimal@example.org, eve@example.org"},
        {"address": "nimal@example.org>\nRCPT TO:<eve@example.org"},
        {"address": "Nimal <nimal@example.org>"},
        {"subject": "Welcome\r\nBcc: eve@example.org"},
        {"subject": "Welcome\n\n<script>"},
        {"language": "en\r\nBcc: eve@example.org"},
    ],
    ids=lambda each: next(iter(each)),
)
@pytest.mark.asvs("V1.3.3")
async def test_NS_06_no_header_can_be_broken_out_of(port: Port, hostile: dict[str, str]) -> None:
    effect_id = uuid4()
    with pytest.raises(ChannelRefusedError) as refused:
        await port.mailer.send(message_to(**hostile), effect_id)
    assert "eve" not in str(refused.value)
    assert port.sent(effect_id) == []


@pytest.mark.parametrize(
    "name",
    [
        "Eve\r\nBcc: eve@example.org",
        'Eve" <eve@example.org>, "',
        "<eve@example.org>",
        "a\x00b",
        "é" * 500,
    ],
)
@pytest.mark.asvs("V1.3.3", "V5.4.2")
async def test_NS_06_a_hostile_name_stays_a_name(port: Port, name: str) -> None:
    effect_id = uuid4()
    await port.mailer.send(message_to(name=name), effect_id)
    (found,) = port.sent(effect_id)
    assert [each.addr_spec for each in found["To"].addresses] == ["nimal@example.org"]
    assert found["Bcc"] is None


async def test_a_line_with_a_dot_ends_no_mail(port: Port) -> None:
    effect_id = uuid4()
    text = "one\n.\nQUIT\n.two\n"
    await port.mailer.send(message_to(text=text), effect_id)
    (found,) = port.sent(effect_id)
    assert text_of(found) == text


async def test_a_domain_in_unicode_is_written_to_in_ascii(port: Port) -> None:
    effect_id = uuid4()
    await port.mailer.send(message_to("nimal@exämple.org"), effect_id)
    (found,) = port.sent(effect_id)
    assert found["To"].addresses[0].addr_spec == "nimal@xn--exmple-cua.org"


def test_a_message_shows_nobody_in_a_traceback() -> None:
    assert "nimal" not in repr(message_to()).lower()


# What only SMTP can do.


@dataclass
class Server:
    """A scripted server: `answers` by verb; `took` is what it was given."""

    answers: dict[str, str] = field(default_factory=dict)
    took: list[Envelope] = field(default_factory=list)
    logins: list[tuple[bytes, bool]] = field(default_factory=list)  # user, over TLS
    port: int = 0

    async def handle_RCPT(
        self, _server: Any, _session: Any, envelope: Any, to: str, _o: Any
    ) -> str:
        envelope.rcpt_tos.append(to)
        return self.answers.get("RCPT", "250 ok")

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.took.append(envelope)
        return self.answers.get("DATA", "250 ok")

    def log_in(
        self, server: Any, _session: Any, _envelope: Any, _how: str, data: Any
    ) -> AuthResult:
        self.logins.append((data.login, server.transport.get_extra_info("sslcontext") is not None))
        return AuthResult(success=data.password == b"right", handled=False)


@asynccontextmanager
async def serving(
    server: Server, *, tls: str = "none", context: Any = None
) -> AsyncIterator[Server]:
    def dialogue() -> SMTP:
        return SMTP(
            server,
            hostname="localhost",
            tls_context=context if tls == "starttls" else None,
            require_starttls=tls == "starttls",
            auth_require_tls=tls == "starttls",
            authenticator=server.log_in if context else None,
        )

    loop = asyncio.get_running_loop()
    opened = await loop.create_server(
        dialogue, "127.0.0.1", 0, ssl=context if tls == "tls" else None
    )
    server.port = opened.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        opened.close()


def mailer_to(server: Server, **other: Any) -> SmtpMailer:
    address = {"smtp_host": "localhost", "smtp_port": server.port, "smtp_security": "none"}
    return SmtpMailer(settings_with(**(address | other)))


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A certificate for localhost that this test's clients trust."""
    context, certificate = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return context


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_it_encrypts_and_only_then_logs_in(trusted: ssl.SSLContext, security: str) -> None:
    async with serving(Server(), tls=security, context=trusted) as server:
        login = {"smtp_user": "mesh", "smtp_password": SecretStr("right")}
        await mailer_to(server, smtp_security=security, **login).send(message_to(), uuid4())
    assert server.logins == [(b"mesh", True)]
    assert [each.rcpt_tos for each in server.took] == [["nimal@example.org"]]
    assert server.took[0].mail_from == "no-reply@example.org"


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_that_nobody_vouches_for_gets_no_mail(
    tmp_path: Path, security: str
) -> None:
    context, _ = self_signed(tmp_path)
    async with serving(Server(), tls=security, context=context) as server:
        with pytest.raises(ChannelUnavailableError):
            await mailer_to(server, smtp_security=security).send(message_to(), uuid4())
    assert server.took == []


async def test_a_server_without_starttls_gets_no_mail_in_the_clear() -> None:
    async with serving(Server()) as server:
        with pytest.raises(ChannelUnavailableError):
            await mailer_to(server, smtp_security="starttls").send(message_to(), uuid4())
    assert server.took == []


async def test_a_wrong_password_means_that_mails_wait(trusted: ssl.SSLContext) -> None:
    async with serving(Server(), tls="starttls", context=trusted) as server:
        login = {"smtp_user": "mesh", "smtp_password": SecretStr("wrong")}
        with pytest.raises(ChannelUnavailableError) as told:
            await mailer_to(server, smtp_security="starttls", **login).send(message_to(), uuid4())
    assert "wrong" not in str(told.value)


@pytest.mark.parametrize(
    ("verb", "answer", "expected"),
    [
        ("RCPT", "550 no such nimal@example.org", ChannelRefusedError),
        ("RCPT", "450 nimal@example.org has no room", ChannelDeferredError),
        ("DATA", "554 we don't like it", ChannelRefusedError),
        ("DATA", "451 later", ChannelDeferredError),
        ("DATA", "421 going down", ChannelDeferredError),
    ],
)
async def test_what_the_server_answers_decides_whether_to_try_again(
    verb: str, answer: str, expected: type[Exception]
) -> None:
    async with serving(Server({verb: answer})) as server:
        with pytest.raises(expected) as told:
            await mailer_to(server).send(message_to(), uuid4())
    assert "nimal" not in str(told.value)


async def test_an_address_that_the_server_cannot_write_is_refused() -> None:
    async with serving(Server()) as server:
        with pytest.raises(ChannelRefusedError):
            await mailer_to(server).send(message_to("nimäl@example.org"), uuid4())


async def test_nobody_there_means_that_mails_wait() -> None:
    async with serving(Server()) as server:
        pass
    with pytest.raises(ChannelUnavailableError):
        await mailer_to(server).send(message_to(), uuid4())
    with pytest.raises(ChannelUnavailableError):
        await SmtpMailer(settings_with(smtp_host="")).send(message_to(), uuid4())


async def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "CONNECT_TIMEOUT_S", 0.05)
    silent = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    try:
        server = Server(port=silent.sockets[0].getsockname()[1])
        with pytest.raises(ChannelUnavailableError):
            await asyncio.wait_for(mailer_to(server).send(message_to(), uuid4()), 5)
    finally:
        silent.close()


def test_mails_in_the_clear_are_for_development_only() -> None:
    plain = {"smtp_host": "mail.example.org", "smtp_security": "none"}
    assert settings_with(**plain).smtp_host == "mail.example.org"
    with pytest.raises(SettingsError, match="SMTP_SECURITY must be"):
        settings_with(**plain, mode="production")
    with pytest.raises(SettingsError, match="SMTP_SECURITY must be"):
        settings_with(**plain, smtp_user="mesh")


@pytest.mark.parametrize("sender", ["no address", "A <a@b\r\nBcc: c@d>", "a@b>", "A <a@b> C"])
def test_a_sender_that_is_none_is_refused_at_the_start(sender: str) -> None:
    with pytest.raises(SettingsError, match="MAIL_FROM"):
        settings_with(mail_from=sender)
