"""Sends what was gathered for somebody: one message a batch, by the batch's channel.

Whether they are still to be told is looked at just before: whether they are there, have proved the
address and want it. What became of a batch is said in the log, once. A crash between the provider's
yes and that sends the same batch again, with the same id: a mail has the same Message-ID then, and
a push takes the place of its first copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

from infra.channels.errors import ChannelRefusedError
from infra.channels.texts import greeted, told
from infra.clients.redis import REDIS_DOWN
from infra.heartbeats import mark_of
from infra.unsubscribing import TypeLinks
from infra.vault.vault import PersonKey, UnsealError
from processors.reacting.effects import Effect, Tools
from processors.reactions.mailing.addressees import Addressee, reader
from processors.reactions.mailing.mails import drop, send
from processors.reactions.mailing.pages import (
    TITLE_LENGTH_MAX,
    listing_url,
    page_url,
    title_of,
)
from processors.reactions.mailing.pushing import push
from processors.reactions.mailing.wording import worded
from projections.items import items
from projections.listings import listing_page
from projections.messaging import conversations
from projections.profiles import user_profiles
from projections.reads import Reads
from schemas.identity import UserStatus
from schemas.items import SEEN
from schemas.listings import ListingStatus
from schemas.log.messages import Role
from schemas.log.recorded import Recorded
from schemas.notifications import (
    Item,
    NotificationChannel,
    NotificationDue,
    NotificationType,
    SettleBatch,
    Settled,
    Withheld,
)

NAME = "send_notifications"
NEWS_FOR = timedelta(days=2)  # a batch that could not be sent for so long is news no more
_SHOWN = frozenset({ListingStatus.ACTIVE, ListingStatus.SOLD})


@dataclass(frozen=True)
class Line:
    """One thing that is told of: who did what, about what, how often, and where it stands."""

    kind: str
    name: str
    title: str
    count: int
    link: str


async def send_batch(recorded: Recorded[NotificationDue], tools: Tools) -> None:
    """Send it, or say why not."""
    event = recorded.event
    if datetime.now(UTC) - event.due_at > NEWS_FOR:
        return await _settle(tools, recorded, Settled.WITHHELD, Withheld.LATE)
    person = await reader(tools, event.user_id, event.channel)
    if isinstance(person, Withheld):
        return await _withhold(tools, recorded, person)
    if event.type is NotificationType.MESSAGES and await _is_there(tools, event.user_id):
        return await _withhold(tools, recorded, Withheld.ONLINE)
    try:
        reason = await _carry(tools, recorded, person)
    except ChannelRefusedError:
        drop(event.type.value, Withheld.REFUSED.value)
        return await _settle(tools, recorded, Settled.FAILED, Withheld.REFUSED)
    if reason is not None:
        return await _withhold(tools, recorded, reason)
    return await _settle(tools, recorded, Settled.SENT)


async def _is_there(tools: Tools, user_id: UUID) -> bool:
    """Whether they have a socket open, over which they hear of messages as these come. Where nobody
    knows they are told.
    """
    key = await tools.vault.person(user_id)
    if key is None:
        return False
    try:
        found = await tools.heartbeats.look({str(user_id): mark_of(key)})
    except REDIS_DOWN:
        return False
    return found[str(user_id)].online


async def _carry(
    tools: Tools, recorded: Recorded[NotificationDue], person: Addressee
) -> Withheld | None:
    """Hand it over; why there is nowhere to."""
    event = recorded.event
    if event.channel is NotificationChannel.SMS:
        return Withheld.NOT_SET_UP if tools.sms is None else Withheld.NO_ADDRESS
    lines = await lines_of(tools, event.items)
    if event.channel is NotificationChannel.EMAIL:
        await _mail(tools, recorded, person, lines)
        return None
    values = _values(tools, event, lines)
    written = await worded(tools, event.type.value, person.language, name=person.name, **values)
    body = " · ".join(each for each in (lines[0].name, lines[0].title) if each)
    return await push(tools, recorded, written.subject, body, lines[0].link)


async def _withhold(tools: Tools, recorded: Recorded[NotificationDue], reason: Withheld) -> None:
    drop(recorded.event.type.value, reason.value)
    await _settle(tools, recorded, Settled.WITHHELD, reason)


def _values(tools: Tools, event: NotificationDue, lines: Sequence[Line]) -> dict[str, Any]:
    """What its template takes."""
    newest = event.items[-1].notification_id
    return {
        "found": lines,
        "count": event.count,
        "more": event.count - len(event.items),
        "why": page_url(tools, f"notifications/{newest}/why", f"api/notifications/{newest}/why"),
        "manage": page_url(tools, "notifications/preferences", "api/notifications/preferences"),
        "unsubscribe": TypeLinks(tools.settings).url(event.user_id, event.type, event.channel),
    }


async def _mail(
    tools: Tools, recorded: Recorded[NotificationDue], person: Addressee, lines: Sequence[Line]
) -> None:
    event, values = recorded.event, _values(tools, recorded.event, lines)
    await send(
        tools,
        recorded,
        event.type.value,
        person,
        unsubscribe_url=values["unsubscribe"],
        mail_id=event.batch_id,
        links=[
            *(each.link for each in lines),
            *(values[each] for each in ("why", "manage", "unsubscribe")),
        ],
        **values,
    )


async def lines_of(tools: Tools, items: Sequence[Item]) -> Sequence[Line]:
    """One line a conversation, or a thing otherwise, the last first. What can't be read any more
    is told without its name.
    """
    groups: dict[tuple[str, object], list[Item]] = {}
    for each in reversed(items):
        about = each.about
        groups.setdefault(
            (
                each.cause_kind,
                about.booking_id or about.conversation_id or about.review_id or about.listing_id,
            ),
            [],
        ).append(each)
    people = await _names(tools, (each.about.sender_id for each in items))
    return [
        Line(
            kind=kind,
            name=people.get(str(found[0].about.sender_id), ""),
            title=await _title(tools, found[0]),
            count=len(found),
            link=_link(tools, found[0]),
        )
        for (kind, _), found in groups.items()
    ]


async def _title(tools: Tools, item: Item) -> str:
    """What the thing on offer is called, as long as everybody may see it."""
    reads, offer_id = cast("Reads", tools.postgres), item.about.item_id or item.about.listing_id
    if offer_id is None and item.about.conversation_id is not None:
        row = await conversations.by_id(reads, str(item.about.conversation_id))
        offer_id = None if row is None else UUID(row["listing_id"])
    page = await listing_page.by_id(reads, str(offer_id))
    if page is not None:
        return title_of(page) if page["status"] in _SHOWN else ""
    found = await items.by_id(reads, str(offer_id))
    if found is None or found["status"] not in SEEN:
        return ""
    return told(found["title"], TITLE_LENGTH_MAX)


def _link(tools: Tools, item: Item) -> str:
    about = item.about
    if about.booking_id is not None:
        place = f"bookings/{about.booking_id}"
        return page_url(tools, place, f"api/{place}")
    if about.conversation_id is not None:
        place = f"messages/{about.conversation_id}"
        return page_url(tools, place, f"api/{place}")
    if about.review_id is not None:
        return page_url(tools, f"reviews/{about.review_id}", f"api/reviews/{about.review_id}")
    return listing_url(tools, str(about.listing_id))


async def _names(tools: Tools, ids: Iterable[UUID | None]) -> Mapping[str, str]:
    wanted = sorted({str(each) for each in ids if each is not None})
    keys = await tools.vault.people(UUID(each) for each in wanted)
    found = {}
    for row in await user_profiles.names_of(cast("Reads", tools.postgres), wanted):
        key = keys.get(UUID(row["key"]))
        if key is not None and row["status"] in (UserStatus.PENDING, UserStatus.ACTIVE):
            found[row["key"]] = greeted(_named(key, row))
    return found


def _named(key: PersonKey, row: Mapping[str, Any]) -> str:
    try:
        if row["full_name_sealed"] is not None:
            return key.unseal("full_name", row["full_name_sealed"])
        return key.unseal("name", row["name_sealed"])
    except UnsealError:
        return ""  # A mail without it says enough.


async def _settle(
    tools: Tools,
    recorded: Recorded[NotificationDue],
    outcome: Settled,
    reason: Withheld | None = None,
) -> None:
    event = recorded.event
    command = SettleBatch(
        user_id=event.user_id,
        batch_id=event.batch_id,
        channel=event.channel,
        outcome=outcome,
        reason=reason,
        asked_at=datetime.now(UTC),
        asked_by=f"effect/{NAME}",
        asked_role=Role.SYSTEM,
    )
    await tools.commands.send(NAME, recorded, [command])


SEND_NOTIFICATIONS = Effect(NAME, (NotificationDue,), send_batch, in_order=False)
