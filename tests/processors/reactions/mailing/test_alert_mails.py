"""Mails of alerts while what they are noted in is away: what they have told is kept in Postgres."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka.errors import KafkaConnectionError

from infra.vault.vault import PersonKey
from processors.reacting.effects import OutsideDownError, effect_id_of
from processors.reactions.mailing import alerts, told, wording
from processors.reactions.mailing.addressees import Addressee
from processors.reactions.mailing.alerts import send_alert, send_digest
from processors.reactions.mailing.told import Post, Told
from schemas.log.messages import Event, Language
from schemas.log.positions import Position
from schemas.log.recorded import CommandEnvelope, Recorded
from schemas.registry import kind_of
from schemas.searches import AlertMatched, DigestDue, Frequency, MatchReason
from tests.infra.channels.given import settings_with
from tests.outbox import Outbox, text_of
from tests.worlds import World

NOW = datetime.now(UTC)
NINE = datetime(2026, 3, 3, 3, 30, tzinfo=UTC)  # in Colombo, on a Tuesday
MONDAY = datetime(2026, 3, 2, 3, 30, tzinfo=UTC)
LISTING = uuid4()


@dataclass
class Broker:
    """The way to the writers, as long as it is there."""

    is_away: bool = False
    noted: list[CommandEnvelope] = field(default_factory=list)

    async def hand_over(self, envelopes: Iterable[CommandEnvelope]) -> int:
        if self.is_away:
            raise KafkaConnectionError
        self.noted += (found := list(envelopes))
        return len(found)

    @property
    def marks(self) -> set[tuple[str, int]]:
        commands: list[Any] = [each.command for each in self.noted]
        return {(str(each.match_id), each.up_to) for each in commands}


@dataclass
class Vault:
    key: PersonKey

    async def person(self, _user_id: UUID) -> PersonKey:
        return self.key


@dataclass
class Bench:
    """Somebody with searches: what they have found is the test's own, what was told is real."""

    pool: Any
    user_id: UUID = field(default_factory=uuid4)
    rows: list[dict[str, Any]] = field(default_factory=list)
    is_newest: bool = True
    asked: list[Any] = field(default_factory=list)
    outbox: Outbox = field(default_factory=Outbox)
    commands: Broker = field(default_factory=Broker)

    @property
    def postgres(self) -> Any:
        return self.pool

    @property
    def mailer(self) -> Outbox:
        return self.outbox

    @property
    def vault(self) -> Vault:
        return Vault(PersonKey(self.user_id, b"k" * 32))

    @property
    def settings(self) -> Any:
        return settings_with(public_url="https://market.example.org")

    @property
    def alert(self) -> Mapping[str, Any]:
        return {"frequency": Frequency.INSTANT, "name_sealed": self.rows[0]["name_sealed"]}

    def untold(self, _reads: Any, digest: Any, limit: int) -> Sequence[Mapping[str, Any]]:
        self.asked.append(digest)
        return self.rows[:limit]

    def rest(self, *values: Any) -> Sequence[Mapping[str, Any]]:
        *_, after, limit = values
        left = sorted(self.rows[alerts.ROWS_MAX :], key=lambda row: str(row["match_id"]))
        return [row for row in left if row["match_id"] > after][:limit]

    def found(self, name: str = "Mine", listing_id: UUID = LISTING) -> dict[str, Any]:
        key = PersonKey(self.user_id, b"k" * 32)
        row = {
            "match_id": str(uuid4()), "matched_version": 3, "matched_at": NOW,
            "listing_id": str(listing_id), "reason": "new", "price_minor": 900, "currency": "USD",
            "title": "Porsche", "year": 1990, "make": "porsche", "model": "911",
            "name_sealed": key.seal("search_name", name),
        }  # fmt: skip
        self.rows.append(row)
        return row

    def matched(self, row: Mapping[str, Any], caused_by: str = "an-event") -> Recorded[Any]:
        alert_id = uuid4()
        event = AlertMatched(
            match_id=UUID(row["match_id"]), alert_id=alert_id, search_id=uuid4(),
            user_id=self.user_id, listing_id=UUID(row["listing_id"]), reason=MatchReason.NEW,
            frequency=Frequency.INSTANT, price_minor=900, currency="USD", caused_by=caused_by,
            matched_at=NOW,
        )  # fmt: skip
        return recorded(event, row["matched_version"])

    def due(self, at: datetime = NINE) -> Recorded[Any]:
        event = DigestDue(
            user_id=self.user_id, frequency=Frequency.DAILY, due_at=at, digested_at=NOW
        )
        return recorded(event, 7)


