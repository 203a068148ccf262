"""Proving an e-mail, and setting another password, by a token from the mailbox or by the old one.

What is asked by somebody unknown takes the same steps for everybody: nobody learns here whether
an e-mail is known.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from uuid import UUID, uuid4, uuid5

import structlog

from api.backends.database import LIVE_WATERMARKS
from api.backends.machines import Machines
from api.entry.commands import CommandSender
from api.entry.consistency import CaughtUp, awaited_row
from api.identity.ending import cut_off
from api.identity.login import API, kept_folded, password_is
from api.identity.people import Row, settled_row
from api.wire.deadlines import left
from api.wire.problems import Problem, accepted, refusal
from infra.vault.vault import VaultUnavailableError
from projections.identity import users, verification_tokens
from projections.journal.answers import first_reply
from projections.journal.journal import journal
from schemas.identity import (
    ChangePassword,
    RequestEmailVerification,
    RequestPasswordReset,
    ResetPassword,
    TokenPurpose,
    VerifyEmail,
)
from schemas.log.messages import Fault
from schemas.log.positions import Position
from schemas.log.recorded import Reply
from schemas.values.emails import lookup_form

TOKEN_WAIT_S = 1.0  # a mail may be quicker than the read model
TOKEN_POLL_S = 0.02
JOURNAL = CaughtUp(journal)
NOBODY = UUID("5f0c1d0e-6f4b-5c57-9d0a-7b6a52a1c9e4")  # the namespace of ids that nobody has

log = structlog.get_logger()


@dataclass(frozen=True)
class Shown:
    """A token from a mailbox, proved to be one of ours, and whose it is."""

    user_id: UUID
    token_id: UUID
    token_hash: str


async def verify_email(mesh: Machines, sending: CommandSender, text: str) -> Reply:
    """Prove the e-mail that the token went to; raises a 410 problem for any other."""
    sending = await sending.scoped(mesh.vault.wrapping.lookup_hash(text), {})
    shown = await _shown(mesh, sending, TokenPurpose.VERIFY_EMAIL, text)
    if isinstance(shown, Reply):
        return _taken(shown)
    system = replace(sending, caller=API)
    reply = await system.reply_to(
        VerifyEmail(
            user_id=shown.user_id,
            token_id=shown.token_id,
            token_hash=shown.token_hash,
            **system.asked,
        )
    )
    return _taken(reply)


async def request_verification(mesh: Machines, sending: CommandSender) -> Reply:
    """Have the mail sent again that proves the caller's e-mail."""
    user_id = UUID(sending.caller.user_id)
    token = mesh.one_time_tokens.derive(
        TokenPurpose.VERIFY_EMAIL, user_id, sending.new_id("verification")
    )
    return await sending.send(
        RequestEmailVerification(
            user_id=user_id,
            token_id=token.token_id,
            token_hash=token.hash,
            expires_at=sending.asked_at + timedelta(seconds=mesh.settings.verify_email_s),
            **sending.asked,
        )
    )


async def request_reset(mesh: Machines, sending: CommandSender, email: str) -> None:
    """Have a mail sent that lets its reader set another password, if somebody has this e-mail.

    Nobody having it sends the same command, about a person who does not exist.
    """
    email_hash = mesh.vault.wrapping.lookup_hash(lookup_form(email))
    sending = await sending.scoped(email_hash, {})
    row = await users.by_email(mesh.postgres, email_hash) or await kept_folded(mesh, email)
    user_id = uuid5(NOBODY, email_hash) if row is None else UUID(row["key"])
    token = mesh.one_time_tokens.derive(TokenPurpose.RESET_PASSWORD, user_id, uuid4())
    system = replace(sending, caller=API)
    # A refusal is an answer like any other here: 202, and no mail.
    await system.reply_to(
        RequestPasswordReset(
            user_id=user_id,
            token_id=token.token_id,
            token_hash=token.hash,
            expires_at=system.asked_at + timedelta(seconds=mesh.settings.reset_password_s),
            **system.asked,
        )
    )


async def reset_password(mesh: Machines, sending: CommandSender, text: str, password: str) -> Reply:
    """Set another password and end every session; raises a 410 problem for any token but the
    one that is out.
    """
    sending = await sending.scoped(mesh.vault.wrapping.lookup_hash(text), {}, secret=password)
    shown = await _shown(mesh, sending, TokenPurpose.RESET_PASSWORD, text)
    if isinstance(shown, Reply):
        return _taken(shown)
    change_id = uuid4()
    await _wait(mesh, change_id, shown.user_id, password)
    system = replace(sending, caller=API)
    reply = await system.reply_to(
        ResetPassword(
            user_id=shown.user_id,
            change_id=change_id,
            token_id=shown.token_id,
            token_hash=shown.token_hash,
            **system.asked,
        )
    )
    if reply.outcome != "accepted":
        await mesh.password_changes.drop(change_id)
    reply = _taken(reply)
    await _apply(mesh, shown.user_id, change_id, reply)
    await cut_off(mesh, shown.user_id, reply)
    return reply


