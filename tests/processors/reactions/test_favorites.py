"""What becomes of the favourites of whoever has left."""

from __future__ import annotations

from datetime import UTC, datetime

from processors.reactions.reactor import REACTIONS
from producers.favorites import favorites
from schemas.favorites import ClearFavorites, FavoritesCleared, favorites_stream
from schemas.identity import UserDeleted, user_stream
from tests.producers.keeping import ID, added
from tests.projections.history import recorded

(REACTION,) = (each for each in REACTIONS if each.name == "clear_favorites")
LEFT = UserDeleted(user_id=ID, email_hash="0" * 64, deleted_at=datetime(2026, 3, 1, tzinfo=UTC))


def test_FA_08_whoever_has_left_is_counted_nowhere() -> None:
    (envelope,) = REACTION.envelopes(recorded(user_stream(ID), 3, LEFT))
    command = envelope.command
    assert isinstance(command, ClearFavorites)
    assert command.stream_id == favorites_stream(ID)
    history = [added(1), added(2)]
    (event,) = favorites.decide(command, favorites.fold(history))
    assert isinstance(event, FavoritesCleared)
    assert len(event.listing_ids) == 2
    assert favorites.decide(command, favorites.fold([*history, event])) == []
