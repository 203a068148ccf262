"""What becomes of the blocks of whoever has left."""

from __future__ import annotations

from datetime import UTC, datetime

from processors.reactions.reactor import REACTIONS
from producers.blocks import blocks
from schemas.identity import UserDeleted, user_stream
from schemas.messaging.blocks import UnblockEverybody, blocks_stream
from tests.producers.messaging.test_blocks import ID, blocked
from tests.projections.history import recorded

(REACTION,) = (each for each in REACTIONS if each.name == "unblock_everybody")
LEFT = UserDeleted(user_id=ID, email_hash="0" * 64, deleted_at=datetime(2026, 3, 1, tzinfo=UTC))


def test_MS_08_whoever_has_left_keeps_nobody_away() -> None:
    (envelope,) = REACTION.envelopes(recorded(user_stream(ID), 3, LEFT))
    command = envelope.command
    assert isinstance(command, UnblockEverybody)
    assert command.stream_id == blocks_stream(ID)
    state = blocks.fold([blocked(1), blocked(2)])
    assert len(blocks.decide(command, state)) == 2
