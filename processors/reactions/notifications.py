"""What people are told of: which event leads to which notification to whom.

Nobody is told of what happened before there were notifications.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast, get_args
from uuid import UUID

from pydantic.alias_generators import to_camel

from infra.sockets import person_room
from processors.reacting.effects import Effect, Tools
from processors.reacting.handlers import Begins
from processors.reacting.reactions import Reaction, asked
from processors.reactions.bookings.following import BY_BUYER
from processors.reactions.withheld_rows import until_read
from projections.reads import Reads
from projections.reviews import reviews
from schemas.bookings import BookingCancelled, BookingEvent, BookingRequested
from schemas.identity import UserDeleted
from schemas.listings import seller_account
from schemas.log.messages import Command
from schemas.log.positions import format_token
from schemas.log.recorded import Recorded
from schemas.messaging import MessageSent, MessagesRead, conversation_id_of
from schemas.notifications import (
    About,
    CloseNotifications,
    ClosePush,
    DismissMessages,
    NotificationRequested,
    NotificationType,
    RequestNotification,
    notification_id_of,
)
from schemas.reviews import ReviewCreated, ReviewResponded
from schemas.searches import AlertMatched, Frequency

LIVE_FOR = timedelta(minutes=1)
TOLD_WITHIN = timedelta(days=14)  # what is older is news no more


def tell_of_message(recorded: Recorded[MessageSent]) -> Sequence[Command]:
    """Whoever is written to."""
    event = recorded.event
    if event.notice is not None:
        return []  # What it tells is told of by itself.
    about = About(
        conversation_id=event.conversation_id,
        sender_id=event.sender_id,
        sender_number=event.sender_number,
    )
    return [_request("tell_of_message", recorded, event.recipient_id, _MESSAGES, about)]


def dismiss_messages(recorded: Recorded[MessagesRead]) -> Sequence[Command]:
    """Whoever has read a message needs not be told of it."""
    event = recorded.event
    return [
        DismissMessages(
            user_id=event.reader_id,
            conversation_id=event.conversation_id,
            up_to=event.up_to,
            **asked("dismiss_messages", recorded),
        )
    ]


def tell_of_review(recorded: Recorded[ReviewCreated]) -> Sequence[Command]:
    """Whose listing is reviewed."""
    event = recorded.event
    about = About(
        review_id=event.review_id, listing_id=event.listing_id, sender_id=event.reviewer_id
    )
    return [_request("tell_of_review", recorded, event.seller_id, _REVIEWS, about)]


def tell_of_match(recorded: Recorded[AlertMatched]) -> Sequence[Command]:
    """Whose search has found something of which they want to know at once. The alert's own mails
    are sent by themselves (processors.reactions.mailing.alerts).
    """
    event = recorded.event
    if event.frequency is not Frequency.INSTANT:
        return []
    about = About(listing_id=event.listing_id, alert_id=event.alert_id, search_id=event.search_id)
    return [_request("tell_of_match", recorded, event.user_id, _SEARCH_ALERTS, about)]


def tell_of_booking(recorded: Recorded[BookingEvent]) -> Sequence[Command]:
    """Whichever of the two has not done it."""
    event = recorded.event
    to_id, from_id = event.buyer_id, event.seller_id
    if isinstance(event, BookingRequested) or (
        isinstance(event, BookingCancelled) and event.reason in BY_BUYER
    ):
        to_id, from_id = from_id, to_id
    about = About(
        item_id=event.item_id,
        booking_id=event.booking_id,
        conversation_id=conversation_id_of(event.item_id, event.buyer_id, event.seller_id),
        sender_id=from_id,
    )
    return [_request("notify_of_booking", recorded, to_id, NotificationType.BOOKINGS, about)]


def close_notifications(recorded: Recorded[UserDeleted]) -> Sequence[Command]:
    """Whoever has left is told of nothing."""
    own = {"user_id": recorded.event.user_id, **asked("close_notifications", recorded)}
    return [CloseNotifications(**own), ClosePush(**own)]


async def tell_of_response(recorded: Recorded[ReviewResponded], tools: Tools) -> None:
    """Whose review is answered. The event does not say who that is: the review does."""
    event = recorded.event
    await until_read(tools, reviews.reviews, recorded)
    row = await reviews.by_id(cast("Reads", tools.postgres), str(event.review_id))
    if row is None or row["reviewer_id"] is None:
        return
    about = About(
        review_id=event.review_id,
        listing_id=row["listing_id"],
        sender_id=seller_account(str(event.seller_id)),
    )
    name, reviewer_id = "tell_of_response", UUID(row["reviewer_id"])
    await tools.commands.send(
        name, recorded, [_request(name, recorded, reviewer_id, _REVIEWS, about)]
    )


async def tell_sockets(recorded: Recorded[NotificationRequested], tools: Tools) -> None:
    """Every device of theirs that is connected; whoever is not asks for what came after the last
    number that they know.
    """
    event = recorded.event
    about = event.about.model_dump(mode="json", exclude={"sender_number"}, exclude_none=True)
    told = {
        "id": str(event.notification_id),
        "number": event.number,
        "type": event.type.value,
        "cause": event.cause_kind,
        "about": {to_camel(name): value for name, value in about.items()},
        "requestedAt": event.requested_at.isoformat().replace("+00:00", "Z"),
        "consistencyToken": format_token([recorded.position]),
    }
    await tools.sockets.emit("notification", told, room=person_room(event.user_id))


_MESSAGES, _REVIEWS = NotificationType.MESSAGES, NotificationType.REVIEWS
_SEARCH_ALERTS = NotificationType.SEARCH_ALERTS


def _request(
    reaction: str, recorded: Recorded[Any], user_id: UUID, kind: NotificationType, about: About
) -> RequestNotification:
    return RequestNotification(
        user_id=user_id,
        notification_id=notification_id_of(recorded.event_id, user_id),
        type=kind,
        cause_kind=recorded.kind,
        cause_id=UUID(recorded.event_id),
        about=about,
        **asked(reaction, recorded),
    )


def _reaction(name: str, event: type[Any], react: Any) -> Reaction:
    return Reaction(name, (event,), react, begins=Begins.FIRST_SEEN, in_order=False)


REACTIONS: tuple[Reaction, ...] = (
    _reaction("tell_of_message", MessageSent, tell_of_message),
    _reaction("dismiss_messages", MessagesRead, dismiss_messages),
    _reaction("tell_of_review", ReviewCreated, tell_of_review),
    _reaction("tell_of_match", AlertMatched, tell_of_match),
    Reaction(
        "notify_of_booking",
        get_args(BookingEvent),
        tell_of_booking,
        begins=Begins.FIRST_SEEN,
        in_order=False,
    ),
    _reaction("close_notifications", UserDeleted, close_notifications),
)
TELL_SOCKETS = Effect(
    "tell_sockets",
    (NotificationRequested,),
    tell_sockets,
    LIVE_FOR,
    repeatable=True,
    begins=Begins.FIRST_SEEN,
    in_order=False,
)
TELL_OF_RESPONSE = Effect(
    "tell_of_response",
    (ReviewResponded,),
    tell_of_response,
    TOLD_WITHIN,
    repeatable=True,
    begins=Begins.FIRST_SEEN,
    in_order=False,
)
