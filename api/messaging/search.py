"""Searching one's own messages. The index holds marks of words and no word: see
projections.messaging.message_search and ADR 0054.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request
from pydantic import AwareDatetime, BaseModel
from starlette.responses import Response

from api.backends.machines import Machines, Mesh
from api.backends.stores import opensearch_answering
from api.entry.auth import SignedIn
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import SEARCHES, SIGNED_IN, Door
from api.entry.paging import DEPTH_MAX, Page, Paging
from api.entry.routing import new_router
from api.messaging.views import other_of
from api.messaging.words import marks_asked, snippet_of, words_asked
from api.profiles.sight import People, people_of
from api.wire.problems import StoreUnavailableError, problem_responses
from api.wire.successes import NO_STORE, ok
from infra.clients.opensearch import alias_of
from projections.identity.users import users
from projections.messaging import conversations, messages
from projections.messaging.message_search import hits_of, message_search, search_body
from schemas.values.texts import Line

TEXT_LENGTH_MAX = 200
INDEX = CaughtUp(message_search)
SEEN = CaughtUp(conversations.conversations, messages.messages, users)
_HIT = {
    "id": "01980000-0000-7000-8000-0000000000c1",
    "conversation_id": "5c6f7a10-9d0f-5c52-8f43-2f4f6c1f7a10",
    "sender_id": "01980000-0000-7000-8000-00000000000a",
    "sender_name": "Nimal Perera",
    "created_at": "2026-03-01T12:00:00Z",
    "snippet": "Is the Porsche still there?",
    "hits": [[7, 14]],
}

router = new_router("messaging")


class MessageHit(BaseModel):
    """A message that has the words. `hits` are the places of words in `snippet`: the first character,
    from 0, and the one after the last.
    """

    id: UUID
    conversation_id: UUID
    sender_id: UUID
    sender_name: str
    created_at: AwareDatetime
    snippet: str
    hits: list[tuple[int, int]]


class MessageHitsAnswer(BaseModel):
    """A page of messages, the last first. `complete` is false where one has more conversations than
    are searched: those that moved last.
    """

    items: list[MessageHit]
    next_cursor: str | None
    complete: bool


@dataclass(frozen=True)
class Searched:
    """Where is looked for what: the caller's conversations, their people, and the words."""

    user_id: str
    chats: Sequence[Mapping[str, Any]]
    people: People
    words: Sequence[Sequence[str]]

    @property
    def wanted(self) -> frozenset[str]:
        """Every spelling that counts as a hit."""
        return frozenset(each for spellings in self.words for each in spellings)

    def marks(self, spellings: Sequence[str]) -> list[str]:
        """Those that one word may have, whoever of the two of each conversation said it."""
        return [
            mark
            for chat in self.chats
            for person in (self.user_id, other_of(chat, self.user_id))
            if person in self.people.keys
            for mark in marks_asked(self.people.keys[person], UUID(chat["key"]), list(spellings))
        ]


@router.get(
    "/api/messages/search",
    operation_id="search_messages",
    response_model=MessageHitsAnswer,
    responses={
        **ok("A page", {"items": [_HIT], "next_cursor": None, "complete": True}),
        **problem_responses(400, 401, 403),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, SEARCHES)
async def search_messages(
    request: Request,
    mesh: Mesh,
    page: Paging,
    caller: SignedIn,
    q: Annotated[
        Annotated[str, Line(TEXT_LENGTH_MAX)], Query(description="Words that must all occur, whole")
    ],
) -> Response:
    """Messages of the caller's own conversations that have all the words, the last first. Accents,
    capitals and hyphens make no difference; beginnings of words find nothing. What one has taken
    off one's list is not searched.
    """
    await SEEN.wait(request, whole=False)
    chats = await conversations.searched(mesh.postgres, caller.user_id)
    complete = len(chats) <= conversations.SEARCHED_MAX
    chats = chats[: conversations.SEARCHED_MAX]
    ids = {caller.user_id, *(other_of(chat, caller.user_id) for chat in chats)}
    asked = Searched(caller.user_id, chats, await people_of(mesh, ids), words_asked(q))
    found = await INDEX.read(request, lambda: _hits(mesh, asked, page))
    last = found[page.limit - 1][1] if len(found) > page.limit else None
    shown = [message_id for message_id, _ in found[: page.limit]]
    items = await _shown(mesh, asked, shown)
    return page.response(items, last, headers=NO_STORE, complete=complete)


async def _hits(mesh: Machines, asked: Searched, page: Page) -> list[tuple[str, tuple[Any, ...]]]:
    """Of this page, and one more where others follow."""
    if not asked.words or not asked.chats:
        return []
    body = search_body(
        [chat["key"] for chat in asked.chats],
        [asked.marks(each) for each in asked.words],
        size=min(page.limit + 1, DEPTH_MAX - page.offset),
        offset=page.offset,
        after=page.after,
    )
    with opensearch_answering():
        answer = await mesh.opensearch.search(
            index=alias_of(mesh.settings, message_search.name), body=body
        )
    if answer["timed_out"] or answer["_shards"]["failed"]:
        raise StoreUnavailableError("opensearch")
    return hits_of(answer)


async def _shown(
    mesh: Machines, asked: Searched, message_ids: Sequence[str]
) -> list[dict[str, Any]]:
    """What was said, unsealed; whose key is gone has said nothing."""
    rows = {row["key"]: row for row in await messages.by_ids(mesh.postgres, message_ids)}
    own = {chat["key"] for chat in asked.chats}
    items = []
    for row in (rows[each] for each in message_ids if each in rows):
        content = asked.people.said(row["sender_id"], row["content_sealed"])
        if content is None or row["conversation_id"] not in own:
            continue
        told = snippet_of(content, asked.wanted)
        items.append(
            {
                "id": row["key"],
                **{name: row[name] for name in ("conversation_id", "sender_id", "created_at")},
                "sender_name": asked.people.name(row["sender_id"]),
                "snippet": told.text,
                "hits": told.hits,
            }
        )
    return items
