"""Which event leads to which mail, to whom, and to whom not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from infra.channels.mail import EFFECT_HEADER
from infra.channels.push import Pushers
from infra.credentials.one_time_tokens import OneTimeTokens
from infra.settings import Settings
from infra.vault.vault import PersonKey
from processors.reacting.effects import EffectRefusedError, OutsideDownError, Tools, effect_id_of
from processors.reactions.mailing.mails import MAILING, reset_password, verify_email, welcome
from projections.profiles.user_preferences import UserPreferences
from schemas.identity import (
    EmailVerificationRequested,
    PasswordResetRequested,
    TokenPurpose,
    UserRegistered,
    UserStatus,
    user_stream,
)
from schemas.log.messages import Event, Language, Market, Role
from schemas.log.positions import Position
from schemas.log.recorded import Recorded
from tests.infra.channels.given import settings_with
from tests.outbox import Outbox, text_of

NOW = datetime.now(UTC)
ADDRESS, NAME = "nimal@example.org", "Nimal Perera"
LINK = re.compile(r"^https://market\.example\.org/(\S+)#token=(\S+)$", re.MULTILINE)


@dataclass
class Person:
    """Somebody in a vault and a read model of the test's own."""

    user_id: UUID = field(default_factory=uuid4)
    language: Language = Language.ENGLISH
    key: PersonKey | None = None
    row: dict[str, Any] | None = None
    preferences: dict[str, Any] | None = None
    reached: int = 0  # the read model's watermark
    templates: dict[str, dict[str, Any]] = field(
        default_factory=dict
    )  # said in shipped ones' stead

    def __post_init__(self) -> None:
        self.key = PersonKey(self.user_id, b"k" * 32)
        self.sealed = {
            "email_sealed": self.key.seal("email", ADDRESS),
            "name_sealed": self.key.seal("name", NAME),
        }
        self.row = {
            "key": str(self.user_id),
            "status": UserStatus.PENDING,
            "email_verified": False,
            "language": self.language,
            "version": 2,
            **self.sealed,
        }

    # The vault and the read model, as far as mails ask them.

    async def person(self, user_id: UUID) -> PersonKey | None:
        assert user_id == self.user_id
        return self.key

    async def fetchrow(self, query: str, *values: Any) -> Mapping[str, Any] | None:
        if "template_overrides" in query:
            return self.templates.get(values[0])
        return self.preferences if "user_preferences" in query else self.row

    async def fetchval(self, _query: str, *_values: Any) -> int | None:
        return self.reached

    def registered(self) -> Recorded[UserRegistered]:
        return recorded(
            UserRegistered(
                user_id=self.user_id,
                email_hash="0" * 64,
                role=Role.BUYER,
                market=Market.EXOTICS,
                language=self.language,
                registered_at=NOW,
                **self.sealed,
            ),
            version=1,
        )

    def asked(self, event_type: type[Any], *, lives: timedelta = timedelta(hours=1)) -> Any:
        event = event_type(
            user_id=self.user_id,
            token_id=uuid4(),
            token_hash="0" * 64,
            expires_at=NOW + lives,
            requested_at=NOW,
        )
        return recorded(event, version=2)


def recorded(event: Event, version: int) -> Any:
    return Recorded(
        event=event,
        event_id=str(uuid4()),
        kind=event.kind,
        stream_id=user_stream("x"),
        version=version,
        recorded_at=NOW,
        command_id="",
        index=0,
        count=1,
        correlation_id="",
        causation_id="",
        actor="",
        fingerprint="",
        writer_epoch=1,
        position=Position("events.identity", 3, 41),
    )


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


def tools(person: Person, outbox: Any, **settings: Any) -> Tools:
    given: Any = person
    base = {"frontend_url": "https://market.example.org/"}
    return Tools(
        settings=settings_with(**(base | settings)),
        postgres=given,
        vault=given,
        mailer=outbox,
        sms=None,
        push=Pushers({}),
        commands=None,  # type: ignore[arg-type]  # mails send none
        pictures=None,  # type: ignore[arg-type]  # nor draw any
        videos=None,  # type: ignore[arg-type]  # of either kind
        opensearch=None,  # type: ignore[arg-type]  # nor search
        sockets=None,  # type: ignore[arg-type]  # nor tell anybody live
        heartbeats=None,  # type: ignore[arg-type]  # nor ask who is there
    )


@pytest.mark.parametrize("language", Language)
async def test_NO_04_whoever_joins_is_welcomed_in_their_language(
    outbox: Outbox, language: Language
) -> None:
    person = Person(language=language)
    await welcome(person.registered(), tools(person, outbox))
    (mail,) = outbox.sent
    assert mail["Content-Language"] == language
    assert mail["To"].addresses[0].addr_spec == ADDRESS
    assert NAME in text_of(mail)


@pytest.mark.parametrize("switch", ["notifications", "email_notifications"])
async def test_PR_07_turning_mails_off_stops_the_next_one_but_none_that_is_asked_for(
    outbox: Outbox, switch: str
) -> None:
    person = Person()
    person.preferences = {**asdict(UserPreferences(str(person.user_id))), switch: False}
    given = tools(person, outbox)
    await welcome(person.registered(), given)
    assert outbox.sent == []
    await reset_password(person.asked(PasswordResetRequested), given)
    assert len(outbox.sent) == 1


