"""Logging in, refreshing and logging out: passwords and tokens in, commands out.

Known and unknown e-mails take the same steps: one slow hash, one command, one answer.

Each refresh token works once, and what it is exchanged for is derived from it. Within
REFRESH_LEEWAY_S a client that lost the answer, or tabs that all ask at once, get the same next
token again; later nobody can tell them from a thief, and the session ends.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from api.backends.machines import Machines
from api.backends.tokens import RefreshToken, Subject
from api.backends.withheld import BeingRepaired
from api.entry.auth import Caller
from api.entry.commands import CommandSender
from api.entry.consistency import CaughtUp, awaited_row
from api.identity.ending import end_session
from api.identity.people import Person, Row, settled_row, unsealed
from api.wire.problems import Problem, refusal, unauthenticated
from projections.identity import sessions, users
from projections.projection import Projection
from schemas.identity import (
    EndSession,
    RecordFailedLogin,
    ReportReuse,
    RotateRefresh,
    StartSession,
    UserStatus,
)
from schemas.log.messages import Role
from schemas.log.recorded import Reply
from schemas.values.emails import earlier_form, lookup_form

API = Caller(user_id="api", role=Role.SYSTEM)  # asks for what no person asks for
_USERS = CaughtUp(users.users)
SHUT_OUT = frozenset({UserStatus.BANNED, UserStatus.DELETED})


@dataclass(frozen=True)
class LoggedIn:
    """What a client gets: two tokens, and whose they are."""

    person: Person
    access_token: str
    refresh_token: str
    reply: Reply


async def log_in(mesh: Machines, sending: CommandSender, email: str, password: str) -> LoggedIn:
    """Tokens of a new session; raises a 401 problem that says nothing of whether the e-mail is
    known, and a 403 one for the banned, told only to who has the password.
    """
    email_hash = mesh.vault.wrapping.lookup_hash(lookup_form(email))
    session_id = sending.new_id("session")
    person = await _person_with(mesh, email, password)
    if person is None:
        failed = replace(sending, caller=API)
        await failed.send(
            RecordFailedLogin(session_id=session_id, email_hash=email_hash, **failed.asked)
        )
        raise unauthenticated("credentials_invalid", "E-mail or password is wrong")
    return await start_session(mesh, sending, session_id, person)


async def start_session(
    mesh: Machines, sending: CommandSender, session_id: UUID, person: Person
) -> LoggedIn:
    """Tokens of a new session of somebody who has shown who they are; raises a 403 problem for
    the banned. The session in which they have asked, if any, ends.
    """
    if person.status in SHUT_OUT:
        raise Problem(403, "account_banned", "This account has been banned")
    asked_in = sending.caller
    sending = replace(sending, caller=Caller(user_id=str(person.user_id), role=person.role))
    refresh = mesh.refresh_tokens.new(session_id)
    # Signed before the command: a vault that is down must not leave a session nobody holds.
    access = await _access_token(mesh, person, session_id)
    reply = await sending.send(
        StartSession(
            session_id=session_id,
            user_id=person.user_id,
            user_version=person.version,
            idle_s=mesh.settings.session_idle_s,
            refresh_hash=refresh.hash,
            expires_at=sending.asked_at + timedelta(seconds=mesh.settings.refresh_token_s),
            **sending.asked,
        )
    )
    if asked_in.session_id and asked_in.user_id == str(person.user_id):
        await _end(mesh, sending, UUID(asked_in.session_id), step="end the session before")
    return LoggedIn(person, access, refresh.text, reply)


async def _person_with(mesh: Machines, email: str, password: str) -> Person | None:
    """Whoever has this e-mail and password. Raises BeingRepaired where something of them waits to
    be mended, for it may be a ban; told only to who has the password, or everybody could learn
    who is known here.
    """
    row = await row_with(mesh, email)
    if not await password_is(mesh, row, password) or row is None:
        return None
    if row.keys() == _UNSHOWN.keys():
        waiting = await mesh.withheld.of(users.users.name, row["key"])
        raise waiting or BeingRepaired(frozenset())
    return await unsealed(mesh, row)


# Enough of a row to try a password on; somebody whose row is withheld has no more.
_UNSHOWN: Row = {"key": "", "credential_change": None, "credential_version": 0}


async def password_is(mesh: Machines, row: Row | None, password: str) -> bool:
    """Whether it is this person's password; takes as long for nobody's."""
    stored = None if row is None else await _password_hash(mesh, row)
    if row is None or stored is None:
        await mesh.passwords.decoy(password)
        return False
    right, newer = await mesh.passwords.verify(password, stored)
    if right and newer is not None:
        await mesh.vault.replace_password(UUID(row["key"]), stored, newer)
    return right


async def _password_hash(mesh: Machines, row: Row) -> str | None:
    change = row["credential_change"]
    return await mesh.password_changes.current_hash(
        UUID(row["key"]), change and UUID(change), row["credential_version"]
    )


async def row_with(mesh: Machines, email: str) -> Row | None:
    """Whoever has this e-mail, also by the form that it was kept in earlier."""
    row = await kept_folded(mesh, email)
    if row is not None:
        return await settled_row(mesh, row)
    return await _row_with(mesh, email)


async def kept_folded(mesh: Machines, email: str) -> Row | None:
    """Whoever registered with this e-mail when it was still folded."""
    earlier = earlier_form(email)
    if earlier is None:
        return None
    row = await users.by_email(mesh.postgres, mesh.vault.wrapping.lookup_hash(earlier))
    return None if row is None or row["email_as_typed"] else row


async def _row_with(mesh: Machines, email: str) -> Row | None:
    email_hash = mesh.vault.wrapping.lookup_hash(lookup_form(email))

    async def read() -> Row | None:
        return await users.by_email(mesh.postgres, email_hash)

    row = await read()
    if row is None:
        known = await mesh.vault.people_with_email(email_hash)
        if waiting := await _unshown(mesh, [*known, *await _kept_folded(mesh, email)]):
            return waiting
        # Perhaps registered a moment ago: the row is on its way. Or they began to, and never have.
        if known:
            await _USERS.reach_the_end(mesh)
            row = await read()
        if row is None:
            # One more question of Redis, as for those we know.
            await mesh.denylist.newest_cut(email_hash)
            return None
    return await settled_row(mesh, row)


async def _kept_folded(mesh: Machines, email: str) -> list[UUID]:
    """Whom the vault knows by the form in which this e-mail was kept earlier."""
    earlier = earlier_form(email)
    if earlier is None:
        return []
    return await mesh.vault.people_with_email(mesh.vault.wrapping.lookup_hash(earlier))


async def _unshown(mesh: Machines, people: Sequence[UUID]) -> Row | None:
    """Whoever of them has a row that is withheld."""
    for user_id in people:
        if await mesh.withheld.of(users.users.name, str(user_id)):
            return {**_UNSHOWN, "key": str(user_id)}
    return None


async def _access_token(mesh: Machines, person: Person, session_id: UUID) -> str:
    subject = Subject(
        user_id=person.user_id,
        session_id=session_id,
        email=person.email,
        email_verified=person.email_verified,
        role=person.role,
        market=person.market,
        user_version=person.version,
        status=person.status,
    )
    return await mesh.tokens.issue(subject, time.time())


async def refresh(mesh: Machines, sending: CommandSender, text: str) -> LoggedIn:
    """The next pair of tokens; raises a 401 problem for a spent, foreign or late one. A spent
    one also ends the session.
    """
    presented = mesh.refresh_tokens.parse(text)
    if presented is None:
        raise _refresh_refused()
    # Everything that could fail is fetched before the token is spent.
    person = await _owner(mesh, presented.session_id)
    access = await _access_token(mesh, person, presented.session_id)
    following = mesh.refresh_tokens.following(presented)
    sending = replace(sending, caller=Caller(user_id=str(person.user_id), role=person.role))
    command = RotateRefresh(
        session_id=presented.session_id,
        presented_hash=presented.hash,
        next_hash=following.hash,
        leeway_s=mesh.settings.refresh_leeway_s,
        **sending.asked,
    )
    reply = await _rotated(sending, command)
    if reply.reason == "refresh_reused":
        await _kill(mesh, sending.fresh(), presented)
    if reply.outcome == "failed" or reply.reason == "idempotency_key_reused":
        raise refusal(reply)
    if reply.outcome != "accepted":
        raise _refresh_refused()
    return LoggedIn(person, access, following.text, reply)


async def _rotated(sending: CommandSender, command: RotateRefresh) -> Reply:
    """The session's word on the exchange. A key tells one request of the session from another;
    it opens nothing: whether a repeat is in time the session judges as if it had none.
    """
    if sending.key is not None:
        whose, asked = f"session {command.session_id}", {"token": command.presented_hash}
        keyed = await sending.scoped(whose, asked)
        reply = await keyed.reply_to(command)
        if not reply.repeated or reply.outcome != "accepted":
            return reply
    return await sending.fresh().reply_to(command)


async def _owner(mesh: Machines, session_id: UUID) -> Person:
    """Whose session it is, if nothing has cut it off. A row that is behind a cut is not asked."""
    row = await _shown(
        mesh, sessions.sessions, str(session_id), lambda key: sessions.by_id(mesh.postgres, key)
    )
    user = await _shown(
        mesh, users.users, row["user_id"], lambda key: users.by_id(mesh.postgres, key)
    )
    user = await settled_row(mesh, user)
    cut_off = row["user_version"] < user["sessions_since"] and row["key"] != user["kept_session"]
    if cut_off or UserStatus(user["status"]) in SHUT_OUT:
        raise _refresh_refused()
    person = await unsealed(mesh, user)
    if person is None:
        raise _refresh_refused()
    return person


async def _shown(
    mesh: Machines,
    projection: Projection[Any],
    key: str,
    read: Callable[[str], Awaitable[Row | None]],
) -> Row:
    """A row that must come; raises BeingRepaired where it is withheld."""
    row = await read(key)
    if row is None and (waiting := await mesh.withheld.of(projection.name, key)):
        raise waiting
    return row or await awaited_row(mesh, lambda: read(key), projection.name)


async def _kill(mesh: Machines, sending: CommandSender, presented: RefreshToken) -> None:
    reply = await sending.reply_to(
        ReportReuse(
            session_id=presented.session_id, presented_hash=presented.hash, **sending.asked
        ),
        step="report reuse",
    )
    await end_session(mesh, presented.session_id, reply)


async def log_out(mesh: Machines, sending: CommandSender) -> Reply:
    """End the caller's session; when this returns, its tokens are refused everywhere."""
    return await _end(mesh, sending, UUID(sending.caller.session_id))


async def _end(
    mesh: Machines, sending: CommandSender, session_id: UUID, *, step: str = ""
) -> Reply:
    reply = await sending.send(EndSession(session_id=session_id, **sending.asked), step=step)
    await end_session(mesh, session_id, reply)
    return reply


def _refresh_refused() -> Problem:
    return unauthenticated("refresh_invalid", "This refresh token is no good: log in again")
