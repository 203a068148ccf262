"""Mails of what saved searches have found: one at once, or one digest for all of a day or week.

Whether somebody is still to be told is looked at just before a mail is sent: an alert that is gone
or turned off sends none, nor does what cannot be seen any more or has been told already. What a
mail told is kept as soon as it is sent (processors.reactions.mailing.told, which says what may be
sent twice all the same), and then noted in the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid5

from infra.channels.texts import told as shown
from infra.unsubscribing import Subscription, Unsubscribing
from infra.vault.vault import PersonKey, UnsealError
from processors.reacting.commands import following
from processors.reacting.effects import Effect, OutsideDownError, Tools, effect_id_of
from processors.reactions.mailing.addressees import Addressee, reader_of_alerts
from processors.reactions.mailing.mails import drop, send
from processors.reactions.mailing.pages import listing_url, page_url, title_of
from processors.reactions.mailing.told import (
    Post,
    Told,
    has_newer,
    keep,
    sent_since,
    take,
    told_by,
    told_version,
)
from processors.reactions.searches.digests import due_together
from processors.reactions.withheld_rows import until_read
from projections.listings import listing_page
from projections.reads import Reads
from projections.searches import alert_matches, saved_searches
from schemas.listings import ListingStatus
from schemas.log.messages import Role
from schemas.log.recorded import Recorded
from schemas.searches import (
    AlertMatched,
    DigestDue,
    Frequency,
    MarkNotified,
    MatchReason,
    match_stream,
)
from schemas.values.money import major_units

ALERT, DIGEST = "alert", "digest"  # the mails
LISTED_MAX = 20  # listings that a digest names; of the others it says how many they are
NAMES_MAX = 5  # searches that a mail at once names
ROWS_MAX = 1_000  # that a digest reads; of the others it tells how many they are
PAGE = 500
# Mails at once that somebody gets in an hour. What is found beyond them waits: a daily digest takes
# it along, and who has none finds it in the list of what the search has found.
INSTANT_MAX = 20
NAME_LENGTH_MAX = 60
# News is none any more after that: whoever was away that long is told by their list.
ALERT_WITHIN = timedelta(days=2)
DIGEST_WITHIN = timedelta(days=7)


async def send_alert(recorded: Recorded[AlertMatched], tools: Tools) -> None:
    """Tell at once of one listing: in one mail for all searches that found it for one reason."""
    event = recorded.event
    if event.frequency is not Frequency.INSTANT:
        return None
    await until_read(tools, alert_matches.alert_matches, recorded)
    post = Post(alert_mail_id(event), event.user_id, ALERT, effect_id_of(recorded, f"{ALERT}_mail"))
    told = await told_by(tools.postgres, post.mail_id)
    if told is not None:
        marks = told.marks if told.by == post.effect_id else [_mark(recorded)]
        return await _note(tools, recorded, ALERT, marks)
    alert = await _wanted(tools, recorded)
    page = await listing_page.by_id(cast("Reads", tools.postgres), str(event.listing_id))
    if alert is None:
        return drop(ALERT, "unwanted")
    if page is None or page["status"] != ListingStatus.ACTIVE or await _is_told(tools, recorded):
        return drop(ALERT, "needless")
    person = await reader_of_alerts(tools, event.user_id)
    key = await tools.vault.person(event.user_id)
    if person is None or key is None:
        return drop(ALERT, "unwanted")
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    if await sent_since(tools.postgres, event.user_id, ALERT, hour_ago) >= INSTANT_MAX:
        return drop(ALERT, "put_off")
    if not await take(tools.postgres, post):
        reason = "another search of theirs is telling of the same"
        raise OutsideDownError(reason)
    rows = await alert_matches.at_once(
        cast("Reads", tools.postgres), str(event.user_id), recorded.event
    )
    names = [_name(key, sealed) for sealed in (alert["name_sealed"], *_names_of(rows))]
    link = listing_url(tools, event.listing_id)
    await _send(
        tools,
        recorded,
        post,
        person,
        Subscription(event.user_id, event.alert_id),
        links=[link],
        link=link,
        title=title_of(page),
        price=_price(event.price_minor, event.currency),
        reason=event.reason.value,
        search=", ".join([name for name in dict.fromkeys(names) if name][:NAMES_MAX]),
    )
    marks = list({**dict(_marks(rows)), str(event.match_id): recorded.version}.items())
    await keep(tools.postgres, post, Told(marks))
    await _note(tools, recorded, ALERT, marks)
    return None


def alert_mail_id(event: AlertMatched) -> UUID:
    """The one mail to somebody of what has happened to a listing."""
    return uuid5(event.user_id, f"{event.caused_by}/{event.reason}/{ALERT}_mail")


async def _wanted(tools: Tools, recorded: Recorded[AlertMatched]) -> Mapping[str, Any] | None:
    """The alert as it is now; None where it is to tell nothing."""
    event, reads = recorded.event, cast("Reads", tools.postgres)
    alert = await saved_searches.alert_by_id(reads, str(event.user_id), str(event.alert_id))
    return None if alert is None or alert["frequency"] == Frequency.OFF else alert


async def _is_told(tools: Tools, recorded: Recorded[AlertMatched]) -> bool:
    """Whether it has been told of, in this mail's way or a digest's, or can't be read at all."""
    event = recorded.event
    noted = await alert_matches.notified_version(cast("Reads", tools.postgres), str(event.match_id))
    if noted is None or noted >= recorded.version:
        return True
    told = await told_version(tools.postgres, event.user_id, event.match_id)
    return told >= recorded.version