@pytest.mark.parametrize(
    ("run", "event", "page", "purpose"),
    [
        (verify_email, EmailVerificationRequested, "verify-email", TokenPurpose.VERIFY_EMAIL),
        (reset_password, PasswordResetRequested, "reset-password", TokenPurpose.RESET_PASSWORD),
    ],
)
async def test_NO_05_the_link_holds_the_token_that_the_log_has_the_hash_of(
    outbox: Outbox, run: Any, event: type[Event], page: str, purpose: TokenPurpose
) -> None:
    person = Person()
    asked = person.asked(event)
    given = tools(person, outbox)
    await run(asked, given)
    (mail,) = outbox.sent
    found = LINK.search(text_of(mail))
    assert found is not None
    wanted = OneTimeTokens(given.settings).derive(purpose, person.user_id, asked.event.token_id)
    assert found.groups() == (page, wanted.text)


async def test_without_a_frontend_the_link_leads_to_the_api(outbox: Outbox) -> None:
    person = Person()
    given = tools(person, outbox, frontend_url="", public_url="http://127.0.0.1:8123")
    await verify_email(person.asked(EmailVerificationRequested), given)
    assert "\nhttp://127.0.0.1:8123/verify-email#token=" in text_of(outbox.sent[0])


async def test_NO_04_a_repeat_has_the_same_id_and_every_mail_another(outbox: Outbox) -> None:
    person = Person()
    event = person.registered()
    given = tools(person, outbox)
    await welcome(event, given)
    await welcome(event, given)
    await welcome(person.registered(), given)
    first, repeat, other = [each[EFFECT_HEADER] for each in outbox.sent]
    assert first == repeat == str(effect_id_of(event, "welcome_mail"))
    assert other != first


@pytest.mark.parametrize("mail", ["welcome", "verify_email", "reset_password"])
async def test_whoever_has_been_erased_gets_nothing_and_that_is_no_error(
    outbox: Outbox, mail: str
) -> None:
    person = Person()
    person.key = None
    await sent_now(mail, person, outbox)
    assert outbox.sent == []


@pytest.mark.parametrize("status", [UserStatus.BANNED, UserStatus.DELETED])
@pytest.mark.parametrize("mail", ["verify_email", "reset_password"])
async def test_whoever_is_shut_out_gets_no_link(
    outbox: Outbox, mail: str, status: UserStatus
) -> None:
    person = Person()
    assert person.row is not None
    person.row["status"] = status
    await sent_now(mail, person, outbox)
    assert outbox.sent == []


async def sent_now(mail: str, person: Person, outbox: Outbox) -> None:
    given = tools(person, outbox)
    if mail == "welcome":
        await welcome(person.registered(), given)
    elif mail == "verify_email":
        await verify_email(person.asked(EmailVerificationRequested), given)
    else:
        await reset_password(person.asked(PasswordResetRequested), given)


async def test_a_link_that_works_no_more_is_not_sent(outbox: Outbox) -> None:
    person = Person()
    late = person.asked(EmailVerificationRequested, lives=timedelta(seconds=-1))
    await verify_email(late, tools(person, outbox))
    assert outbox.sent == []


async def test_who_has_proved_the_email_is_not_asked_to(outbox: Outbox) -> None:
    person = Person()
    assert person.row is not None
    person.row["email_verified"] = True
    await sent_now("verify_email", person, outbox)
    assert outbox.sent == []
    await sent_now("reset_password", person, outbox)
    assert len(outbox.sent) == 1


@pytest.mark.parametrize("behind", ["no row", "an older row"])
async def test_a_mail_waits_for_the_read_model(outbox: Outbox, behind: str) -> None:
    person = Person()
    row = person.row
    assert row is not None
    person.row = None if behind == "no row" else row | {"version": 1}
    asked = person.asked(EmailVerificationRequested)
    with pytest.raises(OutsideDownError):
        await verify_email(asked, tools(person, outbox))
    person.row = row
    await verify_email(asked, tools(person, outbox))
    assert len(outbox.sent) == 1


async def test_a_row_that_comes_between_two_looks_is_seen(outbox: Outbox) -> None:
    person = Person(reached=42)
    rows = iter([None, person.row])

    async def fetchrow(query: str, *_values: Any) -> Mapping[str, Any] | None:
        return next(rows) if "reads.users" in query else None

    person.fetchrow = fetchrow  # type: ignore[method-assign]
    await sent_now("verify_email", person, outbox)
    assert len(outbox.sent) == 1


async def test_it_waits_in_vain_for_nobody(outbox: Outbox) -> None:
    person = Person(reached=42)
    person.row = None
    await sent_now("verify_email", person, outbox)
    assert outbox.sent == []


async def test_what_does_not_open_is_poison(outbox: Outbox) -> None:
    person = Person()
    person.sealed["name_sealed"] = "1AAAA"
    with pytest.raises(EffectRefusedError):
        await welcome(person.registered(), tools(person, outbox))


async def test_nothing_personal_is_logged(
    outbox: Outbox, capsys: pytest.CaptureFixture[str]
) -> None:
    person = Person()
    await sent_now("verify_email", person, outbox)
    told = "".join(capsys.readouterr())
    token = text_of(outbox.sent[0]).partition("#token=")[2].split()[0]
    assert "mail_sent" in told
    assert [each for each in (ADDRESS, NAME, "Nimal", token) if each in told] == []


def test_a_welcome_is_for_the_newly_joined_only() -> None:
    within = {each.name: each.within for each in MAILING}
    assert within["welcome_mail"] == timedelta(days=3)
    longest = Settings.model_fields["verify_email_s"].default
    assert (within["verify_email_mail"] or timedelta()) > timedelta(seconds=longest)
