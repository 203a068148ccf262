"""Who may deal with whom: all that others may ask about blocks.

It is asked of the read model, not of the writer: a conversation's writer knows nothing of the other
one's list, which is another stream. But a block is answered only once this read model shows it, and
all API processes ask the same one; so whatever is asked after that answer is refused. What was on
its way before may still arrive. While the other one's list waits to be mended nobody can tell, and
nothing is let through.
"""

from __future__ import annotations

from api.backends.machines import Machines
from api.wire.problems import Problem
from projections.messaging import blocks


async def against_reaching(mesh: Machines, user_id: str, other_id: str) -> Problem | None:
    """What the other one has against hearing from this person, who is told that it can't be done
    and not why; None: nothing.
    """
    waiting = await mesh.withheld.of(blocks.blocks.name, other_id, why=False)
    if waiting is not None:
        return waiting
    if await blocks.has_blocked(mesh.postgres, other_id, user_id):
        return Problem(403, "not_reachable", "You can't reach this person here")
    return None


async def against_dealing(mesh: Machines, user_id: str, other_id: str) -> Problem | None:
    """What stands against this person's writing to the other one, booking from them and the like.
    Whoever has blocked the other one is told how to change that.
    """
    against = await against_reaching(mesh, user_id, other_id)
    if against is None and await blocks.has_blocked(mesh.postgres, user_id, other_id):
        return Problem(409, "blocked_by_you", "You have blocked this person: unblock them first")
    return against
