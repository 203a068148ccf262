"""What becomes of the searches of whoever has left."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from processors.reactions.reactor import REACTIONS
from producers.searches.searches import searches
from schemas.identity import UserDeleted, user_stream
from schemas.searches import DeleteSearches, SearchDeleted, searches_stream
from tests.producers.searches.looking import ID, created, saved
from tests.projections.history import recorded

(REACTION,) = (each for each in REACTIONS if each.name == "delete_searches")
LEFT = UserDeleted(
    user_id=UUID(int=1), email_hash="0" * 64, deleted_at=datetime(2026, 3, 1, tzinfo=UTC)
)


def test_SE_06_with_a_person_all_their_searches_go() -> None:
    (envelope,) = REACTION.envelopes(recorded(user_stream(ID), 3, LEFT))
    command = envelope.command
    assert isinstance(command, DeleteSearches)
    assert command.stream_id == searches_stream(ID)
    history = [saved(1), created(1), saved(2)]
    events = searches.decide(command, searches.fold(history))
    assert sum(isinstance(each, SearchDeleted) for each in events) == 2
    assert searches.fold([*history, *events]) == replace(searches.initial, left=True)
