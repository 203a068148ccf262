from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from producers.messaging import conversations
from schemas.log.messages import Role
from schemas.messaging import (
    ConversationHidden,
    ConversationOpened,
    HideConversation,
    MarkRead,
    MessageSent,
    MessagesRead,
    Notice,
    NoticeKind,
    OpenConversation,
    PostNotice,
    SendMessage,
    conversation_id_of,
)
from tests.producers.spec import Spec

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LISTING, BUYER, SELLER, STRANGER = (UUID(int=number) for number in range(1, 5))
ID = conversation_id_of(LISTING, BUYER, SELLER)
SAID = UUID(int=9)

spec = Spec(conversations)


def by(who: UUID, role: Role = Role.BUYER) -> dict[str, Any]:
    return {"asked_at": NOW, "asked_by": str(who), "asked_role": role}


def opening(who: UUID = BUYER, **changed: UUID) -> OpenConversation:
    ids = {"listing_id": LISTING, "buyer_id": BUYER, "seller_id": SELLER, **changed}
    return OpenConversation(**{"conversation_id": ID, **ids}, **by(who))


def saying(who: UUID) -> SendMessage:
    return SendMessage(conversation_id=ID, message_id=SAID, content_sealed="1x", **by(who))


def reading(who: UUID, up_to: int) -> MarkRead:
    return MarkRead(conversation_id=ID, up_to=up_to, **by(who))


def hiding(who: UUID) -> HideConversation:
    return HideConversation(conversation_id=ID, **by(who))


OPENED = ConversationOpened(
    conversation_id=ID, listing_id=LISTING, buyer_id=BUYER, seller_id=SELLER, opened_at=NOW
)


def said(sender: UUID, number: int, sender_number: int) -> MessageSent:
    return MessageSent(
        conversation_id=ID,
        message_id=SAID,
        sender_id=sender,
        recipient_id=SELLER if sender == BUYER else BUYER,
        number=number,
        sender_number=sender_number,
        content_sealed="1x",
        sent_at=NOW,
    )


def read(reader: UUID, up_to: int) -> MessagesRead:
    return MessagesRead(conversation_id=ID, reader_id=reader, up_to=up_to, read_at=NOW)


def hidden(who: UUID) -> ConversationHidden:
    return ConversationHidden(conversation_id=ID, user_id=who, hidden_at=NOW)


def test_MS_11_a_buyer_opens_a_conversation() -> None:
    spec.when(opening()).then(OPENED)


def test_MS_11_opening_twice_is_opening_once() -> None:
    spec.given(OPENED).when(opening()).then()


@pytest.mark.parametrize("who", [SELLER, STRANGER])
def test_MS_11_nobody_opens_one_for_a_buyer(who: UUID) -> None:
    spec.when(opening(who)).refused("not_yours", 403)


def test_MS_11_nobody_talks_with_themselves() -> None:
    own = conversation_id_of(LISTING, SELLER, SELLER)
    command = opening(SELLER, conversation_id=own, buyer_id=SELLER)
    spec.when(command).refused("own_listing")


def test_X_32_no_other_id_than_the_derived_one_is_taken() -> None:
    spec.when(opening(conversation_id=UUID(int=77))).refused("conversation_unknown", 404)


def test_MS_20_another_listing_or_person_is_another_conversation() -> None:
    ids = {
        conversation_id_of(LISTING, BUYER, SELLER),
        conversation_id_of(LISTING, SELLER, BUYER),
        conversation_id_of(STRANGER, BUYER, SELLER),
        conversation_id_of(LISTING, STRANGER, SELLER),
    }
    assert len(ids) == 4


def test_MS_01_both_sides_write_and_the_writer_numbers() -> None:
    spec.given(OPENED).when(saying(BUYER)).then(said(BUYER, 1, 1))
    spec.given(OPENED, said(BUYER, 1, 1)).when(saying(SELLER)).then(said(SELLER, 2, 1))
    talk = (OPENED, said(BUYER, 1, 1), said(SELLER, 2, 1))
    spec.given(*talk).when(saying(BUYER)).then(said(BUYER, 3, 2))