async def change_password(
    mesh: Machines, sending: CommandSender, current: str, following: str
) -> Reply:
    """Set another password and end every session but the caller's; raises a 403 problem unless
    the current one is right.
    """
    caller = sending.caller
    user_id = UUID(caller.user_id)
    both = await sending.digest(f"{current}\n{following}", caller.user_id)
    sending = sending.comparing({"secret": both})
    command = ChangePassword(
        user_id=user_id,
        change_id=uuid4(),
        session_id=UUID(caller.session_id),
        user_version=caller.user_version,
        **sending.asked,
    )
    row = await awaited_row(mesh, lambda: users.by_id(mesh.postgres, caller.user_id), "users")
    if await password_is(mesh, await settled_row(mesh, row), current):
        await _wait(mesh, command.change_id, user_id, following)
        reply = await sending.reply_to(command)
    else:
        reply = await sending.reply_to(command, unless=_password_wrong())
    if reply.outcome != "accepted":
        await mesh.password_changes.drop(command.change_id)
    reply = accepted(reply)
    await _apply(mesh, user_id, command.change_id, reply)
    await cut_off(mesh, user_id, reply, kept=caller)
    return reply


def _password_wrong() -> Problem:
    fault = Fault(pointer="/current_password", detail="is not your password")
    return Problem(403, "password_wrong", "Your password is another", faults=[fault])


async def _wait(mesh: Machines, change_id: UUID, user_id: UUID, password: str) -> None:
    """Let the hash of the password to be wait in the vault for its change."""
    password_hash = await mesh.passwords.hash(password)
    if not await mesh.password_changes.wait(change_id, user_id, password_hash):
        raise Problem(409, "user_deleted", "This account is no longer there")


async def _apply(mesh: Machines, user_id: UUID, change_id: UUID, reply: Reply) -> None:
    """The change has happened. If the vault is away just now, the next log-in applies it."""
    try:
        await mesh.password_changes.apply(change_id, user_id, reply.version)
    except VaultUnavailableError:
        log.warning("password_change_waits")


async def _shown(
    mesh: Machines, sending: CommandSender, purpose: TokenPurpose, text: str
) -> Shown | Reply:
    """The token, or what was said when it was shown under the same key before."""
    token_id = mesh.one_time_tokens.id_in(text)
    row = None if token_id is None else await _row_of(mesh, token_id)
    if row is None and (first := await _first_reply(mesh, sending)) is not None:
        return first
    if row is None or token_id is None or row["type"] != purpose:
        raise _spent("token_spent")
    user_id = UUID(row["user_id"])
    if not mesh.one_time_tokens.matches(text, purpose, user_id):
        raise _spent("token_spent")
    return Shown(user_id, token_id, row["token"])


async def _first_reply(mesh: Machines, sending: CommandSender) -> Reply | None:
    """What a repeat was told first. A token that is spent is forgotten with whom it was for, so no
    writer can be asked: but what the page has read of it the journal has soon read, too.
    """
    if sending.key is None:
        return None
    rows = await mesh.postgres.fetch(LIVE_WATERMARKS, verification_tokens.verification_tokens.name)
    await JOURNAL.reach(
        mesh, (Position(row["topic"], row["partition"], row["next_offset"] - 1) for row in rows)
    )
    reply = await first_reply(mesh.postgres, sending.command_id)
    if reply is not None and reply.fingerprint != sending.fingerprint:
        raise refusal(reply.model_copy(update={"reason": "idempotency_key_reused", "status": 422}))
    return reply


async def _row_of(mesh: Machines, token_id: UUID) -> Row | None:
    deadline = time.monotonic() + left(TOKEN_WAIT_S)
    while True:
        row = await verification_tokens.by_token_id(mesh.postgres, str(token_id))
        if row is not None or time.monotonic() > deadline:
            return row
        await asyncio.sleep(TOKEN_POLL_S)


def _taken(reply: Reply) -> Reply:
    if reply.status == HTTPStatus.GONE:
        raise _spent(reply.reason)
    return accepted(reply)


def _spent(reason: str) -> Problem:
    fault = Fault(pointer="/token", detail="ask for another mail and take the link in that")
    detail = "This link has been used, has lapsed, or a newer one has taken its place"
    return Problem(410, reason, detail, faults=[fault])
