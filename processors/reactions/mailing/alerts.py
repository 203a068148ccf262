"""Mails of what saved searches have found: one at once, or one digest for all of a day or week.

Whether somebody is still to be told is looked at just before a mail is sent: an alert that is gone
or turned off sends none, nor does what cannot be seen any more or has been told already. A crash
between sending and noting that sends the same mail again, with the same Message-ID, and no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

from infra.unsubscribing import Subscription, Unsubscribing
from infra.vault import PersonKey, UnsealError
from processors.reacting.commands import following
from processors.reacting.effects import Effect, Tools
from processors.reactions.mailing.addressees import Addressee, reader_of_alerts
from processors.reactions.mailing.mails import drop, send
from processors.reactions.mailing.texts import told
from processors.reactions.withheld_rows import until_read
from projections.listings import listing_page
from projections.reads import Reads
from projections.searches import alert_matches, saved_searches
from schemas.listings import ListingStatus
from schemas.messages import Role
from schemas.money import major_units
from schemas.recorded import Recorded
from schemas.searches import (
    AlertMatched,
    DigestDue,
    Frequency,
    MarkNotified,
    MatchReason,
    match_stream,
)

ALERT, DIGEST = "alert", "digest"  # the mails
LISTED_MAX = 20  # listings that a digest names; of the others it says how many they are
PAGE = 500
TITLE_LENGTH_MAX, NAME_LENGTH_MAX = 80, 60
# News is none any more after that: whoever was away that long is told by their list.
ALERT_WITHIN = timedelta(days=2)
DIGEST_WITHIN = timedelta(days=7)


async def send_alert(recorded: Recorded[AlertMatched], tools: Tools) -> None:
    """Tell at once of one listing."""
    event = recorded.event
    if event.frequency is not Frequency.INSTANT:
        return None
    reads = cast("Reads", tools.postgres)
    await until_read(tools, alert_matches.alert_matches, recorded)
    alert = await saved_searches.alert_by_id(reads, str(event.user_id), str(event.alert_id))
    page = await listing_page.by_id(reads, str(event.listing_id))
    if alert is None or alert["frequency"] == Frequency.OFF:
        return drop(ALERT, "unwanted")
    notified = await alert_matches.notified_version(reads, str(event.match_id))
    is_told = notified is None or notified >= recorded.version
    if is_told or page is None or page["status"] != ListingStatus.ACTIVE:
        return drop(ALERT, "needless")
    person = await reader_of_alerts(tools, event.user_id)
    key = await tools.vault.person(event.user_id)
    if person is None or key is None:
        return drop(ALERT, "unwanted")
    link = _listing_url(tools, event.listing_id)
    await _send(
        tools,
        recorded,
        ALERT,
        person,
        Subscription(event.user_id, event.alert_id),
        links=[link],
        link=link,
        title=_title(page),
        price=_price(event.price_minor, event.currency),
        reason=event.reason.value,
        search=_name(key, alert["name_sealed"]),
    )
    await _note(tools, recorded, ALERT, [(event.match_id, recorded.version)])
    return None


@dataclass
class _Listing:
    """One listing of a digest, and all searches that found it."""

    title: str
    price: str
    reason: MatchReason
    link: str
    searches: list[str] = field(default_factory=list)


async def send_digest(recorded: Recorded[DigestDue], tools: Tools) -> None:
    """Tell of everything that waits for this digest, each listing once."""
    event = recorded.event
    rows = await _untold(tools, event.user_id, event.frequency)
    if not rows:
        return drop(DIGEST, "needless")
    person = await reader_of_alerts(tools, event.user_id)
    key = await tools.vault.person(event.user_id)
    if person is None or key is None:
        return drop(DIGEST, "unwanted")
    found = _by_listing(tools, key, rows)
    listed = found[:LISTED_MAX]
    await _send(
        tools,
        recorded,
        DIGEST,
        person,
        Subscription(event.user_id, None),
        links=[each.link for each in listed],
        found=listed,
        total=len(found),
        more=len(found) - len(listed),
    )
    marks = [(UUID(row["match_id"]), row["matched_version"]) for row in rows]
    await _note(tools, recorded, DIGEST, marks)
    return None


async def _untold(tools: Tools, user_id: UUID, frequency: Frequency) -> Sequence[Mapping[str, Any]]:
    reads, last = cast("Reads", tools.postgres), ""
    rows: list[Mapping[str, Any]] = []
    while some_rows := await alert_matches.untold_of(reads, str(user_id), frequency, last, PAGE):
        rows += some_rows
        last = some_rows[-1]["match_id"]
    return sorted(rows, key=lambda row: (row["matched_at"], row["match_id"]), reverse=True)


def _by_listing(
    tools: Tools, key: PersonKey, rows: Iterable[Mapping[str, Any]]
) -> Sequence[_Listing]:
    """Each listing with the last that was found of it, and the searches that found it."""
    found: dict[str, _Listing] = {}
    for row in rows:
        listing_id = row["listing_id"]
        if listing_id not in found:
            found[listing_id] = _Listing(
                title=_title(row),
                price=_price(row["price_minor"], row["currency"]),
                reason=MatchReason(row["reason"]),
                link=_listing_url(tools, listing_id),
            )
        name = _name(key, row["name_sealed"])
        if name and name not in found[listing_id].searches:
            found[listing_id].searches.append(name)
    return list(found.values())


async def _send(
    tools: Tools,
    recorded: Recorded[Any],
    mail: str,
    person: Addressee,
    subscription: Subscription,
    *,
    links: Sequence[str],
    **values: Any,
) -> None:
    unsubscribe = Unsubscribing(tools.settings).url(subscription)
    manage = _page_url(tools, "saved-searches", "api/search/saved")
    await send(
        tools,
        recorded,
        mail,
        person,
        unsubscribe_url=unsubscribe,
        links=[*links, unsubscribe, manage],
        unsubscribe=unsubscribe,
        manage=manage,
        **values,
    )


async def _note(
    tools: Tools, recorded: Recorded[Any], mail: str, marks: Sequence[tuple[UUID, int]]
) -> None:
    """Let it be known what was told."""
    commands = [
        MarkNotified(
            match_id=match_id,
            up_to=version,
            asked_at=datetime.now(UTC),
            asked_by=f"effect/{mail}_mail",
            asked_role=Role.SYSTEM,
        )
        for match_id, version in marks
    ]
    # By its match's id, not by its place: a repeat may have others to note.
    await tools.commands.hand_over(
        envelope
        for each in commands
        for envelope in following(f"{match_stream(each.match_id)}/told", recorded, [each])
    )


def _title(row: Mapping[str, Any]) -> str:
    """What a listing is called; where its title would be made a link of, what it is."""
    named = [str(row[name]) for name in ("year", "make", "model") if row[name] is not None]
    return told(row["title"] or "", TITLE_LENGTH_MAX) or told(" ".join(named), TITLE_LENGTH_MAX)


def _name(key: PersonKey, sealed: str | None) -> str:
    try:
        return told(key.unseal("search_name", sealed), NAME_LENGTH_MAX) if sealed else ""
    except UnsealError:
        return ""  # A mail without it says enough.


def _price(price_minor: int, currency: str) -> str:
    return f"{currency} {major_units(price_minor, currency):,}"


def _listing_url(tools: Tools, listing_id: UUID | str) -> str:
    return _page_url(tools, f"listings/{listing_id}", f"api/listings/{listing_id}")


def _page_url(tools: Tools, page: str, path: str) -> str:
    """A page of the frontend; without one the API's own address."""
    settings = tools.settings
    if settings.frontend_url:
        return f"{settings.frontend_url.rstrip('/')}/{page}"
    return f"{settings.public_url.rstrip('/')}/{path}"


ALERT_MAILS: tuple[Effect, ...] = (
    Effect("alert_mail", (AlertMatched,), send_alert, ALERT_WITHIN, in_order=False),
    Effect("digest_mail", (DigestDue,), send_digest, DIGEST_WITHIN, in_order=False),
)