def _mark(recorded: Recorded[AlertMatched]) -> tuple[str, int]:
    return str(recorded.event.match_id), recorded.version


def _marks(rows: Iterable[Mapping[str, Any]]) -> Sequence[tuple[str, int]]:
    return [(row["match_id"], row["matched_version"]) for row in rows]


def _names_of(rows: Iterable[Mapping[str, Any]]) -> Sequence[str | None]:
    return [row["name_sealed"] for row in rows]


@dataclass
class _Listing:
    """One listing of a digest, and all searches that found it."""

    title: str
    price: str
    reason: MatchReason
    link: str
    searches: list[str] = field(default_factory=list)


async def send_digest(recorded: Recorded[DigestDue], tools: Tools) -> None:
    """Tell of everything that waits for this digest, each listing once. Of several that are due,
    as after a long outage, the newest tells of all.
    """
    event, reads = recorded.event, cast("Reads", tools.postgres)
    mail_id = effect_id_of(recorded, f"{DIGEST}_mail")
    together = due_together(event.frequency, event.due_at)
    digest = alert_matches.Digest(str(event.user_id), together, event.due_at)
    told = await told_by(tools.postgres, mail_id)
    if told is not None:
        return await _note_digest(tools, recorded, digest, told)
    if await has_newer(tools.postgres, recorded):
        return drop(DIGEST, "late")
    rows = await alert_matches.untold_of(reads, digest, ROWS_MAX)
    if not rows:
        return drop(DIGEST, "needless")
    person = await reader_of_alerts(tools, event.user_id)
    key = await tools.vault.person(event.user_id)
    if person is None or key is None:
        return drop(DIGEST, "unwanted")
    found = _by_listing(tools, key, rows)
    total, rest_until = len(found), None
    if len(rows) == ROWS_MAX:
        total, rest_until = await alert_matches.counted(reads, digest)
    listed = found[:LISTED_MAX]
    post = Post(mail_id, event.user_id, DIGEST, mail_id)
    await _send(
        tools,
        recorded,
        post,
        person,
        Subscription(event.user_id, None),
        links=[each.link for each in listed],
        found=listed,
        total=total,
        more=total - len(listed),
    )
    told = Told(_marks(rows), rest_until)
    await keep(tools.postgres, post, told)
    await _note_digest(tools, recorded, digest, told)
    return None


async def _note_digest(
    tools: Tools, recorded: Recorded[DigestDue], digest: alert_matches.Digest, told: Told
) -> None:
    """Note what a digest has told by name and, a page at a time, what it told by its number."""
    await _note(tools, recorded, DIGEST, told.marks)
    if told.rest_until is None:
        return
    reads, last = cast("Reads", tools.postgres), ""
    while rows := await alert_matches.rest_of(reads, digest, told.rest_until, last, PAGE):
        await _note(tools, recorded, DIGEST, _marks(rows))
        last = rows[-1]["match_id"]


def _by_listing(
    tools: Tools, key: PersonKey, rows: Iterable[Mapping[str, Any]]
) -> Sequence[_Listing]:
    """Each listing with the last that was found of it, and the searches that found it."""
    found: dict[str, _Listing] = {}
    for row in rows:
        listing_id = row["listing_id"]
        if listing_id not in found:
            found[listing_id] = _Listing(
                title=title_of(row),
                price=_price(row["price_minor"], row["currency"]),
                reason=MatchReason(row["reason"]),
                link=listing_url(tools, listing_id),
            )
        name = _name(key, row["name_sealed"])
        if name and name not in found[listing_id].searches:
            found[listing_id].searches.append(name)
    return list(found.values())


async def _send(
    tools: Tools,
    recorded: Recorded[Any],
    post: Post,
    person: Addressee,
    subscription: Subscription,
    *,
    links: Sequence[str],
    **values: Any,
) -> None:
    unsubscribe = Unsubscribing(tools.settings).url(subscription)
    manage = page_url(tools, "saved-searches", "api/search/saved")
    await send(
        tools,
        recorded,
        post.mail,
        person,
        unsubscribe_url=unsubscribe,
        mail_id=post.mail_id,
        links=[*links, unsubscribe, manage],
        unsubscribe=unsubscribe,
        manage=manage,
        **values,
    )


async def _note(
    tools: Tools, recorded: Recorded[Any], mail: str, marks: Sequence[tuple[str, int]]
) -> None:
    """Let it be known what was told."""
    commands = [
        MarkNotified(
            match_id=UUID(match_id),
            up_to=version,
            asked_at=datetime.now(UTC),
            asked_by=f"effect/{mail}_mail",
            asked_role=Role.SYSTEM,
        )
        for match_id, version in marks
    ]
    # By its match and version, not by its place: a repeat may have others to note.
    await tools.commands.hand_over(
        envelope
        for each in commands
        for envelope in following(
            f"{match_stream(each.match_id)}/told/{each.up_to}", recorded, [each]
        )
    )


def _name(key: PersonKey, sealed: str | None) -> str:
    try:
        return shown(key.unseal("search_name", sealed), NAME_LENGTH_MAX) if sealed else ""
    except UnsealError:
        return ""  # A mail without it says enough.


def _price(price_minor: int, currency: str) -> str:
    return f"{currency} {major_units(price_minor, currency):,}"


ALERT_MAILS: tuple[Effect, ...] = (
    Effect("alert_mail", (AlertMatched,), send_alert, ALERT_WITHIN, in_order=False),
    Effect("digest_mail", (DigestDue,), send_digest, DIGEST_WITHIN, in_order=False),
)
