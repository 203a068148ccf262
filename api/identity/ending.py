"""Ending sessions everywhere: when one of these returns, no API process takes their tokens.

    reply = await sending.send(BanUser(...))
    await cut_off(mesh, user_id, reply)

Through Redis or, without it, through the read models that all of them ask instead, which must
know first.
"""

from __future__ import annotations

from uuid import UUID

from api.backends.denylist import Cut
from api.backends.machines import Machines
from api.backends.withheld import BEING_REPAIRED
from api.entry.auth import Caller
from api.entry.consistency import CaughtUp
from api.wire.problems import Problem
from projections.identity import sessions, users
from schemas.log.recorded import Reply

BOTH = CaughtUp(sessions.sessions, users.users)


async def end_session(mesh: Machines, session_id: UUID, reply: Reply) -> None:
    """One session has ended by the command of this reply."""
    if not await mesh.denylist.deny(session_id):
        await _until_known(mesh, reply)


async def cut_off(mesh: Machines, user_id: UUID, reply: Reply, kept: Caller | None = None) -> None:
    """All tokens of a person are void by the command of this reply, but those of the session
    that `kept` has asked in. Also when the command changed nothing: whoever asked for the change
    before may have died before the cut.
    """
    if not reply.version:
        return
    cut = Cut(reply.version, reply.version)
    if kept is not None:
        cut = Cut(reply.version, kept.user_version, kept.session_id)
    if not await mesh.denylist.cut(user_id, cut):
        await _until_known(mesh, reply)


async def _until_known(mesh: Machines, reply: Reply) -> None:
    """Without Redis: until the read models tell, or withhold whomever it is about."""
    try:
        if reply.position is not None:
            await BOTH.reach(mesh, [reply.position])
    except Problem as problem:
        # Whose row is withheld gets in nowhere: what was asked for is in force.
        if problem.reason != BEING_REPAIRED:
            raise
