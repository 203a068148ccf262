"""Finding a message among one's own. OpenSearch, one document per message, and no word in it.

What a message says stands here as marks: of each of its words a keyed hash, made with the data key of
whoever said it, for one conversation. Nobody without that key can tell which word a mark is of, or
try words on it; the same word of somebody else, or in another conversation, has another mark. Whoever
searches makes the marks of what they look for in each of their own conversations, so no other can
have them. With a person's key, what they said is found no more: what stays here are numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from projections.projection import Projection, SearchIndex
from schemas.log.frozen import frozen
from schemas.log.recorded import Recorded
from schemas.messaging import MessageSent

SEARCH_TIMEOUT = "2s"


@frozen
class MarkedMessage:
    """Which words a message has, as marks, in no order that tells of theirs."""

    message_id: str
    conversation_id: str
    sent_at: datetime
    marks: tuple[str, ...] = ()


def key(recorded: Recorded[MessageSent]) -> str:
    """The message's id."""
    return str(recorded.event.message_id)


def fold(_row: MarkedMessage | None, recorded: Recorded[MessageSent]) -> MarkedMessage:
    """The message as it was sent: nobody changes one."""
    event = recorded.event
    return MarkedMessage(
        message_id=str(event.message_id),
        conversation_id=str(event.conversation_id),
        sent_at=event.sent_at,
        marks=event.marks,
    )


_KEYWORD = {"type": "keyword"}

message_search = Projection(
    name="message_search",
    version=1,
    hears=(MessageSent,),
    key=key,
    fold=fold,
    row=MarkedMessage,
    target=SearchIndex(
        settings={"number_of_shards": 1},
        mappings={
            "dynamic": "strict",
            "properties": {
                "message_id": _KEYWORD,
                "conversation_id": _KEYWORD,
                "sent_at": {"type": "date"},
                "marks": {"type": "keyword", "doc_values": False},
            },
        },
    ),
    insert_only=True,
)


def search_body(
    conversation_ids: Sequence[str],
    words: Sequence[Sequence[str]],
    *,
    size: int,
    offset: int = 0,
    after: tuple[Any, ...] | None = None,
) -> dict[str, Any]:
    """Messages of these conversations that have one of the marks of each word, the last first."""
    asked: list[dict[str, Any]] = [{"terms": {"marks": list(marks)}} for marks in words]
    body: dict[str, Any] = {
        "size": size,
        "timeout": SEARCH_TIMEOUT,
        "track_total_hits": False,
        "_source": False,
        "query": {
            "bool": {
                "filter": [{"terms": {"conversation_id": list(conversation_ids)}}, *asked],
            }
        },
        "sort": [{"sent_at": "desc"}, {"message_id": "desc"}],
    }
    return body | ({"from": offset} if after is None else {"search_after": list(after)})


def hits_of(answer: Mapping[str, Any]) -> list[tuple[str, tuple[Any, ...]]]:
    """Each hit's message, and where it stands in the list."""
    return [(hit["_id"], tuple(hit["sort"])) for hit in answer["hits"]["hits"]]