def recorded(event: Event, version: int) -> Recorded[Any]:
    return Recorded(
        event=event, event_id=str(uuid4()), kind=kind_of(type(event)), stream_id="of/one",
        version=version, recorded_at=NOW, command_id=str(uuid4()), index=0, count=1,
        correlation_id=str(uuid4()), causation_id=str(uuid4()), actor="test", fingerprint="",
        writer_epoch=1, position=Position("events.searches", 0, 1),
    )  # fmt: skip


def answering(found: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """A function that is awaited, in place of a read."""

    async def answer(*values: Any) -> Any:
        return found(*values)

    return answer


@pytest.fixture
def bench(mesh: World, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench(mesh.pool)
    person = Addressee("nimal@example.org", "Nimal", Language.ENGLISH)
    fakes: Sequence[tuple[Any, str, Callable[..., Any]]] = (
        (alerts, "until_read", lambda *_: None),
        (alerts, "reader_of_alerts", lambda *_: person),
        (alerts, "has_newer", lambda *_: not made.is_newest),
        (alerts.saved_searches, "alert_by_id", lambda *_: made.alert),
        (alerts.listing_page, "by_id", lambda *_: {**made.rows[0], "status": "active"}),
        (alerts.alert_matches, "notified_version", lambda *_: 0),
        (alerts.alert_matches, "untold_of", made.untold),
        (alerts.alert_matches, "at_once", lambda *_: made.rows),
        (alerts.alert_matches, "counted", lambda *_: (len(made.rows), NOW)),
        (alerts.alert_matches, "rest_of", made.rest),
        (wording.template_overrides, "text_of", lambda *_: None),
    )
    for where, name, found in fakes:
        monkeypatch.setattr(where, name, answering(found))
    return made


@pytest.mark.parametrize("mail", ["alert", "digest"])
async def test_SE_12_while_the_log_is_away_one_mail_is_sent_and_noted_once_it_is_back(
    bench: Bench, mail: str
) -> None:
    tools: Any = bench
    row = bench.found()
    run: Any = send_alert if mail == "alert" else send_digest
    event = bench.matched(row) if mail == "alert" else bench.due()
    bench.commands.is_away = True
    for _ in range(3):
        with pytest.raises(KafkaConnectionError):
            await run(event, tools)
    assert len(bench.outbox.sent) == 1
    bench.commands.is_away = False
    await run(event, tools)
    assert len(bench.outbox.sent) == 1
    assert bench.commands.marks == {(row["match_id"], 3)}


async def test_SE_12_a_match_that_is_found_again_is_noted_by_another_command(bench: Bench) -> None:
    tools: Any = bench
    event, row = bench.due(), bench.found()
    await send_digest(event, tools)
    (first,) = bench.commands.noted
    await bench.pool.execute("DELETE FROM mesh.alert_mails")  # as after a crash
    row["matched_version"] = 4
    await send_digest(event, tools)
    _, second = bench.commands.noted
    assert first.command_id != second.command_id
    assert len({mail["Message-ID"] for mail in bench.outbox.sent}) == 1


async def test_SE_12_searches_that_found_the_same_tell_of_it_in_one_mail(bench: Bench) -> None:
    tools: Any = bench
    rows = [bench.found("Red ones"), bench.found("Fast ones")]
    events = [bench.matched(row) for row in rows]
    for event in events:
        await send_alert(event, tools)
    (mail,) = bench.outbox.sent
    assert "Red ones, Fast ones" in text_of(mail)
    assert bench.commands.marks == {(row["match_id"], 3) for row in rows}
    await send_alert(bench.matched(rows[0], "another-event"), tools)
    assert len(bench.outbox.sent) == 1  # it has been told of


async def test_SE_12_while_one_search_tells_another_that_found_the_same_waits(bench: Bench) -> None:
    tools: Any = bench
    one, other = bench.matched(bench.found()), bench.matched(bench.found())
    post = Post(alerts.alert_mail_id(one.event), bench.user_id, "alert", uuid4())
    assert await told.take(bench.pool, post)
    with pytest.raises(OutsideDownError):
        await send_alert(other, tools)
    await bench.pool.execute(
        "UPDATE mesh.alert_mails SET taken_at = now() - interval '3 minutes' WHERE mail_id = $1",
        post.mail_id,
    )
    await send_alert(other, tools)  # whoever took it has died
    assert len(bench.outbox.sent) == 1


async def test_SE_12_somebody_gets_so_many_mails_an_hour_at_once_and_no_more(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "INSTANT_MAX", 3)
    tools: Any = bench
    for number in range(5):
        bench.rows.clear()
        await send_alert(bench.matched(bench.found(), f"event-{number}"), tools)
    assert len(bench.outbox.sent) == 3
    assert len(bench.commands.noted) == 3
    await bench.pool.execute("UPDATE mesh.alert_mails SET sent_at = sent_at - interval '2 hours'")
    bench.rows.clear()
    await send_alert(bench.matched(bench.found(), "later"), tools)
    assert len(bench.outbox.sent) == 4


async def test_SE_12_of_several_digests_that_are_due_the_newest_tells(bench: Bench) -> None:
    tools: Any = bench
    bench.found()
    bench.is_newest = False
    await send_digest(bench.due(), tools)
    assert (bench.outbox.sent, bench.commands.noted) == ([], [])


async def test_SE_12_a_digest_reads_so_many_counts_the_others_and_notes_all(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "ROWS_MAX", 30)
    monkeypatch.setattr(alerts, "PAGE", 4)
    tools: Any = bench
    for _ in range(40):
        bench.found(listing_id=uuid4())
    event = bench.due()
    await send_digest(event, tools)
    (mail,) = bench.outbox.sent
    assert mail["Subject"].startswith("40 listings")
    assert "And 20 more" in text_of(mail)
    everything = {(row["match_id"], 3) for row in bench.rows}
    assert bench.commands.marks == everything
    # Whoever tries again notes the others, too.
    bench.commands.noted.clear()
    await send_digest(event, tools)
    assert (len(bench.outbox.sent), bench.commands.marks) == (1, everything)


@pytest.mark.parametrize(
    ("at", "together"),
    [(NINE, (Frequency.DAILY,)), (MONDAY, (Frequency.DAILY, Frequency.WEEKLY))],
    ids=["tuesday", "monday"],
)
async def test_CR_02_on_mondays_one_digest_tells_for_both(
    bench: Bench, at: datetime, together: Sequence[Frequency]
) -> None:
    tools: Any = bench
    bench.found()
    await send_digest(bench.due(at), tools)
    (asked,) = bench.asked
    assert (tuple(asked.frequencies), asked.due_at) == (together, at)


async def test_what_was_told_is_forgotten_some_time(bench: Bench) -> None:
    event, match_id = bench.due(), uuid4()
    post = Post(effect_id_of(event, "digest_mail"), bench.user_id, "digest", uuid4())
    await told.keep(bench.pool, post, Told([(str(match_id), 2)]))
    assert await told.told_version(bench.pool, bench.user_id, match_id) == 2
    await told.forget_told(bench.pool, NOW - timedelta(days=1))
    assert await told.told_by(bench.pool, post.mail_id) is not None
    await told.forget_told(bench.pool, datetime.now(UTC) + timedelta(days=1))
    assert await told.told_by(bench.pool, post.mail_id) is None
    assert await told.told_version(bench.pool, bench.user_id, match_id) == 0
