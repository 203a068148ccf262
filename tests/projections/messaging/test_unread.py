"""How many messages wait, against a recount of what was asked, after any order of reads and sends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.settings import Settings
from processors.stores.opening import opened_stores
from processors.stores.port import Change, Held
from producers.messaging import conversations as decider
from projections.messaging import conversations as queries
from projections.messaging.conversations import Conversation, conversations
from schemas.log.messages import Role
from schemas.messaging import (
    HideConversation,
    MarkRead,
    SendMessage,
    conversation_id_of,
    conversation_stream,
)
from tests.processors.test_every_projection import Live
from tests.projections.history import BEGINNING, history, rows_of
from tests.projections.messaging.talks import BUYER, ID, LISTING, OPENED, SELLER
from tests.worlds import world

SIDES = (BUYER, SELLER)
# Who does what: says something, reads the first so many of the other one's, hides it all.
steps = st.lists(
    st.tuples(
        st.sampled_from(SIDES),
        st.sampled_from(["say", "say", "read", "hide"]),
        st.integers(0, 12),
    ),
    max_size=40,
)


@dataclass
class Recount:
    """The naive way: each message of somebody, and whether it still waits for the other one."""

    waits: dict[UUID, list[bool]] = field(default_factory=lambda: {BUYER: [], SELLER: []})

    def does(self, who: UUID, what: str, number: int) -> None:
        others = self.waits[SELLER if who == BUYER else BUYER]
        if what == "say":
            self.waits[who].append(True)
        else:
            seen = len(others) if what == "hide" else min(number, len(others))
            others[:seen] = [False] * seen

    def unread(self, who: UUID) -> int:
        return sum(self.waits[SELLER if who == BUYER else BUYER])


def command(who: UUID, what: str, number: int) -> Any:
    asked = {"asked_at": BEGINNING, "asked_by": str(who), "asked_role": Role.BUYER}
    about = {"conversation_id": ID, **asked}
    if what == "say":
        return SendMessage(message_id=UUID(int=7), content_sealed="1x", **about)
    return MarkRead(up_to=number, **about) if what == "read" else HideConversation(**about)


def happened(asked: list[tuple[UUID, str, int]]) -> list[Any]:
    """What the writer makes of it."""
    events: list[Any] = [OPENED]
    state = decider.fold(events)
    for step in asked:
        new = decider.decide(command(*step), state)
        events += new
        for event in new:
            state = decider.evolve(state, event)
    return events


def row_of(events: list[Any]) -> Conversation:
    found: Conversation = rows_of(conversations, history(conversation_stream(ID), *events))[str(ID)]
    return found


def unread(row: Conversation, who: UUID) -> int:
    if who == BUYER:
        return row.seller_sent - row.buyer_read
    return row.buyer_sent - row.seller_read


@given(steps)
def test_MS_29_RD_10_the_count_is_a_recount_after_any_order_of_reads_and_sends(asked) -> None:
    naive = Recount()
    for step in asked:
        naive.does(*step)
    row = row_of(happened(asked))
    assert [unread(row, who) for who in SIDES] == [naive.unread(who) for who in SIDES]


@given(steps, st.sampled_from(SIDES))
def test_MS_29_RD_10_it_is_0_again_after_reading(asked, who) -> None:
    row = row_of(happened([*asked, (who, "read", 1_000)]))
    assert unread(row, who) == 0


CHATS = 30


def lives() -> list[list[tuple[UUID, str, int]]]:
    """What is done in each of many conversations of these two: the same each time, all different."""
    kinds = ("say", "say", "read", "hide", "say")
    return [
        [
            (SIDES[(turn * seed) % 3 % 2], kinds[(turn + seed) % 5], turn % 4)
            for turn in range(seed % 17)
        ]
        for seed in range(1, CHATS + 1)
    ]


@pytest.fixture(scope="module")
async def reads(stack: Settings) -> AsyncIterator[asyncpg.Pool]:
    async with world(stack) as mesh, opened_stores(mesh.settings, [conversations]) as stores:
        live = Live(mesh, stores["postgres"], conversations)
        await live.store.create(live.generation)
        rows = [row_of(happened(asked)) for asked in lives()]
        async with live.store.session(live.generation) as session:
            await session.write(
                [Change(key_of(number), Held(row, 1)) for number, row in enumerate(rows)], {}
            )
        await live.store.publish([live.generation])
        yield mesh.pool


def key_of(number: int) -> str:
    return str(conversation_id_of(LISTING, BUYER, UUID(int=1_000 + number)))


async def test_MS_29_MS_06_what_is_asked_of_postgres_is_a_recount_too(reads) -> None:
    for who in SIDES:
        wanted = {}
        for number, asked in enumerate(lives()):
            naive = Recount()
            for step in asked:
                naive.does(*step)
            row = row_of(happened(asked))
            hidden = row.buyer_hidden if who == BUYER else row.seller_hidden
            if naive.unread(who) and not hidden:
                wanted[key_of(number)] = naive.unread(who)
        found = await queries.unread(reads, str(who), 1_000)
        assert {row["key"]: row["unread"] for row in found} == wanted
        assert wanted