@pytest.mark.parametrize("command", [saying(STRANGER), reading(STRANGER, 1), hiding(STRANGER)])
def test_MS_01_to_a_third_person_there_is_no_conversation(command: Any) -> None:
    spec.given(OPENED, said(BUYER, 1, 1)).when(command).refused("conversation_unknown", 404)


@pytest.mark.parametrize("command", [saying(BUYER), reading(BUYER, 1), hiding(BUYER)])
def test_MS_01_nothing_happens_before_it_is_opened(command: Any) -> None:
    spec.when(command).refused("conversation_unknown", 404)


def test_MS_04_reading_counts_the_other_ones_messages() -> None:
    talk = (OPENED, said(BUYER, 1, 1), said(BUYER, 2, 2), said(SELLER, 3, 1))
    spec.given(*talk).when(reading(SELLER, 2)).then(read(SELLER, 2))
    spec.given(*talk).when(reading(BUYER, 5)).then(read(BUYER, 1))


def test_MS_04_reading_never_goes_back_and_nobody_reads_what_was_not_sent() -> None:
    talk = (OPENED, said(BUYER, 1, 1), said(BUYER, 2, 2), read(SELLER, 2))
    for up_to in (0, 1, 2, 9):
        spec.given(*talk).when(reading(SELLER, up_to)).then()
    spec.given(*talk).when(reading(BUYER, 2)).then()


def test_MS_05_hiding_is_for_oneself_and_once() -> None:
    spec.given(OPENED).when(hiding(BUYER)).then(hidden(BUYER))
    spec.given(OPENED, hidden(BUYER)).when(hiding(BUYER)).then()
    spec.given(OPENED, hidden(BUYER)).when(hiding(SELLER)).then(hidden(SELLER))


def test_MS_05_what_came_back_with_a_message_can_be_hidden_again() -> None:
    talk = (OPENED, hidden(BUYER), said(SELLER, 1, 1))
    spec.given(*talk).when(hiding(BUYER)).then(hidden(BUYER))


NOTICE = Notice(kind=NoticeKind.BOOKING_REQUESTED, booking_id=UUID(int=77))


def posting(by_id: UUID, role: Role = Role.SYSTEM, **changed: UUID) -> PostNotice:
    ids = {"listing_id": LISTING, "buyer_id": BUYER, "seller_id": SELLER, **changed}
    about = {"conversation_id": ID, "message_id": SAID, "by_id": by_id, "notice": NOTICE}
    return PostNotice(**{**about, **ids}, **by(BUYER, role))


def noticed(sender: UUID, number: int, sender_number: int) -> MessageSent:
    told = said(sender, number, sender_number)
    return told.model_copy(update={"content_sealed": "", "notice": NOTICE})


def test_BK_03_a_notice_opens_the_conversation_or_goes_on_with_it() -> None:
    spec.given().when(posting(BUYER)).then(OPENED, noticed(BUYER, 1, 1))
    spec.given(OPENED, said(BUYER, 1, 1)).when(posting(SELLER)).then(noticed(SELLER, 2, 1))
    spec.given(OPENED, noticed(BUYER, 1, 1)).when(saying(BUYER)).then(said(BUYER, 2, 2))


def test_BK_03_a_notice_brings_a_hidden_conversation_back() -> None:
    put_away = (OPENED, said(BUYER, 1, 1), hidden(SELLER))
    spec.given(*put_away).when(hiding(SELLER)).then()
    spec.given(*put_away, noticed(BUYER, 2, 2)).when(hiding(SELLER)).then(hidden(SELLER))


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SYSTEM])
def test_BK_03_nobody_but_the_mesh_posts_notices(role: Role) -> None:
    spec.given(OPENED).when(posting(BUYER, role)).refused("role_not_allowed", 403)


def test_BK_03_a_notice_is_of_one_of_the_two_and_about_their_own_thing() -> None:
    spec.given(OPENED).when(posting(STRANGER)).refused("conversation_unknown", 404)
    foreign = posting(BUYER, listing_id=UUID(int=8))
    spec.given().when(foreign).refused("conversation_unknown", 404)
    alone = posting(BUYER, seller_id=BUYER)
    spec.given().when(alone).refused("own_listing")
